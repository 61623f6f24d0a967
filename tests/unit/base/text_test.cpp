#include "base/text.hpp"

#include <gtest/gtest.h>

namespace wasmplug {
namespace {

TEST(FirstLine, IsAllOfATextWithoutANewline) {
    EXPECT_EQ(first_line("a\nb\n"), "a");
    EXPECT_EQ(first_line("a"), "a");
    EXPECT_EQ(first_line("\nb"), "");
    EXPECT_EQ(first_line(""), "");
}

TEST(LowerCase, ChangesNothingButAsciiLetters) {
    EXPECT_EQ(lower_case("X-Request-ID 7[@`{"), "x-request-id 7[@`{");
    EXPECT_EQ(lower_case("ÄZ"), "Äz");
}

TEST(WholeCharacters, CutsBetweenTwo) {
    EXPECT_EQ(whole_characters("grün", 3), "gr");
    EXPECT_EQ(whole_characters("grün", 4), "grü");
    EXPECT_EQ(whole_characters("grün", 5), "grün");
    EXPECT_EQ(whole_characters("日本", 2), "");
    EXPECT_EQ(whole_characters("", 0), "");
}

}  // namespace
}  // namespace wasmplug
