// The rest of the fault table, one row each: what goes wrong, and what has to come of it. The
// measured rows of the peers stand in faults_test.cpp, reading in pull_table_test.cpp, certificates
// and proxies in tls_test.cpp.
#include <gtest/gtest.h>

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

// The registry, a host that it must not trust the client's credentials to, and what happened.
struct Scene {
    FakeRegistry* registry = nullptr;
    test::FaultServer* elsewhere = nullptr;
    int step = 0;  // for a row's own use

    std::string own(const std::string& path) const { return registry->url(path); }

    std::string foreign(const std::string& path) const { return elsewhere->url(path); }
};

struct Row {
    const char* name;
    std::function<Given(Scene&, const SeenRequest&)> fault;
    const char* outcome;      // "pushed", or a part of the message
    bool patches = false;     // the blobs have to come in parts
    std::uint64_t chunk = 0;  // --chunk
};

const std::string layer_text(10'000, 'l');
constexpr auto always = &test::always<Scene>;

Image image() {
    return test::image_of(layer_text);
}

// 401 with this header unless the request has a credential; the token server answers `token`.
std::function<Given(Scene&, const SeenRequest&)> challenged(
    const std::function<std::string(const Scene&)>& challenge, const Answer& token = {}) {
    return [=](Scene& scene, const SeenRequest& request) -> Given {
        if (request.path() == "/token") {
            return token;
        }
        if (header(request.headers, "Authorization")) {
            return std::nullopt;
        }
        return Answer{.status = 401, .headers = {{"WWW-Authenticate", challenge(scene)}}};
    };
}

std::string own_realm(const Scene& scene) {
    return "Bearer realm=\"" + scene.own("/token") + "\",service=\"s\"";
}

std::function<Given(Scene&, const SeenRequest&)> token_server(const Answer& token) {
    return challenged(own_realm, token);
}

// Every upload begins with this Location; a "%" stands for the one of the usual answer.
std::function<Given(Scene&, const SeenRequest&)> location(
    const std::function<std::string(const Scene&, const std::string& usual)>& made) {
    return [=](Scene& scene, const SeenRequest& request) -> Given {
        if (request.method != "POST") {
            return std::nullopt;
        }
        Answer usual = scene.registry->usual(request);
        for (auto& [name, value] : usual.headers) {
            if (name == "Location") {
                value = made(scene, value);
            }
        }
        return usual;
    };
}

// A redirect of this status, once for each request, from and to the registry itself.
std::function<Given(Scene&, const SeenRequest&)> redirected(const char* method, int status) {
    return [=](Scene&, const SeenRequest& request) -> Given {
        if (request.method != method || !request.query("again").empty()) {
            return std::nullopt;
        }
        const char* sign = request.target.find('?') == std::string::npos ? "?" : "&";
        return Answer{.status = status,
                      .headers = {{"Location", request.target + sign + "again=1"}}};
    };
}

std::function<Given(Scene&, const SeenRequest&)> least_chunk(const std::string& value) {
    return [=](Scene& scene, const SeenRequest& request) -> Given {
        if (request.method != "POST") {
            return std::nullopt;
        }
        Answer usual = scene.registry->usual(request);
        usual.headers.emplace_back("OCI-Chunk-Min-Length", value);
        return usual;
    };
}

const Row push_rows[] = {
    // Authentication.
    {"AnUnknownScheme", challenged([](const Scene&) { return "Negotiate"; }), "answered 401"},
    {"TwoChallengesOfWhichOneIsKnown",
     challenged([](const Scene&) { return "Negotiate, Basic realm=\"r\""; }), "pushed"},
    {"ARealmAtTheMetadataAddress",
     challenged([](const Scene&) { return "Bearer realm=\"http://169.254.169.254/token\""; }),
     "cannot be trusted with credentials"},
    {"ARealmAtTheMetadataAddressInDisguise",
     challenged([](const Scene&) { return "Bearer realm=\"http://2852039166/token\""; }),
     "cannot be trusted with credentials"},
    {"ARealmThatIsNoUrl", challenged([](const Scene&) { return "Bearer realm=\"file:///x\""; }),
     "cannot be trusted with credentials"},
    {"ATokenAnswerWithoutAToken", token_server({.body = "{\"expires_in\":300}"}),
     "answered without a token"},
    {"ATokenAnswerThatIsAList", token_server({.body = "[]"}), "answered without a token"},
    {"ATokenServerThatSays400",
     token_server({.status = 400, .body = R"({"error":"invalid_scope"})"}),
     "answered 400 (invalid_scope)"},
    {"ATokenServerThatSays401", token_server({.status = 401}), "answered 401"},
    {"ATokenServerThatSays403", token_server({.status = 403}), "answered 403"},
    {"ATokenServerWithAnEndlessAnswer", token_server({.body = std::string(2 << 20, 'x')}),
     "more than"},
    {"AnAccessTokenInPlaceOfAToken", token_server({.body = R"({"access_token":"t"})"}), "pushed"},
    {"ATokenServerThatFailsOnce",
     [](Scene& scene, const SeenRequest& request) -> Given {
         if (request.path() == "/token") {
             return scene.step++ == 0 ? Answer{.status = 503}
                                      : Answer{.body = R"({"token":"t"})"};
         }
         if (!header(request.headers, "Authorization")) {
             return Answer{.status = 401, .headers = {{"WWW-Authenticate", own_realm(scene)}}};
         }
         return std::nullopt;
     },
     "pushed"},
    {"AScopeThatGrowsUnderWay",
     [](Scene& scene, const SeenRequest& request) -> Given {
         if (request.path() == "/token") {
             return Answer{.body = "{\"token\":\"t" + std::to_string(++scene.step) + "\"}"};
         }
         const auto given = header(request.headers, "Authorization");
         if (!given || (request.method == "POST" && *given == "Bearer t1")) {
             return Answer{.status = 401,
                           .headers = {{"WWW-Authenticate",
                                        own_realm(scene) + ",error=\"insufficient_scope\""}}};
         }
         return std::nullopt;
     },
     "pushed"},
    {"A401ThatNeverEnds",
     [](Scene& scene, const SeenRequest& request) -> Given {
         return request.path() == "/token"
                    ? Answer{.body = R"({"token":"t"})"}
                    : Answer{.status = 401, .headers = {{"WWW-Authenticate", own_realm(scene)}}};
     },
     "answered 401"},
    // Locations.
    {"ARelativeLocation",
     location([](const Scene&, const std::string& usual) { return usual; }), "pushed"},
    {"AnAbsoluteLocation",
     location([](const Scene& scene, const std::string& usual) { return scene.own(usual); }),
     "pushed"},
    {"ALocationOfAQueryOnly",
     [](Scene& scene, const SeenRequest& request) -> Given {
         const std::string session = request.query("session");
         if (request.method == "POST") {
             const Answer usual = scene.registry->usual(request);
             const std::string place = *header(usual.headers, "Location");
             const std::string name = place.substr(0, place.find('?'));
             return Answer{.status = 202,
                           .headers = {{"Location",
                                        "?session=" + name.substr(name.rfind('/') + 1)}}};
         }
         if (request.method == "PUT" && !session.empty()) {
             SeenRequest inner = request;
             inner.target = request.path() + session + "?digest=" + request.query("digest");
             return scene.registry->usual(inner);
         }
         return std::nullopt;
     },
     "pushed"},
    {"ALocationWithAUserInIt",
     location([](const Scene& scene, const std::string& usual) {
         return "http://somebody:secret@" + scene.registry->host() + usual;
     }),
     "pushed"},
    {"ALocationWithAFragment",
     location([](const Scene&, const std::string& usual) { return usual + "#part"; }), "pushed"},
    {"ALocationOfTenKilobytes",
     location([](const Scene&, const std::string& usual) {
         return usual + "&long=" + std::string(10'000, 'x');
     }),
     "pushed"},
    {"ALocationOfTwentyKilobytes",
     location([](const Scene&, const std::string& usual) {
         return usual + "&long=" + std::string(20'000, 'x');
     }),
     "named a Location of"},
    {"ALocationAtTheMetadataAddress",
     location([](const Scene&, const std::string&) { return "http://169.254.169.254/x"; }),
     "which is not safe"},
    {"ALocationThatIsNoUrl",
     location([](const Scene&, const std::string&) { return "ftp://x/y"; }), "ftp"},
    // Redirects.
    {"Post307", redirected("POST", 307), "pushed"},
    {"Post308", redirected("POST", 308), "pushed"},
    {"Put307", redirected("PUT", 307), "pushed"},
    {"Put308", redirected("PUT", 308), "pushed"},
    {"Head307", redirected("HEAD", 307), "pushed"},
    {"ARedirectWithoutEnd",
     [](Scene&, const SeenRequest& request) -> Given {
         return request.method == "POST"
                    ? Given(Answer{.status = 307, .headers = {{"Location", request.target}}})
                    : std::nullopt;
     },
     "redirect"},
    // Uploads.
    {"ABlobThatIsStoredAsAnother",
     always("PUT", "/blobs/",
            {.status = 201,
             .headers = {{"Docker-Content-Digest", "sha256:" + std::string(64, '0')}}}),
     "stored sha256:"},
    {"A204ForABlob",
     [](Scene& scene, const SeenRequest& request) -> Given {
         if (!is(request, "PUT", "/blobs/")) {
             return std::nullopt;
         }
         scene.registry->usual(request);
         return Answer{.status = 204};
     },
     "pushed"},
    {"APutThatIsRefusedByMethod",
     [](Scene&, const SeenRequest& request) -> Given {
         return is(request, "PUT", "/blobs/") && !request.body.empty()
                    ? Given(Answer{.status = 405})
                    : std::nullopt;
     },
     "pushed", true},
    {"AWrongDigest",
     always("PUT", "/blobs/",
            {.status = 400,
             .body = R"({"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match"}]})"}),
     "did not match"},
    {"AWarning",
     [](Scene& scene, const SeenRequest& request) -> Given {
         Answer usual = scene.registry->usual(request);
         usual.headers.emplace_back("Warning", "299 - \"goes away soon\"");
         return usual;
     },
     "pushed"},
    // Parts.
    {"PartsOfAtLeastFiveMegabytes", least_chunk("5242880"), "pushed", true, 1000},
    {"PartsOfALeastLengthThatIsNoNumber", least_chunk("many"), "pushed", true, 1000},
    {"PartsOfAHugeLeastLength", least_chunk("999999999999"), "pushed", true, 1000},
    {"Patch201",
     [](Scene& scene, const SeenRequest& request) -> Given {
         if (request.method != "PATCH") {
             return std::nullopt;
         }
         Answer usual = scene.registry->usual(request);
         usual.status = 201;
         return usual;
     },
     "pushed", true, 1000},
    {"PatchWithARangeThatStands",
     [](Scene& scene, const SeenRequest& request) -> Given {
         if (request.method != "PATCH") {
             return std::nullopt;
         }
         Answer usual = scene.registry->usual(request);
         usual.headers.emplace_back("Range", "0-9");
         return usual;
     },
     "pushed", true, 1000},
    {"Patch416AndTheSessionIsOutOfStep",
     [](Scene& scene, const SeenRequest& request) -> Given {
         return request.method == "PATCH" && scene.step++ == 2 ? Given(Answer{.status = 416})
                                                               : std::nullopt;
     },
     "pushed", true, 1000},
    {"Patch500AndTheSessionIsDead",
     [](Scene& scene, const SeenRequest& request) -> Given {
         return request.method == "PATCH" && scene.step++ == 2 ? Given(Answer{.status = 500})
                                                               : std::nullopt;
     },
     "pushed", true, 1000},
    // Manifests.
    {"Manifest413", always("PUT", "/manifests/", {.status = 413}), "answered 413"},
    {"AManifestThatIsTooLarge",
     always("PUT", "/manifests/",
            {.status = 400,
             .body = R"({"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid","detail":"http: request body too large"}]})",
             .close = true}),
     "manifest invalid"},
    {"AManifestThatIsStoredAsAnother",
     always("PUT", "/manifests/",
            {.status = 201,
             .headers = {{"Docker-Content-Digest", "sha256:" + std::string(64, '0')}}}),
     "stored the manifest as"},
    {"AManifestWhoseBlobIsMissing",
     always("PUT", "/manifests/",
            {.status = 400,
             .body = R"({"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry","detail":"sha256:1"}]})"}),
     "blob unknown"},
    // The network.
    {"HeadersThatTrickle",
     [](Scene& scene, const SeenRequest& request) -> Given {
         if (request.method != "POST" || scene.step++ > 0) {
             return std::nullopt;
         }
         Answer slow = scene.registry->usual(request);
         slow.trickle = std::chrono::milliseconds(1);
         return slow;
     },
     "pushed"},
    {"AResetBeforeTheAnswer",
     [](Scene& scene, const SeenRequest& request) -> Given {
         return request.method == "POST" && scene.step++ < 4 ? Given(Answer{.reset = true})
                                                             : std::nullopt;
     },
     "pushed"},
    {"AConnectionThatIsClosedEachTime",
     [](Scene& scene, const SeenRequest& request) -> Given {
         Answer usual = scene.registry->usual(request);
         usual.close = true;
         return usual;
     },
     "pushed"},
    {"AnAnswerThatIsNoHttp",
     always("POST", "/blobs/", {.raw = "SSH-2.0-OpenSSH_9.2\r\n"}),
     "something that is not HTTP"},
    {"AStallThatNeverEnds", always("POST", "/blobs/", {.stall = true}), "moved no byte"},
};

class PushRows : public testing::TestWithParam<Row> {};

TEST_P(PushRows, EndAsTheyHaveTo) {
    const Row& row = GetParam();
    Scene scene;
    test::FaultServer elsewhere([](const SeenRequest&) { return Answer{.status = 201}; });
    scene.elsewhere = &elsewhere;
    FakeRegistry registry([&](const SeenRequest& request) -> Given {
        return scene.registry == nullptr ? std::nullopt : row.fault(scene, request);
    });
    scene.registry = &registry;
    Client client({{"WASMPLUG_USERNAME", "user"}, {"WASMPLUG_PASSWORD", "pw-secret"}});
    client.options.chunk = row.chunk;
    const std::string outcome = client.push_error(registry.host(), image());
    EXPECT_NE(outcome.find(row.outcome), std::string::npos) << outcome;
    EXPECT_EQ(outcome.find("secret"), std::string::npos) << outcome;
    EXPECT_EQ(client.text().find("secret"), std::string::npos) << client.text();
    if (outcome == "pushed") {
        EXPECT_EQ(registry.manifests["v1"], image().manifest.bytes);
        EXPECT_EQ(registry.blobs[image().blobs[0].descriptor.digest], layer_text);
        EXPECT_TRUE(registry.uploads.empty()) << "a session was left";
    }
    EXPECT_EQ(registry.count("PATCH", "/blobs/") > 0, row.patches);
    EXPECT_TRUE(elsewhere.seen().empty());
    EXPECT_LT(registry.log().size(), 200U);
}

void PrintTo(const Row& row, std::ostream* out) {
    *out << row.name;
}

INSTANTIATE_TEST_SUITE_P(Table, PushRows, testing::ValuesIn(push_rows),
                         [](const auto& made) { return std::string(made.param.name); });

// Redirects and Locations that leave the registry take the bytes, and never a credential.
struct Leaving {
    const char* name;
    const char* method;
    int status;
};

class LeavingRows : public testing::TestWithParam<Leaving> {};

TEST_P(LeavingRows, CarryNoCredential) {
    const auto& row = GetParam();
    FakeRegistry store;  // on another port: another origin
    FakeRegistry registry([&](const SeenRequest& request) -> Given {
        if (!header(request.headers, "Authorization")) {
            return Answer{.status = 401, .headers = {{"WWW-Authenticate", "Basic realm=\"r\""}}};
        }
        return request.method == row.method
                   ? Given(Answer{.status = row.status,
                                  .headers = {{"Location", store.url(request.target)}}})
                   : std::nullopt;
    });
    Client client({{"WASMPLUG_USERNAME", "user"}, {"WASMPLUG_PASSWORD", "pw"}});
    client.push_error(registry.host(), image());
    ASSERT_FALSE(store.seen().empty());
    for (const auto& request : store.seen()) {
        EXPECT_FALSE(header(request.headers, "Authorization")) << request.target;
    }
}

INSTANTIATE_TEST_SUITE_P(Table, LeavingRows,
                         testing::Values(Leaving{"Head307", "HEAD", 307},
                                         Leaving{"Post307", "POST", 307},
                                         Leaving{"Post308", "POST", 308},
                                         Leaving{"Put307", "PUT", 307},
                                         Leaving{"Put308", "PUT", 308}),
                         [](const auto& made) { return std::string(made.param.name); });

}  // namespace
}  // namespace wasmplug::oci
