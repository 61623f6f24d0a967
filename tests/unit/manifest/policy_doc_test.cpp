// docs/policy.md names every key, and its examples do what it says.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "manifest/policy.hpp"
#include "manifest/validate.hpp"
#include "tests/support/documents.hpp"

namespace wasmplug::manifest {
namespace {

std::string document() {
    return read_file(WASMPLUG_SOURCE_DIR "/docs/policy.md");
}

// The text below each "### " heading, the heading first.
std::vector<std::string> sections() {
    const auto text = document();
    std::vector<std::string> all;
    for (auto at = text.find("\n### "); at != std::string::npos;) {
        const auto next = std::min(text.find("\n### ", at + 1), text.find("\n## ", at + 1));
        all.push_back(text.substr(at + 5, next - at - 5));
        at = text.compare(next, 5, "\n### ") == 0 ? next : std::string::npos;
    }
    return all;
}

TEST(PolicyDocument, ShowsManifestsThatItsPoliciesRefuse) {
    std::size_t shown = 0;
    for (const auto& section : sections()) {
        const auto blocks = test::yaml_blocks(section);
        if (blocks.empty()) {
            continue;
        }
        ASSERT_EQ(blocks.size(), 2U) << section;
        const auto id = section.substr(section.find("(WP") + 1, 5);
        const auto policy = read_policy(yaml::File::parse(blocks[0], "policy.yaml"));
        const std::vector<ObjectRule> rules = {[&](const Object& object, Findings& findings) {
            check_policy(object, policy, findings);
        }};
        const auto objects = objects_in(yaml::File::parse(blocks[1], "m.yaml"));
        auto result = summarize(validate(objects.at(0), {}, rules));
        apply_levels(policy, result.findings);
        EXPECT_TRUE(std::any_of(result.findings.begin(), result.findings.end(),
                                [&](const Diagnostic& finding) {
                                    return finding.rule->id == id && finding.level == Level::error;
                                }))
            << section;
        ++shown;
    }
    EXPECT_EQ(shown, 10U);
}

TEST(PolicyDocument, NamesEveryKeyAndShowsAPolicyThatIsOne) {
    EXPECT_NO_THROW(
        read_policy(yaml::File::parse(test::yaml_blocks(document()).front(), "p.yaml")));
    std::string known;
    try {
        read_policy(yaml::File::parse("zzzzzzzz: 1\n", "p.yaml"));
    } catch (const Error& error) {
        known = error.hint();
    }
    const auto mark = known.find("known are ");
    ASSERT_NE(mark, std::string::npos) << known;
    known.erase(0, mark + 10);
    for (std::size_t begin = 0; begin < known.size();) {
        const auto end = std::min(known.find(", ", begin), known.size());
        const auto key = known.substr(begin, end - begin);
        const auto text = document();
        EXPECT_TRUE(text.find("### `" + key) != std::string::npos ||
                    text.find(", `" + key) != std::string::npos)
            << key;
        begin = end + 2;
    }
}

}  // namespace
}  // namespace wasmplug::manifest
