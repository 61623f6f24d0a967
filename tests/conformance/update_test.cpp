// Releases against a real registry, what an update asks for, how often, and what it makes of the
// answers.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>

#include <nlohmann/json.hpp>

#include "base/hash.hpp"
#include "base/http.hpp"
#include "tests/support/fault_server.hpp"
#include "tests/support/least_module.hpp"
#include "tests/support/registry.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

class UpdateFromARegistry : public testing::Test {
  protected:
    void SetUp() override {
        WASMPLUG_NEEDS(Registry::installed(), "docker-registry");
        registry_ = std::make_unique<Registry>();
        char version = '0';
        for (const char* tag : {"1.3.9", "1.4.0", "1.4.2", "1.5.0-rc.1", "2.0.0"}) {
            sandbox_.write("plugin.wasm", least_module(std::string(1, version++)));
            const auto pushed = sandbox_.json({"push", "plugin.wasm", image() + ":" + tag});
            digests_[tag] = pushed.at("digest").get<std::string>().substr(7);
        }
    }

    std::string image() const { return registry_->host() + "/acme/auth"; }

    std::string manifest(const std::string& name, const std::string& tag,
                         const std::string& config = "mode: strict") const {
        return fmt::format(
            "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n"
            "  name: {}\n  namespace: apps\nspec:\n  url: oci://{}:{}  # the image\n"
            "  sha256: {}\n  pluginConfig:\n    {}\n",
            name, image(), tag, digests_.at(tag), config);
    }

    bool runs(const std::string& file, const std::string& tag) const {
        const std::string text = sandbox_.read(file);
        return text.find(fmt::format("url: oci://{}:{}  # the image\n", image(), tag)) !=
                   std::string::npos &&
               text.find(fmt::format("sha256: {}\n", digests_.at(tag))) != std::string::npos;
    }

    Sandbox sandbox_;
    std::unique_ptr<Registry> registry_;
    std::map<std::string, std::string> digests_;
};

TEST_F(UpdateFromARegistry, PinsTheDigestOfTheTag) {
    sandbox_.write("plugin.yaml", manifest("auth", "1.3.9"));
    const auto result = sandbox_.json({"update", "plugin.yaml", image() + ":1.4.0"});
    EXPECT_EQ(result.at("from").at("sha256"), digests_["1.3.9"]);
    EXPECT_EQ(result.at("to").at("sha256"), digests_["1.4.0"]);
    EXPECT_TRUE(runs("plugin.yaml", "1.4.0"));
    EXPECT_EQ(sandbox_.json({"update", "plugin.yaml", image() + ":1.4.0"}).at("changed"), false);
    EXPECT_EQ(sandbox_.json({"rollback", "plugin.yaml"}).at("changed"), true);
    EXPECT_TRUE(runs("plugin.yaml", "1.3.9"));
}

TEST_F(UpdateFromARegistry, PicksTheNewestTagOfARange) {
    sandbox_.write("plugin.yaml", manifest("auth", "1.3.9"));
    sandbox_.json({"update", "plugin.yaml", "--to", "~1.4"});
    EXPECT_TRUE(runs("plugin.yaml", "1.4.2")) << sandbox_.read("plugin.yaml");
    const auto none = sandbox_.run({"update", "plugin.yaml", "--to", "~3.0"});
    EXPECT_EQ(none.exit_code, 1);
    EXPECT_NE(none.err.find("no tag in the range ~3.0"), std::string::npos) << none.err;
    sandbox_.json({"update", "plugin.yaml", "--to", "^1.0"});
    EXPECT_TRUE(runs("plugin.yaml", "1.4.2")) << "a prerelease is asked for by name";
}

TEST_F(UpdateFromARegistry, RefusesAnImageThatIstioWouldNotLoadAndWritesNothing) {
    sandbox_.json({"push", "plugin.wasm", image() + ":1.6.0", "--layout", "cncf"});
    const std::string before = manifest("auth", "1.3.9");
    sandbox_.write("plugin.yaml", before);
    const auto refused = sandbox_.run({"update", "plugin.yaml", image() + ":1.6.0"});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_NE(refused.err.find("Istio would not load " + image() + ":1.6.0"), std::string::npos)
        << refused.err;
    EXPECT_EQ(sandbox_.read("plugin.yaml"), before);
}

