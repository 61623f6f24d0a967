// Plugins that mean harm, through the command line: the tool ends, says what was wrong and where,
// and runs the next test.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"
#include "tests/support/script_plugin.hpp"

namespace wasmplug::test {
namespace {

const std::string endless = "(loop $l (br $l))";

// A plugin whose `callback` does `body`.
std::string plugin(const std::string& callback, const std::string& signature,
                   const std::string& body, const std::string& imports = {},
                   const std::string& more = {}) {
    return "(module " + imports +
           "(memory (export \"memory\") 1) (global $heap (mut i32) (i32.const 4096))"
           "(func (export \"proxy_abi_version_0_2_1\"))"
           "(func (export \"malloc\") (param i32) (result i32) (global.get $heap)"
           "  (global.set $heap (i32.add (global.get $heap) (local.get 0))))" +
           more + "(func (export \"" + callback + "\") " + signature + " " + body + "))";
}

const std::string headers_signature = "(param i32 i32 i32) (result i32)";
const std::string go_on = " (i32.const 0)";

std::string import(const std::string& name, const std::string& parameters) {
    return "(import \"env\" \"" + name + "\" (func $call (param " + parameters + ") (result i32)))";
}

// An http call to "auth" with three pseudo headers.
const std::string call_data =
    "(data (i32.const 100) \"\\03\\00\\00\\00\\07\\00\\00\\00\\03\\00\\00\\00\\05\\00\\00\\00\\01"
    "\\00\\00\\00\\0a\\00\\00\\00\\01\\00\\00\\00:method\\00GET\\00:path\\00/\\00:authority\\00a"
    "\\00\") (data (i32.const 300) \"auth\")";
const std::string call_auth =
    "(drop (call $call (i32.const 300) (i32.const 4) (i32.const 100) (i32.const 62) (i32.const 0) "
    "(i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 500)))";
const std::string call_import =
    import("proxy_http_call", "i32 i32 i32 i32 i32 i32 i32 i32 i32 i32");
const std::string with_auth =
    "request: {path: /}\n  calls: [{cluster: auth, reply: {status: 200}}]";

class HostilePlugin : public testing::Test {
  protected:
    void SetUp() override { WASMPLUG_NEEDS_PROGRAM("wat2wasm"); }

    void write(const std::string& module, const std::string& test = "request: {path: /}") {
        sandbox.write("plugin.wasm", module);
        sandbox.write("a.test.yaml",
                      "wasmplug: 1\nplugin: {wasm: plugin.wasm, config: x}\n"
                      "defaults: {limits: {instructions: 2_000_000}}\ntests:\n- name: hostile\n  " +
                          test + "\n");
    }

    void assemble(const std::string& text, const std::string& test = "request: {path: /}") {
        write(read_file(*assembled(text)), test);
    }

    // What the failed test observed.
    std::string observed() {
        const auto document = sandbox.json({"test"}, 3);
        const auto& test = document["files"][0]["tests"][0];
        EXPECT_EQ(test["verdict"], "failed");
        return test["failures"].empty() ? test.dump()
                                        : test["failures"][0]["actual"].get<std::string>();
    }

