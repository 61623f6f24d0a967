#include "host/imports.hpp"

#include <gtest/gtest.h>

#include <set>

#include "host/pairs.hpp"
#include "tests/unit/host/scripted.hpp"
#include "wasm/abi.hpp"

namespace wasmplug::host {
namespace {

// "i32 i64 -> i32", as the tables of wasm/ write it.
std::string text_of(const HostImport& import) {
    const auto signature = signature_of(import);
    std::string text;
    for (const char c : signature.params) {
        text += (text.empty() ? "" : " ") + std::string(c == 'I' ? "i64" : "i32");
    }
    return (text.empty() ? "void" : text) + " -> " + (signature.results.empty() ? "void" : "i32");
}

TEST(Imports, AreThoseThatTheTablesSayEnvoyOffers) {
    std::set<std::string> offered;
    for (const auto* import : all_imports()) {
        offered.insert(std::string(import->name));
        if (import->module == "wasi") {
            const auto* known = wasm::find_wasi_function(import->name);
            ASSERT_NE(known, nullptr) << import->name;
            EXPECT_EQ(text_of(*import), known->signature) << import->name;
            EXPECT_EQ(import->at_start, known->allowed_at_start) << import->name;
            continue;
        }
        const auto* known = wasm::find_host_function(import->name);
        ASSERT_NE(known, nullptr) << import->name;
        EXPECT_EQ(text_of(*import), known->signature) << import->name;
        EXPECT_EQ(import->in_0_1_0, known->abis.v0_1_0) << import->name;
        EXPECT_EQ(import->in_0_2_0, known->abis.v0_2_0) << import->name;
        EXPECT_EQ(import->in_0_2_1, known->abis.v0_2_1) << import->name;
        EXPECT_EQ(import->at_start, wasm::allowed_at_start("env", import->name)) << import->name;
    }
    for (const auto& known : wasm::host_functions()) {
        EXPECT_TRUE(offered.contains(std::string(known.name))) << known.name;
    }
    for (const auto& known : wasm::wasi_functions()) {
        EXPECT_TRUE(offered.contains(std::string(known.name))) << known.name;
    }
}

TEST(Pairs, ComeBackAsTheyWent) {
    const Headers pairs{{"a", "1"}, {"b", ""}, {"a", "2"}};
    EXPECT_EQ(parse_pairs(serialize_pairs(pairs)), pairs);
    EXPECT_EQ(serialize_pairs({}), "");
}

TEST(Pairs, ThatAreMalformedAreNone) {
    const std::string good = serialize_pairs({{"name", "value"}});
    for (std::size_t cut = 0; cut < good.size(); ++cut) {
        EXPECT_TRUE(parse_pairs(good.substr(0, cut)).empty()) << cut;
    }
    std::string huge = good;
    huge.replace(4, 4, std::string(4, '\xFF'));  // a size that would wrap around
    EXPECT_TRUE(parse_pairs(huge).empty());
}

using Trace = Scripted;

TEST_F(Trace, ShowsCallbacksWithWhatThePluginAskedAndGot) {
    given.trace = true;
    run("request_headers get 0 :path\n");
    const auto has = [&](const std::string& line) {
        return std::find(seen.trace.begin(), seen.trace.end(), line) != seen.trace.end();
    };
    EXPECT_TRUE(has("proxy_on_request_headers(2, 6, 1)"));
    EXPECT_TRUE(has("  proxy_get_header_map_value(request_headers, \":path\") = ok: \"/x?a=1\""));
    EXPECT_TRUE(has("  → Continue"));
}

using Hostile = Scripted;

// Every import, called with addresses and sizes at the edges of everything, in each phase.
TEST_F(Hostile, PointersAndLengthsNeverLeaveTheMemory) {
    std::string imports;
    std::string calls;
    for (const auto* import : all_imports()) {
        if (!import->in_0_2_1) {
            continue;
        }
        const std::string module =
            import->module == "wasi" ? "wasi_snapshot_preview1" : std::string(import->module);
        const auto signature = signature_of(*import);
        std::string params;
        for (const char c : signature.params) {
            params += c == 'I' ? " i64" : " i32";
        }
        const std::string name(import->name);
        imports += "(import \"" + module + "\" \"" + name + "\" (func $" + name + " (param" +
                   params + ")" + (signature.results.empty() ? "" : " (result i32)") + "))\n";
        for (const char* value :
             {"0", "1", "65535", "65536", "0x7fffffff", "0x80000000", "0xfffffff0", "0xffffffff"}) {
            for (const char* size : {"0", "1", "0xffffffff", "0x10000"}) {
                std::string arguments;
                bool even = false;
                for (const char c : signature.params) {
                    arguments += c == 'I'
                                     ? " (i64.const -1)"
                                     : std::string(" (i32.const ") + (even ? size : value) + ")";
                    even = !even;
                }
                calls += "(call $" + name + arguments + ")" +
                         (signature.results.empty() ? "\n" : "drop\n");
            }
        }
    }
    const auto module = test::assembled(
        "(module " + imports +
        "(memory (export \"memory\") 1)\n"
        "(func (export \"proxy_abi_version_0_2_1\"))\n"
        "(func (export \"malloc\") (param i32) (result i32) (i32.const 65530))\n"
        "(func (export \"proxy_on_configure\") (param i32 i32) (result i32) (call $all) "
        "(i32.const 1))\n"
        "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) (call $all) "
        "(i32.const 0))\n"
        "(func (export \"proxy_on_log\") (param i32) (call $all))\n"
        "(func $all " +
        calls + "))");
    WASMPLUG_NEEDS(module.has_value(), "wat2wasm");
    given.plugins.front().module = *module;
    run("");
    EXPECT_TRUE(seen.message.empty()) << seen.message;
    EXPECT_EQ(seen.steps.size(), 1U);
}

TEST_F(Hostile, AllocatorsThatLieAreAnsweredWithAStatus) {
    for (const char* address : {"0", "-1", "65535", "65536"}) {
        const auto module = test::assembled(
            std::string("(module (import \"env\" \"proxy_get_property\" (func $p (param i32 i32 "
                        "i32 i32) (result i32))) (memory (export \"memory\") 1) "
                        "(data (i32.const 0) \"plugin_name\") "
                        "(func (export \"proxy_abi_version_0_2_1\")) "
                        "(func (export \"malloc\") (param i32) (result i32) (i32.const ") +
            address +
            ")) (func (export \"proxy_on_configure\") (param i32 i32) (result i32) "
            "(i32.eq (call $p (i32.const 0) (i32.const 11) (i32.const 100) (i32.const 104)) "
            "(i32.const 6))))");
        WASMPLUG_NEEDS(module.has_value(), "wat2wasm");
        given.plugins.front().module = *module;
        run("");
        EXPECT_NE(seen.outcome, plugintest::Outcome::config_rejected) << address;
    }
}

TEST_F(Hostile, AnAllocatorThatCallsTheHostMayRecurseOnlySoFar) {
    const auto module = test::assembled(
        "(module (import \"env\" \"proxy_get_property\" (func $p (param i32 i32 i32 i32) (result "
        "i32))) (memory (export \"memory\") 1) (data (i32.const 0) \"plugin_name\") "
        "(func (export \"proxy_abi_version_0_2_1\")) "
        "(func $m (export \"malloc\") (param i32) (result i32) (call $p (i32.const 0) (i32.const "
        "11) (i32.const 100) (i32.const 104))) "
        "(func (export \"proxy_on_configure\") (param i32 i32) (result i32) (call $m (i32.const "
        "1))))");
    WASMPLUG_NEEDS(module.has_value(), "wat2wasm");
    given.plugins.front().module = *module;
    run("");
    EXPECT_NE(seen.outcome, plugintest::Outcome::ok);
}

TEST_F(Hostile, HostFunctionsThatNeedTheVmEndTheStartFunctions) {
    const auto module = test::assembled(
        "(module (import \"env\" \"proxy_done\" (func $d (result i32))) (memory (export "
        "\"memory\") "
        "1) (global $g (mut i32) (i32.const 1)) (func (export \"proxy_abi_version_0_2_1\")) (func "
        "(export \"malloc\") (param i32) (result i32) (i32.const 8)) (func (export "
        "\"_initialize\") "
        "(if (global.get $g) (then (drop (call $d))))))");
    WASMPLUG_NEEDS(module.has_value(), "wat2wasm");
    given.plugins.front().module = *module;
    run("");
    EXPECT_EQ(seen.outcome, plugintest::Outcome::load_failed);
    EXPECT_TRUE(seen.message.starts_with(
        "Function: _initialize failed: Uncaught Error: restricted_callback"))
        << seen.message;
}

TEST_F(Hostile, ModulesThatEnvoyWouldNotLoadAreNotLoaded) {
    const auto missing = test::assembled(
        "(module (import \"env\" \"pcre_free_study\" (func)) (memory (export \"memory\") 1) (func "
        "(export \"proxy_abi_version_0_2_1\")) (func (export \"malloc\") (param i32) (result i32) "
        "(i32.const 8)))");
    WASMPLUG_NEEDS(missing.has_value(), "wat2wasm");
    given.plugins.front().module = *missing;
    run("");
    EXPECT_EQ(seen.outcome, plugintest::Outcome::load_failed);
    EXPECT_NE(seen.message.find("missing import: env.pcre_free_study"), std::string::npos)
        << seen.message;
}

// 0.1.0 told a missing header from an empty one by nothing, and its headers callbacks have no
// end of stream.
TEST_F(Hostile, Abi010AnswersMissingHeadersWithAnEmptyValue) {
    const auto module = test::assembled(
        "(module (import \"env\" \"proxy_get_header_map_value\" (func $g (param i32 i32 i32 i32 "
        "i32) (result i32))) (import \"env\" \"proxy_send_local_response\" (func $l (param i32 i32 "
        "i32 i32 i32 i32 i32 i32) (result i32))) (memory (export \"memory\") 1) (data (i32.const "
        "0) "
        "\"x-none\") (func (export \"proxy_abi_version_0_1_0\")) (func (export \"malloc\") (param "
        "i32) (result i32) (i32.const 8)) (func (export \"proxy_on_request_headers\") (param i32 "
        "i32) (result i32) (drop (call $l (i32.add (i32.const 200) (call $g (i32.const 0) "
        "(i32.const 0) (i32.const 6) (i32.const 100) (i32.const 104))) (i32.const 0) (i32.const 0) "
        "(i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1))) (i32.const 1)))");
    WASMPLUG_NEEDS(module.has_value(), "wat2wasm");
    given.plugins.front().module = *module;
    run("");
    EXPECT_EQ(status(), "200");
}

}  // namespace
}  // namespace wasmplug::host