TEST_F(UpdateFromARegistry, MovesEveryManifestOfTheImageInAFolderAndNoOther) {
    for (int i = 0; i < 12; ++i) {
        sandbox_.write(fmt::format("deploy/{}/auth.yaml", i), manifest("auth", "1.3.9"));
    }
    const std::string other =
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: other}\n"
        "spec:\n  url: oci://" +
        image() + "-other:1.3.9\n";
    sandbox_.write("deploy/other.yaml", other);
    sandbox_.write("deploy/values.yaml", "image: " + image() + ":1.3.9\n");
    const auto result = sandbox_.run({"update", "deploy", image() + ":1.4.0"});
    EXPECT_EQ(result.exit_code, 0);
    for (int i = 0; i < 12; ++i) {
        EXPECT_TRUE(runs(fmt::format("deploy/{}/auth.yaml", i), "1.4.0"));
        EXPECT_NE(result.out.find(fmt::format("deploy/{}/auth.yaml: ", i)), std::string::npos);
    }
    EXPECT_EQ(sandbox_.read("deploy/other.yaml"), other);
    EXPECT_EQ(sandbox_.read("deploy/values.yaml"), "image: " + image() + ":1.3.9\n");
    const auto by_name =
        sandbox_.json({"update", "deploy", image() + ":1.4.2", "--name", "apps/auth"});
    EXPECT_EQ(by_name.at("changes").size(), 12U);
    EXPECT_TRUE(runs("deploy/7/auth.yaml", "1.4.2"));
}

TEST_F(UpdateFromARegistry, AsksForATagOnceAndGivesEveryTargetItsDigest) {
    // Forwards to the registry, and says another digest for the tag from the second time on.
    std::size_t asked = 0;
    HttpClient client("tests");
    const FaultServer between([&](const SeenRequest& seen) {
        std::string path = seen.path();
        if (path.ends_with("/manifests/1.4.0") && ++asked > 1) {
            path.replace(path.size() - 5, 5, "2.0.0");
        }
        HttpRequest request;
        request.method = seen.method;
        request.url = registry_->url(path);
        request.headers = {{"Accept", header(seen.headers, "accept").value_or("*/*")}};
        const auto response = client.send(request, Cancel{});
        Answer answer{.status = response.status, .body = response.body};
        for (const char* name : {"Content-Type", "Docker-Content-Digest"}) {
            if (const auto value = header(response.headers, name)) {
                answer.headers.emplace_back(name, *value);
            }
        }
        return answer;
    });
    for (int i = 0; i < 12; ++i) {
        std::string text = manifest("auth", "1.3.9");
        text.replace(text.find(registry_->host()), registry_->host().size(), between.host());
        sandbox_.write(fmt::format("deploy/{}/auth.yaml", i), text);
    }
    const auto result = sandbox_.json({"update", "deploy", between.host() + "/acme/auth:1.4.0"});
    ASSERT_EQ(result.at("changes").size(), 12U);
    for (const auto& change : result.at("changes")) {
        EXPECT_EQ(change.at("to").at("sha256"), digests_["1.4.0"]);
    }
    EXPECT_EQ(asked, 1U);
}

