#include "base/json_schema.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/pattern.hpp"

namespace wasmplug {
namespace {

using nlohmann::ordered_json;

bool fits(const std::string& schema, const std::string& value) {
    return JsonSchema(ordered_json::parse(schema), "x").check(ordered_json::parse(value)).empty();
}

std::string why_refused(const std::string& schema, const std::string& value = "{}") {
    try {
        JsonSchema(ordered_json::parse(schema), "x").check(ordered_json::parse(value));
        return "not refused";
    } catch (const Error& error) {
        return error.what();
    }
}

TEST(Pattern, ReadsWhatEcmaScriptSpellsOtherwise) {
    struct Case {
        const char* pattern;
        const char* text;
        bool found;
    };

    for (const auto& [pattern, text, found] : {
             Case{"\\u00e9", "caf\u00e9", true},
             Case{"^[\\u4e00-\\u9fff]+$", "\u4f60\u597d", true},
             Case{"^\\ud83d\\ude00$", "\U0001F600", true},
             Case{"^\\u{1f600}$", "\U0001F600", true},
             Case{"^.$", "\u2028", false},
             Case{"^.$", "\U0001F600", true},
             Case{"^\\s$", "\u00a0", true},
             Case{"^\\s$", "\v", true},
             Case{"^[\\s,]$", "\u3000", true},
             Case{"^\\S$", "\u00a0", false},
             Case{"^[\\S]$", "\u00a0", false},
             Case{"^[^\\S]$", "\u00a0", true},
             Case{"^\\S$", "\u200b", true},
             Case{"\\cA", "\x01", true},
             Case{"(?<year>\\d{4})-(?:\\d\\d)", "2026-11", true},
             Case{"^[^]$", "\n", true},
             Case{"[]", "a", false},
             Case{"[.]", "a", false},
             Case{"\\.", "a", false},
             Case{"[\\].]", "]", true},
             Case{"^a$", "a\n", false},
             Case{"^\\p{Letter}+$", "\u00e4b", true},
             Case{"^\\p{Script=Greek}$", "\u03b1", true},
             Case{"^\\P{Lu}$", "A", false},
             Case{"^https?:\\/\\/[^\\/]+$", "https://a.example", true},
             Case{"", "anything", true},
         }) {
        const Pattern read(pattern);
        ASSERT_EQ(read.reading(), Pattern::Reading::good) << pattern << ": " << read.problem();
        EXPECT_EQ(read.found_in(text), found) << pattern;
    }
}

TEST(Pattern, SaysWhatItCannotReadAndWhatNobodyCould) {
    for (const std::string pattern : {"(?=a)", "^(?!-)[a-z]+$", "(?<=a)b", "(a)\\1", "a{1,5000}",
                                      "\\k<n>", "((a{1,100}){1,100}){1,100}", "\\uZZZZ", "\\u"}) {
        const Pattern read(pattern);
        EXPECT_EQ(read.reading(), Pattern::Reading::beyond) << pattern;
        EXPECT_FALSE(read.problem().empty()) << pattern;
    }
    EXPECT_EQ(Pattern(std::string(5000, 'a')).reading(), Pattern::Reading::beyond);
    for (const char* pattern : {"(", "a)", "*", "\\"}) {
        EXPECT_EQ(Pattern(pattern).reading(), Pattern::Reading::wrong) << pattern;
    }
}

TEST(JsonSchema, NeverRefusesForAPatternThatItCannotMatch) {
    const std::string odd = R"x("pattern": "^(?!x)")x";
    for (const auto& schema :
         {fmt::format("{{{}}}", odd), fmt::format(R"({{"not": {{{}}}}})", odd),
          fmt::format(R"({{"oneOf": [{{{}}}, {{"type": "string"}}]}})", odd),
          fmt::format(R"({{"anyOf": [{{{}}}, {{"type": "number"}}]}})", odd),
          fmt::format(R"({{"allOf": [{{{}}}]}})", odd),
          fmt::format(R"({{"if": {{{}}}, "then": false, "else": false}})", odd)}) {
        EXPECT_TRUE(fits(schema, R"("abc")")) << schema;
        const JsonSchema read(ordered_json::parse(schema), "x");
        ASSERT_EQ(read.not_judged().size(), 1U) << schema;
        EXPECT_NE(read.not_judged()[0].find("(?!x)"), std::string::npos);
    }
    const std::string keys = R"x({"patternProperties": {"^(?!x)": {"type": "number"}}, )x";
    EXPECT_TRUE(fits(keys + R"("additionalProperties": false})", R"({"a": 1})"));
    EXPECT_TRUE(fits(keys + R"("unevaluatedProperties": false})", R"({"a": 1})"));
    EXPECT_TRUE(fits(R"x({"if": {"properties": {"m": {"pattern": "(?!x)"}}},
                          "then": {"properties": {"a": true}}, "unevaluatedProperties": false})x",
                     R"({"m": "y", "a": 1})"));
    EXPECT_TRUE(
        fits(fmt::format(R"({{"contains": {{{}}}, "maxContains": 1}})", odd), R"(["a", "b"])"));
    EXPECT_FALSE(fits(fmt::format(R"({{"contains": {{"type": "number", {}}}}})", odd), R"(["a"])"));
    EXPECT_FALSE(
        fits(fmt::format(R"({{"oneOf": [{{"type": "number", {}}}, {{"type": "null"}}]}})", odd),
             R"("a")"))
        << "sure for other reasons";
    EXPECT_FALSE(fits(fmt::format(R"({{"minLength": 9, {}}})", odd), R"("abc")"));
}

