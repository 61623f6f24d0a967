#include "release/rollout.hpp"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/image_reference.hpp"
#include "base/json.hpp"
#include "base/parallel.hpp"
#include "base/time.hpp"
#include "base/yaml_edit.hpp"

namespace wasmplug::release {
namespace fs = std::filesystem;

namespace {

std::vector<fs::path> expand(const Plan& plan, const WaveTarget& target) {
    const fs::path pattern = plan.path.parent_path() / target.pattern;
    glob_t found{};
    std::vector<fs::path> paths;
    if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
        for (std::size_t i = 0; i < found.gl_pathc; ++i) {
            paths.emplace_back(found.gl_pathv[i]);
        }
    }
    ::globfree(&found);
    if (paths.empty()) {
        throw plan.file.error(target.range, fmt::format("no file matches {}", target.pattern));
    }
    return paths;
}

std::string wanted_url(const Plan& plan) {
    return plan.url + ":" + plan.to;
}

std::optional<ConfigSource> plan_config(const Plan& plan) {
    if (!plan.config_file) {
        return std::nullopt;
    }
    const auto file = yaml::File::read(plan.path.parent_path() / *plan.config_file);
    const auto* node = &file.single();
    return ConfigSource{file, node};
}

bool has_content(const Plan& plan, const State& state, const std::string& config) {
    // Where only a tag is written, it is the whole of what the target says.
    const bool only_tag = state.content.url == state.version;
    return state.content.sha256 == plan.sha256 &&
           (only_tag ? state.version == plan.to
                     : repository_of(state.content.url) == repository_of(plan.url)) &&
           (config.empty() || state.content.config_hash == config);
}

// The key under which the plan remembers for a wave.
std::string plan_key(const Wave& wave) {
    return std::string(ledger_rollout_key) + "." + wave.name;
}

std::optional<GateRecord> record_in(const Annotations& annotations, const std::string& key,
                                    const Plan& plan, const Wave& wave) {
    const auto found =
        std::ranges::find(annotations, key, &std::pair<std::string, std::string>::first);
    if (found == annotations.end()) {
        return std::nullopt;
    }
    try {
        const auto json = parse_json(found->second, key);
        GateRecord record{json.value("plan", ""), json.value("wave", ""), json.value("sha256", ""),
                          json.value("gate", ""), json.value("why", ""),  json.value("at", ""),
                          json.value("by", "")};
        if (record.plan == plan.name && record.wave == wave.name && record.sha256 == plan.sha256) {
            return record;
        }
    } catch (const std::exception&) {
        return std::nullopt;  // somebody's edit: as if the gates had said nothing
    }
    return std::nullopt;
}

const Located* lead_of(const WaveStatus& wave) {
    for (const auto& file : wave.files) {
        for (const auto& located : file.targets) {
            if (located.keeps_ledger()) {
                return &located;
            }
        }
    }
    return nullptr;
}

// The same target as it is on disk now.
Located read_again(const Located& located, const Cancel& cancel) {
    const auto now = open_targets(
        {.kind = Target::Kind::file, .path = located.file.name(), .resource = {}, .name = {}},
        {.name = located.ns.empty() ? located.name : located.ns + "/" + located.name,
         .values_path = {},
         .image = {}},
        cancel);
    return now.front().targets.front();
}

// What a wave names in one file, out of one tree.
FileTargets open_named(const fs::path& path, const std::vector<const WaveTarget*>& targets,
                       const std::string& image) {
    const auto file = yaml::File::read(path);
    FileTargets all{path, {}};
    for (const auto* target : targets) {
        all.targets.push_back(pick_one(
            file, {.name = target->name, .values_path = target->values_path, .image = image}));
    }
    return all;
}

void read_wave(const Plan& plan, const Annotations& remembered, const std::string& config,
               WaveStatus& status) {
    bool left = false;
    for (const auto& file : status.files) {
        for (const auto& located : file.targets) {
            const State state = state_of(located);
            ++status.targets;
            if (has_content(plan, state, config)) {
                ++status.changed;
                continue;
            }
            const Ledger ledger = read_ledger(state.annotations);
            for (const auto& revision : ledger.revisions) {
                if (revision.content.sha256 == plan.sha256 && !revision.bad.empty() &&
                    revision.rollout.starts_with(plan.name + "/")) {
                    left = true;
                    status.bad = revision.bad;
                }
            }
        }
    }
    const Located* lead = lead_of(status);
    status.record = lead == nullptr
                        ? record_in(remembered, plan_key(*status.wave), plan, *status.wave)
                        : record_in(state_of(*lead).annotations, std::string(ledger_rollout_key),
                                    plan, *status.wave);
    if (lead == nullptr && status.changed == 0 && status.record &&
        status.record->answer == "rolled back") {
        left = true;
        status.bad = status.record->reason;
    }
    const bool has_gates = !status.wave->gates.empty() || status.wave->pause;
    status.state = judge_wave(status.targets, status.changed, left, has_gates, status.record);
}

// matchLabels of a spec; nothing for a plugin of every workload.
std::vector<std::pair<std::string, std::string>> labels_of(const Located& located) {
    std::vector<std::pair<std::string, std::string>> labels;
    const auto* selector = located.spec.value->find("selector");
    const auto* match = selector == nullptr ? nullptr : selector->find("matchLabels");
    if (match != nullptr && match->is_mapping()) {
        for (const auto& [key, value] : match->effective_entries()) {
            labels.emplace_back(key.key_text(), value.text());
        }
    }
    return labels;
}

// targetRefs, and the deprecated targetRef, which counts where the list is empty.
std::vector<const yaml::Node*> refs_of(const Located& located) {
    std::vector<const yaml::Node*> refs;
    const auto* list = located.spec.value->find("targetRefs");
    if (list != nullptr && list->is_sequence()) {
        for (const auto& one : list->items()) {
            refs.push_back(&one);
        }
    }
    const auto* single = located.spec.value->find("targetRef");
    if (refs.empty() && single != nullptr && single->is_mapping()) {
        refs.push_back(single);
    }
    return refs;
}

// One item of spec.match: CLIENT and SERVER are never one listener, and a listener has one port.
struct Listeners {
    std::string mode;
    std::set<std::string> ports;  // empty: all
};

std::vector<Listeners> listeners_of(const Located& located) {
    const auto* match = located.spec.value->find("match");
    std::vector<Listeners> all;
    if (match != nullptr && match->is_sequence()) {
        for (const auto& item : match->items()) {
            Listeners one;
            if (const auto* mode = item.find("mode"); mode != nullptr) {
                one.mode = mode->text();
            }
            if (const auto* ports = item.find("ports"); ports != nullptr && ports->is_sequence()) {
                for (const auto& port : ports->items()) {
                    const auto* number = port.find("number");
                    one.ports.insert(number == nullptr ? "" : std::string(number->text()));
                }
            }
            all.push_back(std::move(one));
        }
    }
    if (all.empty()) {
        all.emplace_back();
    }
    return all;
}

bool on_one_listener(const Located& a, const Located& b) {
    for (const auto& one : listeners_of(a)) {
        for (const auto& other : listeners_of(b)) {
            const bool modes = !(one.mode == "CLIENT" && other.mode == "SERVER") &&
                               !(one.mode == "SERVER" && other.mode == "CLIENT");
            const bool ports = one.ports.empty() || other.ports.empty() ||
                               std::ranges::any_of(one.ports, [&](const std::string& port) {
                                   return other.ports.contains(port);
                               });
            if (modes && ports) {
                return true;
            }
        }
    }
    return false;
}

std::string place_of(const FileTargets& file, const Located& located) {
    return file.path.string() + (located.name.empty() ? "" : " (" + located.name + ")");
}

}  // namespace

