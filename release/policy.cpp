#include "release/policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>

namespace wasmplug::release {
namespace {

// Registries, digests, tags and transports: what an update is about, whatever stood there before.
constexpr std::array<std::string_view, 4> of_the_version{"WP401", "WP402", "WP407", "WP408"};

struct Objection {
    std::string rule;
    std::string key;  // the same finding before and after an edit
    std::string text;
};

void add_objections(const manifest::DocumentResult& document, const std::string& file,
                    std::vector<Objection>& all) {
    for (const auto& finding : document.findings) {
        if (finding.level == Level::error) {
            all.push_back(
                {.rule = std::string(finding.rule->id),
                 .key = fmt::format("{} {} {} {}", document.index, document.name, finding.rule->id,
                                    finding.path),
                 .text = fmt::format("{}:{}:{}: {}: {}", file, finding.begin.line,
                                     finding.begin.column, finding.message, finding.rule->id)});
        }
    }
}

bool is_whole_object(const Step& step) {
    return step.located.form == Form::object && !step.located.is_template;
}

// What a step's target says of its version in `text`, where that is all that can be judged.
std::optional<std::pair<Located, manifest::LooseVersion>> version_in(const std::string& text,
                                                                     const Step& step) {
    auto located = locate_again(step.located, text);
    if (!located) {
        return std::nullopt;
    }
    const State state = state_of(*located);
    const Site* site = located->site(Role::url);
    const bool only_tag = site == nullptr;
    site = only_tag ? located->site(Role::tag) : site;
    if (site == nullptr || site->value == nullptr) {
        return std::nullopt;
    }
    manifest::LooseVersion version{.url = only_tag ? "" : state.content.url,
                                   .tag = state.version,
                                   .pinned = !state.content.sha256.empty(),
                                   .range = site->value->range(),
                                   .path = site->path.to_string(),
                                   .ns = located->ns,
                                   .name = located->name};
    return std::pair{std::move(*located), std::move(version)};
}

std::vector<Objection> objections(const std::string& text, const std::string& file,
                                  const std::vector<Step>& steps, const manifest::Policy& policy) {
    std::vector<Objection> all;
    const auto is_ours = [](const Step& step) {
        return step.changed && is_whole_object(step);
    };
    if (std::ranges::any_of(steps, is_ours)) {
        for (const auto& document :
             manifest::judge_by_policy(yaml::File::parse(text, file), policy)) {
            const bool ours = std::ranges::any_of(steps, [&](const Step& step) {
                return is_ours(step) && step.located.document == document.index &&
                       step.located.name == document.name;
            });
            if (ours) {
                add_objections(document, file, all);
            }
        }
    }
    for (const auto& step : steps) {
        if (!step.changed || is_whole_object(step)) {
            continue;
        }
        if (const auto found = version_in(text, step)) {
            add_objections(manifest::judge_by_policy(found->first.file, found->first.document,
                                                     found->second, policy),
                           file, all);
        }
    }
    return all;
}

}  // namespace

PolicyObjections judge_by_policies(const std::vector<FileSteps>& files,
                                   manifest::Policies& policies) {
    PolicyObjections result;
    for (const auto& file : files) {
        const std::string name = file.path.string();
        const auto* policy =
            std::ranges::any_of(file.steps, &Step::changed) ? policies.of(name) : nullptr;
        if (policy == nullptr) {
            continue;
        }
        std::set<std::string> before;
        for (const auto& one : objections(file.before, name, file.steps, *policy)) {
            before.insert(one.key);
        }
        for (auto& one : objections(file.after, name, file.steps, *policy)) {
            const bool refused =
                !before.contains(one.key) || std::ranges::count(of_the_version, one.rule) != 0;
            (refused ? result.refused : result.known).push_back(std::move(one.text));
        }
    }
    return result;
}

}  // namespace wasmplug::release
