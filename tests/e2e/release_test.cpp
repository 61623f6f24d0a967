// What update is held to, and what diff says of a revision.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

const std::string digest(64, 'a');

class UpdateUnderAPolicy : public testing::Test {
  protected:
    void SetUp() override {
        sandbox_.write(".git/HEAD", "");  // the root of a work tree
        sandbox_.write(".wasmplug/policy.yaml",
                       "registries: {allowed: [good.example]}\ntags: {forbidden: [latest]}\n"
                       "digest: required\nlabels: {required: [team]}\n");
        sandbox_.write("deploy/auth.yaml", before_);
    }

    ProcessResult update(const std::string& reference, std::vector<std::string> more = {}) {
        std::vector<std::string> words{"update", "deploy/auth.yaml", reference, "--sha256",
                                       digest,   "--offline"};
        words.insert(words.end(), more.begin(), more.end());
        return sandbox_.run(words);
    }

    Sandbox sandbox_;
    const std::string before_ =
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n  name: auth\n"
        "spec:\n  url: oci://good.example/auth:1.0.0\n";
};

TEST_F(UpdateUnderAPolicy, RefusesARegistryThatIsNotAllowedAndWritesNothing) {
    const auto refused = update("evil.example/auth:1.1.0");
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_NE(refused.err.find("deploy/auth.yaml:"), std::string::npos) << refused.err;
    EXPECT_NE(refused.err.find("evil.example is not allowed"), std::string::npos) << refused.err;
    EXPECT_NE(refused.err.find("WP401"), std::string::npos) << refused.err;
    EXPECT_EQ(sandbox_.read("deploy/auth.yaml"), before_);
    EXPECT_EQ(update("good.example/auth:latest").exit_code, 1);
    EXPECT_EQ(update("evil.example/auth:1.1.0", {"--dry-run"}).exit_code, 1);
    EXPECT_EQ(sandbox_.read("deploy/auth.yaml"), before_);
    EXPECT_EQ(update("evil.example/auth:1.1.0", {"--no-policy"}).exit_code, 0);
}

TEST_F(UpdateUnderAPolicy, WarnsOfWhatWasThereBefore) {
    const auto updated = update("good.example/auth:1.1.0");
    EXPECT_EQ(updated.exit_code, 0) << updated.err;
    EXPECT_NE(updated.err.find("against the policy as before"), std::string::npos) << updated.err;
    EXPECT_NE(updated.err.find("team"), std::string::npos) << updated.err;
    const auto back = sandbox_.run({"rollback", "deploy/auth.yaml", "--offline"});
    EXPECT_EQ(back.exit_code, 0) << "no policy stands in the way back: " << back.err;
}

TEST_F(UpdateUnderAPolicy, TakesThePolicyThatIsNamed) {
    sandbox_.write("strict.yaml", "registries: {allowed: [other.example]}\n");
    EXPECT_EQ(update("good.example/auth:1.1.0", {"--policy", "strict.yaml"}).exit_code, 1);
    EXPECT_EQ(update("other.example/auth:1.1.0", {"--policy", "strict.yaml"}).exit_code, 0);
}

// Where a version stands in something else than an object, the policy speaks of it all the same.
struct LoosePlace {
    const char* title;
    const char* file;
    std::string text;  // with IMAGE and DIGEST in it
    std::vector<std::string> more;
};

class PolicyOfAVersion : public testing::TestWithParam<LoosePlace> {};

TEST_P(PolicyOfAVersion, IsHeldWhereverItIsWritten) {
    const auto& place = GetParam();
    Sandbox sandbox;
    sandbox.write(".git/HEAD", "");
    sandbox.write(".wasmplug/policy.yaml",
                  "registries: {allowed: [good.example]}\ntags: {forbidden: [\"*-dev\"]}\n"
                  "labels: {required: [team]}\nscope: required\n");
    sandbox.write(place.file, place.text);
    const auto update = [&](const std::string& reference, std::vector<std::string> more = {}) {
        std::vector<std::string> words{"update",   place.file, reference,
                                       "--sha256", digest,     "--offline"};
        words.insert(words.end(), place.more.begin(), place.more.end());
        words.insert(words.end(), more.begin(), more.end());
        return sandbox.run(words);
    };
    const auto evil = update("evil.example/auth:1.1.0");
    EXPECT_EQ(evil.exit_code, 1);
    EXPECT_NE(evil.err.find(std::string(place.file) + ":"), std::string::npos) << evil.err;
    EXPECT_NE(evil.err.find("evil.example is not allowed"), std::string::npos) << evil.err;
    EXPECT_NE(evil.err.find("WP401"), std::string::npos) << evil.err;
    EXPECT_EQ(sandbox.read(place.file), place.text);
    const auto forbidden = update("good.example/auth:1.1.0-dev");
    EXPECT_NE(forbidden.err.find("the tag 1.1.0-dev is forbidden"), std::string::npos)
        << forbidden.err;
    EXPECT_EQ(sandbox.read(place.file), place.text);
    EXPECT_EQ(update("evil.example/auth:1.1.0", {"--no-policy"}).exit_code, 0);
    const auto good = update("good.example/auth:1.2.0");
    EXPECT_EQ(good.exit_code, 0) << good.err;
    EXPECT_EQ(good.err.find("team"), std::string::npos) << "not said there: " << good.err;
}

