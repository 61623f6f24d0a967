#include "wasm/loading.hpp"

#include <gtest/gtest.h>

#include "tests/unit/wasm/builder.hpp"
#include "wasm/container.hpp"

namespace wasmplug::wasm {
namespace {

using namespace testing;

LoadVerdict judge(const std::string& module, int minor = 40) {
    return would_load(module, envoy_rules(minor));
}

// A plugin with one import of type `type` (0: () -> (), 1: (i32) -> (i32)).
std::string importing(std::string_view module, std::string_view function, int type) {
    return header + two_types +
           section(2, bytes({1}) + name(module) + name(function) + bytes({0, type})) +
           section(3, bytes({2, 0, 1})) + section(5, bytes({1, 0, 1})) +
           section(7, bytes({2}) + function_export("proxy_abi_version_0_2_1", 1) +
                          function_export("malloc", 2)) +
           section(10, bytes({2}) + body("") + body(returns_one_page));
}

// A plugin whose exports are `exports`; function 0 is () -> (), 1 is (i32) -> (i32).
std::string exporting(int count, const std::string& exports) {
    return header + two_types + section(3, bytes({2, 0, 1})) + section(5, bytes({1, 0, 1})) +
           section(7, bytes({count}) + exports) +
           section(10, bytes({2}) + body("") + body(returns_one_page));
}

TEST(Loading, TakesASmallPlugin) {
    const LoadVerdict verdict = judge(smallest_plugin());
    EXPECT_TRUE(verdict.loads) << verdict.message;
    EXPECT_EQ(verdict.message, "");
}

TEST(Loading, NeedsAnAbiMarkerThatIsAFunction) {
    const LoadVerdict none = judge(exporting(1, function_export("malloc", 1)));
    EXPECT_EQ(none.message, "Wasm VM failed Missing or unknown Proxy-Wasm ABI version");
    EXPECT_EQ(none.log.back(), "Wasm VM failed Failed to load Wasm code");
    const LoadVerdict future = judge(
        exporting(2, function_export("proxy_abi_version_0_3_0", 0) + function_export("malloc", 1)));
    EXPECT_EQ(future.message, none.message);
    const LoadVerdict memory = judge(exporting(
        2, name("proxy_abi_version_0_2_1") + bytes({2, 0}) + function_export("malloc", 1)));
    EXPECT_EQ(memory.message, none.message);
}

TEST(Loading, LooksForTheMarkerBeforeTheVersionOfTheFormat) {
    EXPECT_EQ(judge(bytes({0, 'a', 's', 'm', 2, 0, 0, 0})).message,
              "Wasm VM failed Missing or unknown Proxy-Wasm ABI version");
    std::string newer = smallest_plugin();
    newer[4] = 2;
    EXPECT_EQ(judge(newer).message, "Wasm VM failed Failed to load Wasm bytecode");
}

TEST(Loading, TellsTextAndCutFilesFromModules) {
    EXPECT_EQ(judge("hello, not wasm").message,
              "Wasm VM failed Failed to parse corrupted Wasm module");
    const std::string whole = smallest_plugin();
    EXPECT_EQ(judge(whole.substr(0, whole.size() - 3)).message,
              "Wasm VM failed Failed to parse corrupted Wasm module");
    EXPECT_EQ(judge("").message, "Unable to create Wasm plugin");
}

TEST(Loading, NamesTheFirstUnknownImport) {
    const LoadVerdict verdict = judge(importing("env", "pcre_free_study", 0));
    EXPECT_EQ(verdict.message,
              "Failed to load Wasm module due to a missing import: env.pcre_free_study");
    EXPECT_EQ(verdict.log.back(), "Wasm VM failed Failed to initialize Wasm code");
}

TEST(Loading, NamesBothTypesOfAMismatch) {
    EXPECT_EQ(judge(importing("env", "proxy_done", 1)).message,
              "Failed to load Wasm module due to an import type mismatch: env.proxy_done, want: "
              "i32 -> i32, but host exports: void -> i32");
}

TEST(Loading, OffersAFunctionOnlyInItsAbi) {
    EXPECT_EQ(judge(importing("env", "proxy_clear_route_cache", 0)).message,
              "Failed to load Wasm module due to a missing import: env.proxy_clear_route_cache");
    EXPECT_TRUE(judge(importing("env", "proxy_close_stream", 1)).loads);
}

TEST(Loading, KnowsSinceWhenEnvoyOffersAWasiFunction) {
    const std::string fd_datasync = importing("wasi_snapshot_preview1", "fd_datasync", 1);
    EXPECT_FALSE(judge(fd_datasync, 38).loads);
    EXPECT_TRUE(judge(fd_datasync, 39).loads);
    const LoadVerdict old = judge(importing("wasi_unstable", "fd_datasync", 1), 32);
    EXPECT_EQ(old.message,
              "Failed to load Wasm module due to a missing import: wasi_unstable.fd_datasync");
    EXPECT_NE(old.reason.find("Envoy 1.39"), std::string::npos);
}

TEST(Loading, NeedsAnAllocator) {
    EXPECT_EQ(judge(exporting(1, function_export("proxy_abi_version_0_2_1", 0))).message,
              "Wasm VM failed Wasm module is missing malloc function.");
    EXPECT_TRUE(judge(exporting(2, function_export("proxy_abi_version_0_2_1", 0) +
                                       function_export("proxy_on_memory_allocate", 1)))
                    .loads);
}

TEST(Loading, ChecksTheTypeOfEveryCallback) {
    const std::string base =
        function_export("proxy_abi_version_0_2_1", 0) + function_export("malloc", 1);
    EXPECT_EQ(judge(exporting(3, base + function_export("proxy_on_request_headers", 1))).message,
              "Bad function signature for: proxy_on_request_headers, want: i32 i32 i32 -> i32, "
              "but the module exports: i32 -> i32");
    EXPECT_TRUE(
        judge(exporting(3, base + function_export("proxy_on_log", 1)))
            .message.starts_with("Bad function signature for: proxy_on_log, want: i32 -> void"));
    EXPECT_TRUE(judge(exporting(3, base + function_export("proxy_on_done", 1))).loads);
}

TEST(Loading, LetsTheFirstMarkerDecideTheAbi) {
    const std::string exports = function_export("proxy_abi_version_0_1_0", 0) +
                                function_export("proxy_abi_version_0_2_1", 0) +
                                function_export("malloc", 1) +
                                function_export("proxy_on_request_headers", 1);
    EXPECT_TRUE(
        judge(exporting(4, exports))
            .message.starts_with(
                "Bad function signature for: proxy_on_request_headers, want: i32 i32 -> i32"));
}

TEST(Loading, SeesATrapThatIsCertainAtStart) {
    const std::string module =
        header + two_types + section(3, bytes({2, 0, 1})) + section(5, bytes({1, 0, 1})) +
        section(7, bytes({3}) + function_export("proxy_abi_version_0_2_1", 0) +
                       function_export("malloc", 1) + function_export("_initialize", 0)) +
        section(10, bytes({2}) + body(bytes({0x00})) + body(returns_one_page));
    EXPECT_EQ(judge(module).message,
              "Function: _initialize failed: Uncaught RuntimeError: unreachable");
}

TEST(Loading, SeesACallThatIsNotAllowedYet) {
    const std::string imports =
        section(2, bytes({1}) + name("env") + name("proxy_set_effective_context") + bytes({0, 1}));
    const std::string calls = bytes({0x41, 0, 0x10, 0, 0x1a});
    const auto module = [&](const std::string& before) {
        return header + two_types + imports + section(3, bytes({2, 0, 1})) +
               section(7, bytes({3}) + function_export("proxy_abi_version_0_2_1", 1) +
                              function_export("malloc", 2) + function_export("_initialize", 1)) +
               section(10, bytes({2}) + body(before + calls) + body(returns_one_page));
    };
    EXPECT_EQ(judge(module("")).message,
              "Function: _initialize failed: Uncaught Error: restricted_callback");
    // Behind a branch nothing is certain: br 0 leaves the function.
    EXPECT_TRUE(judge(module(bytes({0x0c, 0}))).loads);
}

TEST(Loading, BoundsTheMemoryAsEnvoyBoundsV8) {
    std::string module = header + two_types + section(3, bytes({2, 0, 1})) +
                         section(5, bytes({1, 0}) + leb(65'536)) +
                         section(7, bytes({2}) + function_export("proxy_abi_version_0_2_1", 0) +
                                        function_export("malloc", 1)) +
                         section(10, bytes({2}) + body("") + body(returns_one_page));
    EXPECT_EQ(judge(module).message, "Failed to create new Wasm instance");
}

TEST(Loading, RefusesANameSectionThatTheHostCannotRead) {
    const std::string module = smallest_plugin(custom("name", bytes({1, 9, 1})));
    EXPECT_EQ(judge(module).message, "Wasm VM failed Failed to parse corrupted Wasm module");
}

TEST(Abi, OffersFortyThirtyEightAndThirtyNineFunctions) {
    const auto count = [](AbiVersion version) {
        int n = 0;
        for (const auto& function : host_functions()) {
            n += function.abis.has(version) && function.name.starts_with("proxy_") ? 1 : 0;
        }
        return n;
    };
    EXPECT_EQ(count(AbiVersion::v0_1_0), 40);
    EXPECT_EQ(count(AbiVersion::v0_2_0), 38);
    EXPECT_EQ(count(AbiVersion::v0_2_1), 39);
}

TEST(Abi, OffersFifteenEighteenAndFortyFiveWasiFunctions) {
    const auto count = [](WasiEpoch epoch) {
        int n = 0;
        for (const auto& function : wasi_functions()) {
            n += function.since <= epoch ? 1 : 0;
        }
        return n;
    };
    EXPECT_EQ(count(WasiEpoch::a), 15);
    EXPECT_EQ(count(WasiEpoch::b), 18);
    EXPECT_EQ(count(WasiEpoch::c), 45);
}

}  // namespace
}  // namespace wasmplug::wasm