TEST_F(UpdateFromARegistry, PromotesWhatAnotherEnvironmentRuns) {
    sandbox_.write("staging/auth.yaml", manifest("auth", "1.4.2", "mode: lenient  # as agreed"));
    sandbox_.write("prod/auth.yaml", manifest("auth", "1.4.0"));
    const auto version = sandbox_.json(
        {"update", "prod/auth.yaml", "--from", "staging/auth.yaml", "--only-version"});
    EXPECT_EQ(version.at("changed"), true);
    EXPECT_TRUE(runs("prod/auth.yaml", "1.4.2"));
    EXPECT_NE(sandbox_.read("prod/auth.yaml").find("mode: strict"), std::string::npos);

    sandbox_.json({"update", "prod/auth.yaml", "--from", "staging/auth.yaml"});
    EXPECT_NE(sandbox_.read("prod/auth.yaml").find("    mode: lenient"), std::string::npos);

    // A mirror that has it not is no place to promote to.
    const auto gone =
        sandbox_.run({"update", "prod/auth.yaml", "--from", "staging/auth.yaml", "--rewrite",
                      image() + "=" + registry_->host() + "/acme/mirror"});
    EXPECT_EQ(gone.exit_code, 1) << gone.err;
    const auto moved =
        sandbox_.json({"update", "prod/auth.yaml", "--from", "staging/auth.yaml", "--rewrite",
                       image() + "=mirror.example.com/auth", "--offline"});
    EXPECT_EQ(moved.at("to").at("url"), "oci://mirror.example.com/auth:1.4.2");
    EXPECT_EQ(moved.at("to").at("sha256"), digests_["1.4.2"]);
}

TEST_F(UpdateFromARegistry, RefusesAnImageThatIsNotThereOrThatIstioWouldNotLoad) {
    sandbox_.write("plugin.yaml", manifest("auth", "1.3.9"));
    const std::string before = sandbox_.read("plugin.yaml");
    const auto missing = sandbox_.run({"update", "plugin.yaml", image() + ":9.9.9"});
    EXPECT_EQ(missing.exit_code, 1);
    EXPECT_NE(missing.err.find("9.9.9"), std::string::npos) << missing.err;

    sandbox_.json({"push", "plugin.wasm", image() + ":cncf", "--layout", "cncf"});
    const auto foreign = sandbox_.run({"update", "plugin.yaml", image() + ":cncf"});
    EXPECT_EQ(foreign.exit_code, 1);
    EXPECT_NE(foreign.err.find("Istio would not load"), std::string::npos) << foreign.err;
    EXPECT_EQ(sandbox_.read("plugin.yaml"), before);
}

TEST_F(UpdateFromARegistry, HoldsADigestThatIsGivenToWhatIsThere) {
    sandbox_.write("plugin.yaml", manifest("auth", "1.3.9"));
    const std::string before = sandbox_.read("plugin.yaml");
    const auto refused = [&](std::vector<std::string> words, const std::string& why) {
        words.insert(words.begin(), {"update", "plugin.yaml"});
        const auto result = sandbox_.run(words);
        EXPECT_EQ(result.exit_code, 1) << words[2];
        EXPECT_NE(result.err.find(why), std::string::npos) << result.err;
        EXPECT_EQ(sandbox_.read("plugin.yaml"), before);
    };
    const std::string other = digests_["1.4.2"];
    // The agent would fetch the tag and compare.
    refused({image() + ":1.4.0", "--sha256", other}, "and not sha256:" + other);
    refused({image() + ":1.4.0@sha256:" + other}, "and not sha256:" + other);
    refused({image() + "@sha256:" + std::string(64, 'e')}, image() + "@sha256:eeee");
    refused({image() + ":9.9.9", "--sha256", other}, image() + ":9.9.9");
    const auto foreign = sandbox_.json({"push", "plugin.wasm", image() + ":x", "--layout", "cncf"});
    refused({image() + "@" + foreign.at("digest").get<std::string>()}, "Istio would not load");

    const auto unasked =
        sandbox_.run({"update", "plugin.yaml", image() + ":1.4.0", "--sha256", other, "--offline"});
    EXPECT_EQ(unasked.exit_code, 0) << unasked.err;
    EXPECT_NE(unasked.err.find(image() + ":1.4.0 was not asked for"), std::string::npos)
        << unasked.err;
    EXPECT_NE(unasked.err.find("was not checked"), std::string::npos) << unasked.err;

    sandbox_.json({"update", "plugin.yaml", image() + ":1.4.0@sha256:" + digests_["1.4.0"]});
    EXPECT_TRUE(runs("plugin.yaml", "1.4.0"));
    sandbox_.json({"update", "plugin.yaml", image() + "@sha256:" + other});
    EXPECT_NE(sandbox_.read("plugin.yaml").find("auth@sha256:" + other + "  # the image"),
              std::string::npos)
        << sandbox_.read("plugin.yaml");
}

