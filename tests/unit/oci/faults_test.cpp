// One test for each way a registry, a proxy or the network goes wrong (the peers' measured table
// of faults): what is transient is survived, what is not is a clear error.
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "base/services.hpp"
#include "oci/copy.hpp"
#include "oci/open.hpp"
#include "oci/spool.hpp"
#include "tests/support/oci_client.hpp"

namespace wasmplug::oci {
namespace {

using namespace std::chrono_literals;
using test::Answer;
using test::Client;
using test::FakeRegistry;
using test::first;
using test::is;
using test::SeenRequest;

Image image() {
    return test::small_image("one");
}

void survives_push(const FakeRegistry::Fault& fault, std::size_t waits = 1) {
    FakeRegistry registry(fault);
    Client client;
    client.push(registry.host(), image());
    EXPECT_EQ(registry.manifests["v1"], image().manifest.bytes);
    EXPECT_EQ(registry.blobs.size(), 2U);
    EXPECT_GE(client.waits.size(), waits);
    EXPECT_NE(client.text().find("trying again"), std::string::npos);
}

TEST(Push, TakesSixRequestsForASmallPluginAndOneForTheSameAgain) {
    FakeRegistry registry;
    Client client;
    EXPECT_FALSE(client.push(registry.host(), image()).unchanged);
    EXPECT_EQ(registry.log().size(), 6U);
    EXPECT_TRUE(client.push(registry.host(), image()).unchanged);
    EXPECT_EQ(registry.log().size(), 7U);
}

TEST(Push, TakesSevenRequestsForALargerPlugin) {
    FakeRegistry registry;
    Client client;
    Image large = image();
    large.blobs[0] = test::text_blob(std::string(200'000, 'x'), "application/x");
    client.push(registry.host(), large);
    EXPECT_EQ(registry.log().size(), 7U);
    EXPECT_EQ(registry.count("HEAD", "/blobs/"), 1);
}

TEST(PushFaults, ARegistryThatNobodyRunsIsGivenUpAfterOneRoundOfTries) {
    std::string host;
    {
        const FakeRegistry gone;
        host = gone.host();
    }
    Client client;
    EXPECT_NE(client.push_error(host, image()).find("cannot connect"), std::string::npos);
    EXPECT_EQ(client.waits.size(), 5U) << client.text();
}

TEST(PushFaults, BlobPut429) {
    survives_push(first(1, "PUT", "/blobs/", {.status = 429, .headers = {{"Retry-After", "1"}}}));
}

TEST(PushFaults, BlobPut500) {
    survives_push(first(1, "PUT", "/blobs/", {.status = 500}));
}

TEST(PushFaults, BlobPut503) {
    survives_push(first(2, "PUT", "/blobs/", {.status = 503}));
}

TEST(PushFaults, BlobPut502WithAWebPage) {
    survives_push(first(1, "PUT", "/blobs/", {.status = 502, .body = "<html>Bad Gateway</html>"}));
}

// libcurl itself repeats once what broke on a connection that it had used before, so two resets of
// a blob are one failure here.
TEST(PushFaults, BlobPutReset) {
    survives_push(first(4, "PUT", "/blobs/", {.reset = true}));
}

TEST(PushFaults, BlobPutStalls) {
    survives_push(first(1, "PUT", "/blobs/", {.stall = true}));
}

TEST(PushFaults, Post500) {
    survives_push(first(1, "POST", "/blobs/uploads/", {.status = 500}));
}

TEST(PushFaults, Head500) {
    survives_push(first(1, "HEAD", "/manifests/", {.status = 500}));
}

TEST(PushFaults, ManifestPut500) {
    survives_push(first(1, "PUT", "/manifests/", {.status = 500}));
}

TEST(PushFaults, ManifestPut503) {
    survives_push(first(3, "PUT", "/manifests/", {.status = 503}), 3);
}

TEST(PushFaults, ManifestPut429WaitsAsLongAsItIsAskedTo) {
    FakeRegistry registry(
        first(1, "PUT", "/manifests/", {.status = 429, .headers = {{"Retry-After", "5"}}}));
    Client client;
    client.push(registry.host(), image());
    ASSERT_EQ(client.waits.size(), 1U);
    EXPECT_EQ(client.waits[0], 5s);
}

TEST(PushFaults, WhatArrivedBeforeAResetIsFoundAndNotSentAgain) {
    const std::string layer = image().blobs[0].descriptor.digest;
    FakeRegistry* self = nullptr;
    int sent = 0;
    FakeRegistry registry([&](const SeenRequest& request) -> std::optional<Answer> {
        if (is(request, "PUT", "/blobs/") && request.query("digest") == layer) {
            ++sent;
            self->blobs[layer] = request.body;
            return Answer{.reset = true};
        }
        return std::nullopt;
    });
    self = &registry;
    Client client;
    client.push(registry.host(), image());
    EXPECT_EQ(registry.manifests["v1"], image().manifest.bytes);
    EXPECT_LE(sent, 2);
    EXPECT_EQ(registry.count("HEAD", "/blobs/"), 1);
}

TEST(PushFaults, ASessionThatTheRegistryForgotBeginsAnew) {
    survives_push(first(1, "PUT", "/blobs/",
                        {.status = 404, .body = R"({"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]})"}));
}

TEST(PushFaults, EndsAfterSixAttempts) {
    FakeRegistry registry(first(100, "PUT", "/manifests/", {.status = 503}));
    Client client;
    EXPECT_NE(client.push_error(registry.host(), image()).find("answered 503"), std::string::npos);
    EXPECT_EQ(registry.count("PUT", "/manifests/"), 6);
}

TEST(PushFaults, NoLocationIsAClearError) {
    FakeRegistry registry(first(9, "POST", "/blobs/uploads/", {.status = 202}));
    Client client;
    EXPECT_NE(client.push_error(registry.host(), image()).find("said no Location"),
              std::string::npos);
}

TEST(PushFaults, ALocationElsewhereGetsTheBlobAndNoCredential) {
    const test::FaultServer storage([](const SeenRequest&) { return Answer{.status = 201}; });
    std::string token_url;
    FakeRegistry registry([&](const SeenRequest& request) -> std::optional<Answer> {
        if (request.path() == "/token") {
            return Answer{.body = R"({"token":"secret"})"};
        }
        if (!header(request.headers, "Authorization")) {
            return Answer{.status = 401,
                          .headers = {{"WWW-Authenticate",
                                       "Bearer realm=\"" + token_url + "\",service=\"s\""}}};
        }
        if (is(request, "POST", "/blobs/uploads/")) {
            return Answer{.status = 202, .headers = {{"Location", storage.url("/up?sig=1")}}};
        }
        return std::nullopt;
    });
    token_url = registry.url("/token");
    Client client;
    client.push(registry.host(), image());
    ASSERT_EQ(storage.seen().size(), 2U);
    for (const auto& request : storage.seen()) {
        EXPECT_FALSE(header(request.headers, "Authorization"));
        EXPECT_EQ(request.query("sig"), "1");
    }
}

TEST(PushFaults, ATokenThatExpiresUnderWayIsRenewed) {
    int tokens = 0;
    bool expired = false;
    std::string token_url;
    FakeRegistry registry([&](const SeenRequest& request) -> std::optional<Answer> {
        if (request.path() == "/token") {
            return Answer{.body = "{\"token\":\"t" + std::to_string(++tokens) + "\"}"};
        }
        const auto given = header(request.headers, "Authorization");
        expired = expired || is(request, "PUT", "/blobs/");
        if (!given || (expired && *given == "Bearer t1")) {
            return Answer{.status = 401,
                          .headers = {{"WWW-Authenticate", "Bearer realm=\"" + token_url + "\""}}};
        }
        return std::nullopt;
    });
    token_url = registry.url("/token");
    Client client;
    client.push(registry.host(), image());
    EXPECT_EQ(registry.manifests["v1"], image().manifest.bytes);
    EXPECT_EQ(tokens, 2);
}

TEST(PushFaults, BasicCredentialsGoToTheirHostOnly) {
    FakeRegistry registry([&](const SeenRequest& request) -> std::optional<Answer> {
        if (header(request.headers, "Authorization") != "Basic dXNlcjpwdw==") {
            return Answer{.status = 401, .headers = {{"WWW-Authenticate", "Basic realm=\"r\""}}};
        }
        return std::nullopt;
    });
    Client client({{"WASMPLUG_USERNAME", "user"}, {"WASMPLUG_PASSWORD", "pw"}});
    client.push(registry.host(), image());
    EXPECT_EQ(registry.blobs.size(), 2U);
    Client nobody;
    const std::string error = nobody.push_error(registry.host(), image());
    EXPECT_NE(error.find("answered 401"), std::string::npos) << error;
    EXPECT_NE(error.find("wasmplug login"), std::string::npos) << error;
}

TEST(PushFaults, ATokenServerThatAnswersAPageIsNamed) {
    std::string token_url;
    FakeRegistry registry([&](const SeenRequest& request) -> std::optional<Answer> {
        if (request.path() == "/token") {
            return Answer{.body = "<html><title>Sign in</title></html>"};
        }
        return Answer{.status = 401,
                      .headers = {{"WWW-Authenticate", "Bearer realm=\"" + token_url + "\""}}};
    });
    token_url = registry.url("/token");
    Client client;
    const std::string error = client.push_error(registry.host(), image());
    EXPECT_NE(error.find("something that is no token"), std::string::npos) << error;
}

TEST(PushFaults, A401WithoutAChallengeIsAnError) {
    FakeRegistry registry([](const SeenRequest&) { return Answer{.status = 401}; });
    Client client;
    EXPECT_NE(client.push_error(registry.host(), image()).find("answered 401"), std::string::npos);
}

TEST(PushFaults, A403IsSaidInTheRegistrysWords) {
    FakeRegistry registry(
        first(99, "POST", "/blobs/uploads/",
              {.status = 403, .body = R"({"errors":[{"code":"DENIED","message":"no write"}]})"}));
    Client client;
    const std::string error = client.push_error(registry.host(), image());
    EXPECT_NE(error.find("answered 403 (denied: no write)"), std::string::npos) << error;
    EXPECT_EQ(registry.count("POST", "/blobs/uploads/"), 2) << "one for each blob, none again";
}

TEST(PushFaults, A413IsSentInParts) {
    FakeRegistry registry([](const SeenRequest& request) -> std::optional<Answer> {
        if (is(request, "PUT", "/blobs/") && !request.body.empty()) {
            return Answer{.status = 413};
        }
        return std::nullopt;
    });
    Client client;
    client.push(registry.host(), image());
    EXPECT_EQ(registry.blobs.size(), 2U);
    EXPECT_EQ(registry.count("PATCH", "/blobs/"), 2);
}

TEST(PushFaults, AnInterruptCancelsTheUpload) {
    CancelSource stop;
    FakeRegistry registry([&](const SeenRequest& request) -> std::optional<Answer> {
        if (is(request, "PUT", "/blobs/")) {
            stop.request();
            return Answer{.stall = true};
        }
        return std::nullopt;
    });
    Client client;
    client.services.cancel = stop.token();
    client.options.stall_timeout = 60s;
    try {
        client.push(registry.host(), image());
        FAIL() << "pushed";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::interrupted);
    }
    EXPECT_EQ(registry.count("DELETE", "/blobs/uploads/"), 2);
    EXPECT_TRUE(registry.uploads.empty());
}

TEST(PushFaults, AMountThatIsRefusedBecomesAnUpload) {
    // 0: the usual 202, which begins an upload; 202: one without a Location.
    for (const int status : {401, 404, 405, 500, 202, 0}) {
        FakeRegistry registry([&](const SeenRequest& request) -> std::optional<Answer> {
            if (!request.query("mount").empty() && status != 0) {
                return Answer{.status = status};
            }
            return std::nullopt;
        });
        Client client;
        Image mounted = image();
        for (auto& blob : mounted.blobs) {
            blob.mount_from = "acme/other";
        }
        client.push(registry.host(), mounted);
        EXPECT_EQ(registry.blobs.size(), 2U) << status;
    }
}

TEST(PushFaults, AMountedBlobIsNotOpened) {
    FakeRegistry registry;
    registry.allow_mount = true;
    Client client;
    Image mounted = image();
    for (auto& blob : mounted.blobs) {
        registry.blobs[blob.descriptor.digest] = "";
        blob.mount_from = "acme/other";
        blob.open = []() -> BodySource {
            throw Error("was opened");
        };
    }
    client.push(registry.host(), mounted);
    EXPECT_EQ(registry.count("PUT", "/blobs/"), 0);
}

// Pulling.

class PullFaults : public testing::Test {
  protected:
    static void fill(FakeRegistry& registry, const Image& image) {
        for (const auto& blob : image.blobs) {
            std::string bytes;
            read_all(blob.open(), [&](std::string_view part) { bytes += part; });
            registry.blobs[blob.descriptor.digest] = bytes;
        }
        registry.manifests["v1"] = registry.manifests[image.manifest.digest] = image.manifest.bytes;
        registry.types[image.manifest.digest] = image.manifest.media_type;
    }

    static Image large() {
        Image image = test::small_image("large");
        std::string text;
        for (int i = 0; i < 20'000; ++i) {
            text += std::to_string(i);
        }
        image.blobs[0] = test::text_blob(text, "application/x");
        return image;
    }

    // The layer, or what went wrong.
    static std::string pull(FakeRegistry& registry, Client& client, const Image& image) {
        std::string bytes;
        try {
            const auto store = client.open(registry.host(), Access::pull);
            if (!store->manifest("v1")) {
                return "no manifest";
            }
            store->read_blob(image.blobs[0].descriptor,
                             [&](std::string_view part) { bytes += part; });
        } catch (const Error& error) {
            return error.full_message();
        }
        return sha256_digest(bytes) == image.blobs[0].descriptor.digest ? "good" : "bad";
    }

    static std::string pull_with(const FakeRegistry::Fault& fault, bool ignore_range = false) {
        FakeRegistry registry(fault);
        const Image image = large();
        fill(registry, image);
        registry.ignore_range = ignore_range;
        Client client;
        return pull(registry, client, image);
    }

    static std::string layer() {
        std::string text;
        read_all(large().blobs[0].open(), [&](std::string_view part) { text += part; });
        return text;
    }
};

TEST_F(PullFaults, BlobGet500) {
    EXPECT_EQ(pull_with(first(1, "GET", "/blobs/", {.status = 500})), "good");
}

TEST_F(PullFaults, ManifestGet429) {
    EXPECT_EQ(pull_with(first(1, "GET", "/manifests/",
                              {.status = 429, .headers = {{"Retry-After", "1"}}})),
              "good");
}

TEST_F(PullFaults, CutOnceGoesOnWhereItBroke) {
    FakeRegistry registry(
        first(1, "GET", "/blobs/", {.body = layer(), .cut_after = layer().size() / 2}));
    fill(registry, large());
    Client client;
    EXPECT_EQ(pull(registry, client, large()), "good");
    EXPECT_TRUE(header(registry.seen().back().headers, "Range"));
}

TEST_F(PullFaults, CutOnceWhereTheRangeIsIgnored) {
    EXPECT_EQ(
        pull_with(first(1, "GET", "/blobs/", {.body = layer(), .cut_after = layer().size() / 2}),
                  true),
        "good");
}

TEST_F(PullFaults, CutEveryTimeStillArrives) {
    const std::string text = layer();
    EXPECT_EQ(
        pull_with([&](const SeenRequest& request) -> std::optional<Answer> {
            if (!is(request, "GET", "/blobs/")) {
                return std::nullopt;
            }
            const auto range = header(request.headers, "Range");
            const std::size_t from = range ? std::stoul(range->substr(6)) : 0;
            const std::string rest = text.substr(from);
            return Answer{
                .status = range ? 206 : 200,
                .headers = {{"Content-Range", "bytes " + std::to_string(from) + "-x/y"}},
                .body = rest,
                .cut_after = rest.size() < 9'000 ? std::nullopt : std::optional(rest.size() / 2)};
        }),
        "good");
}

TEST_F(PullFaults, SeveralBlobsAtOnceGoOnEachWhereItBroke) {
    Image image = large();
    image.blobs[1] = test::text_blob(std::string(70'000, 'c'), "application/y");
    std::set<std::string> cut;
    FakeRegistry registry([&](const SeenRequest& request) -> std::optional<Answer> {
        if (!is(request, "GET", "/blobs/") || !cut.insert(request.path()).second) {
            return std::nullopt;
        }
        const std::string digest = request.path().substr(request.path().rfind('/') + 1);
        return Answer{.body = registry.blobs.at(digest), .cut_after = 10'000};
    });
    fill(registry, image);
    Client client;
    const auto store = client.open(registry.host(), Access::pull);
    std::vector<std::string> got(image.blobs.size());
    std::vector<BlobRead> reads;
    for (std::size_t i = 0; i < got.size(); ++i) {
        reads.push_back(
            {.blob = image.blobs[i].descriptor, .sink = [&got, i](std::string_view part) {
                 got[i] += part;
             }});
    }
    store->read_blobs(reads);
    for (std::size_t i = 0; i < got.size(); ++i) {
        EXPECT_EQ(sha256_digest(got[i]), image.blobs[i].descriptor.digest);
    }
    EXPECT_EQ(registry.count("GET", "/blobs/"), 4);
}

TEST_F(PullFaults, OneMissingBlobAmongSeveralIsAnError) {
    const Image image = large();
    FakeRegistry registry;
    fill(registry, image);
    registry.blobs.erase(image.blobs[1].descriptor.digest);
    Client client;
    const auto store = client.open(registry.host(), Access::pull);
    const Sink nowhere = [](std::string_view) {
    };
    EXPECT_THROW(store->read_blobs({{.blob = image.blobs[0].descriptor, .sink = nowhere},
                                    {.blob = image.blobs[1].descriptor, .sink = nowhere}}),
                 Error);
}

TEST_F(PullFaults, AStallIsNoticedAndSurvived) {
    EXPECT_EQ(pull_with(first(1, "GET", "/blobs/", {.body = layer(), .stall_after = 1000})),
              "good");
}

TEST_F(PullFaults, AFlippedByteIsRefused) {
    std::string flipped = layer();
    flipped[100] ^= 1;
    EXPECT_NE(pull_with(first(99, "GET", "/blobs/", {.body = flipped})).find("is damaged"),
              std::string::npos);
}

TEST_F(PullFaults, ALongerBlobIsRefused) {
    EXPECT_NE(pull_with(first(99, "GET", "/blobs/", {.body = layer() + "x"})).find("more than"),
              std::string::npos);
}

TEST_F(PullFaults, APartThatWasNotAskedForIsRefused) {
    int n = 0;
    const std::string text = layer();
    EXPECT_NE(pull_with([&](const SeenRequest& request) -> std::optional<Answer> {
                  if (!is(request, "GET", "/blobs/")) {
                      return std::nullopt;
                  }
                  if (n++ == 0) {
                      return Answer{.body = text, .cut_after = 5000};
                  }
                  return Answer{.status = 206,
                                .headers = {{"Content-Range", "bytes 1-x/y"}},
                                .body = text.substr(1)};
              }).find("another part"),
              std::string::npos);
}

TEST_F(PullFaults, AManifestThatIsNotItsDigestIsRefused) {
    const auto lie =
        first(99, "GET", "/manifests/",
              {.headers = {{"Docker-Content-Digest", "sha256:" + std::string(64, '0')}},
               .body = image().manifest.bytes});
    EXPECT_NE(pull_with(lie).find("is damaged"), std::string::npos);
}

TEST_F(PullFaults, ARedirectToAnotherHostCarriesNoCredential) {
    const test::FaultServer storage([](const SeenRequest&) { return Answer{.body = layer()}; });
    FakeRegistry registry([&](const SeenRequest& request) -> std::optional<Answer> {
        if (!header(request.headers, "Authorization")) {
            return Answer{.status = 401, .headers = {{"WWW-Authenticate", "Basic realm=\"r\""}}};
        }
        if (is(request, "GET", "/blobs/")) {
            return Answer{.status = 307, .headers = {{"Location", storage.url("/blob?sig=1")}}};
        }
        return std::nullopt;
    });
    fill(registry, large());
    Client client({{"WASMPLUG_USERNAME", "user"}, {"WASMPLUG_PASSWORD", "pw"}});
    EXPECT_EQ(pull(registry, client, large()), "good");
    EXPECT_FALSE(header(storage.seen().at(0).headers, "Authorization"));
}

TEST_F(PullFaults, TagsFollowPagesAndDropWhatIsNone) {
    FakeRegistry registry([](const SeenRequest& request) -> std::optional<Answer> {
        if (!is(request, "GET", "/tags/list")) {
            return std::nullopt;
        }
        if (request.query("last").empty()) {
            return Answer{.headers = {{"Link", "</v2/acme/auth/tags/list?last=b>; rel=\"next\""}},
                          .body = R"({"tags":["b","a",null,"sha256:1"]})"};
        }
        return Answer{.headers = {{"Link", "</v2/acme/auth/tags/list?last=b>; rel=\"next\""}},
                      .body = R"({"tags":["c","a"]})"};
    });
    Client client;
    EXPECT_EQ(client.open(registry.host(), Access::pull)->tags(),
              (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_EQ(registry.log().size(), 2U) << "a loop of pages ends";
}

TEST_F(PullFaults, NoTagsAreNone) {
    FakeRegistry registry(first(9, "GET", "/tags/list", {.body = R"({"name":"a","tags":null})"}));
    Client client;
    EXPECT_TRUE(client.open(registry.host(), Access::pull)->tags().empty());
}

}  // namespace
}  // namespace wasmplug::oci
