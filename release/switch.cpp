#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/yaml_splice.hpp"
#include "release/step.hpp"

namespace wasmplug::release {
namespace {

const std::string* annotation(const State& state, std::string_view key) {
    const auto found =
        std::ranges::find(state.annotations, key, &std::pair<std::string, std::string>::first);
    return found == state.annotations.end() ? nullptr : &found->second;
}

// A plugin is switched off by its selector alone; says why not where there can be none.
void refuse_without_selector(const Located& located) {
    if (located.form != Form::object) {
        throw Error(
            fmt::format("{}: {} has no selector to narrow", located.file.name(), located.title()),
            "take the plugin out of what is applied, or roll it back");
    }
    for (const char* key : {"targetRefs", "targetRef"}) {
        if (const auto* refs = located.spec.value->find(key); refs != nullptr && !refs->is_null()) {
            throw located.file.error(
                refs->range(),
                "a plugin with targetRefs has no selector: Istio allows only one of them",
                "delete the object ('kubectl delete', or take it out of git), or roll it back");
        }
    }
}

}  // namespace

bool is_switched_off(const State& state) {
    return annotation(state, ledger_disabled_key) != nullptr;
}

Step plan_switch(const Located& located, bool off, const Recording& recording) {
    if (!located.refusal.empty()) {
        throw located.file.error(located.range, located.refusal, located.refusal_hint);
    }
    refuse_without_selector(located);
    Step step{.located = located, .before = state_of(located)};
    step.after = step.before.content;
    step.version_after = step.before.version;
    if (is_switched_off(step.before) == off) {
        return step;
    }
    step.changed = true;
    const auto selector = located.spec.value->own_entry("selector");
    if (off) {
        if (!located.keeps_ledger()) {
            throw Error(fmt::format("{}: there is no metadata here to keep the scope in",
                                    located.file.name()),
                        "give the object a name under 'metadata'");
        }
        const auto* labels = selector ? selector->value.find("matchLabels") : nullptr;
        ScopeChange scope{.narrow = true,
                          .added = labels     ? "label"
                                   : selector ? "matchLabels"
                                              : "selector"};
        nlohmann::ordered_json record = {{"added", scope.added}};
        if (selector) {
            record["selector"] =
                located.layout().value_text({located.spec.value, &selector->key, &selector->value});
        }
        if (located.metadata.value->find("annotations") == nullptr) {
            record["alone"] = true;
        }
        for (const auto& [key, text] :
             {std::pair{"at", &recording.at}, {"by", &recording.by}, {"why", &recording.why}}) {
            if (!text->empty()) {
                record[key] = *text;
            }
        }
        step.change.scope = scope;
        step.change.annotations.set = {{std::string(ledger_disabled_key), compact_json(record)}};
        return step;
    }
    try {
        const auto record = parse_json(*annotation(step.before, ledger_disabled_key),
                                       std::string(ledger_disabled_key));
        step.change.scope = ScopeChange{.narrow = false, .added = record.value("added", "label")};
        step.change.drop_annotations = record.value("alone", false);
    } catch (const nlohmann::json::exception&) {
        throw located.file.error(
            located.range, "the record of the off switch cannot be read",
            fmt::format("restore the annotation {} from git", ledger_disabled_key));
    }
    step.change.annotations.remove = {std::string(ledger_disabled_key)};
    return step;
}

}  // namespace wasmplug::release
