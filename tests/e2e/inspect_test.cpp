#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/registry.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"
#include "tests/unit/wasm/builder.hpp"

namespace wasmplug::test {
namespace {

namespace make = wasm::testing;

TEST(Inspect, ShowsWhatAModuleHolds) {
    Sandbox sandbox;
    sandbox.write("plugin.wasm",
                  make::smallest_plugin(make::custom("name", make::bytes({1, 4, 1, 0, 1, 'f'}))));
    const auto document = sandbox.json({"inspect", "plugin.wasm"});
    EXPECT_EQ(document["version"], 1);
    EXPECT_EQ(document["abi"], "0.2.1");
    EXPECT_EQ(document["allocator"], "malloc");
    EXPECT_EQ(document["entry"], nullptr);
    EXPECT_EQ(document["functions"], 2);
    EXPECT_EQ(document["named_functions"], 1);
    EXPECT_EQ(document["memories"][0]["minimum_pages"], 1);
    EXPECT_EQ(document["exports"][1]["name"], "malloc");
    EXPECT_EQ(document["exports"][1]["type"], "i32 -> i32");
    EXPECT_EQ(document["sections"][0]["name"], "type");
    EXPECT_EQ(document["loads"], true);
    EXPECT_EQ(document["message"], nullptr);
    const auto text = sandbox.run({"inspect", "-"}, sandbox.read("plugin.wasm"));
    EXPECT_EQ(text.exit_code, 0);
    EXPECT_NE(text.out.find("every Envoy"), std::string::npos) << text.out;
}

TEST(Inspect, EndsWithThreeAndEnvoysWordsForWhatTheHostRefuses) {
    Sandbox sandbox;
    sandbox.write("plugin.wasm", make::header);
    const auto document = sandbox.json({"inspect", "plugin.wasm", "--for", "istio-1.28"}, 3);
    EXPECT_EQ(document["loads"], false);
    EXPECT_EQ(document["message"], "Wasm VM failed Missing or unknown Proxy-Wasm ABI version");
    EXPECT_EQ(document["loads_since"], nullptr);
    sandbox.write("text.wasm", "hello, not wasm");
    EXPECT_EQ(sandbox.json({"inspect", "text.wasm", "--for", "envoy-1.40"}, 3)["message"],
              "Wasm VM failed Failed to parse corrupted Wasm module");
    EXPECT_EQ(sandbox.run({"inspect", "text.wasm"}).exit_code, 1);
    EXPECT_EQ(sandbox.run({"inspect", "text.wasm", "--for", "envoy-9"}).exit_code, 2);
    EXPECT_EQ(sandbox.run({"inspect", "absent.wasm"}).exit_code, 1);
}

TEST(Inspect, WarnsOfWhatIsNotToBeShipped) {
    Sandbox sandbox;
    sandbox.write("plugin.wasm",
                  make::smallest_plugin(make::custom(".debug_info", std::string(4096, 'x'))));
    const auto result = sandbox.run({"inspect", "plugin.wasm"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_NE(result.err.find("warning: a debug build"), std::string::npos) << result.err;
}

TEST(Inspect, ReadsTheModuleOutOfAnImage) {
    WASMPLUG_NEEDS_PROGRAM("docker-registry");
    Sandbox sandbox;
    const Registry registry;
    sandbox.write("plugin.wasm", make::smallest_plugin());
    ASSERT_EQ(sandbox.run({"package", "plugin.wasm", "oci:dist:1.0.0"}).exit_code, 0);
    const std::string reference = registry.host() + "/team/auth:1.0.0";
    ASSERT_EQ(sandbox.run({"push", "oci:dist:1.0.0", reference}).exit_code, 0);
    for (const auto& what : {std::string("oci:dist:1.0.0"), reference}) {
        const auto document = sandbox.json({"inspect", what, "--for", "istio-1.28", "--referrers"});
        EXPECT_EQ(document["abi"], "0.2.1");
        EXPECT_EQ(document["image"]["layers"].size(), 1U);
        EXPECT_EQ(document["image"]["referrers"].size(), 0U);
        EXPECT_EQ(document["loads"], true);
        for (const auto& host : document["image"]["hosts"]) {
            EXPECT_EQ(host["loads"], true) << host;
        }
    }
}

TEST(Inspect, AsksForTheBuildOfAProjectThatIsNotBuilt) {
    Sandbox sandbox;
    sandbox.write("p/src/plugin.cc", "");
    const auto result = sandbox.run({"inspect", "p"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_NE(result.err.find("wasmplug build p"), std::string::npos) << result.err;
    sandbox.write("p/build/plugin.wasm", make::smallest_plugin());
    EXPECT_EQ(sandbox.json({"inspect", "p"})["what"], "p/build/plugin.wasm");
}

}  // namespace
}  // namespace wasmplug::test
