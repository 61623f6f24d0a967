// From an empty folder to a rolled-back version, as a stranger would go, with nothing but the
// binary and a compiler; then the same against a real registry and in a real Envoy.
#include <gtest/gtest.h>

#include <string>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/hash.hpp"
#include "base/http.hpp"
#include "tests/support/envoy.hpp"
#include "tests/support/registry.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

namespace fs = std::filesystem;

// In hello/: a scaffolded and built plugin in C++.
class MainPath : public testing::Test {
  protected:
    void SetUp() override {
        WASMPLUG_NEEDS(wants_language("cpp") && use_toolchain(sandbox, "cpp"), "clang");
        ASSERT_EQ(
            sandbox.run({"init", "hello", "--language", "cpp", "--pattern", "response-headers"})
                .exit_code,
            0);
        ASSERT_EQ(sandbox.run({"build", "hello"}).exit_code, 0);
    }

    std::string module() const { return sandbox.read("hello/build/plugin.wasm"); }

    Sandbox sandbox;
};

TEST_F(MainPath, LeadsFromAnEmptyFolderToARolledBackVersion) {
    const auto tested = sandbox.run({"test", "hello"});
    EXPECT_EQ(tested.exit_code, 0);
    EXPECT_NE(tested.out.find(" 0 failed"), std::string::npos);

    const auto pushed = sandbox.json({"push", "hello", "oci:images:0.1.0"});
    const std::string digest = pushed.at("digest");
    EXPECT_EQ(pushed.at("module_sha256"), sha256_hex(module()));
    EXPECT_TRUE(sandbox.exists("images/blobs/sha256/" + digest.substr(7)));

    const auto first =
        sandbox.json({"update", "hello/plugin.yaml", "registry.example.com/hello:0.1.0", "--sha256",
                      digest, "--offline"});
    EXPECT_EQ(first.at("changed"), true);
    EXPECT_EQ(sandbox.run({"validate", "hello/plugin.yaml"}).exit_code, 0);

    // A comment, and a change of the configuration that has to come back with the version.
    const std::string before = sandbox.read("hello/plugin.yaml");
    const auto body = before.substr(before.find("\nspec:"));
    const auto second =
        sandbox.json({"update", "hello/plugin.yaml", "registry.example.com/hello:0.2.0", "--sha256",
                      "sha256:" + std::string(64, 'a'), "--set", "pluginConfig.header_value=other",
                      "--offline"});
    EXPECT_EQ(second.at("changed"), true);
    EXPECT_NE(sandbox.read("hello/plugin.yaml").find("header_value: \"other\"\n"),
              std::string::npos)
        << "in the quotes that were there";

    EXPECT_EQ(sandbox.json({"rollback", "hello/plugin.yaml"}).at("changed"), true);
    const std::string after = sandbox.read("hello/plugin.yaml");
    EXPECT_EQ(after.substr(after.find("\nspec:")), body) << "outside the ledger, byte for byte";
    const auto history = sandbox.json({"history", "hello/plugin.yaml"});
    ASSERT_GE(history.at("revisions").size(), 3U);
    EXPECT_EQ(history.at("revisions").back().at("sha256"), digest.substr(7));
}

TEST_F(MainPath, PackagesTheSameBytesToTheSameDigest) {
    const auto first = sandbox.json({"package", "hello", "oci:one"});
    const auto second = sandbox.json({"package", "hello", "oci:two"});
    EXPECT_EQ(first.at("digest"), second.at("digest"));
    EXPECT_EQ(sandbox.shell("diff -r one two").exit_code, 0);
}

TEST_F(MainPath, RefusesAModuleWithoutAnAbi) {
    // The eight bytes of an empty module.
    sandbox.write("empty.wasm", std::string_view("\0asm\1\0\0\0", 8));
    const auto result = sandbox.run({"push", "empty.wasm", "oci:images:1"});
    EXPECT_NE(result.exit_code, 0);
    EXPECT_EQ(result.out, "");
    EXPECT_FALSE(sandbox.exists("images"));
}

TEST_F(MainPath, GoesThroughARealRegistryOfEveryKind) {
    WASMPLUG_NEEDS_PROGRAM("docker-registry");
    WASMPLUG_NEEDS_PROGRAM("skopeo");
    for (const auto auth :
         {Registry::Auth::open, Registry::Auth::htpasswd, Registry::Auth::token}) {
        const Registry registry(auth);
        const std::string reference = registry.host() + "/team/hello:0.1.0";
        if (auth != Registry::Auth::open) {
            const auto refused = sandbox.run({"push", "hello", reference});
            EXPECT_EQ(refused.exit_code, 1) << "without an account";
            EXPECT_EQ(refused.err.find(Registry::password), std::string::npos);
        }
        fs::create_directories(sandbox.home() / ".docker");
        write_file(sandbox.home() / ".docker/config.json", registry.docker_config());
        const auto pushed = sandbox.json({"push", "hello", reference});
        sandbox.set("REGISTRY_AUTH_FILE", (sandbox.home() / ".docker/config.json").string());
        const auto seen = sandbox.run_program(
            {"skopeo", "inspect", "--tls-verify=false", "docker://" + reference});
        sandbox.set("REGISTRY_AUTH_FILE", std::nullopt);
        ASSERT_EQ(seen.exit_code, 0) << seen.err;
        EXPECT_EQ(nlohmann::json::parse(seen.out).at("Digest"), pushed.at("digest"));

        ASSERT_EQ(sandbox.run({"pull", reference, "back.wasm"}).exit_code, 0);
        EXPECT_EQ(sandbox.read("back.wasm"), module());
        fs::remove(sandbox.home() / ".docker/config.json");
        fs::remove(sandbox.work() / "back.wasm");
    }
}

TEST_F(MainPath, IsLoadedByARealEnvoyAndDoesItsWorkThere) {
    WASMPLUG_NEEDS(envoy_binary(), "envoy");
    const auto bootstrap =
        envoy_bootstrap(sandbox.work() / "hello/build/plugin.wasm",
                        R"({"header_name": "x-hello", "header_value": "from the plugin"})");
    const auto validated = envoy_validate(bootstrap);
    EXPECT_EQ(validated.exit_code, 0) << validated.err;

    const Envoy envoy(bootstrap);
    HttpRequest request;
    request.url = envoy.url();
    const auto response = HttpClient("tests").send(request, Cancel{});
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(header(response.headers, "x-hello"), "from the plugin") << envoy.log();

    const auto broken = envoy_validate(
        envoy_bootstrap(sandbox.work() / "hello/build/plugin.wasm", R"({"header_nam": "x"})"));
    EXPECT_NE(broken.exit_code, 0) << "a wrong configuration is refused, so that one is seen";
}

}  // namespace
}  // namespace wasmplug::test
