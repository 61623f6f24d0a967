#include "release/step.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/yaml_edit.hpp"
#include "base/yaml_layout.hpp"
#include "release/entry_place.hpp"

namespace wasmplug::release {
namespace {

using yaml::Node;
using yaml::Path;

// A value given on the command line: what YAML makes of it, unless that is asked to be a string.
nlohmann::ordered_json value_of(const Setting& setting) {
    if (setting.string) {
        return setting.value;
    }
    const auto parsed = yaml::File::parse(setting.value, "--set");
    const bool collection = setting.value.starts_with('{') || setting.value.starts_with('[');
    if (collection && !parsed.problems().empty()) {
        throw usage_error(fmt::format("'{}' is no JSON value", setting.value));
    }
    const bool other = collection || (!setting.value.empty() &&
                                      yaml::plain_type(setting.value) != yaml::Type::string);
    return other ? yaml::to_json(parsed.single()) : nlohmann::ordered_json(setting.value);
}

struct ConfigText {
    std::string text;
    std::string hash;
};

// The configuration with all --set in it, as source text.
ConfigText with_settings(const Located& located, const std::vector<Setting>& settings) {
    const Site* site = located.site(Role::config);
    if (site == nullptr) {
        throw Error(fmt::format("{}: {} has no place for a configuration", located.file.name(),
                                located.title()));
    }
    if (!site->own && site->value != nullptr) {
        throw located.file.error(site->place.value->range(),
                                 "the configuration comes from a merge key",
                                 "give the whole of it with --config");
    }
    // Of a template the masked text, which is the same in a configuration that may be changed.
    yaml::Editor editor(located.file);
    for (const auto& setting : settings) {
        yaml::Path path = site->path;
        for (std::size_t i = 1; i < setting.path.steps().size(); ++i) {
            const auto& step = setting.path.steps()[i];
            path = step.is_index ? path / step.index : path / step.key;
        }
        editor.set(located.document, path, value_of(setting), {"sha256", "url"});
    }
    const auto& document = editor.file().documents()[located.document];
    const Node& mapping = *document.root->at(site->path.parent());
    const auto entry = mapping.own_entry(site->key);
    const yaml::Layout layout(editor.file(), document);
    return {std::string(layout.value_text({&mapping, &entry->key, &entry->value})),
            config_hash(&entry->value)};
}

bool holds_alias(const Node& node) {
    return node.kind() == yaml::Kind::alias ||
           std::ranges::any_of(yaml::slots_of(node),
                               [](const yaml::Slot& slot) { return holds_alias(*slot.value); });
}

// A configuration may repeat through an alias what a version changes: what it says then can only
// be read from the outcome.
void follow_aliases(Step& step, State& next) {
    const Site* config = step.located.site(Role::config);
    if (step.change.config || config == nullptr || config->value == nullptr ||
        !holds_alias(*config->value)) {
        return;
    }
    const Located& located = step.located;
    const auto text = apply_changes({located}, {step.change}).text;
    if (const auto again = locate_again(located, text)) {
        const State state = state_of(*again);
        step.after.config_hash = state.content.config_hash;
        next.config = state.config;
    }
}

Revision revision_of(const State& state, const Recording& recording) {
    Revision revision;
    revision.version = state.version;
    revision.content = state.content;
    if (state.config && state.config->size() <= config_kept_limit) {
        revision.config = state.config;
    }
    revision.beside = state.beside;
    revision.at = recording.at;
    revision.by = recording.by;
    revision.why = recording.why;
    revision.rollout = recording.rollout;
    return revision;
}

// Adds what is there when the ledger does not know it: before the first update, or after an edit
// by hand.
void record_found(Ledger& ledger, const State& state, const OddSpellings& odd,
                  const Recording& recording) {
    if (state.content.url.empty()) {
        return;
    }
    const Revision* newest = ledger.newest();
    if (newest != nullptr && newest->content == state.content) {
        return;
    }
    Revision found = revision_of(state, recording);
    found.by.clear();
    found.rollout.clear();
    found.why = newest == nullptr ? "found when history began" : "found, changed by hand";
    found.url_text = odd.url;
    found.sha256_text = odd.sha256;
    append_revision(ledger, std::move(found));
}

// What the change takes away, and where it stood.
void note_places(Revision& revision, const Located& located, const Change& change) {
    if (change.config && !*change.config) {
        revision.config_place = place_of(located, Role::config);
    }
    if (change.sha256 && change.sha256->empty()) {
        revision.sha256_place = place_of(located, Role::sha256);
    }
}

// Where what the change brings back stood when it went, after revision `to`.
void find_places(Change& change, const Ledger& ledger, unsigned to) {
    for (const auto& revision : ledger.revisions) {
        if (revision.number > to && !change.config_place) {
            change.config_place = revision.config_place;
        }
        if (revision.number > to && !change.sha256_place) {
            change.sha256_place = revision.sha256_place;
        }
    }
}

bool may_record(const Step& step, const Recording& recording) {
    return recording.mode == HistoryMode::ledger && step.located.keeps_ledger();
}

void refuse_if_needed(const Located& located) {
    if (!located.refusal.empty()) {
        throw located.file.error(located.range, located.refusal, located.refusal_hint);
    }
}

void note_differences(Step& step, const Revision& to) {
    for (const auto& [name, value] : to.beside) {
        const auto now = std::ranges::find(step.before.beside, name,
                                           &std::pair<std::string, std::string>::first);
        if (now == step.before.beside.end() || now->second != value) {
            step.notes.push_back(fmt::format(
                "{} was {} at revision {} and is {} now; it is left as it is", name, value,
                to.number, now == step.before.beside.end() ? "not set" : now->second));
        }
    }
    for (const auto& [name, value] : step.before.beside) {
        if (std::ranges::count(to.beside, name, &std::pair<std::string, std::string>::first) == 0) {
            step.notes.push_back(
                fmt::format("{} was not set at revision {} and is {} now; it is "
                            "left as it is",
                            name, to.number, value));
        }
    }
}

const Revision* chosen(const Ledger& ledger, const RollbackChoice& choice, const Content& now) {
    if (!choice.explicit_target()) {
        return revision_to_restore(ledger, now);
    }
    for (auto at = ledger.revisions.rbegin(); at != ledger.revisions.rend(); ++at) {
        const bool matches = choice.revision != 0 ? at->number == choice.revision
                             : !choice.version.empty()
                                 ? at->version == choice.version
                                 : at->content.sha256.starts_with(choice.digest);
        if (matches && (at->damage.empty() || choice.revision != 0)) {
            return &*at;
        }
    }
    return nullptr;
}

std::string wanted_text(const RollbackChoice& choice) {
    return choice.revision != 0      ? fmt::format("revision {}", choice.revision)
           : !choice.version.empty() ? fmt::format("a revision of version {}", choice.version)
                                     : fmt::format("a revision of digest sha256:{}", choice.digest);
}

[[noreturn]] void nothing_before(const Located& located, const Ledger& ledger,
                                 const RollbackChoice& choice) {
    if (choice.explicit_target()) {
        std::vector<std::string> known;
        for (const auto& revision : ledger.revisions) {
            known.push_back(fmt::format("{} ({})", revision.number, revision.version));
        }
        throw Error(fmt::format("{}: unable to find {} in the history of {}", located.file.name(),
                                wanted_text(choice), located.title()),
                    known.empty() ? "" : fmt::format("there is {}", fmt::join(known, ", ")));
    }
    throw Error(fmt::format("{}: there is nothing before the current version of {} to go back to",
                            located.file.name(), located.title()),
                fmt::format("'wasmplug disable {}' switches the plugin off, --to-revision goes to "
                            "a revision that was rolled back",
                            located.file.name()));
}

// The configuration of a revision that was too long for the ledger, from git.
std::optional<std::string> config_from_past(const Revision& to, const Past& past) {
    for (const auto& one : past()) {
        if (one.state.content.config_hash == to.content.config_hash && one.state.config) {
            return one.state.config;
        }
    }
    return std::nullopt;
}

void restore_config(Step& step, const Revision& to, const Past& past) {
    if (to.content.config_hash == step.before.content.config_hash &&
        (!to.config || to.config == step.before.config)) {
        return;
    }
    std::optional<std::string> config = to.config;
    if (!to.config_known()) {
        config = config_from_past(to, past);
        if (!config) {
            throw Error(
                fmt::format("{}: the configuration of revision {} was too long to be recorded, and "
                            "git does not have it",
                            step.located.file.name(), to.number),
                "--only-version keeps the configuration of now; else give the old one to "
                "'wasmplug update --config'");
        }
    }
    step.change.config = config;
    step.change.config_hash = to.content.config_hash;
}

// What `wanted` does to the configuration.
void want_config(Step& step, const Wanted& wanted) {
    const Located& located = step.located;
    const std::string& now = step.before.content.config_hash;
    if (wanted.config) {
        step.after.config_hash = config_hash(wanted.config->node);
        if (step.after.config_hash != now) {
            step.change.config =
                config_text_for(located, wanted.config->file, *wanted.config->node);
        }
    } else if (!wanted.settings.empty()) {
        const ConfigText text = with_settings(located, wanted.settings);
        step.after.config_hash = text.hash;
        if (text.hash != now) {
            step.change.config = text.text;
        }
    } else if (wanted.no_config && !now.empty()) {
        step.after.config_hash.clear();
        step.change.config.emplace(std::nullopt);
    }
    step.change.config_hash = step.after.config_hash;
}

// Appends `revision` to `after` and has the step write what then differs from `before`.
void store(Step& step, const Ledger& before, Ledger after, Revision revision,
           const Recording& recording) {
    note_places(revision, step.located, step.change);
    step.revision = append_revision(after, std::move(revision));
    prune_ledger(after, recording.limits);
    step.change.annotations = ledger_changes(before, after);
}

// Puts the step from what is there to `next` into the ledger.
void record(Step& step, const State& next, const Recording& recording) {
    const Ledger before = read_ledger(step.before.annotations);
    Ledger after = before;
    if (const Revision* verdict = verdict_against(after, step.after)) {
        step.notes.push_back(fmt::format("revision {} was the same and was left: {}",
                                         verdict->number, verdict->bad));
    }
    record_found(after, step.before, odd_spellings(step.located, step.change), recording);
    store(step, before, std::move(after), revision_of(next, recording), recording);
}

}  // namespace

Setting parse_setting(std::string_view text, bool string) {
    const std::size_t equals = text.find('=');
    const auto path =
        equals == std::string_view::npos ? std::nullopt : Path::parse(text.substr(0, equals));
    if (!path || path->empty()) {
        throw usage_error(fmt::format("'{}' is no PATH=VALUE", text),
                          "write it as pluginConfig.limit=5");
    }
    if (path->steps()[0].key != "pluginConfig" || path->steps().size() < 2) {
        throw usage_error(
            fmt::format("{} does not move with a version", path->to_string()),
            "update and rollback change url, sha256 and pluginConfig; edit the rest by hand");
    }
    return {*path, std::string(text.substr(equals + 1)), string};
}

Step plan_update(const Located& located, const Wanted& wanted, const Recording& recording) {
    refuse_if_needed(located);
    Step step{.located = located, .before = state_of(located)};
    const Content& now = step.before.content;
    step.after = {wanted.url, wanted.sha256, now.config_hash};
    step.version_after = wanted.version;
    if (located.form != Form::object && located.site(Role::url) == nullptr) {
        step.after.url = wanted.version;  // of the name only the tag is written there
    }
    want_config(step, wanted);
    if (step.after.url != now.url) {
        step.change.url = wanted.url;
    }
    if (step.after.sha256 != now.sha256) {
        step.change.sha256 = wanted.sha256;
    }
    step.changed = step.after != now;
    if (!step.changed) {
        return step;
    }
    if (is_switched_off(step.before)) {
        step.notes.push_back("it is switched off; 'wasmplug enable' puts it to work");
    }
    if (step.change.url || step.change.sha256) {
        // A text that holds both in one value needs both.
        step.change.url = wanted.url;
        step.change.sha256 = wanted.sha256;
    }
    State next = step.before;
    if (step.change.config) {
        next.config = *step.change.config;
    }
    follow_aliases(step, next);
    if (may_record(step, recording)) {
        next.content = step.after;
        next.version = wanted.version;
        record(step, next, recording);
    }
    return step;
}

const PastState* state_before(const std::vector<PastState>& past, const Content& now) {
    std::vector<const PastState*> line;  // oldest first; a return cuts off what it left
    const auto come_to = [&](const PastState& one) {
        const auto back = std::ranges::find_if(line, [&](const PastState* earlier) {
            return earlier->state.content == one.state.content;
        });
        line.erase(back, line.end());
        line.push_back(&one);
    };
    for (auto at = past.rbegin(); at != past.rend(); ++at) {
        if (!at->state.content.url.empty()) {
            come_to(*at);
        }
    }
    const auto here =
        std::ranges::find_if(line, [&](const PastState* one) { return one->state.content == now; });
    return here == line.begin() ? nullptr : *(here - 1);
}

namespace {

Step rollback_by_ledger(Step step, const Ledger& before, const RollbackChoice& choice,
                        const Recording& recording, const Past& past) {
    const Content& now = step.before.content;
    const Revision* to = chosen(before, choice, now);
    if (to == nullptr) {
        nothing_before(step.located, before, choice);
    }
    if (!to->damage.empty()) {
        throw Error(fmt::format("{}: the record of revision {} cannot be read: {}",
                                step.located.file.name(), to->number, to->damage),
                    "restore the annotation from git");
    }
    step.restored = to->number;
    step.version_after = to->version;
    step.after = to->content;
    if (choice.only_version) {
        step.after.config_hash = now.config_hash;
    } else {
        restore_config(step, *to, past);
    }
    if (step.after == now) {
        return step;
    }
    if (!to->bad.empty()) {
        step.notes.push_back(fmt::format("revision {} was left: {}", to->number, to->bad));
    }
    step.changed = true;
    step.change.url = to->content.url;
    step.change.sha256 = to->content.sha256;
    step.change.url_text = to->url_text;
    step.change.sha256_text = to->sha256_text;
    find_places(step.change, before, to->number);
    note_differences(step, *to);
    if (!may_record(step, recording)) {
        return step;
    }
    Ledger after = before;
    record_found(after, step.before, odd_spellings(step.located, step.change), recording);
    mark_bad(after, after.current,
             recording.why.empty() ? "rolled back" : "rolled back: " + recording.why);
    Revision revision = revision_of(step.before, recording);
    revision.content = step.after;
    revision.version = to->version;
    revision.rollback_of = to->number;
    revision.url_text = to->url_text;
    revision.sha256_text = to->sha256_text;
    if (!choice.only_version) {
        revision.config = to->config;
    }
    store(step, before, std::move(after), std::move(revision), recording);
    return step;
}

const PastState* chosen_in_past(const std::vector<PastState>& past, const RollbackChoice& choice,
                                const Content& now) {
    if (!choice.explicit_target()) {
        return state_before(past, now);
    }
    for (std::size_t i = 0; i < past.size(); ++i) {
        const auto& state = past[i].state;
        if (choice.revision != 0      ? past.size() - i == choice.revision
            : !choice.version.empty() ? state.version == choice.version
                                      : state.content.sha256.starts_with(choice.digest)) {
            return &past[i];
        }
    }
    return nullptr;
}

Step rollback_by_git(Step step, const RollbackChoice& choice, const std::vector<PastState>& past) {
    const PastState* to = chosen_in_past(past, choice, step.before.content);
    if (to == nullptr) {
        nothing_before(step.located, {}, choice);
    }
    step.restored_from = to->commit;
    step.version_after = to->state.version;
    step.after = to->state.content;
    if (choice.only_version) {
        step.after.config_hash = step.before.content.config_hash;
    } else if (to->state.content.config_hash != step.before.content.config_hash) {
        step.change.config = to->state.config;
        step.change.config_hash = to->state.content.config_hash;
    }
    step.changed = step.after != step.before.content;
    if (step.changed) {
        step.change.url = to->state.content.url;
        step.change.sha256 = to->state.content.sha256;
        step.change.url_text = to->odd.url;
        step.change.sha256_text = to->odd.sha256;
        step.change.config_place = to->config_place;
        step.change.sha256_place = to->sha256_place;
    }
    return step;
}

}  // namespace

Step plan_rollback(const Located& located, const RollbackChoice& choice, const Recording& recording,
                   const Past& past) {
    refuse_if_needed(located);
    Step step{.located = located, .before = state_of(located)};
    const Ledger ledger = read_ledger(step.before.annotations);
    if (recording.mode != HistoryMode::git && !ledger.empty()) {
        return rollback_by_ledger(std::move(step), ledger, choice, recording, past);
    }
    return rollback_by_git(std::move(step), choice, past());
}

Applied apply_steps(const std::vector<Step>& steps) {
    std::vector<Located> targets;
    std::vector<Change> changes;
    for (const auto& step : steps) {
        targets.push_back(step.located);
        changes.push_back(step.change);
    }
    return apply_changes(targets, changes);
}

std::string short_digest(const std::string& sha256) {
    return sha256.empty() ? std::string() : "sha256:" + sha256.substr(0, 8) + "…";
}

}  // namespace wasmplug::release
