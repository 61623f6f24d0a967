#include "plugintest/matcher.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace wasmplug::plugintest {
namespace {

Matcher with(Matcher::Kind kind, std::string text, double number = 0) {
    Matcher::Condition condition;
    condition.kind = kind;
    condition.text = std::move(text);
    condition.number = number;
    return Matcher({condition});
}

TEST(Matcher, ComparesTextAsItsKindSays) {
    using Kind = Matcher::Kind;

    struct Row {
        Kind kind;
        const char* text;
        const char* good;
        const char* bad;
    };

    for (const auto& row : std::initializer_list<Row>{
             {Kind::equals, "abc", "abc", "abcd"},
             {Kind::contains, "b", "abc", "acc"},
             {Kind::prefix, "ab", "abc", "cab"},
             {Kind::suffix, "bc", "abc", "bca"},
             {Kind::regex, "a.+c$", "xabc", "abcd"},
             {Kind::json, R"({"a":[1,2]})", R"({"b":0,"a":[1,2]})", R"({"a":[1,2,3]})"},
             {Kind::json, "[1]", "[1]", "not json"},
         }) {
        EXPECT_TRUE(with(row.kind, row.text).matches(row.good)) << row.text;
        EXPECT_FALSE(with(row.kind, row.text).matches(row.bad)) << row.text;
        EXPECT_FALSE(with(row.kind, row.text).matches(std::nullopt)) << row.text;
    }
}

TEST(Matcher, ComparesNumbersAndRefusesTextThatIsNone) {
    EXPECT_TRUE(with(Matcher::Kind::gte, "", 10).matches("10"));
    EXPECT_FALSE(with(Matcher::Kind::gte, "", 10).matches("9.5"));
    EXPECT_TRUE(with(Matcher::Kind::lte, "", 10).matches("9.5"));
    EXPECT_FALSE(with(Matcher::Kind::lte, "", 10).matches("many"));
    EXPECT_FALSE(with(Matcher::Kind::gte, "", 0).matches("1x"));
}

TEST(Matcher, KnowsPresenceAndAbsence) {
    EXPECT_TRUE(with(Matcher::Kind::absent, "").matches(std::nullopt));
    EXPECT_FALSE(with(Matcher::Kind::absent, "").matches(""));
    EXPECT_TRUE(with(Matcher::Kind::present, "").matches(""));
    EXPECT_FALSE(with(Matcher::Kind::present, "").matches(std::nullopt));
}

TEST(Matcher, CombinesOthers) {
    Matcher::Condition any;
    any.kind = Matcher::Kind::one_of;
    any.matchers = {Matcher::equal_to("a"), with(Matcher::Kind::prefix, "b")};
    EXPECT_TRUE(Matcher({any}).matches("a"));
    EXPECT_TRUE(Matcher({any}).matches("bcd"));
    EXPECT_FALSE(Matcher({any}).matches("c"));
    Matcher::Condition none;
    none.kind = Matcher::Kind::negate;
    none.matchers = {Matcher::equal_to("a")};
    EXPECT_FALSE(Matcher({none}).matches("a"));
    EXPECT_TRUE(Matcher({none}).matches(std::nullopt));
    EXPECT_FALSE(Matcher({any, none}).matches("a")) << "all conditions have to hold";
    Matcher::Condition both;
    both.kind = Matcher::Kind::all_of;
    both.matchers = {with(Matcher::Kind::contains, "a"), with(Matcher::Kind::contains, "b")};
    EXPECT_TRUE(Matcher({both}).matches("cab"));
    EXPECT_FALSE(Matcher({both}).matches("ca"));
    both.matchers = {with(Matcher::Kind::absent, ""), Matcher({none})};
    EXPECT_TRUE(Matcher({both}).matches(std::nullopt));
}

TEST(Matcher, DescribesItself) {
    Matcher::Condition any;
    any.kind = Matcher::Kind::one_of;
    any.matchers = {Matcher::equal_to("a"), Matcher::equal_to("b")};
    EXPECT_EQ(Matcher({any}).describe(), "one of \"a\", \"b\"");
    any.kind = Matcher::Kind::all_of;
    EXPECT_EQ(Matcher({any}).describe(), "\"a\" and \"b\"");
    EXPECT_EQ(with(Matcher::Kind::gte, "", 5).describe(), "at least 5");
    EXPECT_EQ(with(Matcher::Kind::absent, "").describe(), "absent");
    EXPECT_EQ(with(Matcher::Kind::contains, "\x1b[2J").describe(), "contains \"\\x1b[2J\"");
}

TEST(Matcher, RefusesAPatternThatIsNone) {
    EXPECT_THROW(check_regex("a("), Error);
    EXPECT_NO_THROW(check_regex("^a(b|c)$"));
}

TEST(LineDiff, MarksWhatIsMissingAndWhatIsTooMuch) {
    EXPECT_EQ(line_diff("a\nb\nc\n", "a\nx\nc\n"), "  a\n- b\n+ x\n  c\n");
    EXPECT_EQ(line_diff("", "new\n"), "+ new\n");
}

}  // namespace
}  // namespace wasmplug::plugintest
