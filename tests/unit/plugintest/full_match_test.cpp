// What an expression of RE2 becomes has to match the same texts as RE2 itself.
#include "plugintest/full_match.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <re2/re2.h>

#include "plugintest/matcher.hpp"

namespace wasmplug::plugintest {
namespace {

bool matches(const FullMatch& match, const std::string& text) {
    Matcher::Condition condition;
    condition.kind = *parse_matcher_kind(match.matcher);
    condition.text = match.text;
    return Matcher({condition}).matches(text);
}

const std::vector<std::string> texts{
    "",    "a",    "A",   "b",   "ab",   "aab",       "xab",  "abx",          "xabx",
    "ABX", "a|b",  "a.b", "a+b", "a{b}", "{\"a\":1}", "a-b",  "a]b",          "a[b",
    "a^b", "a\\b", "0",   "42",  "007",  "a 1",       "a\tb", "id=7; Path=/", "k\xC3\xBCrbis"};

TEST(FullMatch, MatchesWhatRe2Matches) {
    const std::vector<std::string> expressions{"",
                                               "a",
                                               "ab",
                                               ".*",
                                               ".+",
                                               ".*ab",
                                               "ab.*",
                                               ".*ab.*",
                                               ".*?ab",
                                               "ab.*?",
                                               "a|b",
                                               ".*a|b",
                                               "a|b.*",
                                               "(a|b)x?",
                                               ".*(a|b).*",
                                               "(?i)a",
                                               "(?i)ab",
                                               "(?i)[a-c]+x",
                                               "(?i:a)b",
                                               "a(?i)b",
                                               "(?i)a(?-i)b",
                                               "(?P<n>a)b",

                                               "(?:a)b",
                                               "a\\.b",
                                               "a\\|b",
                                               "a\\+b",
                                               "a\\{b\\}",
                                               "a{b}",
                                               "{\"a\":1}",
                                               "a{2}b",
                                               "a{1,2}b",
                                               "a{1,}b",
                                               "a{,2}b",
                                               "[ab]+",
                                               "[^ab]+",
                                               "[]a]b?",
                                               "[a\\]]\\]b",
                                               "a[\\[x]b",
                                               "a[-x]b",
                                               "a[x-]b",
                                               "a[\\^]b",
                                               "a\\\\b",
                                               "a[\\\\]b",
                                               "\\d+",
                                               "[\\d]+",
                                               "\\D*",
                                               "[[:digit:]]+",
                                               "a\\s\\d",
                                               "a\\tb",
                                               "a\\x09b",
                                               "a\\x{9}b",
                                               "a\\011b",
                                               "\\Aab\\z",
                                               "^ab$",
                                               "\\Qa.b\\E",
                                               "\\Qa+b",
                                               "\\babx?",
                                               "id=\\d+; Path=/",
                                               "(?s).*ab",
                                               "(?s).+",
                                               "(?U)a+b",
                                               "a??b",
                                               "k\xC3\xBCrbis",
                                               "(?s:.)b",
                                               ".*\\\\.*",
                                               "a.*\\.b",
                                               "a\\.*",
                                               "(a)(b)?x*",
                                               "[0-9a-fA-F]{2}"};
    for (const auto& expression : expressions) {
        const RE2 real(expression, RE2::Quiet);
        ASSERT_TRUE(real.ok()) << expression;
        const auto match = full_match_of(expression);
        ASSERT_TRUE(match) << expression;
        for (const auto& text : texts) {
            EXPECT_EQ(matches(*match, text), RE2::FullMatch(text, real))
                << '/' << expression << "/ became " << match->matcher << ' ' << match->text
                << ", on '" << text << "'";
        }
    }
}

TEST(FullMatch, UsesPlainWordsForPlainText) {
    const auto written = [](const std::string& expression) {
        const auto match = full_match_of(expression);
        return match ? match->matcher + " " + match->text : "nothing";
    };
    EXPECT_EQ(written("a\\.b"), "equals a.b");
    EXPECT_EQ(written(".*a: 1"), "suffix a: 1");
    EXPECT_EQ(written("a.*"), "prefix a");
    EXPECT_EQ(written(".*a.*"), "contains a");
    EXPECT_EQ(written("(?s).*a.*"), "contains a");
    EXPECT_EQ(written(".*"), "contains ");
    EXPECT_EQ(written(".*\\d"), "regex \\d$");
    EXPECT_EQ(written("a.b"), "regex ^a.b$");
    EXPECT_EQ(written("(?s)a.b"), "regex ^a[\\s\\S]b$");
    EXPECT_EQ(written("(?i)a1"), "regex ^[aA]1$");
}

TEST(FullMatch, CrossesLinesOnlyWhereTheExpressionDoes) {
    EXPECT_FALSE(matches(*full_match_of("a.b"), "a\nb"));
    EXPECT_TRUE(matches(*full_match_of("(?s)a.b"), "a\nb"));
    EXPECT_TRUE(matches(*full_match_of("a\\nb"), "a\nb"));
}

TEST(FullMatch, GivesUpOnWhatEcmaScriptCannotSay) {
    for (const std::string expression :
         {"\\pL",         "\\p{Greek}", "(?m)^a$", "\\C",     "[\\x{1F600}]", "[\xC3\xBC]", "\\xff",
          "[[:^alpha:]]", "[[:word:]]", "(?=a)",   "(?<=a)b", "(?x)a",        "(",          ")",
          "[a",           "\\",         "[b-a]",   "a{2,1}",  "(?i)[Z-a]",    "(?P<n",      "(?",
          "\\x{",         "\\8"}) {
        EXPECT_FALSE(full_match_of(expression)) << expression;
    }
}

}  // namespace
}  // namespace wasmplug::plugintest