const std::string whole_digest = "sha256:" + std::string(64, 'c');

INSTANTIATE_TEST_SUITE_P(
    Places, PolicyOfAVersion,
    testing::Values(
        LoosePlace{"JsonPatch",
                   "patch.yaml",
                   "- op: replace\n  path: /spec/url\n  value: oci://good.example/auth:1.0.0\n",
                   {}},
        LoosePlace{"HelmValues",
                   "values.yaml",
                   "wasm:\n  url: good.example/auth:1.0.0\n",
                   {"--path", "wasm.url"}},
        LoosePlace{"HelmValuesByTag",
                   "values.yaml",
                   "image:\n  repository: good.example/auth\n  tag: 1.0.0\n  digest: " +
                       whole_digest + "\n",
                   {"--path", "image.tag"}},
        LoosePlace{"Marker",
                   "config.yaml",
                   "image: good.example/auth:1.0.0 # wasmplug: {\"image\": \"auth\"}\n",
                   {}},
        LoosePlace{"Template",
                   "templates/auth.yaml",
                   "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n"
                   "  name: {{ .Release.Name }}\nspec:\n  url: oci://good.example/auth:1.0.0\n",
                   {}},
        LoosePlace{"EnvoyGateway",
                   "policy.yaml",
                   "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: EnvoyExtensionPolicy\n"
                   "metadata: {name: p}\nspec:\n  wasm:\n  - name: one\n    code:\n"
                   "      type: Image\n      image: {url: \"good.example/auth:1.0.0\"}\n",
                   {}}),
    [](const auto& test) { return test.param.title; });

TEST_F(UpdateUnderAPolicy, RefusesAVersionOfValuesWithoutADigest) {
    // With --from nothing is looked up that could pin it.
    sandbox_.write("values.yaml", "wasm:\n  url: good.example/auth:1.1.0\n");
    sandbox_.write("prod/values.yaml", "wasm:\n  url: good.example/auth:1.0.0\n");
    const auto refused = sandbox_.run(
        {"update", "prod/values.yaml", "--from", "values.yaml", "--path", "wasm.url", "--offline"});
    EXPECT_EQ(refused.exit_code, 1) << refused.out;
    EXPECT_NE(refused.err.find("a digest is required"), std::string::npos) << refused.err;
    sandbox_.write("prod/values.yaml",
                   "wasm:\n  url: good.example/auth:1.0.0 # wasmplug:ignore WP402 a sandbox\n");
    EXPECT_EQ(sandbox_
                  .run({"update", "prod/values.yaml", "--from", "values.yaml", "--path", "wasm.url",
                        "--offline"})
                  .exit_code,
              0);
}

TEST(RolloutUnderAPolicy, RefusesAWaveThatItForbids) {
    Sandbox sandbox;
    sandbox.write(".git/HEAD", "");
    sandbox.write(".wasmplug/policy.yaml", "registries: {allowed: [good.example]}\n");
    const std::string values = "wasm:\n  url: good.example/auth:1.0.0\n";
    sandbox.write("values.yaml", values);
    sandbox.write("plan.yaml",
                  "apiVersion: wasmplug.dev/v1alpha1\nkind: RolloutPlan\n"
                  "plugin: {url: oci://evil.example/auth, to: 1.1.0, sha256: " +
                      digest +
                      "}\nwaves:\n- name: all\n  targets: [{file: values.yaml, path: wasm.url}]\n");
    const auto refused = sandbox.run({"rollout", "next", "plan.yaml"});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_NE(refused.err.find("evil.example is not allowed"), std::string::npos) << refused.err;
    EXPECT_EQ(sandbox.read("values.yaml"), values);
}

