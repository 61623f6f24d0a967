// The half of the fault table that is about reading. See fault_table_test.cpp.
#include <gtest/gtest.h>

#include "base/hash.hpp"
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

struct Scene {
    FakeRegistry* registry = nullptr;
    int step = 0;  // for a row's own use
};

const std::string layer_text(10'000, 'l');
constexpr auto always = &test::always<Scene>;

Image image() {
    return test::image_of(layer_text);
}

struct PullRow {
    const char* name;
    std::function<Given(Scene&, const SeenRequest&)> fault;
    const char* outcome;  // "good", or a part of the message
};

std::function<Given(Scene&, const SeenRequest&)> manifest_answer(const Answer& answer) {
    return always("GET", "/manifests/v1", answer);
}

std::string image_json(const std::string& change_from, const std::string& change_to) {
    std::string text = image().manifest.bytes;
    const auto at = text.find(change_from);
    return at == std::string::npos ? text : text.replace(at, change_from.size(), change_to);
}

const PullRow pull_rows[] = {
    {"AManifestTypeWithParameters",
     [](Scene& scene, const SeenRequest& request) -> Given {
         if (!is(request, "GET", "/manifests/")) {
             return std::nullopt;
         }
         Answer usual = scene.registry->usual(request);
         std::erase_if(usual.headers, [](const auto& one) { return one.first == "Content-Type"; });
         usual.headers.emplace_back("Content-Type",
                                    std::string(media::oci_manifest) + "; charset=utf-8");
         return usual;
     },
     "good"},
    {"AManifestOfAnotherTypeThanItWasSentAs",
     manifest_answer(
         {.headers = {{"Content-Type", media::docker_manifest}}, .body = image().manifest.bytes}),
     "but it was sent as"},
    {"AManifestThatIsNoJson", manifest_answer({.body = "<html>"}), "JSON"},
    {"AManifestThatIsAList", manifest_answer({.body = "[1]"}), "no JSON object"},
    {"AManifestOfAnUnknownType",
     manifest_answer({.body = image_json(media::oci_manifest, "application/x-thing")}),
     "is no image manifest or index"},
    {"AManifestOfSchemaOne",
     manifest_answer({.body = image_json(media::oci_manifest,
                                         "application/vnd.docker.distribution.manifest.v1+json")}),
     "is no image manifest or index"},
    {"AnUnknownDigestAlgorithm",
     manifest_answer({.body = image_json("\"digest\":\"sha256:", "\"digest\":\"blake3:")}),
     "is no sha256 or sha512 digest"},
    {"ANegativeSize", manifest_answer({.body = image_json("\"size\":", "\"size\":-")}),
     "no usable number of bytes"},
    {"ASizeOfAnExabyte",
     manifest_answer({.body = image_json("\"size\":10000", "\"size\":1000000000000000000")}),
     "no usable number of bytes"},
    {"AManifestThatIsAnIndexToo",
     manifest_answer({.body = image_json("\"layers\":", "\"manifests\":[],\"layers\":")}),
     "is an image and an index at once"},
    {"AManifestWithoutAnEnd", manifest_answer({.body = std::string(5 << 20, ' ')}), "more than"},
    {"AManifestThatNestsWithoutAnEnd",
     manifest_answer({.body = "{\"x\":" + std::string(100'000, '[')}), "deep"},
    {"A404OfPlainText", manifest_answer({.status = 404, .body = "404 page not found\n"}),
     "no manifest"},
    {"AManifestWithoutADigestHeader",
     manifest_answer(
         {.headers = {{"Content-Type", media::oci_manifest}}, .body = image().manifest.bytes}),
     "good"},
    {"ABlobWithoutALength",
     always("GET", "/blobs/", {.body = layer_text, .no_content_length = true}), "good"},
    {"ABlobWithoutALengthThatIsCut",
     [](Scene& scene, const SeenRequest& request) -> Given {
         return is(request, "GET", "/blobs/") && scene.step++ == 0
                    ? Given(Answer{.body = layer_text.substr(0, 4000), .no_content_length = true})
                    : std::nullopt;
     },
     "good"},
    {"ABlobWithALengthThatIsCutEachTime",
     always("GET", "/blobs/", {.body = layer_text.substr(0, 10), .lie_about_length = 10'000}),
     "broke"},
    {"ABlobThatAProxyPackedOnItsOwn",
     always("GET", "/blobs/",
            {.headers = {{"Content-Encoding", "gzip"}}, .body = "\x1f\x8b not what was stored"}),
     "of the 10000 bytes"},
    {"ABlobThatIsRedirectedWithoutEnd",
     [](Scene&, const SeenRequest& request) -> Given {
         return is(request, "GET", "/blobs/")
                    ? Given(Answer{.status = 307, .headers = {{"Location", request.target}}})
                    : std::nullopt;
     },
     "redirect"},
    {"ABlobThatIsGone", always("GET", "/blobs/", {.status = 404}), "answered 404"},
    {"ABlobThatIsForbidden",
     always("GET", "/blobs/",
            {.status = 403,
             .headers = {{"Content-Type", "application/xml"}},
             .body = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>"}),
     "answered 403"},
    {"ABlobThatStallsEachTime", always("GET", "/blobs/", {.stall = true}), "moved no byte"},
    {"A416ForTheRest",
     [](Scene& scene, const SeenRequest& request) -> Given {
         if (!is(request, "GET", "/blobs/")) {
             return std::nullopt;
         }
         return scene.step++ == 0 ? Given(Answer{.body = layer_text, .cut_after = 5000})
                                  : Given(Answer{.status = 416});
     },
     "answered 416"},
};

class PullRows : public testing::TestWithParam<PullRow> {};

TEST_P(PullRows, EndAsTheyHaveTo) {
    const PullRow& row = GetParam();
    Scene scene;
    FakeRegistry registry([&](const SeenRequest& request) -> Given {
        return scene.registry == nullptr ? std::nullopt : row.fault(scene, request);
    });
    const Image made = image();
    registry.blobs[made.blobs[0].descriptor.digest] = layer_text;
    registry.manifests["v1"] = registry.manifests[made.manifest.digest] = made.manifest.bytes;
    registry.types[made.manifest.digest] = made.manifest.media_type;
    scene.registry = &registry;
    Client client;
    std::string outcome;
    std::string bytes;
    try {
        const auto store = client.open(registry.host(), Access::pull);
        const auto raw = store->manifest("v1");
        if (raw) {
            const Manifest manifest = parse_manifest(raw->bytes, raw->media_type, "v1");
            store->read_blob(manifest.layers.at(0), [&](std::string_view part) { bytes += part; });
        }
        outcome = !raw ? "no manifest" : bytes == layer_text ? "good" : "bad bytes";
    } catch (const Error& error) {
        outcome = error.full_message();
    }
    EXPECT_NE(outcome.find(row.outcome), std::string::npos) << outcome;
    EXPECT_LE(bytes.size(), layer_text.size());
    EXPECT_LT(registry.log().size(), 40U);
    for (const auto& request : registry.seen()) {
        EXPECT_FALSE(header(request.headers, "Accept-Encoding")) << "digests are over stored bytes";
    }
}

void PrintTo(const PullRow& row, std::ostream* out) {
    *out << row.name;
}

INSTANTIATE_TEST_SUITE_P(Table, PullRows, testing::ValuesIn(pull_rows),
                         [](const auto& made) { return std::string(made.param.name); });

TEST(Network, ANameThatIsNoHostIsSaidAtOnce) {
    Client client;
    client.options.retry.attempts = 2;
    const std::string error = client.push_error("registry.invalid", image());
    EXPECT_NE(error.find("registry.invalid"), std::string::npos) << error;
    EXPECT_LE(client.waits.size(), 2U);
}

TEST(Network, NobodyListens) {
    std::string host;
    {
        const FakeRegistry gone;
        host = gone.host();
    }
    Client client;
    EXPECT_NE(client.push_error(host, image()).find("connect"), std::string::npos);
}

TEST(Copying, AnIndexThatNestsWithoutEndIsRefused) {
    FakeRegistry registry;
    std::string digest;
    std::string bytes = image().manifest.bytes;
    std::string type = media::oci_manifest;
    for (int i = 0; i < 8; ++i) {
        digest = sha256_digest(bytes);
        registry.manifests[digest] = registry.manifests["deep"] = bytes;
        registry.types[digest] = type;
        bytes = R"({"schemaVersion":2,"mediaType":")" + std::string(media::oci_index) +
                R"(","manifests":[{"mediaType":")" + type + R"(","digest":")" + digest +
                R"(","size":)" + std::to_string(bytes.size()) + "}]}";
        type = media::oci_index;
    }
    Client client;
    const auto from = client.open(registry.host(), Access::pull);
    FakeRegistry target;
    const auto to = client.open(target.host());
    try {
        copy_image(*from, "deep", *to, {"v1"}, {});
        FAIL() << "copied";
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("nested deeper"), std::string::npos);
    }
}

TEST(Tags, APageElsewhereIsNotFollowed) {
    test::FaultServer elsewhere([](const SeenRequest&) { return Answer{.body = "{}"}; });
    FakeRegistry registry([&](const SeenRequest& request) -> Given {
        return request.path().ends_with("/tags/list")
                   ? Given(Answer{
                         .headers = {{"Link", "<" + elsewhere.url("/x") + ">; rel=\"next\""}},
                         .body = R"({"tags":["a"]})"})
                   : std::nullopt;
    });
    Client client;
    EXPECT_EQ(client.open(registry.host(), Access::pull)->tags(), std::vector<std::string>{"a"});
    EXPECT_TRUE(elsewhere.seen().empty());
}

}  // namespace
}  // namespace wasmplug::oci
