#include "release/policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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

std::vector<Objection> objections(const std::string& text, const std::string& file,
                                  const std::vector<Step>& steps, const manifest::Policy& policy) {
    std::vector<Objection> all;
    for (const auto& document : manifest::judge_by_policy(yaml::File::parse(text, file), policy)) {
        const bool ours = std::ranges::any_of(steps, [&](const Step& step) {
            return step.changed && step.located.document == document.index &&
                   step.located.name == document.name;
        });
        for (const auto& finding : document.findings) {
            if (!ours || finding.level != Level::error) {
                continue;
            }
            all.push_back(
                {.rule = std::string(finding.rule->id),
                 .key = fmt::format("{} {} {} {}", document.index, document.name, finding.rule->id,
                                    finding.path),
                 .text = fmt::format("{}:{}:{}: {}: {}", file, finding.begin.line,
                                     finding.begin.column, finding.message, finding.rule->id)});
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
        const bool is_object = std::ranges::any_of(file.steps, [](const Step& step) {
            return step.changed && step.located.form == Form::object && !step.located.is_template;
        });
        const auto* policy = is_object ? policies.of(name) : nullptr;
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
