// validate --fix on files, as the built program does it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

const std::string broken =
    "# ours\r\napiVersion: extensions.istio.io/v1beta1\r\nkind: WasmPlugin\r\n"
    "metadata: {name: auth, namespace: prod}\r\nspec:\r\n"
    "  selector:\r\n    labels: {app: shop}   # who\r\n"
    "  url: oci://ghcr.io/acme/auth:1.2.0\r\n  priority: \"10\"\r\n";

const std::string mended =
    "# ours\r\napiVersion: extensions.istio.io/v1alpha1\r\nkind: WasmPlugin\r\n"
    "metadata: {name: auth, namespace: prod}\r\nspec:\r\n"
    "  selector:\r\n    matchLabels: {app: shop}   # who\r\n"
    "  url: oci://ghcr.io/acme/auth:1.2.0\r\n  priority: 10\r\n";

TEST(Fix, ChangesTheBytesThatAreWrongAndNoOthers) {
    Sandbox sandbox;
    sandbox.write("deploy/auth.yaml", broken);
    sandbox.write("deploy/good.yaml", mended);
    sandbox.write("deploy/values.yaml", "phase: authn\n");
    const auto shown = sandbox.run({"validate", "--fix", "--dry-run", "--no-policy", "deploy"});
    EXPECT_EQ(shown.exit_code, 0) << shown.err;
    EXPECT_EQ(sandbox.read("deploy/auth.yaml"), broken);
    EXPECT_NE(shown.err.find("3 would be mended"), std::string::npos) << shown.err;
    const auto fixed = sandbox.json({"validate", "--fix", "deploy"});
    EXPECT_EQ(fixed.at("mended").size(), 3U);
    EXPECT_EQ(sandbox.read("deploy/auth.yaml"), mended);
    EXPECT_EQ(sandbox.read("deploy/good.yaml"), mended);
    EXPECT_EQ(sandbox.read("deploy/values.yaml"), "phase: authn\n");
    const auto again = sandbox.json({"validate", "--fix", "deploy"});
    EXPECT_TRUE(again.at("mended").empty());
}

TEST(Fix, ShowsADiffThatPatchTakes) {
    WASMPLUG_NEEDS_PROGRAM("patch");
    Sandbox sandbox;
    sandbox.write("auth.yaml", broken);
    const auto shown = sandbox.run({"validate", "--fix", "--dry-run", "auth.yaml"});
    EXPECT_EQ(sandbox.run_program({"patch", "--binary", "-p0"}, shown.out).exit_code, 0)
        << shown.out;
    EXPECT_EQ(sandbox.read("auth.yaml"), mended);
}

TEST(Fix, AnswersForWhatRemains) {
    Sandbox sandbox;
    sandbox.write("auth.yaml", mended + "  match: [{mode: NONE}]\r\n  phase: authn\r\n");
    const auto result = sandbox.run({"validate", "--fix", "auth.yaml"});
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_NE(result.out.find("spec.phase: wrote \"AUTHN\" [WP007]"), std::string::npos)
        << result.out;
    EXPECT_NE(result.out.find("there is no mode that switches a plugin off"), std::string::npos);
    EXPECT_EQ(sandbox.read("auth.yaml"), mended + "  match: [{mode: NONE}]\r\n  phase: AUTHN\r\n");
    EXPECT_EQ(sandbox.run({"validate", "--fix", "-"}, broken).exit_code, 2);
    EXPECT_EQ(sandbox.run({"validate", "--dry-run", "auth.yaml"}).exit_code, 2);
}

}  // namespace
}  // namespace wasmplug::test
