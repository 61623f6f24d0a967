#include "base/semver.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.hpp"

namespace wasmplug {
namespace {

bool in(const char* range, const char* version) {
    return VersionRange(range).contains(parse_version(version).value());
}

TEST(Semver, ReadsVersionsAsTagsSpellThem) {
    EXPECT_EQ(parse_version("v1.4.2")->minor, 4u);
    EXPECT_EQ(parse_version("1.4")->parts, 2);
    EXPECT_EQ(parse_version("1.4.2-rc.1+b1")->prerelease, "rc.1");
    EXPECT_EQ(parse_version("1.4.2_b1")->patch, 2u);
    for (const char* word : {"latest", "", "v", "1.", "1.4.2-", "sha-1a2b", "1.4.2beta", "1..2",
                             "99999999999999999999999"}) {
        EXPECT_FALSE(parse_version(word)) << word;
    }
}

TEST(Semver, OrdersByTheRulesOfItsPageElevenPointFour) {
    const std::vector<std::string> ascending{"1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
                                             "1.0.0-beta",  "1.0.0-beta.2",  "1.0.0-beta.11",
                                             "1.0.0-rc.1",  "1.0.0",         "1.0.10",
                                             "1.2.0",       "2.0.0"};
    for (std::size_t i = 0; i < ascending.size(); ++i) {
        for (std::size_t j = 0; j < ascending.size(); ++j) {
            EXPECT_EQ(compare_versions(*parse_version(ascending[i]), *parse_version(ascending[j])),
                      i < j   ? -1
                      : i > j ? 1
                              : 0)
                << ascending[i] << " " << ascending[j];
        }
    }
}

TEST(Semver, ListsVersionsNewestFirstAndWordsLast) {
    std::vector<std::string> tags{"latest", "1.2.0", "v1.10.0", "edge", "1.9.0-rc.1", "1.9.0"};
    std::ranges::sort(tags, newer_tag);
    EXPECT_EQ(tags, (std::vector<std::string>{"v1.10.0", "1.9.0", "1.9.0-rc.1", "1.2.0", "edge",
                                              "latest"}));
}

TEST(Semver, RangesMeanWhatNpmAndCargoMean) {
    EXPECT_TRUE(in("~1.4", "1.4.9"));
    EXPECT_FALSE(in("~1.4", "1.5.0"));
    EXPECT_TRUE(in("~1.4.2", "1.4.3"));
    EXPECT_FALSE(in("~1.4.2", "1.4.1"));
    EXPECT_TRUE(in("~1", "1.9.0"));
    EXPECT_TRUE(in("^1.4.2", "1.9.0"));
    EXPECT_FALSE(in("^1.4.2", "2.0.0"));
    EXPECT_TRUE(in("^0.2.3", "0.2.9"));
    EXPECT_FALSE(in("^0.2.3", "0.3.0"));
    EXPECT_FALSE(in("^0.0.3", "0.0.4"));
    EXPECT_TRUE(in("1.x", "1.7.0"));
    EXPECT_TRUE(in("1.4.*", "1.4.7"));
    EXPECT_TRUE(in("1.4", "1.4.7"));
    EXPECT_FALSE(in("1.4.0", "1.4.7"));
    EXPECT_TRUE(in(">=1.2 <2", "1.9.9"));
    EXPECT_TRUE(in(">=1.2, <2", "1.2.0"));
    EXPECT_FALSE(in(">1.2", "1.2.9"));
    EXPECT_TRUE(in("<=1.2", "1.2.9"));
    EXPECT_TRUE(in("~1.2 || ^3.0.0", "3.4.0"));
    EXPECT_TRUE(in("*", "0.0.1"));
    EXPECT_TRUE(in(">= 1.2.3", "1.2.3"));
}

TEST(Semver, APrereleaseIsOnlyInARangeThatNamesIt) {
    EXPECT_FALSE(in("^1.4.0", "1.5.0-rc.1"));
    EXPECT_TRUE(in("^1.5.0-rc.1", "1.5.0-rc.2"));
    EXPECT_FALSE(in("^1.5.0-rc.1", "1.6.0-rc.2"));
}

TEST(Semver, RefusesWhatIsNoRange) {
    for (const char* text : {"", "latest", "~", "=>1.2", "1.2 || ", "^x"}) {
        EXPECT_THROW(VersionRange{text}, Error) << text;
    }
}

TEST(Semver, PicksTheNewestTagThatStaysPut) {
    const std::vector<std::string> tags{"1.4", "1.4.1", "1.4.10", "1.4.9", "latest", "1.5.0"};
    EXPECT_EQ(VersionRange("~1.4").newest(tags), "1.4.10");
    EXPECT_EQ(VersionRange("~1.6").newest(tags), std::nullopt);
}

}  // namespace
}  // namespace wasmplug