std::string_view to_string(WaveState state) {
    switch (state) {
        case WaveState::pending:
            return "pending";
        case WaveState::partial:
            return "partial";
        case WaveState::changed:
            return "changed";
        case WaveState::passed:
            return "passed";
        case WaveState::waiting:
            return "waiting";
        case WaveState::failed:
            return "failed";
        case WaveState::rolled_back:
            return "rolled back";
    }
    return "";
}

const WaveStatus* RolloutStatus::current() const {
    const auto found = std::ranges::find_if(
        waves, [](const WaveStatus& wave) { return wave.state != WaveState::passed; });
    return found == waves.end() ? nullptr : &*found;
}

bool RolloutStatus::rolled_back() const {
    return std::ranges::count(waves, WaveState::rolled_back, &WaveStatus::state) != 0;
}

WaveState judge_wave(std::size_t targets, std::size_t changed, bool left, bool has_gates,
                     const std::optional<GateRecord>& record) {
    if (left) {
        return WaveState::rolled_back;
    }
    if (changed == 0) {
        return WaveState::pending;
    }
    if (changed < targets) {
        return WaveState::partial;
    }
    if (record && (record->answer == "failed")) {
        return WaveState::failed;
    }
    if (record && record->answer != "passed" && record->answer != "promoted") {
        return WaveState::waiting;
    }
    return record || !has_gates ? WaveState::passed : WaveState::changed;
}