    Sandbox sandbox;
};

TEST_F(HostilePlugin, EndlessLoopsAreNamedByTheirCallback) {
    struct Case {
        std::string callback;
        std::string signature;
        std::string result = {};
        std::string test = "request: {path: /, body: abc}";
    };

    const std::string two = "(param i32 i32)";
    const std::vector<Case> cases{{"_initialize", ""},
                                  {"proxy_on_context_create", two},
                                  {"proxy_on_vm_start", two + " (result i32)", "(i32.const 1)"},
                                  {"proxy_on_configure", two + " (result i32)", "(i32.const 1)"},
                                  {"proxy_on_request_headers", headers_signature, go_on},
                                  {"proxy_on_request_body", headers_signature, go_on},
                                  {"proxy_on_response_headers", headers_signature, go_on},
                                  {"proxy_on_response_body", headers_signature, go_on,
                                   "request: {path: /}\n  upstream: {status: 200, body: abc}"},
                                  {"proxy_on_log", "(param i32)"},
                                  {"proxy_on_done", "(param i32) (result i32)", "(i32.const 1)"},
                                  {"proxy_on_delete", "(param i32)"}};
    for (const auto& each : cases) {
        assemble(plugin(each.callback, each.signature, endless + each.result), each.test);
        EXPECT_EQ(
            observed().substr(0, observed().find('\n')),
            "out_of_fuel: Function: " + each.callback + " did not end within 2000000 instructions");
    }
    assemble(plugin("proxy_on_tick", "(param i32)", endless,
                    import("proxy_set_tick_period_milliseconds", "i32"),
                    "(func (export \"proxy_on_configure\") (param i32 i32) (result i32)"
                    " (drop (call $call (i32.const 100))) (i32.const 1))"),
             "steps: [{advance: 1s}]");
    EXPECT_NE(observed().find("proxy_on_tick did not end"), std::string::npos) << observed();
    assemble(
        plugin("proxy_on_http_call_response", "(param i32 i32 i32 i32 i32)", endless, call_import,
               call_data + "(func (export \"proxy_on_request_headers\") " + headers_signature +
                   call_auth + " (i32.const 1))"),
        with_auth);
    EXPECT_NE(observed().find("proxy_on_http_call_response did not end"), std::string::npos)
        << observed();
    assemble(
        "(module (memory (export \"memory\") 1) (func (export \"proxy_abi_version_0_2_1\"))"
        "(func (export \"malloc\") (param i32) (result i32) (i32.const 0))"
        "(func $s " +
        endless + ") (start $s))");
    EXPECT_NE(observed().find("start did not end within 2000000 instructions"), std::string::npos)
        << observed();
}

// Each round is a few instructions for the plugin, and much work for the host.
TEST_F(HostilePlugin, LoopsOverHostCallsEndToo) {
    const auto loop = [](const std::string& call) {
        return "(loop $l (drop " + call + ") (br $l))" + go_on;
    };
    const auto no_limit = [&](const std::string& rest) {
        return rest + "\n  limits: {instructions: 500_000_000}";
    };
    assemble(plugin("proxy_on_request_headers", headers_signature,
                    loop("(call $call (i32.const 2) (i32.const 0) (i32.const 60000))"),
                    import("proxy_log", "i32 i32 i32")),
             no_limit("request: {path: /}"));
    EXPECT_NE(observed().find("within 256 MiB to and from the host"), std::string::npos);
    EXPECT_LT(sandbox.run({"test"}).out.size(), 1U << 20) << "nobody reads a trace of megabytes";

    assemble(plugin("proxy_on_request_headers", headers_signature,
                    loop("(call $call (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 100) "
                         "(i32.const 60000))"),
                    import("proxy_add_header_map_value", "i32 i32 i32 i32 i32"),
                    "(data (i32.const 100) \"aaaaaaaa\")"),
             no_limit("request: {path: /}"));
    EXPECT_NE(observed().find("within 256 MiB to and from the host"), std::string::npos);

    assemble(plugin("proxy_on_request_headers", headers_signature,
                    "(loop $l " + call_auth + " (br $l))" + go_on, call_import, call_data),
             no_limit(with_auth));
    EXPECT_NE(observed().find("within 10000 calls to services"), std::string::npos) << observed();

    assemble(
        plugin("proxy_on_request_headers", headers_signature, loop("(call $call (i32.const 8))"),
               import("proxy_get_current_time_nanoseconds", "i32")),
        no_limit("request: {path: /}"));
    EXPECT_NE(observed().find("within 1000000 host calls"), std::string::npos) << observed();
}

TEST_F(HostilePlugin, MemoryIsBounded) {
    assemble(plugin("proxy_on_request_headers", headers_signature,
                    "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 100)) (i32.const -1))))"
                    "(memory.fill (i32.const 0) (i32.const 1) (i32.mul (memory.size) "
                    "(i32.const 65536)))" +
                        go_on));
    EXPECT_EQ(sandbox.json({"test"})["summary"]["passed"], 1) << "grows to the limit, goes on";
    assemble(
        "(module (memory (export \"memory\") 65536)"
        "(func (export \"proxy_abi_version_0_2_1\"))"
        "(func (export \"malloc\") (param i32) (result i32) (i32.const 0)))");
    EXPECT_TRUE(observed().starts_with("load_failed: ")) << observed();
    EXPECT_EQ(sandbox.json({"inspect", "plugin.wasm", "--for", "envoy-1.40"}, 3)["loads"], false);
    assemble(plugin("proxy_on_request_headers", headers_signature, "(call $r)" + go_on, "",
                    "(func $r (call $r))"));
    EXPECT_NE(observed().find("Maximum call stack size exceeded"), std::string::npos);
}

TEST_F(HostilePlugin, PointersOutsideOfTheMemoryAreAnswered) {
    assemble(plugin("proxy_on_request_headers", headers_signature,
                    "(drop (call $call (i32.const 2) (i32.const -16) (i32.const 100)))" + go_on,
                    import("proxy_log", "i32 i32 i32")));
    EXPECT_EQ(sandbox.json({"test"})["summary"]["passed"], 1);
    const std::string wild =
        "(module (import \"env\" \"proxy_get_buffer_bytes\" (func $b (param i32 i32 i32 i32 i32) "
        "(result i32))) (memory (export \"memory\") 1) (func (export \"proxy_abi_version_0_2_1\"))"
        "(func (export \"malloc\") (param i32) (result i32) (i32.const -4))"
        "(func (export \"proxy_on_configure\") (param i32 i32) (result i32)"
        " (drop (call $b (i32.const 7) (i32.const 0) (i32.const 10) (i32.const 8) (i32.const 12)))"
        " (i32.const 1)))";
    assemble(wild);
    EXPECT_EQ(sandbox.json({"test"})["summary"]["passed"], 1);
}

TEST_F(HostilePlugin, WhatIsNoModuleIsSaidByEveryCommand) {
    const auto good = read_file(
        *assembled(plugin("proxy_on_request_headers", headers_signature, "(i32.const 0)")));
    std::string huge = good;
    const std::string name(
        "\x03"
        "big");
    const std::size_t size = name.size() + (std::size_t{100} << 20);
    huge += '\0';  // a custom section
    for (std::size_t left = size; left > 0; left >>= 7U) {
        huge += static_cast<char>((left & 0x7FU) | (left > 0x7F ? 0x80U : 0U));
    }
    huge += name + std::string(std::size_t{100} << 20, '\0');
    write(huge);
    EXPECT_EQ(sandbox.json({"test"})["summary"]["passed"], 1) << "large, and nothing else";
    for (const std::string& bytes :
         {std::string(), good.substr(0, good.size() / 2), std::string("<html>")}) {
        write(bytes);
        EXPECT_TRUE(observed().starts_with("load_failed: ")) << observed();
        for (const std::string format : {"junit", "tap", "github"}) {
            const auto run = sandbox.run({"test", "-o", format});
            EXPECT_EQ(run.exit_code, 3) << format;
            EXPECT_NE(run.out.find("load_failed"), std::string::npos) << format << run.out;
        }
        const auto bench = sandbox.run({"bench"});
        EXPECT_NE(bench.exit_code, 0);
        EXPECT_NE(bench.out.find("load_failed") + bench.err.find("load"), 2 * std::string::npos)
            << bench.out << bench.err;
        const auto inspect = sandbox.run({"inspect", "plugin.wasm"});
        EXPECT_NE(inspect.exit_code, 0) << inspect.out;
        EXPECT_NE(inspect.err.find("plugin.wasm"), std::string::npos) << inspect.err;
    }
}

TEST_F(HostilePlugin, BenchEndsWithPluginsThatDoNot) {
    assemble(plugin("proxy_on_request_headers", headers_signature, endless + go_on));
    const auto run = sandbox.run({"bench"});
    EXPECT_EQ(run.exit_code, 3);
    EXPECT_NE((run.out + run.err).find("proxy_on_request_headers did not end"), std::string::npos)
        << run.out << run.err;
}

}  // namespace
}  // namespace wasmplug::test
