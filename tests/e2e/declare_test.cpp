// generate, convert, diff and explain on input that people really give.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

const std::string zeros(64, '0');
const std::string reference = "r.example.com/a/b:1.0.0@sha256:" + zeros;

std::string plugin(const std::string& name, const std::string& tag) {
    return fmt::format(
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: {}, "
        "namespace: prod}}\nspec: {{url: \"oci://r.example.com/a/{}:{}\"}}\n",
        name, name, tag);
}

TEST(Generate, RefusesFlagsThatItsKindDoesNotUse) {
    Sandbox sandbox;
    const auto refused = [&](std::vector<std::string> args, const std::string& flag) {
        args.insert(args.begin(), "generate");
        const auto result = sandbox.run(args);
        EXPECT_EQ(result.exit_code, 2) << flag;
        EXPECT_NE(result.err.find(flag), std::string::npos) << result.err;
    };
    refused({"wasmplugin", reference, "--ci", "gitlab"}, "--ci");
    refused({"wasmplugin", reference, "--port", "80"}, "--port");
    refused({"envoyfilter", reference, "--module", "x.wasm"}, "--module");
    refused({"ci", "--name", "x"}, "--name");
    refused({"ci", reference}, "a REF");
    refused({"prometheusrule", "--set", "priority=1"}, "--set");
    refused({"envoy", "x.yaml", "--phase", "AUTHN"}, "--phase");
    refused({"wasmplugin", reference, "--sha256", std::string(64, '1')}, "two digests");
    EXPECT_EQ(sandbox.run({"generate", "wasmplugin", reference, "--sha256", zeros}).exit_code, 0);
    EXPECT_EQ(
        sandbox.run({"generate", "wasmplugin", reference, "--sha256", "sha256:" + zeros}).exit_code,
        0);
}

TEST(Diff, ReadsStandardInputAndOnlyWhatIsNamed) {
    Sandbox sandbox;
    sandbox.write("two.yaml", plugin("auth", "1.0.0") + "---\n" + plugin("cache", "1.0.0"));
    sandbox.write("auth.yaml", plugin("auth", "2.0.0"));
    const auto piped = sandbox.run({"diff", "-", "auth.yaml"}, plugin("auth", "1.0.0"));
    EXPECT_EQ(piped.exit_code, 3);
    EXPECT_NE(piped.out.find("+ \"oci://r.example.com/a/auth:2.0.0\""), std::string::npos);
    EXPECT_NE(sandbox.run({"diff", "two.yaml", "auth.yaml"}).out.find("cache removed"),
              std::string::npos);
    for (const char* name : {"auth", "prod/auth"}) {
        const auto named = sandbox.run({"diff", "--name", name, "two.yaml", "auth.yaml"});
        EXPECT_EQ(named.exit_code, 3);
        EXPECT_EQ(named.out.find("cache"), std::string::npos) << named.out;
    }
    EXPECT_EQ(sandbox.run({"diff", "--name", "none", "two.yaml", "auth.yaml"}).exit_code, 1);
    EXPECT_EQ(sandbox.run({"diff", "-", "-"}).exit_code, 2);
    EXPECT_EQ(sandbox.run({"diff", "-"}).exit_code, 2);
}

TEST(Explain, KnowsFieldsInAnyCaseAndTheirValues) {
    Sandbox sandbox;
    const auto path = [&](const std::string& subject) {
        const auto json = sandbox.json({"explain", subject});
        return json.at("kind").get<std::string>() + " " + json.at("path").get<std::string>();
    };
    EXPECT_EQ(path("failstrategy"), "WasmPlugin spec.failStrategy");
    EXPECT_EQ(path("SPEC.MATCH.MODE"), "WasmPlugin spec.match.mode");
    EXPECT_EQ(path("Match[0].Ports"), "WasmPlugin spec.match.ports");
    EXPECT_EQ(path("match[0].mode"), "WasmPlugin spec.match[0].mode");
    EXPECT_EQ(path("fail_open"), "WasmPlugin spec.failStrategy");
    EXPECT_EQ(path("trafficextension.spec.wasm.url"), "TrafficExtension spec.wasm.url");
    EXPECT_EQ(sandbox.run({"explain", "nonsense"}).exit_code, 2);
}

TEST(Convert, SaysWhereItsInputIsNoYaml) {
    Sandbox sandbox;
    const auto broken = sandbox.run({"convert", "-"}, "kind: [\n");
    EXPECT_EQ(broken.exit_code, 1);
    EXPECT_NE(broken.err.find("<stdin>:2:1: "), std::string::npos) << broken.err;
    const auto other = sandbox.run({"convert", "-"}, "kind: Service\napiVersion: v1\n");
    EXPECT_NE(other.err.find("holds no WasmPlugin"), std::string::npos) << other.err;
}

}  // namespace
}  // namespace wasmplug::test
