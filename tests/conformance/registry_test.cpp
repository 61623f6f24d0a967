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

TEST_P(RealRegistry, SkopeoReadsEveryLayout) {
    WASMPLUG_NEEDS_PROGRAM("skopeo");
    for (const std::string layout : {"compat", "solo", "docker", "cncf", "higress"}) {
        const auto pushed =
            sandbox_.json({"push", "plugin.wasm", reference(layout), "--layout", layout});
        std::vector<std::string> copy{"skopeo", "copy", "--preserve-digests",
                                      "--src-tls-verify=false"};
        if (GetParam() != Registry::Auth::open) {
            copy.insert(copy.end(),
                        {"--authfile", (sandbox_.work() / "docker/config.json").string()});
        }
        // docker's own schema is rewritten for a layout, so that one goes to a plain folder.
        const std::string target = layout == "docker" ? "dir:plain" : "oci:" + layout;
        copy.insert(copy.end(), {"docker://" + reference(layout), target});
        const auto out = sandbox_.run_program(copy);
        ASSERT_EQ(out.exit_code, 0) << layout << ": " << out.err;
        if (layout == "docker") {
            EXPECT_EQ(sha256_digest(sandbox_.read("plain/manifest.json")), pushed["digest"]);
        } else {
            EXPECT_EQ(sandbox_.json({"hash", "oci:" + layout})["digest"], pushed["digest"])
                << layout;
        }
    }
}

// A release by hand: the first version is there, the second is pushed and pinned, and taken back.
TEST_P(RealRegistry, PushesAProjectPinsItAndRollsItBack) {
    const std::string home = registry_->host() + "/acme/auth";
    const auto project = [&](const std::string& version) {
        sandbox_.write("auth/CMakeLists.txt",
                       "# SPDX-License-Identifier: Apache-2.0\nproject(auth VERSION " + version +
                           ")\n# clang++ --target=wasm32\n");
        sandbox_.write("auth/src/plugin.cc", "// " + version);
        sandbox_.write("auth/build/plugin.wasm", least_module(version));
    };
    project("1.0.0");
    sandbox_.write("auth/plugin.yaml",
                   "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n"
                   "  name: auth  # ours\nspec:\n  url: oci://" +
                       home + ":0.9.0\n");
    const auto first = sandbox_.json({"push", "auth"});
    EXPECT_EQ(first["reference"], home + ":1.0.0") << "its own repository and its own version";
    const auto refused =
        sandbox_.run({"push", "auth", home + ":1.0.0", "--update", "auth/plugin.yaml"});
    EXPECT_EQ(refused.exit_code, 2);
    EXPECT_NE(refused.err.find("--as"), std::string::npos) << refused.err;

    const std::string name = "registry.example.test/acme/auth";
    sandbox_.json({"push", "auth", "--update", "auth/plugin.yaml", "--as", name});
    const std::string pinned = sandbox_.read("auth/plugin.yaml");
    const std::string hex = first["digest"].get<std::string>().substr(7);
    EXPECT_NE(pinned.find("url: oci://" + name + ":1.0.0"), std::string::npos) << pinned;
    EXPECT_NE(pinned.find("sha256: \"" + hex), std::string::npos) << pinned;
    EXPECT_NE(pinned.find("name: auth  # ours"), std::string::npos) << pinned;

    project("1.1.0");
    const auto second = sandbox_.json({"push", "auth", home + ":1.1.0", "--update",
                                       "auth/plugin.yaml", "--as", name, "--tag", "stable"});
    EXPECT_NE(second["digest"], first["digest"]);
    EXPECT_EQ(sandbox_.json({"hash", home + ":stable"})["digest"], second["digest"]);
    EXPECT_EQ(sandbox_.run({"rollback", "auth/plugin.yaml", "--offline"}).exit_code, 0);
    const std::string back = sandbox_.read("auth/plugin.yaml");
    EXPECT_NE(back.find("url: oci://" + name + ":1.0.0"), std::string::npos) << back;
    EXPECT_NE(back.find("sha256: \"" + hex), std::string::npos) << back;

    sandbox_.write("auth/src/plugin.cc", "// changed after the build");
    const auto stale = sandbox_.run({"push", "auth"});
    EXPECT_EQ(stale.exit_code, 1);
    EXPECT_NE(stale.err.find("plugin.cc is newer than"), std::string::npos) << stale.err;
}

TEST_P(RealRegistry, OneFailingSourceHidesNoOther) {
    for (const std::string name : {"one", "two", "three"}) {
        sandbox_.write(name + "/CMakeLists.txt",
                       "project(" + name + " VERSION 1.0.0)\n# --target=wasm32\n");
        sandbox_.write(name + "/src/plugin.cc", "");
        sandbox_.write(name + "/plugin.yaml",
                       "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n"
                       "metadata: {name: a}\nspec: {url: \"oci://" +
                           registry_->host() + "/acme/" + name + ":1\"}\n");
        if (name != "two") {
            sandbox_.write(name + "/build/plugin.wasm", least_module(name));
        }
    }
    const auto pushed = sandbox_.json({"push", "one", "two", "three"}, 1);
    ASSERT_EQ(pushed["images"].size(), 3U);
    EXPECT_EQ(pushed["images"][0]["source"], "one");
    EXPECT_NE(pushed["images"][1]["error"].get<std::string>().find("is not built"),
              std::string::npos);
    EXPECT_EQ(pushed["images"][2]["source"], "three");
    for (const std::size_t there : {std::size_t{0}, std::size_t{2}}) {
        const std::string reference = pushed["images"][there]["reference"];
        EXPECT_EQ(sandbox_.json({"hash", reference})["digest"], pushed["images"][there]["digest"]);
    }
}

