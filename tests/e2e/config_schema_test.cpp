// pluginConfig against a JSON Schema, from the project to the image.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include <nlohmann/json.hpp>

#include "tests/support/least_module.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

std::string manifest(const std::string& image, const std::string& config,
                     const std::string& name = "p") {
    return fmt::format(
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: {0}}}\n"
        "spec:\n  selector: {{matchLabels: {{app: {0}}}}}\n  url: oci://{1}\n"
        "  pluginConfig: {2}\n",
        name, image, config);
}

const std::string schema = R"({"properties": {"port": {"type": "integer", "maximum": 65535}}})";

TEST(ConfigSchema, IsThatOfThePluginsProject) {
    Sandbox sandbox;
    sandbox.write("auth/config.schema.json", schema);
    sandbox.write("auth/plugin.yaml", manifest("r.example.com/t/auth:1.0.0", "{port: 80}"));
    sandbox.write("auth/deploy/prod.yaml", manifest("m.example.com/auth:1.0.0", "{port: 80000}"));
    sandbox.write("auth/deploy/other.yaml",
                  manifest("m.example.com/cache:1.0.0", "{port: x}", "q"));
    sandbox.write("deploy/auth.yaml", manifest("r.example.com/t/auth:1.0.0", "{port: x}"));
    const auto all = sandbox.run({"validate", "--no-policy", "-q", "."});
    EXPECT_EQ(all.exit_code, 3);
    EXPECT_TRUE(
        all.out.starts_with("./auth/deploy/prod.yaml:7:24: error: pluginConfig.port: 80000 "
                            "is more than 65535 (auth/config.schema.json) [WP114 "))
        << all.out;
    EXPECT_EQ(all.out.find("other.yaml"), std::string::npos) << "another plugin's";
    EXPECT_EQ(all.out.find("./deploy/auth.yaml"), std::string::npos) << "beside the project";
    const auto named = sandbox.run(
        {"validate", "--no-policy", "--schema", "auth/config.schema.json", "deploy/auth.yaml"});
    EXPECT_EQ(named.exit_code, 3);
    EXPECT_NE(named.out.find("\"x\" is no integer"), std::string::npos) << named.out;
}

TEST(ConfigSchema, ThatIsBrokenFailsWithoutKeepingTheOthersFromBeingJudged) {
    Sandbox sandbox;
    sandbox.write("a/config.schema.json", "{\"type\": [}");
    sandbox.write("a/plugin.yaml", manifest("r.example.com/t/a:1.0.0", "{}"));
    sandbox.write("a/second.yaml", manifest("r.example.com/t/a:1.0.0", "{}"));
    sandbox.write("b/plugin.yaml", manifest("r.example.com/t/b:1.0.0", "no mapping"));
    const auto result = sandbox.run({"validate", "--no-policy", "a", "b"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_TRUE(result.err.starts_with("error: a/config.schema.json:1:11: ")) << result.err;
    EXPECT_EQ(result.err.find("error: ", 1), std::string::npos) << "once: " << result.err;
    EXPECT_NE(result.out.find("b/plugin.yaml:7:17: error:"), std::string::npos) << result.out;
}

TEST(ConfigSchema, SaysOnceWhichPatternsItCannotMatch) {
    Sandbox sandbox;
    sandbox.write("config.schema.json", R"x({"properties": {"port": {"pattern": "^(?!0)"}}})x");
    sandbox.write("plugin.yaml", manifest("r.example.com/t/a:1.0.0", "{port: \"080\"}"));
    sandbox.write("second.yaml", manifest("r.example.com/t/a:1.0.0", "{port: \"080\"}"));
    const auto result = sandbox.run({"validate", "--fail-on", "hint", "--no-policy", "-o", "json",
                                     "plugin.yaml", "second.yaml"});
    EXPECT_EQ(result.out.find("WP114"), std::string::npos) << result.out;
    EXPECT_EQ(result.err,
              "note: config.schema.json: not judged by the pattern \"^(?!0)\" (invalid perl "
              "operator: (?!)\n");
}

TEST(ConfigSchema, TravelsInTheImage) {
    Sandbox sandbox;
    sandbox.write("plugin.wasm", least_module());
    sandbox.write("mine.json", "# YAML is as good\nproperties:\n  port: {type: integer}\n");
    const auto annotations = [&](const std::string& reference) {
        return sandbox.json({"inspect", reference}).at("image").at("annotations");
    };
    sandbox.json({"package", "plugin.wasm", "oci:dist:with", "--schema", "mine.json"});
    EXPECT_EQ(annotations("oci:dist:with").at("wasmplug.dev/config-schema"),
              R"({"properties":{"port":{"type":"integer"}}})");
    EXPECT_NE(sandbox.run({"inspect", "oci:dist:with"})
                  .out.find("carries the schema of pluginConfig (42 B)"),
              std::string::npos);
    sandbox.json({"package", "plugin.wasm", "oci:dist:without"});
    EXPECT_FALSE(annotations("oci:dist:without").contains("wasmplug.dev/config-schema"));

    sandbox.write("p/Cargo.toml", "[package]\nname = \"p\"\nversion = \"1.0.0\"\n");
    sandbox.write("p/config.schema.json", schema);
    sandbox.write("p/build/plugin.wasm", least_module());
    sandbox.json({"package", "p", "oci:dist:project", "--layout", "solo"});
    EXPECT_EQ(annotations("oci:dist:project").at("wasmplug.dev/config-schema"),
              R"({"properties":{"port":{"type":"integer","maximum":65535}}})");

    sandbox.write("bad.json", "[1]");
    const auto bad =
        sandbox.run({"package", "plugin.wasm", "oci:dist:bad", "--schema", "bad.json"});
    EXPECT_EQ(bad.exit_code, 1);
    EXPECT_NE(bad.err.find("bad.json: [1] is no schema"), std::string::npos) << bad.err;
    sandbox.write("large.json", "{\"description\": \"" + std::string(70'000, 'x') + "\"}");
    const auto large =
        sandbox.run({"package", "plugin.wasm", "oci:dist:large", "--schema", "large.json"});
    EXPECT_EQ(large.exit_code, 1);
    EXPECT_NE(large.err.find("large.json is larger than the 64"), std::string::npos) << large.err;
    EXPECT_EQ(
        sandbox.run({"package", "oci:dist:with", "oci:other", "--schema", "mine.json"}).exit_code,
        2);
}

}  // namespace
}  // namespace wasmplug::test
