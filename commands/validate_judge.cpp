#include "commands/validate_judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "base/parallel.hpp"
#include "istio/releases.hpp"
#include "manifest/advice.hpp"
#include "manifest/artefact.hpp"
#include "manifest/metrics_check.hpp"

namespace wasmplug {
namespace {

// The schema of the very image that will run knows better than the project's.
const manifest::ConfigSchema* schema_for(const manifest::Object& object, const Input& input,
                                         const Judgement& with) {
    if (with.schema) {
        return &*with.schema;
    }
    if (!with.carried.empty()) {
        const auto carried = with.carried.find(manifest::artefact_of(object).url);
        if (carried != with.carried.end() && carried->second) {
            return &*carried->second;
        }
    }
    return input.schema.is_for(object) ? input.schema.schema : nullptr;
}

void judge(const yaml::File& file, const Input& input, const Judgement& with, FileResult& result) {
    auto settings = with.settings;
    settings.only_ours = with.only_ours || input.source.found;
    std::vector<manifest::ObjectRule> further;
    if (!with.artefacts.empty()) {
        further.emplace_back([&](const manifest::Object& object, manifest::Findings& findings) {
            const auto facts = with.artefacts.find(manifest::artefact_of(object).url);
            if (facts != with.artefacts.end()) {
                manifest::check_artefact(object, facts->second, findings);
            }
        });
    }
    if (with.schema || !with.carried.empty() || input.schema.schema != nullptr) {
        further.emplace_back([&](const manifest::Object& object, manifest::Findings& findings) {
            if (const auto* schema = schema_for(object, input, with)) {
                auto notes = manifest::check_config(object, *schema, findings);
                std::move(notes.begin(), notes.end(), std::back_inserter(result.not_judged));
            }
        });
    }
    if (input.policy != nullptr) {
        further.emplace_back([&](const manifest::Object& object, manifest::Findings& findings) {
            manifest::check_policy(object, *input.policy, findings);
        });
    }
    // One by one: a List may hold a hundred thousand, each with findings.
    for (const auto& object : manifest::objects_in(file)) {
        auto checked = manifest::validate(object, settings, further);
        if (checked.object.identity == manifest::Identity::ours) {
            result.placements.push_back(manifest::place(checked.object, result.documents.size()));
        }
        manifest::check_metrics(checked);
        manifest::check_advice(checked);
        result.documents.push_back(manifest::summarize(std::move(checked)));
    }
}

// Of one file by itself: no finding about several objects has one right answer.
std::vector<manifest::DocumentResult> judge_to_mend(const yaml::File& file, const Input& input,
                                                    const Judgement& with) {
    FileResult result;
    judge(file, input, with, result);
    for (auto& document : result.documents) {
        if (input.policy != nullptr) {
            manifest::apply_levels(*input.policy, document.findings);
        }
        manifest::finish(document);
    }
    return std::move(result.documents);
}

}  // namespace

void add_carried(const release::Artefacts& artefacts, CarriedSchemas& known, Output& out) {
    for (const auto& [url, facts] : artefacts) {
        if (facts.config_schema.empty() && facts.config_schema_problem.empty()) {
            continue;
        }
        const auto [schema, is_new] = known.try_emplace(url);
        if (!is_new) {
            continue;
        }
        std::string problem;
        if (!facts.config_schema_problem.empty()) {
            problem = fmt::format("the schema in {}: {}", facts.name, facts.config_schema_problem);
        } else {
            try {
                schema->second.emplace(
                    manifest::carried_config_schema(facts.config_schema, facts.name));
            } catch (const Error& error) {
                problem = error.what();
            }
        }
        if (!problem.empty()) {
            out.note("pluginConfig is not judged by its image: " + problem);
        }
    }
}

FileResult judge_source(const Input& input, const Judgement& with) {
    FileResult result{.documents = {},
                      .placements = {},
                      .unreadable = {},
                      .name = input.source.name,
                      .policy = input.policy,
                      .not_judged = {}};
    try {
        judge(manifest::parse_source(input.source), input, with, result);
    } catch (const Error& error) {
        result.unreadable = error;  // the others are judged all the same
    }
    return result;
}

void look_up(const std::deque<Input>& inputs, const manifest::ValidateSettings& judged,
             const release::LookupSettings& settings, Services& services,
             release::Artefacts& known) {
    std::map<std::string, oci::ArtefactQuery> queries;
    for (const auto& input : inputs) {
        for (const auto& object : manifest::objects_in(manifest::parse_source(input.source))) {
            const auto wanted = object.identity == manifest::Identity::ours
                                    ? manifest::artefact_of(object)
                                    : manifest::ArtefactWanted{};
            if (wanted.url.empty() || known.contains(wanted.url)) {
                continue;
            }
            auto& query = queries[wanted.url];
            query.url = wanted.url;
            if (!wanted.expected.empty()) {
                query.expected.insert(wanted.expected);
            }
        }
    }
    std::vector<oci::ArtefactQuery> list;
    for (auto& [url, query] : queries) {
        for (const auto& release : judged.releases) {
            query.hosts.push_back(istio::to_string(release));
        }
        list.push_back(std::move(query));
    }
    known.merge(release::look_up_all(list, settings, services));
}

MendReport mend_all(const Judgement& with, std::deque<Input>& inputs, Services& services) {
    auto all = parallel(
        inputs.size(),
        [&](std::size_t i) {
            std::pair<std::string, manifest::MendResult> result;
            try {
                const auto file = manifest::parse_source(inputs[i].source);
                result.first = file.text();
                result.second = manifest::mend(file, [&](const yaml::File& now) {
                    return judge_to_mend(now, inputs[i], with);
                });
            } catch (const Error&) {
                services.cancel.check();  // a file that cannot be read is told of by judging it
            }
            return result;
        },
        services.cancel);
    MendReport report;
    for (std::size_t i = 0; i < all.size(); ++i) {
        auto& [before, result] = all[i];
        std::move(result.mended.begin(), result.mended.end(), std::back_inserter(report.mended));
        std::move(result.refused.begin(), result.refused.end(), std::back_inserter(report.refused));
        if (!result.mended.empty()) {
            auto& source = inputs[i].source;
            report.replacements.push_back(
                {.path = source.name, .before = before, .after = result.text});
            source.text = std::move(result.text);
        }
    }
    return report;
}

}  // namespace wasmplug