// A mirror of what manifests run: the pinned image is the one that is copied, also when its tag
// has moved since, and the manifests are pointed at it and stay pinned.
TEST_P(RealRegistry, MirrorsWhatManifestsRunAndPointsThemThere) {
    const auto pushed = sandbox_.json({"push", "plugin.wasm", reference()});
    const std::string hex = pushed["digest"].get<std::string>().substr(7);
    sandbox_.write("deploy/a.yaml",
                   "# ours\napiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n"
                   "metadata:\n  name: a\nspec:\n  url: \"oci://" +
                       reference() + "\"  # pinned\n  sha256: " + hex +
                       "\n---\napiVersion: v1\nkind: List\nitems:\n"
                       "- apiVersion: extensions.istio.io/v1alpha1\n  kind: TrafficExtension\n"
                       "  metadata:\n    name: b\n  spec:\n    wasm:\n      url: oci://" +
                       registry_->host() + "/acme/auth@sha256:" + hex + "\n");
    sandbox_.write("plugin.wasm", least_module("a tag that moves"));
    sandbox_.json({"push", "plugin.wasm", reference()});
    const std::vector<std::string> mirror{
        "copy",      "--from-manifests", "deploy", registry_->host() + "/mirror",
        "--rewrite", "deploy",           "--as",   "mirror.example.test/m"};
    auto dry = mirror;
    dry.emplace_back("--dry-run");
    const std::string before = sandbox_.read("deploy/a.yaml");
    const auto would = sandbox_.run(dry);
    EXPECT_EQ(would.exit_code, 0) << would.err;
    EXPECT_NE(would.out.find("+  url: \"oci://mirror.example.test/m/acme/auth:1.0.0\"  # pinned"),
              std::string::npos)
        << would.out;
    EXPECT_EQ(sandbox_.read("deploy/a.yaml"), before);
    const auto copied = sandbox_.json(mirror);
    ASSERT_EQ(copied["images"].size(), 2U);
    EXPECT_EQ(copied["rewritten"]["changes"].size(), 2U);
    const std::string place = registry_->host() + "/mirror/acme/auth:1.0.0";
    EXPECT_EQ(sandbox_.json({"hash", place})["digest"], "sha256:" + hex) << "the pinned one";
    const std::string after = sandbox_.read("deploy/a.yaml");
    EXPECT_NE(after.find("sha256: " + hex), std::string::npos) << after;
    EXPECT_NE(after.find("url: oci://mirror.example.test/m/acme/auth@sha256:" + hex),
              std::string::npos)
        << after;
    EXPECT_TRUE(after.starts_with("# ours\n")) << after;
    EXPECT_EQ(sandbox_.run({"validate", "deploy"}).exit_code, 0);
}

// docker-registry 2.8.2 has no referrers API: a signature is found by the list under a tag.
TEST_P(RealRegistry, CarriesReferrersAlong) {
    const auto pushed = sandbox_.json({"push", "plugin.wasm", "oci:dist:1.0.0"});
    const std::string config = "{}";
    const std::string manifest =
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)"
        R"("artifactType":"application/vnd.test.signature","config":{"mediaType":)"
        R"("application/vnd.oci.empty.v1+json","digest":")" +
        sha256_digest(config) + R"(","size":2},"layers":[],"subject":{"mediaType":")" +
        pushed["media_type"].get<std::string>() + R"(","digest":")" +
        pushed["digest"].get<std::string>() + R"(","size":)" +
        std::to_string(
            sandbox_.read("dist/blobs/sha256/" + pushed["digest"].get<std::string>().substr(7))
                .size()) +
        "}}";
    sandbox_.write("dist/blobs/sha256/" + sha256_hex(config), config);
    sandbox_.write("dist/blobs/sha256/" + sha256_hex(manifest), manifest);
    auto index = nlohmann::json::parse(sandbox_.read("dist/index.json"));
    index["manifests"].push_back({{"mediaType", "application/vnd.oci.image.manifest.v1+json"},
                                  {"digest", sha256_digest(manifest)},
                                  {"size", manifest.size()}});
    sandbox_.write("dist/index.json", index.dump());
    const auto copied = sandbox_.json({"copy", "oci:dist:1.0.0", reference()});
    EXPECT_EQ(copied["images"][0]["referrers"], nlohmann::json::array({sha256_digest(manifest)}));
    const auto onward =
        sandbox_.json({"copy", reference(), registry_->host() + "/mirror/auth:1.0.0"});
    EXPECT_EQ(onward["images"][0]["referrers"], copied["images"][0]["referrers"]);
    const auto back =
        sandbox_.json({"copy", registry_->host() + "/mirror/auth:1.0.0", "oci:back:1.0.0"});
    EXPECT_EQ(back["images"][0]["referrers"], copied["images"][0]["referrers"]);
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
