// Each rule of the table is found where it should be, says what to do, and is satisfied by that.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "manifest/advice.hpp"
#include "manifest/artefact.hpp"
#include "manifest/config_schema.hpp"
#include "manifest/metrics_check.hpp"
#include "manifest/overlap.hpp"
#include "manifest/policy.hpp"
#include "manifest/result.hpp"

namespace wasmplug::manifest {
namespace {

using nlohmann::ordered_json;

ordered_json table() {
    const auto file = yaml::File::read(WASMPLUG_SOURCE_DIR "/tests/data/manifests/rules.yaml");
    return yaml::to_json(file.checked().single());
}

istio::ArtefactFacts facts_of(const ordered_json& json) {
    using Answer = istio::ArtefactFacts::Answer;
    istio::ArtefactFacts facts;
    const auto answer = json.at("answer").get<std::string>();
    facts.answer = answer == "there"     ? Answer::there
                   : answer == "missing" ? Answer::missing
                                         : Answer::unknown;
    facts.name = "registry.internal/acme/auth:1.0.0";
    facts.problem = json.value("problem", "");
    facts.is_image = json.at("is_image");
    facts.is_index = json.value("is_index", false);
    facts.digest = json.value("digest", "");
    facts.image_digest = json.value("image_digest", "");
    facts.module_sha256 = json.value("module_sha256", "");
    if (json.contains("fails")) {
        facts.loading.push_back(
            {.host = json.at("fails"), .loads = false, .message = "Unable to create Wasm plugin"});
    }
    return facts;
}

// All that `validate` would say of one file.
std::vector<Diagnostic> findings_of(const std::string& text, const ordered_json& one) {
    ValidateSettings settings;
    if (one.contains("for")) {
        settings.releases = {istio::release_for(one.at("for").get<std::string>())};
    }
    std::vector<ObjectRule> further;
    std::optional<Policy> policy;
    std::optional<ConfigSchema> schema;
    istio::ArtefactFacts facts;
    if (one.contains("policy")) {
        policy.emplace(read_policy(yaml::File::parse(one.at("policy"), "policy.yaml")));
        further.emplace_back([&](const Object& object, Findings& findings) {
            check_policy(object, *policy, findings);
        });
    }
    if (one.contains("schema")) {
        const TemporaryDirectory folder;
        write_file(folder.path() / "x.json", one.at("schema").get<std::string>());
        schema.emplace(read_config_schema(folder.path() / "x.json"));
        further.emplace_back([&](const Object& object, Findings& findings) {
            check_config(object, *schema, findings);
        });
    }
    if (one.contains("facts")) {
        facts = facts_of(one.at("facts"));
        further.emplace_back([&](const Object& object, Findings& findings) {
            check_artefact(object, facts, findings);
        });
    }
    const auto file = yaml::File::parse(text, "plugin.yaml");
    Overlaps overlaps("istio-system");
    std::vector<Diagnostic> all;
    std::size_t number = 0;
    for (const auto& object : objects_in(file)) {
        auto checked = validate(object, settings, further);
        check_metrics(checked);
        check_advice(checked);
        auto result = summarize(checked);
        if (object.identity == Identity::ours) {
            overlaps.check(place(object, number++), result);
        }
        finish(result);
        all.insert(all.end(), result.findings.begin(), result.findings.end());
    }
    return all;
}

std::string with(const std::string& clean, const ordered_json& one, const char* key) {
    const auto text = one.at(key).get<std::string>();
    if (!one.contains("change")) {
        return text;
    }
    const auto change = one.at("change").get<std::string>();
    const auto at = clean.find(change);
    EXPECT_NE(at, std::string::npos) << change;
    return at == std::string::npos ? clean : std::string(clean).replace(at, change.size(), text);
}

const Diagnostic* find(const std::vector<Diagnostic>& findings, const std::string& rule) {
    for (const auto& finding : findings) {
        if (finding.rule->id == rule) {
            return &finding;
        }
    }
    return nullptr;
}

TEST(EveryRule, IsFoundInItsPlaceAndSatisfiedByItsFix) {
    const auto cases = table();
    const auto clean = cases.at("clean").get<std::string>();
    EXPECT_TRUE(findings_of(clean, ordered_json::object()).empty());
    std::set<std::string> covered;
    for (const auto& one : cases.at("cases")) {
        const auto rule = one.at("rule").get<std::string>();
        SCOPED_TRACE(rule);
        covered.insert(rule);
        const auto bad = findings_of(with(clean, one, "bad"), one);
        const auto* finding = find(bad, rule);
        if (finding == nullptr) {
            ADD_FAILURE() << "not found";
            continue;
        }
        EXPECT_EQ(fmt::format("{}:{}", finding->begin.line, finding->begin.column), one.at("at"));
        EXPECT_EQ(finding->fix, one.at("fix"));
        EXPECT_FALSE(finding->message.empty());
        if (one.value("elsewhere", false)) {
            continue;
        }
        const auto good = one.contains("good") ? with(clean, one, "good") : clean;
        const auto after = findings_of(good, one);
        const auto* left = find(after, rule);
        EXPECT_EQ(left, nullptr) << left->message;
    }
    for (const auto& rule : rules()) {
        EXPECT_TRUE(covered.contains(std::string(rule.id))) << rule.id << " has no case";
    }
}

}  // namespace
}  // namespace wasmplug::manifest
