#include "wasm/lint.hpp"

#include <gtest/gtest.h>

#include "tests/unit/wasm/builder.hpp"

namespace wasmplug::wasm {
namespace {

using namespace testing;

std::vector<std::string> ids(const std::string& module) {
    std::vector<std::string> found;
    for (const auto& warning : lint(read_module(module))) {
        found.push_back(warning.id);
        EXPECT_FALSE(warning.message.empty());
    }
    return found;
}

Language language_of(const std::string& module) {
    return guess_language(module, read_module(module)).language;
}

std::string produced(std::string_view field, std::string_view by, std::string_view version) {
    return custom("producers", leb(1) + name(field) + leb(1) + name(by) + name(version));
}

TEST(Lint, HasNothingAgainstASmallPlugin) {
    EXPECT_TRUE(ids(smallest_plugin()).empty());
    EXPECT_TRUE(ids(smallest_plugin(custom("name", std::string(100, 'x')))).empty())
        << "a few names are no harm";
}

TEST(Lint, WarnsOfDebugInformationAndNames) {
    EXPECT_EQ(ids(smallest_plugin(custom(".debug_info", std::string(10, 'x')) +
                                  custom("name", std::string(2000, 'x')))),
              (std::vector<std::string>{"debug-info", "names"}));
}

TEST(Lint, WarnsOfAMissingAndOfALargeMemory) {
    EXPECT_EQ(ids(header + two_types), (std::vector<std::string>{"no-memory"}));
    EXPECT_EQ(ids(header + section(5, bytes({1, 0}) + leb(1000))),
              (std::vector<std::string>{"memory"}));
}

TEST(Lint, WarnsOfGosWasiImportsAndNotOfRusts) {
    const auto importing = [](std::string_view function) {
        return header + two_types +
               section(2, bytes({1}) + name("wasi_snapshot_preview1") + name(function) +
                              bytes({0, 1})) +
               section(5, bytes({1, 0, 1}));
    };
    EXPECT_EQ(ids(importing("sched_yield")), (std::vector<std::string>{"wasi"}));
    EXPECT_TRUE(ids(importing("fd_write")).empty());
}

TEST(Lint, FindsACallbackThatIsSpeltWrongly) {
    const std::string module =
        header + two_types + section(3, bytes({1, 0})) + section(5, bytes({1, 0, 1})) +
        section(7, bytes({3}) + function_export("proxy_on_request_header", 0) +
                       function_export("proxy_on_memory_allocate", 0) +
                       function_export("proxy_on_log", 0)) +
        section(10, bytes({1}) + body(""));
    const auto warnings = lint(read_module(module));
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_EQ(warnings[0].hint, "did you mean proxy_on_request_headers?");
}

TEST(Lint, WarnsOfTwoAbis) {
    const std::string module =
        header + two_types + section(3, bytes({1, 0})) + section(5, bytes({1, 0, 1})) +
        section(7, bytes({2}) + function_export("proxy_abi_version_0_2_0", 0) +
                       function_export("proxy_abi_version_0_2_1", 0)) +
        section(10, bytes({1}) + body(""));
    EXPECT_EQ(ids(module), (std::vector<std::string>{"two-abis"}));
}

TEST(Language, IsWhatTheProducersSay) {
    EXPECT_EQ(language_of(smallest_plugin(produced("language", "Rust", ""))), Language::rust);
    EXPECT_EQ(language_of(smallest_plugin(produced("language", "Go", "go1.26"))), Language::go);
    EXPECT_EQ(language_of(smallest_plugin(produced("processed-by", "TinyGo", "0.39"))),
              Language::tinygo);
    EXPECT_EQ(language_of(smallest_plugin(produced("processed-by", "Debian clang", "19"))),
              Language::cpp);
}

TEST(Language, IsWhatItsRunTimeLeavesWhenProducersAreStripped) {
    const auto with_data = [](std::string_view text) {
        return smallest_plugin(
            section(11, leb(1) + bytes({1}) + leb(text.size()) + std::string(text)));
    };
    EXPECT_EQ(language_of(with_data("/rustc/0123/library/core")), Language::rust);
    EXPECT_EQ(language_of(with_data(std::string_view("~\0l\0i\0b\0/\0r\0", 12))),
              Language::assemblyscript);
    EXPECT_EQ(language_of(with_data("hello")), Language::unknown);
    EXPECT_EQ(language_of(smallest_plugin(custom("go:buildid", "x"))), Language::go);
}

TEST(Language, OfAModuleWithBrokenProducersIsUnknown) {
    EXPECT_EQ(language_of(smallest_plugin(custom("producers", bytes({1, 9, 'x'})))),
              Language::unknown);
}

}  // namespace
}  // namespace wasmplug::wasm