TEST(DiffWithARevision, NamesWhatMovedSince) {
    Sandbox sandbox;
    sandbox.write("m.yaml",
                  "apiVersion: extensions.istio.io/v1alpha1\nkind: TrafficExtension\nmetadata:\n"
                  "  name: auth\nspec:\n  wasm:\n    url: oci://r.example/auth:1.0.0\n"
                  "    pluginConfig:\n      limit: 5\n");
    sandbox.write("new.yaml", "limit: 7\n");
    const auto go_to = [&](const std::string& tag, std::vector<std::string> more = {}) {
        std::vector<std::string> words{"update",   "m.yaml", "r.example/auth:" + tag,
                                       "--sha256", digest,   "--offline"};
        words.insert(words.end(), more.begin(), more.end());
        ASSERT_EQ(sandbox.run(words).exit_code, 0);
    };
    go_to("1.1.0", {"--config", "new.yaml"});
    go_to("1.2.0");
    const auto one = sandbox.json({"diff", "m.yaml", "--revision", "1"}, 3);
    const auto& changes = one.at("documents")[0].at("changes");
    ASSERT_EQ(changes.size(), 3U) << one.dump(2);
    EXPECT_EQ(changes[0].at("path"), "spec.wasm.url");
    EXPECT_EQ(changes[0].at("from"), "oci://r.example/auth:1.0.0");
    EXPECT_EQ(changes[0].at("to"), "oci://r.example/auth:1.2.0");
    EXPECT_EQ(one.at("from"), "m.yaml@1");
    const auto config = std::find_if(changes.begin(), changes.end(), [](const auto& change) {
        return change.at("path") == "spec.wasm.pluginConfig.limit";
    });
    ASSERT_NE(config, changes.end());
    EXPECT_EQ(config->at("from"), 5);

    const auto now = sandbox.run({"diff", "m.yaml", "--revision", "3"});
    EXPECT_EQ(now.exit_code, 0) << now.out;
    const auto none = sandbox.run({"diff", "m.yaml", "--revision", "9"});
    EXPECT_EQ(none.exit_code, 1);
    EXPECT_NE(none.err.find("unable to find revision 9"), std::string::npos) << none.err;
    EXPECT_EQ(sandbox.run({"diff", "m.yaml", "--revision", "HEAD"}).exit_code, 2);
}

TEST(History, TellsWhatWasRolledBackAndWhyInOneColumn) {
    Sandbox sandbox;
    sandbox.write("m.yaml",
                  "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n"
                  "  name: auth\nspec:\n  url: oci://r.example/auth:1.0.0\n");
    sandbox.json({"update", "m.yaml", "r.example/auth:1.1.0", "--sha256", digest, "--offline"});
    sandbox.json({"rollback", "m.yaml", "--offline", "--why", "too slow"});
    const auto told = sandbox.run({"history", "m.yaml"});
    EXPECT_NE(told.out.find("rollback to 1: too slow\n"), std::string::npos) << told.out;
}

TEST(SeveralFiles, AreToldApart) {
    Sandbox sandbox;
    const std::string manifest =
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n  name: auth\n"
        "spec:\n  url: oci://r.example/auth:1.0.0\n";
    for (const char* file : {"deploy/a.yaml", "deploy/b.yaml", "c.yaml"}) {
        sandbox.write(file, manifest);
    }
    const auto dry = sandbox.run(
        {"update", ".", "r.example/auth:1.1.0", "--sha256", digest, "--offline", "--dry-run"});
    EXPECT_NE(dry.out.find("--- a/deploy/b.yaml\n"), std::string::npos) << dry.out;
    EXPECT_NE(dry.err.find("note: deploy/a.yaml: "), std::string::npos) << dry.err;
    const auto updated =
        sandbox.run({"update", "deploy", "r.example/auth:1.1.0", "--sha256", digest, "--offline"});
    EXPECT_NE(updated.out.find("deploy/a.yaml: "), std::string::npos) << updated.out;
    const auto told = sandbox.run({"history", "deploy", "--name", "auth"});
    EXPECT_NE(told.out.find("deploy/b.yaml: wasmplugin"), std::string::npos) << told.out;
    const auto off = sandbox.run({"disable", "deploy", "--name", "auth"});
    EXPECT_NE(off.out.find("deploy/a.yaml: wasmplugin"), std::string::npos) << off.out;
    // Which of them would be promoted?
    const auto from =
        sandbox.run({"update", "c.yaml", "--from", "deploy", "--name", "auth", "--offline"});
    EXPECT_EQ(from.exit_code, 2);
    EXPECT_NE(from.err.find("2 files hold such a plugin"), std::string::npos) << from.err;
    EXPECT_EQ(sandbox.read("c.yaml"), manifest);
}