RolloutStatus read_status(const Plan& plan, const Cancel& cancel) {
    if (plan.sha256.empty()) {
        throw Error(fmt::format("{}: the plan does not say which digest {} has", plan.path.string(),
                                plan.to),
                    "'wasmplug rollout plan' looks it up and writes it down as plugin.sha256");
    }
    const auto config = plan_config(plan);
    const std::string hash = config ? config_hash(config->node) : std::string();
    // Not those of when the plan was read: a run writes them, and so does a person beside it.
    const Annotations remembered = read_plan(plan.path).annotations;
    RolloutStatus status;
    std::set<std::string> seen;
    for (const auto& wave : plan.waves) {
        WaveStatus one;
        one.wave = &wave;
        std::vector<std::pair<fs::path, std::vector<const WaveTarget*>>> wanted;
        for (const auto& target : wave.targets) {
            for (const auto& path : expand(plan, target)) {
                if (!seen.insert(fs::weakly_canonical(path).string() + "\n" + target.name + "\n" +
                                 target.values_path)
                         .second) {
                    throw plan.file.error(target.range,
                                          fmt::format("{} is in the plan twice", path.string()));
                }
                const auto at =
                    std::ranges::find(wanted, path, [](const auto& file) { return file.first; });
                if (at == wanted.end()) {
                    wanted.push_back({path, {&target}});
                } else {
                    at->second.push_back(&target);
                }
            }
        }
        one.files = parallel(
            wanted.size(),
            [&](std::size_t i) {
                return open_named(wanted[i].first, wanted[i].second, repository_of(plan.url));
            },
            cancel);
        read_wave(plan, remembered, hash, one);
        status.waves.push_back(std::move(one));
    }
    return status;
}

std::optional<std::string> may_meet(const Located& a, const Located& b,
                                    std::string_view root_namespace) {
    if (a.form != Form::object || b.form != Form::object || (a.ns == b.ns && a.name == b.name)) {
        return std::nullopt;  // one object, or texts that say nothing of their scope
    }
    if (a.ns != b.ns && a.ns != root_namespace && b.ns != root_namespace) {
        return std::nullopt;
    }
    if (!on_one_listener(a, b)) {
        return std::nullopt;
    }
    const auto refs = refs_of(a);
    const auto other_refs = refs_of(b);
    if (refs.empty() != other_refs.empty()) {
        return labels_of(refs.empty() ? a : b).empty()
                   ? std::optional<std::string>(
                         "one is attached to a target, and the other, "
                         "without a selector, runs there too")
                   : std::nullopt;
    }
    for (const auto* one : refs) {
        for (const auto* other : other_refs) {
            if (yaml::same_value(*one, *other)) {
                return "both are attached to the same target";
            }
        }
    }
    if (!refs.empty()) {
        return std::nullopt;
    }
    const auto labels = labels_of(a);
    for (const auto& [key, value] : labels_of(b)) {
        const auto same =
            std::ranges::find(labels, key, &std::pair<std::string, std::string>::first);
        if (same != labels.end() && same->second != value) {
            return std::nullopt;
        }
    }
    return "a workload can carry the labels of both, and then both run";
}

std::vector<Overlap> overlaps(const Plan& plan, const RolloutStatus& status) {
    struct Placed {
        const WaveStatus* wave;
        const FileTargets* file;
        const Located* located;
    };

    std::vector<Placed> all;
    for (const auto& wave : status.waves) {
        for (const auto& file : wave.files) {
            for (const auto& located : file.targets) {
                all.push_back({&wave, &file, &located});
            }
        }
    }
    std::vector<Overlap> found;
    for (auto one = all.begin(); one != all.end(); ++one) {
        for (auto other = one + 1; other != all.end(); ++other) {
            if (one->wave->wave->cluster != other->wave->wave->cluster) {
                continue;
            }
            if (const auto why = may_meet(*one->located, *other->located, plan.root_namespace)) {
                found.push_back({place_of(*one->file, *one->located),
                                 place_of(*other->file, *other->located), *why});
            }
        }
    }
    return found;
}

