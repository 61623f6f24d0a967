// Against a real registry, open, with htpasswd and with tokens; skopeo is the independent client
// that reads what we push and writes what we read.
#include "tests/support/registry.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/hash.hpp"
#include "tests/support/least_module.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

class RealRegistry : public testing::TestWithParam<Registry::Auth> {
  protected:
    void SetUp() override {
        WASMPLUG_NEEDS(Registry::installed(), "docker-registry");
        registry_ = std::make_unique<Registry>(GetParam());
        sandbox_.write("plugin.wasm", least_module());
        if (GetParam() != Registry::Auth::open) {
            sandbox_.write("docker/config.json", registry_->docker_config());
            sandbox_.set("DOCKER_CONFIG", (sandbox_.work() / "docker").string());
        }
    }

    std::string reference(const std::string& tag = "1.0.0") const {
        return registry_->host() + "/acme/auth:" + tag;
    }

    Sandbox sandbox_;
    std::unique_ptr<Registry> registry_;
};

TEST_P(RealRegistry, TakesAPushAndGivesItBack) {
    const auto pushed = sandbox_.json({"push", "plugin.wasm", reference()});
    EXPECT_EQ(pushed["module_sha256"], sha256_hex(least_module()));
    const auto pulled = sandbox_.json({"pull", reference(), "back.wasm"});
    EXPECT_EQ(pulled["digest"], pushed["digest"]);
    EXPECT_EQ(sandbox_.read("back.wasm"), least_module());
    const auto again = sandbox_.json({"push", "plugin.wasm", reference()});
    EXPECT_TRUE(again["unchanged"].get<bool>());
    EXPECT_EQ(again["digest"], pushed["digest"]);
}

TEST_P(RealRegistry, KeepsBytesThroughLayoutsArchivesAndRepositories) {
    const auto pushed = sandbox_.json({"push", "plugin.wasm", reference(), "--tag", "stable"});
    const std::string digest = pushed["digest"];
    for (const std::string& step : {std::string("oci:layout:x"), std::string("oci-archive:a.tar:x"),
                                    registry_->host() + "/mirror/auth:x"}) {
        const auto copied = sandbox_.json({"copy", reference(), step});
        EXPECT_EQ(copied["images"][0]["digest"], digest) << step;
        EXPECT_EQ(sandbox_.json({"hash", step})["digest"], digest) << step;
    }
    const auto back = sandbox_.json({"push", "oci-archive:a.tar:x", reference("2.0.0")});
    EXPECT_EQ(back["digest"], digest);
    std::vector<std::string> tags;
    const auto listed = sandbox_.json({"tags", registry_->host() + "/acme/auth"});
    for (const auto& tag : listed["tags"]) {
        tags.push_back(tag["tag"]);
    }
    EXPECT_EQ(tags, (std::vector<std::string>{"2.0.0", "1.0.0", "stable"}));
}

TEST_P(RealRegistry, SkopeoReadsWhatWePushAndWeReadWhatItPushes) {
    WASMPLUG_NEEDS_PROGRAM("skopeo");
    const auto pushed = sandbox_.json({"push", "plugin.wasm", reference()});
    const std::vector<std::string> authfile =
        GetParam() == Registry::Auth::open
            ? std::vector<std::string>{}
            : std::vector<std::string>{"--authfile",
                                       (sandbox_.work() / "docker/config.json").string()};
    std::vector<std::string> copy{"skopeo", "copy", "--preserve-digests", "--src-tls-verify=false"};
    copy.insert(copy.end(), authfile.begin(), authfile.end());
    copy.insert(copy.end(), {"docker://" + reference(), "oci:skopeo:1"});
    const auto out = sandbox_.run_program(copy);
    ASSERT_EQ(out.exit_code, 0) << out.err;
    EXPECT_EQ(sandbox_.json({"hash", "oci:skopeo:1"})["digest"], pushed["digest"]);

    std::vector<std::string> back{"skopeo", "copy", "--dest-tls-verify=false"};
    back.insert(back.end(), authfile.begin(), authfile.end());
    back.insert(back.end(), {"oci:skopeo:1", "docker://" + reference("skopeo")});
    const auto in = sandbox_.run_program(back);
    ASSERT_EQ(in.exit_code, 0) << in.err;
    sandbox_.json({"pull", reference("skopeo"), "skopeo.wasm"});
    EXPECT_EQ(sandbox_.read("skopeo.wasm"), least_module());
}

TEST_P(RealRegistry, TakesEveryLayout) {
    for (const char* layout : {"compat", "solo", "docker", "cncf", "higress"}) {
        sandbox_.json({"push", "plugin.wasm", reference(layout), "--layout", layout});
        sandbox_.json({"pull", reference(layout), "back.wasm"});
        EXPECT_EQ(sandbox_.read("back.wasm"), least_module()) << layout;
    }
}

TEST_P(RealRegistry, SaysWhatIsNotThere) {
    sandbox_.json({"push", "plugin.wasm", reference()});
    const auto missing = sandbox_.run({"pull", reference("1.0.1")});
    EXPECT_EQ(missing.exit_code, 1);
    EXPECT_NE(missing.err.find("is not there"), std::string::npos) << missing.err;
    EXPECT_NE(missing.err.find("1.0.0"), std::string::npos) << missing.err;
    EXPECT_FALSE(sandbox_.exists("plugin.wasm.tmp"));
}

TEST_P(RealRegistry, TakesPartsWhenToldTo) {
    const auto pushed = sandbox_.json({"push", "plugin.wasm", reference(), "--chunk", "64B"});
    EXPECT_EQ(sandbox_.json({"hash", reference()})["digest"], pushed["digest"]);
}

INSTANTIATE_TEST_SUITE_P(Each, RealRegistry,
                         testing::Values(Registry::Auth::open, Registry::Auth::htpasswd,
                                         Registry::Auth::token),
                         [](const auto& made) {
                             return made.param == Registry::Auth::open       ? "Open"
                                    : made.param == Registry::Auth::htpasswd ? "Htpasswd"
                                                                             : "Token";
                         });

TEST(Login, ChecksBeforeItKeeps) {
    WASMPLUG_NEEDS(Registry::installed(), "docker-registry");
    Registry registry(Registry::Auth::htpasswd);
    Sandbox sandbox;
    sandbox.write("plugin.wasm", least_module());
    const std::string reference = registry.host() + "/acme/auth:1";
    const auto anonymous = sandbox.run({"push", "plugin.wasm", reference});
    EXPECT_EQ(anonymous.exit_code, 1);
    EXPECT_NE(anonymous.err.find("wasmplug login"), std::string::npos) << anonymous.err;
    const std::vector<std::string> login{"login", registry.host(), "-u", Registry::user,
                                         "--password-stdin"};
    EXPECT_EQ(sandbox.run(login, "wrong\n").exit_code, 1);
    EXPECT_EQ(sandbox.run(login, std::string(Registry::password) + "\n").exit_code, 0);
    EXPECT_EQ(sandbox.run({"push", "plugin.wasm", reference}).exit_code, 0);
    EXPECT_EQ(sandbox.run({"logout", registry.host()}).exit_code, 0);
    EXPECT_EQ(sandbox.run({"pull", reference}).exit_code, 1);
}

}  // namespace
}  // namespace wasmplug::test
