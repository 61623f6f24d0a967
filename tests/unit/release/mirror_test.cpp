#include "release/mirror.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace wasmplug::release {
namespace {

const std::string digest_a = "sha256:" + std::string(64, 'a');
const std::string digest_b = "sha256:" + std::string(64, 'b');

std::string plugin(const std::string& name, const std::string& spec) {
    return "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: " + name +
           "}\nspec: {" + spec + "}\n---\n";
}

std::vector<FileTargets> files(const std::string& text) {
    return {{"m.yaml", locate(yaml::File::parse(text, "m.yaml"))}};
}

State state(const std::string& spec) {
    return state_of(files(plugin("a", spec)).front().targets.front());
}

std::string message_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) {
        return error.full_message();
    }
    return "nothing was thrown";
}

TEST(ImagesUsed, NamesEachImageOnceWithItsPinAndItsUsers) {
    const auto used = images_used(
        files(plugin("a", "url: oci://r.example/acme/auth:1") +
              plugin("b", "url: r.example/acme/auth:1, sha256: " + std::string(64, 'a')) +
              plugin("c", "url: oci://r.example/acme/auth@" + digest_b) +
              plugin("d", "url: https://r.example/x.wasm") + plugin("e", "url: file:///x.wasm")));
    ASSERT_EQ(used.images.size(), 2U);
    EXPECT_EQ(used.images[0].reference.text(), "r.example/acme/auth:1");
    EXPECT_EQ(used.images[0].pin, digest_a);
    EXPECT_EQ(used.images[0].users,
              (std::vector<std::string>{"m.yaml: wasmplugin.extensions.istio.io/a",
                                        "m.yaml: wasmplugin.extensions.istio.io/b"}));
    EXPECT_EQ(used.images[1].reference.digest, digest_b);
    EXPECT_EQ(used.images[1].pin, "") << "the url says which image it is";
    EXPECT_EQ(used.skipped.size(), 2U);
}

TEST(ImagesUsed, RefusesTwoPinsOfOneTag) {
    const auto text = plugin("a", "url: oci://r.example/x/y:1, sha256: " + std::string(64, 'a')) +
                      plugin("b", "url: oci://r.example/x/y:1, sha256: " + std::string(64, 'b'));
    EXPECT_NE(message_of([&] { images_used(files(text)); }).find("is pinned to " + digest_a),
              std::string::npos);
}

TEST(Mirror, KeepsRepositoriesBelowItsOwnName) {
    const auto image = parse_reference("ghcr.io/acme/auth:1.2.0@" + digest_a);
    const auto place = [&](const char* mirror) {
        return Mirror::parse(mirror).place_of(image).text();
    };
    EXPECT_EQ(place("r.example/m/n"), "r.example/m/n/acme/auth:1.2.0@" + digest_a);
    EXPECT_EQ(place("oci://r.example/m/"), "r.example/m/acme/auth:1.2.0@" + digest_a);
    EXPECT_EQ(place("127.0.0.1:5000"), "127.0.0.1:5000/acme/auth:1.2.0@" + digest_a);
    EXPECT_EQ(place("oci:air"), "oci:air/acme/auth:1.2.0@" + digest_a);
    for (const char* wrong : {"oci-archive:a.tar", "oci:dir:1.0", "r.example/m:1", "mirror"}) {
        EXPECT_THROW(Mirror::parse(wrong), Error) << wrong;
    }
}

TEST(Mirror, TwoHostsMayNotShareAPlace) {
    const auto used = images_used(files(plugin("a", "url: oci://r.example/acme/auth:1") +
                                        plugin("b", "url: oci://s.example/acme/auth:2")));
    EXPECT_NE(message_of([&] {
                  require_own_places(used.images);
              }).find("r.example/acme/auth and s.example/acme/auth would be one"),
              std::string::npos);
}

class Moved : public testing::Test {
  protected:
    std::optional<Wanted> move(const std::string& spec) const {
        return moved(state(spec), moves_, "m.yaml");
    }

    std::vector<Move> moves_{{.from = parse_reference("r.example/acme/auth:1"),
                              .to = parse_reference("m.example/acme/auth:1"),
                              .digests = {digest_a, digest_b}},
                             {.from = parse_reference("r.example/acme/auth@" + digest_b),
                              .to = parse_reference("m.example/acme/auth"),
                              .digests = {digest_b}}};
};

TEST_F(Moved, KeepsTagDigestPinAndSpelling) {
    const auto plain = move("url: oci://r.example/acme/auth:1");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->url, "oci://m.example/acme/auth:1");
    EXPECT_EQ(plain->sha256, "") << "what was not pinned is not pinned now";
    EXPECT_EQ(plain->version, "1");
    EXPECT_EQ(move("url: r.example/acme/auth:1")->url, "m.example/acme/auth:1");
    EXPECT_EQ(move("url: r.example/acme/auth:1, sha256: " + std::string(64, 'b'))->sha256,
              std::string(64, 'b'))
        << "an index is copied: its images may be pinned";
    EXPECT_EQ(move("url: oci://r.example/acme/auth@" + digest_b)->url,
              "oci://m.example/acme/auth@" + digest_b);
}

TEST_F(Moved, TakesTheTagOfTheCopy) {
    moves_[0].to = parse_reference("m.example/acme/auth:one");
    const auto renamed = move("url: oci://r.example/acme/auth:1");
    EXPECT_EQ(renamed->url, "oci://m.example/acme/auth:one");
    EXPECT_EQ(renamed->version, "one");
    EXPECT_EQ(move("url: oci://r.example/acme/auth:tag@" + digest_b)->url,
              "oci://m.example/acme/auth@" + digest_b)
        << "the copy has no tag";
    moves_[0].from = parse_reference("r.example/acme/auth");
    moves_[0].to = parse_reference("m.example/acme/auth:latest");
    EXPECT_EQ(move("url: oci://r.example/acme/auth")->url, "oci://m.example/acme/auth");
}

TEST_F(Moved, LeavesOtherImages) {
    EXPECT_FALSE(move("url: oci://r.example/acme/auth:2"));
    EXPECT_FALSE(move("url: oci://r.example/acme/other:1"));
    EXPECT_FALSE(move("url: https://r.example/acme/auth:1"));
}

TEST_F(Moved, RefusesACopyThatIsNotWhatIsPinned) {
    EXPECT_NE(message_of([&] {
                  move("url: oci://r.example/acme/auth:1, sha256: " + std::string(64, 'c'));
              }).find("m.yaml pins sha256:ccc"),
              std::string::npos);
}

}  // namespace
}  // namespace wasmplug::release