std::vector<FileSteps> prepare_wave(const Plan& plan, const WaveStatus& wave, Recording recording,
                                    const Cancel& cancel) {
    recording.rollout = plan.name + "/" + wave.wave->name;
    if (recording.why.empty()) {
        recording.why = plan.why.empty() ? "rollout " + recording.rollout : plan.why;
    }
    Wanted wanted{.url = wanted_url(plan), .sha256 = plan.sha256, .version = plan.to};
    wanted.config = plan_config(plan);
    return prepare(
        wave.files, [&](const Located& located) { return plan_update(located, wanted, recording); },
        cancel);
}

std::vector<FileSteps> prepare_undo(const Plan& plan, const WaveStatus& wave, Recording recording,
                                    Services& services) {
    std::vector<FileTargets> files;
    for (const auto& file : wave.files) {
        FileTargets some{file.path, {}};
        std::ranges::copy_if(
            file.targets, std::back_inserter(some.targets),
            [&](const Located& located) { return has_content(plan, state_of(located), {}); });
        if (!some.targets.empty()) {
            files.push_back(std::move(some));
        }
    }
    return prepare(
        files,
        [&](const Located& located) {
            Step step =
                plan_rollback(located, {}, recording, [&] { return past_of(located, services); });
            const bool remembers = std::ranges::count(step.before.annotations, ledger_rollout_key,
                                                      &std::pair<std::string, std::string>::first);
            if (remembers) {
                step.change.annotations.remove.emplace_back(ledger_rollout_key);
            }
            return step;
        },
        services.cancel);
}

bool keeps_records(const WaveStatus& wave) {
    return lead_of(wave) != nullptr;
}

std::optional<GateRecord> remembered_gate(const Plan& plan, const WaveStatus& wave,
                                          const Cancel& cancel) {
    const Located* lead = lead_of(wave);
    return lead == nullptr
               ? record_in(read_plan(plan.path).annotations, plan_key(*wave.wave), plan, *wave.wave)
               : record_in(state_of(read_again(*lead, cancel)).annotations,
                           std::string(ledger_rollout_key), plan, *wave.wave);
}

std::optional<fs::path> remember_gate(const Plan& plan, const WaveStatus& wave,
                                      const GateRecord& record, const Cancel& cancel) {
    const nlohmann::ordered_json json = {{"plan", record.plan},     {"wave", record.wave},
                                         {"sha256", record.sha256}, {"gate", record.answer},
                                         {"why", record.reason},    {"at", record.at},
                                         {"by", record.by}};
    const Located* lead = lead_of(wave);
    if (lead == nullptr) {
        yaml::Editor editor(yaml::File::read(plan.path));
        const std::string before(editor.text());
        editor.set(0, yaml::Path{"metadata"} / "annotations" / plan_key(*wave.wave),
                   compact_json(json), {"kind"});
        if (!editor.changed()) {
            return std::nullopt;
        }
        write_files({{plan.path, before, std::string(editor.text())}}, cancel);
        return plan.path;
    }
    // The wave may have been written since it was read.
    const Located located = read_again(*lead, cancel);
    Change change;
    change.annotations.set = {{std::string(ledger_rollout_key), compact_json(json)}};
    const Applied applied = apply_changes({located}, {change});
    if (applied.text == *located.text) {
        return std::nullopt;
    }
    write_files({{lead->file.name(), *located.text, applied.text}}, cancel);
    return lead->file.name();
}

WaveVerdict judge_gates(const std::vector<Gate>& gates, const Promoted& promoted, bool wait,
                        std::chrono::nanoseconds limit, Services& services) {
    std::optional<WallClock::time_point> deadline;
    if (limit.count() > 0) {
        deadline = services.now() + std::chrono::duration_cast<WallClock::duration>(limit);
    }
    WaveVerdict all;
    all.verdict = {Verdict::Answer::passed, {}};
    for (const auto& gate : gates) {
        const bool asks_a_person =
            std::holds_alternative<ManualCheck>(gate.check) || gate.count == 0;
        if (asks_a_person && promoted()) {
            continue;
        }
        all.reports.push_back(run_gate(gate, services, wait ? promoted : Promoted{}, deadline));
        const auto& report = all.reports.back();
        std::string value =
            report.measurements.empty() ? std::string() : report.measurements.back().value;
        const std::string line = fmt::format("gate {}: {}{}", gate.name, report.asked,
                                             value.empty() ? "" : " is " + value);
        const bool passed = report.verdict.answer == Verdict::Answer::passed;
        passed ? services.out.step(line) : services.out.note(line);
        if (!passed) {
            all.verdict = report.verdict;
            all.verdict.reason = fmt::format("gate {}: {}", gate.name, report.verdict.reason);
            return all;
        }
    }
    return all;
}

}  // namespace wasmplug::release
