#include "base/diff.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "base/cancel.hpp"
#include "base/file.hpp"
#include "base/process.hpp"
#include "base/terminal.hpp"

namespace wasmplug {
namespace {

TEST(Diff, OfEqualTextsIsEmpty) {
    EXPECT_EQ(unified_diff("a\nb\n", "a\nb\n", "x", "y"), "");
}

TEST(Diff, ShowsChangesWithTheirContext) {
    EXPECT_EQ(
        unified_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n", "a.yaml",
                     "a.yaml (edited)"),
        "--- a.yaml\n+++ a.yaml (edited)\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
    EXPECT_EQ(unified_diff("", "a\n", "x", "y"), "--- x\n+++ y\n@@ -0,0 +1 @@\n+a\n");
    EXPECT_EQ(unified_diff("a\n", "", "x", "y"), "--- x\n+++ y\n@@ -1 +0,0 @@\n-a\n");
}

TEST(Diff, MarksAMissingLastLineBreak) {
    EXPECT_EQ(unified_diff("a", "a\n", "x", "y"),
              "--- x\n+++ y\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
}

TEST(Diff, KeepsCarriageReturns) {
    EXPECT_EQ(unified_diff("a\r\n", "b\r\n", "x", "y"), "--- x\n+++ y\n@@ -1 +1 @@\n-a\r\n+b\r\n");
}

TEST(Diff, IsBoundedForTextsWithNothingInCommon) {
    std::string a;
    std::string b;
    for (int i = 0; i < 20'000; ++i) {
        a += "a" + std::to_string(i) + "\n";
        b += "b" + std::to_string(i) + "\n";
    }
    const std::string diff = unified_diff(a, b, "x", "y");
    EXPECT_TRUE(diff.starts_with("--- x\n+++ y\n@@ -1,20000 +1,20000 @@\n-a0\n"));
}

// patch(1) must make the new text of the old one, whatever the two are.
TEST(Diff, IsWhatPatchTakes) {
    if (!find_program("patch", process_environment)) {
        GTEST_SKIP() << "patch is not installed";
    }
    std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): the same texts on every run
    const auto text = [&random] {
        std::string lines;
        const auto count = random() % 40;
        for (std::size_t i = 0; i < count; ++i) {
            lines += std::string(1, static_cast<char>('a' + random() % 6)) + "\n";
        }
        if (!lines.empty() && random() % 4 == 0) {
            lines.pop_back();
        }
        return lines;
    };
    const TemporaryDirectory directory;
    for (int i = 0; i < 60; ++i) {
        const std::string before = text();
        const std::string after = text();
        if (before == after || after.empty()) {
            continue;
        }
        write_file(directory.path() / "f", before);
        const auto result =
            run_process({.argv = {"patch", "--quiet", "--posix", "f"},
                         .directory = directory.path(),
                         .input = unified_diff(before, after, "f", "f", random() % 4)},
                        Cancel());
        ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
        ASSERT_EQ(read_file(directory.path() / "f"), after);
    }
}

}  // namespace
}  // namespace wasmplug
