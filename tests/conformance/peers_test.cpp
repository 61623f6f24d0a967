// What crane and oras push is read, and they read what we push. Building the two takes minutes, so
// what they made of the least module is kept in tests/data/oci/peers (tools/record-peers); where
// they are in the cache (tools/peers) they are met live as well.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/least_module.hpp"
#include "tests/support/registry.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

namespace fs = std::filesystem;

struct Recorded {
    const char* name;
    const char* digest;  // as the peer printed it
    bool loads;          // in Istio, by its own fetcher
};

class RecordedPeer : public testing::TestWithParam<Recorded> {};

TEST_P(RecordedPeer, IsReadAndJudged) {
    const Recorded& recorded = GetParam();
    const fs::path file = fs::path(WASMPLUG_SOURCE_DIR) / "tests/data/oci/peers" /
                          (recorded.name + std::string(".tar"));
    const std::string reference = "oci-archive:" + file.string();
    Sandbox sandbox;
    const auto hashed = sandbox.json({"hash", reference});
    EXPECT_EQ(hashed["digest"], recorded.digest);
    EXPECT_EQ(hashed["loads"]["Istio"], recorded.loads);
    // Without a tag: crane writes none, and there is one image only.
    sandbox.json({"pull", reference, "back.wasm"});
    EXPECT_EQ(sandbox.read("back.wasm"), least_module());
    sandbox.json({"copy", reference, "oci:copy:1"});
    EXPECT_EQ(sandbox.json({"hash", "oci:copy:1"})["digest"], recorded.digest);
}

INSTANTIATE_TEST_SUITE_P(
    Each, RecordedPeer,
    testing::Values(
        Recorded{"crane-docker",
                 "sha256:8e60db7701154c66259e25621e3f524e094a316c92eeca21c87399e1fe320cfc", true},
        Recorded{"crane-oci",
                 "sha256:124977c2f383fba218bb18324ee13089eae63cd35ae107ba83e2809ad6b5ac19", true},
        Recorded{"oras-packed",
                 "sha256:0cb22959ecf9b10f6280ee04636b65c9ce2839260fd7d02e4051b83b940cc5db", true},
        Recorded{"oras-two-files",
                 "sha256:404895cf6cddfeae3625bd5ca1842332ddd906030ea4bf9de35114626de85334", true},
        Recorded{"oras-one-file",
                 "sha256:cab48dbb99f6772a5982c31d03848b6cf54cc305f896ceaba0f245ef6f609c1a", false},
        Recorded{"oras-cncf",
                 "sha256:4afe89099421bb5d422c98149c3cc2f5014eb571410d999079f6e3e7f3ac785c", false}),
    [](const auto& made) {
        std::string name = made.param.name;
        std::erase(name, '-');
        return name;
    });

class LivePeers : public testing::Test {
  protected:
    void SetUp() override {
        WASMPLUG_NEEDS(Registry::installed(), "docker-registry");
        const fs::path folder = cache_folder() / "peers";
        if (!fs::exists(folder / "crane") || !fs::exists(folder / "oras")) {
            GTEST_SKIP() << "crane and oras are not in the cache; tools/peers builds them";
        }
        registry_ = std::make_unique<Registry>();
        sandbox_.add_path(folder);
        sandbox_.set("REF", registry_->host() + "/acme/auth");
        sandbox_.write("plugin.wasm", least_module());
    }

    void shell(const std::string& script) {
        const auto ran = sandbox_.shell("set -eu\n" + script);
        EXPECT_EQ(ran.exit_code, 0) << script << ran.out << ran.err;
    }

    std::string reference(const std::string& tag) const {
        return registry_->host() + "/acme/auth:" + tag;
    }

    Sandbox sandbox_;
    std::unique_ptr<Registry> registry_;
};

TEST_F(LivePeers, WeReadWhatTheyPush) {
    shell(
        "tar -cf plugin.tar plugin.wasm\ngzip -k plugin.tar\n"
        "crane append --new_layer plugin.tar --new_tag $REF:crane\n"
        "crane append --oci-empty-base --new_layer plugin.tar.gz --new_tag $REF:crane-oci\n"
        "oras push --plain-http $REF:oras plugin.wasm\n"
        "oras push --plain-http $REF:packed "
        "plugin.tar.gz:application/vnd.oci.image.layer.v1.tar+gzip\n"
        "oras cp --from-plain-http --to-plain-http $REF:packed $REF:copied\n");
    for (const char* tag : {"crane", "crane-oci", "oras", "packed", "copied"}) {
        sandbox_.json({"pull", reference(tag), "back.wasm"});
        EXPECT_EQ(sandbox_.read("back.wasm"), least_module()) << tag;
    }
}

TEST_F(LivePeers, TheyReadWhatWePush) {
    for (const std::string layout : {"compat", "solo", "docker", "cncf", "higress"}) {
        const auto pushed =
            sandbox_.json({"push", "plugin.wasm", reference(layout), "--layout", layout});
        sandbox_.set("TAG", layout);
        sandbox_.set("DIGEST", pushed["digest"].get<std::string>());
        shell(
            "test \"$(crane digest $REF:$TAG)\" = $DIGEST\n"
            "crane pull --format=oci $REF:$TAG crane-$TAG\n"
            "oras cp --from-plain-http --to-oci-layout $REF:$TAG oras:$TAG\n"
            "grep -q $DIGEST oras/index.json\n");
    }
    shell("crane validate --remote $REF:compat\ncrane validate --remote $REF:docker\n");
}

}  // namespace
}  // namespace wasmplug::test
