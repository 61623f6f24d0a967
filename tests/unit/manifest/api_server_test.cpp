// Our API server layer against what a real API server said of the same manifests, as recorded by
// tools/record-verdicts: the same verdict, the same fields, the same words.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "manifest/validate.hpp"
#include "tests/support/api_cases.hpp"

namespace wasmplug::manifest {
namespace {

using test::ApiCase;
using test::ApiVerdict;

constexpr std::string_view unchecked = "<nil>: Invalid value: null: some validation rules";

std::string after(const std::string& text, std::string_view mark) {
    const auto at = text.find(mark);
    return at == std::string::npos ? text : text.substr(at + mark.size());
}

// What is no YAML, or none that JSON can say: libyaml and go-yaml word that differently.
bool is_about_reading(const std::string& said) {
    return said.find("the object provided is unrecognized") != std::string::npos;
}

// The line that the server names, as "line N: "; "" when it does not.
std::string line_of(const std::string& said) {
    const auto at = said.find("yaml: line ");
    return at == std::string::npos ? "" : said.substr(at + 6, said.find(": ", at + 6) - at - 4);
}

// The cause without what the server says of itself and of the bytes it got.
std::string fact_of(const std::string& said) {
    auto fact = after(after(after(said, "cannot be handled as a WasmPlugin: "),
                            "cannot be handled as a TrafficExtension: "),
                      "<nil>: Invalid value: \"\": ");
    return fact;
}

// `line 8: key "c" already set in map` is how the server tells of a duplicate when it is sent YAML.
std::multiset<std::string> strict_facts(const ApiVerdict& verdict) {
    std::multiset<std::string> facts;
    for (const auto& said : verdict.strict) {
        if (!said.starts_with("yaml: unmarshal errors:")) {
            facts.insert(said);
            continue;
        }
        for (auto at = said.find("line "); at != std::string::npos;) {
            const auto next = said.find("\n  line ", at);
            facts.insert(said.substr(at, std::min(next, said.size()) - at));
            at = next == std::string::npos ? next : next + 3;
        }
    }
    return facts;
}

std::multiset<std::string> our_strict_facts(const Checked& checked) {
    std::multiset<std::string> facts;
    for (const auto& finding : checked.findings) {
        if (finding.layer != Layer::strict) {
            continue;
        }
        if (finding.rule->id != "WP009") {
            facts.insert(finding.message);
            continue;
        }
        const auto& text = checked.object.file.text();
        auto key = std::string(text.substr(finding.range.begin, finding.range.size()));
        if (!key.starts_with('"')) {
            key = '"' + key + '"';
        }
        facts.insert(fmt::format("line {}: key {} already set in map",
                                 checked.object.file.position(finding.range.begin).line, key));
    }
    return facts;
}

std::string all_messages(const Checked& checked) {
    std::string text;
    for (const auto& finding : checked.findings) {
        text += fmt::format("{} {}: {}\n", to_string(finding.layer), finding.rule->id,
                            finding.message.substr(0, 400));
    }
    return text;
}

void compare(const ApiCase& one, const ApiVerdict& verdict) {
    const auto all = validate(yaml::File::parse(one.text, one.name), {});
    ASSERT_EQ(all.size(), 1U) << one.name;
    const auto& checked = all.front();
    const auto context = one.name + "; ours:\n" + all_messages(checked);
    EXPECT_EQ(checked.verdict(Layer::api_server),
              verdict.status == 201 ? Verdict::ok : Verdict::error)
        << context;
    if (checked.object.identity == Identity::unserved) {
        return;  // a client has no resource to send it to, and says that
    }
    EXPECT_EQ(our_strict_facts(checked), strict_facts(verdict)) << context;

    std::vector<std::string> ours;
    for (const auto& finding : checked.findings) {
        if (finding.layer == Layer::api_server && finding.level == Level::error) {
            ours.push_back(finding.message);
        }
    }
    bool complete = verdict.status == 422;
    for (const auto& said : verdict.says) {
        if (said.starts_with(unchecked)) {
            complete = false;  // we go on where the server stops
            continue;
        }
        const auto fact = is_about_reading(said) ? line_of(said) : fact_of(said);
        EXPECT_TRUE(std::any_of(
            ours.begin(), ours.end(),
            [&](const auto& message) { return message.find(fact) != std::string::npos; }))
            << "nobody says: " << fact << "\n"
            << context;
    }
    if (complete) {  // and then we say nothing that it does not
        for (const auto& message : ours) {
            EXPECT_TRUE(std::any_of(
                verdict.says.begin(), verdict.says.end(),
                [&](const auto& said) { return message.find(fact_of(said)) != std::string::npos; }))
                << "the server does not say: " << message << "\n"
                << context;
        }
    }
}

void compare_all(const std::vector<ApiCase>& cases, const std::filesystem::path& file) {
    const auto recorded = test::read_verdicts(file);
    for (const auto& one : cases) {
        const auto verdict = recorded.verdicts.find(one.name);
        const bool known =
            verdict != recorded.verdicts.end() && verdict->second.text == test::text_key(one.text);
        ASSERT_TRUE(known) << one.name << " is new or has changed; run tools/record-verdicts";
        compare(one, verdict->second);
    }
}

TEST(ApiServerLayer, SaysWhatTheServerSaid) {
    compare_all(test::own_cases(), test::own_verdicts_file());
}

TEST(ApiServerLayer, SaysWhatTheServerSaidOfTheSharedCases) {
    const auto cases = test::shared_cases();
    if (cases.empty()) {
        GTEST_SKIP() << "the shared manifests are not beside this tree";
    }
    compare_all(cases, test::shared_verdicts_file());
}

}  // namespace
}  // namespace wasmplug::manifest