TEST(UpdateWithAConfiguration, SaysThatTheVersionStays) {
    Sandbox sandbox;
    sandbox.write("m.yaml",
                  "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n"
                  "  name: auth\nspec:\n  url: oci://r.example/auth:1.0.0\n");
    const auto set = sandbox.run({"update", "m.yaml", "--set", "pluginConfig.a=1"});
    EXPECT_EQ(set.exit_code, 0);
    EXPECT_NE(set.out.find("updated: another configuration for 1.0.0"), std::string::npos)
        << set.out;
    const auto range = sandbox.run({"update", "m.yaml", "--to", "~x"});
    EXPECT_EQ(range.exit_code, 2) << "before anybody is asked: " << range.err;
}

class RollbackByGit : public testing::Test {
  protected:
    void SetUp() override {
        WASMPLUG_NEEDS_PROGRAM("git");
        shell(
            "git init -q -b main repo && cd repo && git config user.name tests && "
            "git config user.email tests@example.invalid");
        commit("values.yaml", "1.0.0", "First");
    }

    void shell(const std::string& script) {
        const auto result = sandbox_.shell(script);
        ASSERT_EQ(result.exit_code, 0) << script << "\n" << result.err;
    }

    static std::string values(const std::string& tag) {
        return "# of the chart\nwasm:\n  url: r.example/auth:" + tag + "   # ours\n";
    }

    void commit(const std::string& name, const std::string& tag, const std::string& message) {
        sandbox_.write("repo/" + name, values(tag));
        shell("cd repo && git add -A && git commit -q -m '" + message + "'");
    }

    ProcessResult rollback(const std::string& file) {
        return sandbox_.run({"rollback", file, "--path", "wasm.url", "--offline"});
    }

    Sandbox sandbox_;
};

TEST_F(RollbackByGit, FollowsTheFileThroughARename) {
    commit("values.yaml", "1.1.0", "Second");
    shell("cd repo && git mv values.yaml moved.yaml && git commit -q -m Move");
    commit("moved.yaml", "1.2.0", "Third");
    EXPECT_EQ(rollback("repo/moved.yaml").exit_code, 0);
    EXPECT_EQ(sandbox_.read("repo/moved.yaml"), values("1.1.0"));
    shell("cd repo && git commit -qam 'Go back'");
    EXPECT_EQ(rollback("repo/moved.yaml").exit_code, 0) << "further, and not forth";
    EXPECT_EQ(sandbox_.read("repo/moved.yaml"), values("1.0.0"));
}

TEST_F(RollbackByGit, TakesAMergeForOneStep) {
    shell("cd repo && git checkout -q -b side");
    commit("values.yaml", "1.1.0", "Side one");
    commit("values.yaml", "1.1.1", "Side two");
    shell(
        "cd repo && git checkout -q main && git commit -q --allow-empty -m Elsewhere && "
        "git merge -q --no-ff -m Merge side");
    EXPECT_EQ(rollback("repo/values.yaml").exit_code, 0);
    EXPECT_EQ(sandbox_.read("repo/values.yaml"), values("1.0.0"));
}

TEST_F(RollbackByGit, SaysThatAShallowCloneMayHoldTooLittle) {
    commit("values.yaml", "1.1.0", "Second");
    shell("git clone -q --depth 1 \"file://$PWD/repo\" shallow");
    const auto refused = rollback("shallow/values.yaml");
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_NE(refused.err.find("shallow"), std::string::npos) << refused.err;
    EXPECT_NE(refused.err.find("git fetch --unshallow"), std::string::npos) << refused.err;
    shell("cd shallow && git fetch -q --unshallow");
    EXPECT_EQ(rollback("shallow/values.yaml").exit_code, 0);
    EXPECT_EQ(sandbox_.read("shallow/values.yaml"), values("1.0.0"));
}

TEST_F(RollbackByGit, RunsNoHookAndTakesNoLock) {
    commit("values.yaml", "1.1.0", "Second");
    sandbox_.write("repo/.git/hooks/post-checkout", "#!/bin/sh\ntouch \"$PWD/trapped\"\n");
    shell("chmod +x repo/.git/hooks/post-checkout && touch repo/.git/index.lock");
    EXPECT_EQ(rollback("repo/values.yaml").exit_code, 0);
    EXPECT_EQ(sandbox_.read("repo/values.yaml"), values("1.0.0"));
    EXPECT_FALSE(sandbox_.exists("repo/trapped"));
    EXPECT_TRUE(sandbox_.exists("repo/.git/index.lock"));
}

}  // namespace
}  // namespace wasmplug::test
