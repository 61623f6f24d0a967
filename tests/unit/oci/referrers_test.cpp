// Referrers, with the registry's own list and with the one that takes its place
// (distribution-spec, "Unavailable Referrers API").
#include <gtest/gtest.h>

#include "oci/copy.hpp"
#include "oci/media_types.hpp"
#include "tests/support/oci_client.hpp"

namespace wasmplug::oci {
namespace {

using test::Answer;
using test::Client;
using test::FakeRegistry;
using test::is;
using test::SeenRequest;
using Given = std::optional<Answer>;

Image image() {
    return test::small_image("one");
}

Image signature_of(const Image& subject, const std::string& what = "signature") {
    Image signature = test::small_image(what);
    Manifest manifest = parse_manifest(signature.manifest.bytes, "", "test");
    manifest.subject = subject.manifest.descriptor();
    manifest.artifact_type = "application/vnd.test.signature";
    manifest.annotations["who"] = what;
    signature.manifest = write_manifest(manifest);
    return signature;
}

std::string list_tag(const Image& subject) {
    return "sha256-" + subject.manifest.digest.substr(7);
}

TEST(Referrers, AreEnteredIntoAListWhereThereIsNoApi) {
    FakeRegistry registry;
    Client client;
    client.push(registry.host(), image());
    const auto store = client.open(registry.host());
    store->write(signature_of(image()), {});
    store->write(signature_of(image(), "sbom"), {});
    store->write(signature_of(image()), {});  // the same again
    const auto list = store->referrers(image().manifest.digest);
    ASSERT_EQ(list.size(), 2U);
    EXPECT_EQ(list[0].digest, signature_of(image()).manifest.digest);
    EXPECT_EQ(list[0].artifact_type, "application/vnd.test.signature");
    EXPECT_EQ(list[1].annotations.at("who"), "sbom");
    EXPECT_TRUE(registry.manifests.contains(list_tag(image())));
}

TEST(Referrers, AreLeftToTheRegistryThatKeepsThem) {
    FakeRegistry registry;
    registry.keeps_referrers = true;
    Client client;
    client.push(registry.host(), image());
    const auto store = client.open(registry.host());
    store->write(signature_of(image()), {});
    store->write(signature_of(image()), {});
    EXPECT_EQ(store->referrers(image().manifest.digest).size(), 1U);
    EXPECT_FALSE(registry.manifests.contains(list_tag(image())));
}

TEST(Referrers, AListThatAnotherChangesMeanwhileHoldsBoth) {
    FakeRegistry* self = nullptr;
    int lists = 0;
    const Image other = signature_of(image(), "of another");
    FakeRegistry registry([&](const SeenRequest& request) -> Given {
        // Another client, which read the list before us, writes its own over ours.
        if (self != nullptr &&
            is(request, "PUT",
               ("/manifests/sha256-" + image().manifest.digest.substr(7)).c_str()) &&
            lists++ == 0) {
            Manifest theirs;
            theirs.is_index = true;
            theirs.media_type = media::oci_index;
            theirs.manifests = {other.manifest.descriptor()};
            SeenRequest put = request;
            put.body = write_manifest(theirs).bytes;
            self->usual(put);
            return Answer{.status = 201};
        }
        return std::nullopt;
    });
    self = &registry;
    Client client;
    client.push(registry.host(), image());
    const auto store = client.open(registry.host());
    store->write(signature_of(image()), {});
    registry.manifests[other.manifest.digest] = other.manifest.bytes;
    EXPECT_EQ(store->referrers(image().manifest.digest).size(), 2U);
}

TEST(Referrers, ATagThatIsNoListIsSaidAndLeft) {
    FakeRegistry registry;
    Client client;
    client.push(registry.host(), image());
    registry.manifests[list_tag(image())] = image().manifest.bytes;  // as GitLab answers
    const auto report = client.open(registry.host())->write(signature_of(image()), {});
    ASSERT_EQ(report.warnings.size(), 1U);
    EXPECT_NE(report.warnings[0].find("is no list of referrers"), std::string::npos);
    EXPECT_EQ(registry.manifests[list_tag(image())], image().manifest.bytes);
}

TEST(Referrers, AnyRefusalOfTheApiMeansTheList) {
    for (const int status : {400, 401, 404, 405}) {
        FakeRegistry registry([&](const SeenRequest& request) -> Given {
            return is(request, "GET", "/referrers/") ? Given(Answer{.status = status})
                                                     : std::nullopt;
        });
        Client client;
        client.push(registry.host(), image());
        const auto store = client.open(registry.host());
        store->write(signature_of(image()), {});
        EXPECT_EQ(store->referrers(image().manifest.digest).size(), 1U) << status;
    }
}

TEST(Referrers, GoAlongWithACopyAndAreFoundThere) {
    FakeRegistry registry;
    registry.keeps_referrers = true;
    FakeRegistry target;  // without the API
    Client client;
    client.push(registry.host(), image());
    const auto from = client.open(registry.host());
    from->write(signature_of(image()), {});
    const auto to = client.open(target.host());
    to->write(signature_of(image(), "there before"), {});
    const auto report = copy_image(*from, "v1", *to, {"v1"}, {});
    EXPECT_EQ(report.referrers.size(), 1U);
    EXPECT_EQ(to->referrers(image().manifest.digest).size(), 2U);
}

}  // namespace
}  // namespace wasmplug::oci
