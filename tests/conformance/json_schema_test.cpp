// base/json_schema against the JSON-Schema-Test-Suite, which tools/test takes from the source of
// PyPI's jsonschema.
#include "base/json_schema.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "tests/support/require.hpp"

namespace wasmplug::test {
namespace {

namespace fs = std::filesystem;

struct Draft {
    const char* folder;
    const char* name;
};

// What is no part of a schema that stands by itself.
constexpr std::array not_understood = {
    "refRemote.json",   // other documents
    "dynamicRef.json",  // refused
    "vocabulary.json",  // metaschemas of one's own
};

class SchemaSuite : public testing::TestWithParam<Draft> {};

TEST_P(SchemaSuite, GivesTheVerdictsOfTheSuite) {
    const auto folder = cache_folder() / "json-schema-suite" / "tests" / GetParam().folder;
    WASMPLUG_NEEDS(fs::is_directory(folder), "json-schema-suite");
    std::size_t judged = 0;
    for (const auto& file : find_files(folder, [](const fs::path& path) {
             return path.extension() == ".json" && path.parent_path().filename() != "optional" &&
                    path.parent_path().filename() != "format";
         })) {
        if (std::ranges::count(not_understood, file.filename().string()) != 0) {
            continue;
        }
        for (const auto& group : parse_json(read_file(file), file.string())) {
            auto schema = group.at("schema");
            if (schema.dump().find("json-schema.org/draft-07/schema#\"}") != std::string::npos ||
                schema.dump().find("$ref\":\"https://json-schema.org") != std::string::npos ||
                schema.dump().find("$dynamicRef\":") != std::string::npos) {
                continue;  // a reference to the metaschema, or a $dynamicRef
            }
            if (schema.is_object() && !schema.contains("$schema")) {
                schema["$schema"] = GetParam().name;
            }
            SCOPED_TRACE(file.filename().string() + ": " + group.at("description").dump());
            const JsonSchema rules(schema, "schema");
            for (const auto& test : group.at("tests")) {
                EXPECT_EQ(rules.check(test.at("data")).empty(), test.at("valid").get<bool>())
                    << test.at("description");
                ++judged;
            }
        }
    }
    EXPECT_GT(judged, 800U);
}

INSTANTIATE_TEST_SUITE_P(Of, SchemaSuite,
                         testing::Values(Draft{"draft7", "http://json-schema.org/draft-07/schema#"},
                                         Draft{"draft2020-12",
                                               "https://json-schema.org/draft/2020-12/schema"}));

}  // namespace
}  // namespace wasmplug::test