TEST_F(UpdateFromARegistry, AsksAServerForAModuleAndComparesItsDigest) {
    sandbox_.write("plugin.yaml", manifest("auth", "1.3.9"));
    const std::string before = sandbox_.read("plugin.yaml");
    const std::string module = least_module("over http");
    const FaultServer server([&](const SeenRequest& seen) {
        return seen.path() == "/auth.wasm" ? Answer{.body = module} : Answer{.status = 404};
    });
    const std::string url = "http://" + server.host() + "/auth.wasm";
    const auto wrong = sandbox_.run({"update", "plugin.yaml", url, "--sha256", digests_["1.4.0"]});
    EXPECT_EQ(wrong.exit_code, 1);
    EXPECT_NE(wrong.err.find("is sha256:" + sha256_hex(module)), std::string::npos) << wrong.err;
    EXPECT_EQ(sandbox_.run({"update", "plugin.yaml", url + "x"}).exit_code, 1);
    EXPECT_EQ(sandbox_.read("plugin.yaml"), before);
    sandbox_.json({"update", "plugin.yaml", url, "--sha256", sha256_hex(module)});
    EXPECT_NE(sandbox_.read("plugin.yaml").find("url: " + url), std::string::npos);
}

TEST_F(UpdateFromARegistry, HoldsARegistryThatIsSilentAgainstADigestUnlessOffline) {
    sandbox_.write("plugin.yaml", manifest("auth", "1.3.9"));
    const std::string before = sandbox_.read("plugin.yaml");
    const std::string digest(64, 'd');
    std::string closed;
    {
        const FaultServer server([](const SeenRequest&) { return Answer{}; });
        closed = server.host() + "/acme/auth:1.4.0";
    }
    const auto silent = sandbox_.run({"update", "plugin.yaml", closed, "--sha256", digest});
    EXPECT_EQ(silent.exit_code, 1);
    EXPECT_NE(silent.err.find("--offline takes the digest at its word"), std::string::npos)
        << silent.err;
    EXPECT_EQ(sandbox_.read("plugin.yaml"), before);
}

TEST_F(UpdateFromARegistry, ChecksADigestThatAPlanBeginsWith) {
    sandbox_.write("plugin.yaml", manifest("auth", "1.3.9"));
    const auto plan = [&](const std::string& sha256) {
        sandbox_.write("plan.yaml",
                       fmt::format("apiVersion: wasmplug.dev/v1alpha1\nkind: RolloutPlan\n"
                                   "plugin: {{url: 'oci://{}', to: 1.4.0, sha256: {}}}\n"
                                   "waves:\n- {{name: all, targets: [{{file: plugin.yaml}}]}}\n",
                                   image(), sha256));
        return sandbox_.run({"rollout", "plan", "plan.yaml"});
    };
    EXPECT_EQ(plan(digests_["1.4.0"]).exit_code, 0);
    const auto refused = plan(digests_["1.4.2"]);
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_NE(refused.err.find("and not sha256:" + digests_["1.4.2"]), std::string::npos)
        << refused.err;
}

TEST_F(UpdateFromARegistry, RollsBackOnlyToAnImageThatIsThere) {
    std::string gone = manifest("auth", "1.3.9");
    gone.replace(gone.find(digests_["1.3.9"]), 64, std::string(64, 'a'));
    sandbox_.write("plugin.yaml", gone);
    sandbox_.json({"update", "plugin.yaml", image() + ":1.4.0"});
    const auto refused = sandbox_.run({"rollback", "plugin.yaml"});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_NE(refused.err.find("is not there any more"), std::string::npos) << refused.err;
    EXPECT_TRUE(runs("plugin.yaml", "1.4.0"));
    EXPECT_EQ(sandbox_.run({"rollback", "plugin.yaml", "--offline"}).exit_code, 0);
}

}  // namespace
}  // namespace wasmplug::test
