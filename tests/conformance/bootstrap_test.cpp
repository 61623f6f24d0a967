// `generate envoy` against real Envoy.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/envoy.hpp"
#include "tests/support/least_module.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

class GenerateEnvoy : public testing::Test {
  protected:
    void SetUp() override {
        sandbox_.write("first.wasm", least_module("first"));
        sandbox_.write("second.wasm", least_module("second"));
        const auto folder = sandbox_.work().string() + "/";
        sandbox_.write("chain.yaml",
                       "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n"
                       "metadata: {name: b, namespace: prod}\nspec:\n  url: file://" +
                           folder +
                           "second.wasm\n  phase: AUTHZ\n---\n"
                           "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n"
                           "metadata: {name: a, namespace: prod}\nspec:\n  url: file://" +
                           folder +
                           "first.wasm\n  phase: AUTHN\n  failStrategy: FAIL_OPEN\n"
                           "  pluginConfig: {text: \"yes\", number: 1}\n---\n"
                           "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n"
                           "metadata: {name: c, namespace: prod}\nspec:\n  url: file://" +
                           folder + "second.wasm\n  phase: AUTHZ\n  priority: 5\n");
    }

    Sandbox sandbox_;
};

TEST_F(GenerateEnvoy, PutsTheFiltersWhereChainPutsThem) {
    const auto made = sandbox_.run({"generate", "envoy", "chain.yaml", "-o", "json"});
    const auto bootstrap = nlohmann::json::parse(made.out);
    const auto& filters = bootstrap.at("static_resources")
                              .at("listeners")
                              .at(0)
                              .at("filter_chains")
                              .at(0)
                              .at("filters")
                              .at(0)
                              .at("typed_config")
                              .at("http_filters");
    std::vector<std::string> names;
    for (const auto& filter : filters) {
        if (filter.contains("typed_config") && filter.at("typed_config").contains("config")) {
            names.push_back(filter.at("typed_config").at("config").at("name"));
        }
    }
    std::vector<std::string> chain;
    const auto shown = sandbox_.json({"chain", "chain.yaml"});
    for (const auto& plugin : shown.at("chains").at(0).at("plugins")) {
        chain.push_back(plugin.at("name"));
    }
    EXPECT_EQ(names, (std::vector<std::string>{"a", "c", "b"}));
    EXPECT_EQ(names, chain);
}

TEST_F(GenerateEnvoy, WritesWhatRealEnvoyTakes) {
    WASMPLUG_NEEDS(envoy_binary(), "Envoy");
    const auto made =
        sandbox_.run({"generate", "envoy", "chain.yaml", "--upstream", "127.0.0.1:9"});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    const auto checked = envoy_validate(made.out);
    EXPECT_EQ(checked.exit_code, 0) << made.out << checked.err;
}

}  // namespace
}  // namespace wasmplug::test
