// Push, pull and copy against the ways of each registry product.
#include <gtest/gtest.h>

#include "base/file.hpp"
#include "oci/copy.hpp"
#include "oci/layout.hpp"
#include "oci/spool.hpp"
#include "tests/support/oci_client.hpp"
#include "tests/support/registry_profiles.hpp"

namespace wasmplug::oci {
namespace {

using test::Client;
using test::Product;
using test::ProfiledRegistry;

// Its layer is large enough to be asked for before it is sent.
Image image() {
    Image made = test::small_image("one");
    made.blobs[0] = test::text_blob(std::string(100'000, 'x'), media::oci_layer_gzip);
    Manifest manifest = parse_manifest(made.manifest.bytes, "", "test");
    manifest.layers = {made.blobs[0].descriptor};
    made.manifest = write_manifest(manifest);
    return made;
}

std::string bytes_of(Store& store, const Descriptor& blob) {
    std::string bytes;
    store.read_blob(blob, [&](std::string_view part) { bytes += part; });
    return bytes;
}

class Products : public testing::TestWithParam<Product> {
  protected:
    void TearDown() override {
        EXPECT_EQ(registry_.complaints(), std::vector<std::string>{});
        EXPECT_GT(registry_.oddities(), 0) << "the profile was not met";
    }

    ProfiledRegistry registry_{GetParam()};
    Client client_{registry_.environment()};
};

TEST_P(Products, TakesAPushAndTheSameAgain) {
    EXPECT_FALSE(client_.push(registry_.host(), image()).unchanged);
    EXPECT_EQ(registry_.registry().manifests["v1"], image().manifest.bytes);
    EXPECT_EQ(registry_.registry().blobs.size(), 2U);
    Client again(registry_.environment());
    EXPECT_TRUE(again.push(registry_.host(), image()).unchanged);
    EXPECT_EQ(again.open(registry_.host())->tags(), std::vector<std::string>{"v1"});
    if (GetParam() == Product::docker_hub || GetParam() == Product::ecr ||
        GetParam() == Product::artifact_registry) {
        again.open(registry_.host())->read_blob(image().blobs[0].descriptor, [](std::string_view) {
        });
        again.open(registry_.host())->manifest("v1");  // what is odd there is odd in reading
    }
    if (GetParam() == Product::gitlab) {
        again.open(registry_.host())->referrers(image().manifest.digest);
    }
}

TEST_P(Products, GivesAPullWhatWasPushed) {
    client_.push(registry_.host(), image());
    Client reader(registry_.environment());
    const auto store = reader.open(registry_.host(), Access::pull);
    const auto raw = store->manifest("v1");
    ASSERT_TRUE(raw);
    EXPECT_EQ(raw->digest, image().manifest.digest);
    EXPECT_EQ(bytes_of(*store, image().blobs[0].descriptor), std::string(100'000, 'x'));
    EXPECT_FALSE(store->manifest("v0"));
    EXPECT_TRUE(store->referrers(raw->digest).empty());
}

TEST_P(Products, CopiesToARepositoryBesideItAndToALayout) {
    client_.push(registry_.host(), image());
    Client copier(registry_.environment());
    const auto from = copier.open(registry_.host(), Access::pull);
    const auto to = copier.open(registry_.host(), Access::push, "acme/mirror");
    const auto report = copy_image(*from, "v1", *to, {"v2"}, {.mount_from = "acme/auth"});
    EXPECT_EQ(report.manifest.digest, image().manifest.digest);
    EXPECT_EQ(registry_.registry().manifests["v2"], image().manifest.bytes);
    const TemporaryDirectory folder;
    const auto layout = open_layout(folder.path() / "d");
    copy_image(*from, "v1", *layout, {"v1"}, {});
    EXPECT_EQ(bytes_of(*layout, image().blobs[0].descriptor), std::string(100'000, 'x'));
}

INSTANTIATE_TEST_SUITE_P(Each, Products, testing::ValuesIn(test::all_products),
                         [](const auto& made) { return test::to_string(made.param); });

std::string push_to(Product product, const Image& pushed, const std::string& repository,
                    const std::string& tag = "v1") {
    ProfiledRegistry registry(product);
    Client client(registry.environment());
    if (repository == "acme/auth") {
        client.push(registry.host(), image());
    }
    try {
        client.open(registry.host(), Access::push, repository)->write(pushed, {tag});
    } catch (const Error& error) {
        return error.full_message();
    }
    return "pushed";
}

Image with_config_type(const std::string& type) {
    Image made = image();
    Manifest manifest = parse_manifest(made.manifest.bytes, "", "test");
    manifest.config.media_type = type;
    made.manifest = write_manifest(manifest);
    return made;
}

TEST(Ecr, SaysThatItMakesNoRepository) {
    EXPECT_NE(push_to(Product::ecr, image(), "acme/new").find("'acme/new' does not exist"),
              std::string::npos);
}

TEST(Ecr, SaysThatATagDoesNotMove) {
    EXPECT_NE(push_to(Product::ecr, test::small_image("two"), "acme/auth")
                  .find("answered 400 (tag invalid: The image tag 'v1' already exists"),
              std::string::npos)
        << push_to(Product::ecr, test::small_image("two"), "acme/auth");
}

TEST(Ecr, RefusesReferrersInItsOwnWords) {
    Image signature = test::small_image("signature");
    Manifest manifest = parse_manifest(signature.manifest.bytes, "", "test");
    manifest.subject = image().manifest.descriptor();
    manifest.artifact_type = "application/vnd.test.signature";
    signature.manifest = write_manifest(manifest);
    EXPECT_NE(push_to(Product::ecr, signature, "acme/auth", "s1").find("answered 405"),
              std::string::npos);
}

TEST(Ecr, TakesPartsThoughItsRangeStandsStill) {
    ProfiledRegistry registry(Product::ecr);
    Client client(registry.environment());
    client.options.chunk = 30'000;
    client.push(registry.host(), image());
    EXPECT_EQ(registry.registry().count("PATCH", "/blobs/"), 5);
    EXPECT_EQ(registry.registry().manifests["v1"], image().manifest.bytes);
}

TEST(Quay, NamesTheConfigTypeItDoesNotKnow) {
    EXPECT_NE(push_to(Product::quay, with_config_type("application/vnd.wasm.config.v0+json"),
                      "acme/auth", "cncf")
                  .find("unknown config type"),
              std::string::npos);
}

TEST(GitLab, NamesTheConfigTypeItDoesNotKnow) {
    EXPECT_NE(push_to(Product::gitlab, with_config_type("application/vnd.wasm.config.v0+json"),
                      "acme/auth", "cncf")
                  .find("unknown media type: application/vnd.wasm"),
              std::string::npos);
}

TEST(Ghcr, SaysThatTheTokenMayNotWrite) {
    test::FakeRegistry registry(test::first(
        9, "POST", "/blobs/uploads/",
        {.status = 403,
         .body =
             R"({"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]})"}));
    Client client;
    EXPECT_NE(client.push_error(registry.host(), image()).find("permission_denied: write_package"),
              std::string::npos);
}

TEST(Harbor, NamesAWebPageInPlaceOfAToken) {
    std::string realm;
    test::FakeRegistry registry([&](const test::SeenRequest& request) {
        return std::optional(
            request.path() == "/service/token"
                ? test::Answer{.headers = {{"Content-Type", "text/html"}},
                               .body = "<!doctype html><title>Harbor</title>"}
                : test::Answer{.status = 401,
                               .headers = {{"WWW-Authenticate",
                                            "Bearer realm=\"" + realm + "\",service=\"harbor\""}}});
    });
    realm = registry.url("/service/token");
    Client client({{"WASMPLUG_USERNAME", "robot$ci"}, {"WASMPLUG_PASSWORD", "x"}});
    const std::string error = client.push_error(registry.host(), image());
    EXPECT_NE(error.find("/service/token"), std::string::npos) << error;
    EXPECT_NE(error.find("no token"), std::string::npos) << error;
    EXPECT_NE(error.find("Harbor"), std::string::npos) << error;
}

}  // namespace
}  // namespace wasmplug::oci
