#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <iterator>

#include <nlohmann/json.hpp>

#include "base/hash.hpp"
#include "base/http.hpp"
#include "base/image_reference.hpp"
#include "base/json.hpp"
#include "base/json_schema.hpp"
#include "base/yaml.hpp"
#include "istio/plugin_url.hpp"
#include "manifest/validate.hpp"
#include "plugintest/file.hpp"
#include "tests/fuzz/host_fuzz.hpp"
#include "tests/fuzz/oci_fuzz.hpp"
#include "tests/support/fuzz.hpp"
#include "tests/support/require.hpp"
#include "wasm/lint.hpp"
#include "wasm/loading.hpp"
#include "wasm/module.hpp"

namespace wasmplug::test {
namespace {

// One function that is exported as the ABI's mark, an imported memory, a name section and a
// producers section.
const std::string small_module = base64_decode(
    "AGFzbQEAAAABBAFgAAACDwEDZW52Bm1lbW9yeQIAAQMCAQAHGwEXcHJveHlfYWJpX3ZlcnNp"
    "b25fMF8yXzEAAAoEAQIACwAOBG5hbWUBBwEABG1haW4AHwlwcm9kdWNlcnMBCGxhbmd1YWdl"
    "AQRSdXN0BDEuOTY=");

std::vector<FuzzTarget> own_targets() {
    return {
        {"yaml",
         [](std::string_view input) {
             const auto file = yaml::File::parse(std::string(input), "input.yaml");
             static_cast<void>(file);
         },
         {"@toolchain/*.yaml", "a: &x {b: [1, *x], 'c': \"\\u00e9\"}\n--- # c\n- |2-\n   text\n",
          "\xef\xbb\xbfkey: >+\r\n  folded\r\n\r\n? [complex]\r\n: value\r\n"}},
        {"validate",
         [](std::string_view input) {
             const auto file = yaml::File::parse(std::string(input), "input.yaml");
             static_cast<void>(manifest::validate(file, {}));
         },
         {"@toolchain/*.yaml"}},
        {"testfile",
         [](std::string_view input) {
             const auto file = yaml::File::parse(std::string(input), "input.test.yaml");
             static_cast<void>(plugintest::parse_test_file(file, "input.test.yaml"));
         },
         {"@toolchain/*.test.yaml"}},
        {"wasm",
         [](std::string_view input) {
             static_cast<void>(wasm::would_load(input, wasm::EnvoyRules{}));
             const auto module = wasm::read_module(input);
             static_cast<void>(wasm::lint(module));
             static_cast<void>(wasm::read_names(input, module));
             static_cast<void>(wasm::read_producers(input, module));
         },
         {small_module}},
        {"json",
         [](std::string_view input) { static_cast<void>(parse_json(input, "input")); },
         {R"({"schemaVersion": 2, "layers": [{"size": 1e3, "x": "\u00e9\ud83d\ude00"}, null]})"}},
        {"schema",  // a schema, and what is judged by it
         [](std::string_view input) {
             const auto both = parse_json(input, "input", 60);
             if (both.is_array() && both.size() == 2) {
                 static_cast<void>(JsonSchema(both[0], "input").check(both[1]));
             }
         },
         {R"x([{"type": "object", "required": ["a"], "properties": {"a": {"pattern": "^[a-z]+$"},
             "b": {"$ref": "#/$defs/c"}, "d": {"oneOf": [{"const": 1}, {"multipleOf": 0.5}]}},
             "patternProperties": {"^(?<n>x)\u0041": false}, "additionalProperties": false,
             "$defs": {"c": {"items": [{"enum": [1, null]}], "uniqueItems": true, "minItems": 2}}},
             {"a": "text", "b": [1, 2, 2], "d": 1, "xA": {}}])x",
          R"x([{"$schema": "http://json-schema.org/draft-07/schema#", "$id": "http://a.example/b/c",
             "if": {"propertyNames": {"maxLength": 2}}, "then": {"not": {"pattern": "(?!a)"}},
             "dependencies": {"x": ["y"]}, "definitions": {"e": {"$anchor": "f", "$ref": "c#f"}},
             "anyOf": [{"$ref": "#/definitions/e"}, {"contains": {"minimum": 3}, "maxContains": 1}],
             "unevaluatedItems": {"exclusiveMaximum": 1e300}}, [1, 2, {"x": 18446744073709551615}]])x"}},
        {"reference",
         [](std::string_view input) { static_cast<void>(parse_reference(input)); },
         {"oci://registry.example:5000/a/b_c:v1.0@sha256:"
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
          "oci:dist:1.0", "oci-archive:file.tar:x", "[::1]:5000/a/b"}},
        {"url",
         [](std::string_view input) {
             static_cast<void>(parse_url(input));
             static_cast<void>(istio::read_plugin_url(input));
             static_cast<void>(resolve_url("https://a.example/b/c?d", input));
         },
         {"https://user:password@host.example:8443/a/../b?x=%20#f", "oci://a.example/b/c@sha256:d",
          "//other.example/x", "?only=query"}},
    };
}

const std::vector<FuzzTarget>& targets() {
    static const std::vector<FuzzTarget> all = [] {
        auto joined = own_targets();
        std::ranges::move(oci_targets(), std::back_inserter(joined));
        std::ranges::move(host_targets(), std::back_inserter(joined));
        return joined;
    }();
    return all;
}

class Fuzz : public testing::TestWithParam<FuzzTarget> {};

TEST_P(Fuzz, SurvivesItsCorpusAndDamagedCopiesOfIt) {
    constexpr unsigned copies = 150;
    const auto corpus = corpus_of(GetParam());
    ASSERT_FALSE(corpus.empty());
    for (const auto& seed : corpus) {
        fuzz_once(GetParam(), seed);
        for (unsigned number = 0; number < copies; ++number) {
            fuzz_once(GetParam(), damaged(seed, number));
        }
    }
}

INSTANTIATE_TEST_SUITE_P(All, Fuzz, testing::ValuesIn(targets()),
                         [](const auto& target) { return target.param.name; });

TEST(FuzzSeeds, HostCallsAreReallyMade) {
    const auto hosts = host_targets();
    WASMPLUG_NEEDS(!hosts.empty(), "wat2wasm");
    const auto reached = host_functions_reached(hosts.front().seeds.front());
    for (const auto& name : fuzzed_host_functions()) {
        EXPECT_TRUE(reached.contains(name)) << name;
    }
}

TEST(FuzzSeeds, TheSmallModuleIsOne) {
    EXPECT_EQ(wasm::read_module(small_module).exports.size(), 1U);
}

}  // namespace

const FuzzTarget* fuzz_target(const std::string& name) {
    for (const auto& target : targets()) {
        if (target.name == name) {
            return &target;
        }
    }
    return nullptr;
}

}  // namespace wasmplug::test

// Without WASMPLUG_FUZZ an ordinary GoogleTest program; with it, libFuzzer on that target.
int main(int argc, char** argv) {
    const char* name = std::getenv("WASMPLUG_FUZZ");
    if (name == nullptr) {
        testing::InitGoogleTest(&argc, argv);
        return RUN_ALL_TESTS();
    }
    const auto* target = wasmplug::test::fuzz_target(name);
    if (target == nullptr) {
        std::cerr << "no fuzz target is called '" << name << "'\n";
        return 2;
    }
    return wasmplug::test::run_libfuzzer(*target, argc, argv);
}