TEST(JsonSchema, GivesUpOnSchemasThatAreMeantToHurt) {
    auto twice = ordered_json::object();
    for (int i = 0; i < 90; ++i) {
        const ordered_json next = {{"$ref", fmt::format("#/$defs/s{}", i + 1)}};
        twice["$defs"][fmt::format("s{}", i)] = {{"allOf", {next, next}}};
    }
    twice["$defs"]["s90"] = true;
    twice["$ref"] = "#/$defs/s0";
    EXPECT_NE(why_refused(twice.dump()).find("too much work"), std::string::npos);
    EXPECT_NE(why_refused(R"({"$ref": "#"})").find("circles"), std::string::npos);

    auto patterns = ordered_json::object();
    for (int i = 0; i < 2000; ++i) {
        patterns["patternProperties"][fmt::format("[a-z]{{900}}{}", i)] = true;
    }
    EXPECT_NE(why_refused(patterns.dump()).find("too large"), std::string::npos);

    auto items = ordered_json::array();
    for (int i = 0; i < 50'000; ++i) {
        items.push_back(i);
    }
    EXPECT_NE(why_refused(R"({"uniqueItems": true})", items.dump()).find("too much work"),
              std::string::npos);
    const ordered_json text = std::string(200'000, 'a');
    EXPECT_NE(why_refused(R"({"pattern": "(a?){500}a{500}b"})", text.dump()).find("too much work"),
              std::string::npos);
    EXPECT_EQ(JsonSchema(ordered_json::parse(R"({"items": false})"), "x").check(items).size(),
              1000U);
}

TEST(JsonSchema, NamesTheKeywordWhoseValueIsNone) {
    for (const auto& [schema, says] : {
             std::pair{R"({"type": "obejct"})", R"(type: "obejct" is no type)"},
             std::pair{R"({"type": ["string", 1]})", "is no type"},
             std::pair{R"({"enum": "x"})", R"(enum: "x" is no list)"},
             std::pair{R"({"minimum": "5"})", R"(minimum: "5" is no number)"},
             std::pair{R"({"exclusiveMinimum": true})", "exclusiveMinimum: true is no number"},
             std::pair{R"({"multipleOf": 0})", "multipleOf: 0 is no number above 0"},
             std::pair{R"({"minLength": "x"})", R"(minLength: "x" is no count)"},
             std::pair{R"({"maxItems": -1})", "maxItems: -1 is no count"},
             std::pair{R"({"maxProperties": 1.5})", "maxProperties: 1.5 is no count"},
             std::pair{R"({"pattern": 1})", "pattern: 1 is no text"},
             std::pair{R"({"uniqueItems": 1})", "uniqueItems: 1 is no true or false"},
             std::pair{R"({"required": "a"})", R"(required: "a" is no list of names)"},
             std::pair{R"({"dependentRequired": {"a": {"b": 1}}})", "no mapping to lists of names"},
             std::pair{R"({"dependencies": {"a": [1]}})", "dependencies: [1] is no list of names"},
             std::pair{R"({"not": []})", "[] is no schema"},
             std::pair{R"({"if": 1})", "1 is no schema"},
             std::pair{R"({"items": 1})", "1 is no schema"},
             std::pair{R"({"allOf": {"a": true}})", R"(allOf: {"a":true} is no list of schemas)"},
             std::pair{R"({"anyOf": {"q": {"patternProperties": {"x": {}}}}})", "anyOf: "},
             std::pair{R"({"properties": ["a"]})", R"(properties: ["a"] is no mapping of schemas)"},
             std::pair{R"({"patternProperties": ["a"]})", "is no mapping of schemas"},
             std::pair{R"({"$defs": {"a": 1}})", "1 is no schema"},
             std::pair{R"({"$ref": 1})", "$ref: 1 is no text"},
         }) {
        EXPECT_NE(why_refused(schema).find(says), std::string::npos)
            << schema << ": " << why_refused(schema);
    }
    EXPECT_TRUE(fits(R"({"minLength": 2.0})", R"("ab")"));
    EXPECT_TRUE(fits(R"({"properties": {"type": {"type": "string"}}})", R"({"type": "x"})"));
}

TEST(JsonSchema, ReadsAndJudgesLongSchemasInLinearTime) {
    auto chain = ordered_json::object();
    for (int i = 0; i < 4000; ++i) {
        chain[fmt::format("a{}", i)] = {{"$ref", fmt::format("#/a{}", i + 1)}};
    }
    chain["a4000"] = true;
    chain["properties"] = {{"x", {{"$ref", "#/a0"}}}};
    EXPECT_TRUE(JsonSchema(chain, "x").check(ordered_json::object()).empty());

    // What a shape among others says of a large value is not put into words.
    const ordered_json shapes = {{"anyOf", ordered_json(5000, {{"type", "string"}})}};
    const ordered_json large = {{"text", std::string(100'000, 'x')}};
    EXPECT_EQ(JsonSchema(shapes, "x").check(large).size(), 1U);
}

TEST(JsonSchema, FollowsReferencesToWhateverHoldsASchema) {
    const std::string schema = R"({"$ref": "#/examples/0", "examples": [
        {"pattern": "^a", "patternProperties": {"^b": {"$ref": "#/other"}}}], "other": false})";
    EXPECT_TRUE(fits(schema, R"("ab")"));
    EXPECT_FALSE(fits(schema, R"("b")"));
    EXPECT_FALSE(fits(schema, R"({"b": 1})"));
    EXPECT_NE(why_refused(R"({"$ref": "#/%zz"})").find("leads nowhere"), std::string::npos);
    EXPECT_NE(why_refused(R"({"$ref": "#/%"})").find("leads nowhere"), std::string::npos);
    EXPECT_NE(why_refused(R"({"$ref": "http://169.254.169.254/x"})").find("nothing is fetched"),
              std::string::npos);
}

TEST(JsonSchema, ShowsAFewOfManyValues) {
    auto schema = ordered_json::object();
    for (int i = 0; i < 1000; ++i) {
        schema["enum"].push_back(i);
    }
    const auto issues = JsonSchema(schema, "x").check("a");
    ASSERT_EQ(issues.size(), 1U);
    EXPECT_TRUE(issues[0].message.ends_with("11 and 988 more")) << issues[0].message;
}

}  // namespace
}  // namespace wasmplug
