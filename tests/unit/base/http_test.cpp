#include "base/http.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "tests/support/fault_server.hpp"

namespace wasmplug {
namespace {

using namespace std::chrono_literals;
using test::Answer;
using test::FaultServer;
using test::SeenRequest;

HttpError::Kind failure_of(const HttpRequest& request) {
    HttpClient client("test");
    try {
        client.send(request, {});
    } catch (const HttpError& error) {
        return error.kind();
    }
    ADD_FAILURE() << "was answered";
    return HttpError::Kind::bad_url;
}

HttpRequest get(const std::string& url) {
    HttpRequest request;
    request.url = url;
    request.stall_timeout = 200ms;
    return request;
}

Answer redirect_to(const std::string& url, int status = 307) {
    return {.status = status, .headers = {{"Location", url}}};
}

TEST(Http, ReturnsStatusHeadersAndBodyOfAnyAnswer) {
    const FaultServer server([](const SeenRequest&) {
        return Answer{.status = 404, .headers = {{"X-Two", "a"}, {"x-two", "b"}}, .body = "gone"};
    });
    HttpClient client("wasmplug/test");
    const auto response = client.send(get(server.url("/x?y=1")), {});
    EXPECT_EQ(response.status, 404);
    EXPECT_EQ(response.body, "gone");
    EXPECT_EQ(header(response.headers, "X-TWO"), "a");
    EXPECT_EQ(std::ranges::count_if(response.headers,
                                    [](const auto& field) { return field.second == "b"; }),
              1);
    EXPECT_EQ(server.seen().at(0).target, "/x?y=1");
    EXPECT_EQ(header(server.seen().at(0).headers, "User-Agent"), "wasmplug/test");
    EXPECT_FALSE(header(server.seen().at(0).headers, "Authorization"));
}

TEST(Http, KeepsItsConnection) {
    const FaultServer server([](const SeenRequest&) { return Answer{}; });
    HttpClient client("test");
    for (int i = 0; i < 3; ++i) {
        client.send(get(server.url()), {});
    }
    EXPECT_EQ(server.seen().at(2).connection, 0);
}

TEST(Http, SendsABodyWithItsLengthAndWithoutExpect) {
    const FaultServer server([](const SeenRequest&) { return Answer{.status = 201}; });
    HttpClient client("test");
    HttpRequest request = get(server.url());
    request.method = "PUT";
    const std::string text(3'000'000, 'x');
    request.body = body_of(text);
    std::uint64_t sent = 0;
    request.on_sent = [&](std::uint64_t now, std::uint64_t) {
        sent = now;
    };
    EXPECT_EQ(client.send(request, {}).status, 201);
    EXPECT_EQ(sent, text.size());
    EXPECT_EQ(server.seen().at(0).body, text);
    EXPECT_FALSE(header(server.seen().at(0).headers, "Expect"));
}

TEST(Http, SaysLengthZeroForAPostWithoutBody) {
    const FaultServer server([](const SeenRequest&) { return Answer{.status = 202}; });
    HttpClient client("test");
    HttpRequest request = get(server.url());
    request.method = "POST";
    client.send(request, {});
    EXPECT_EQ(header(server.seen().at(0).headers, "Content-Length"), "0");
    EXPECT_FALSE(header(server.seen().at(0).headers, "Content-Type"));
}

TEST(Http, SendsTheBodyAgainAfterATemporaryRedirect) {
    const FaultServer server([](const SeenRequest& seen) {
        return seen.path() == "/a" ? redirect_to("/b?c=d") : Answer{.status = 201};
    });
    HttpClient client("test");
    HttpRequest request = get(server.url("/a"));
    request.method = "PUT";
    request.body = body_of("hello");
    const auto response = client.send(request, {});
    EXPECT_EQ(response.status, 201);
    EXPECT_EQ(response.url, server.url("/b?c=d"));
    EXPECT_EQ(server.seen().at(1).body, "hello");
}

TEST(Http, LeavesAPostsMovedAnswerAlone) {
    const FaultServer server([](const SeenRequest&) { return redirect_to("/b", 302); });
    HttpClient client("test");
    HttpRequest request = get(server.url());
    request.method = "POST";
    EXPECT_EQ(client.send(request, {}).status, 302);
}

TEST(Http, DropsAuthorizationWhenARedirectLeavesTheOrigin) {
    const FaultServer other([&](const SeenRequest& seen) {
        const auto back = header(seen.headers, "X-Back");
        return back ? redirect_to(*back) : Answer{.body = "blob"};
    });
    const FaultServer server([&](const SeenRequest& seen) {
        return seen.path() == "/same" ? redirect_to("/away")
               : seen.path() == "/away"
                   ? redirect_to("http://user:pw@" + other.host() + "/blob#part")
                   : Answer{};
    });
    HttpClient client("test");
    HttpRequest request = get(server.url("/same"));
    request.authorization = Secret("Bearer secret");
    EXPECT_EQ(client.send(request, {}).body, "blob");
    EXPECT_EQ(header(server.seen().at(1).headers, "Authorization"), "Bearer secret");
    EXPECT_FALSE(header(other.seen().at(0).headers, "Authorization"));

    request.headers.emplace_back("X-Back", server.url("/home"));
    client.send(request, {});
    EXPECT_EQ(server.seen().back().path(), "/home");
    EXPECT_FALSE(header(server.seen().back().headers, "Authorization"))
        << "whoever redirects back chose the path";
}

TEST(Http, EndsARedirectLoop) {
    const FaultServer server([](const SeenRequest&) { return redirect_to("/again"); });
    EXPECT_EQ(failure_of(get(server.url())), HttpError::Kind::redirect);
    EXPECT_EQ(server.seen().size(), 11U);
}

TEST(Http, StreamsASuccessfulBodyToTheSinkAndKeepsAnErrorPage) {
    const FaultServer server([](const SeenRequest& seen) {
        return seen.path() == "/ok" ? Answer{.body = "stream"}
                                    : Answer{.status = 500, .body = "broken"};
    });
    HttpClient client("test");
    std::string streamed;
    HttpRequest request = get(server.url("/ok"));
    request.sink = [&](std::string_view part) {
        streamed += part;
    };
    EXPECT_EQ(client.send(request, {}).body, "");
    EXPECT_EQ(streamed, "stream");
    request.url = server.url("/no");
    EXPECT_EQ(client.send(request, {}).body, "broken");
    EXPECT_EQ(streamed, "stream");
}

TEST(Http, LetsTheSinkStopWithItsOwnError) {
    const FaultServer server([](const SeenRequest&) { return Answer{.body = "stream"}; });
    HttpClient client("test");
    HttpRequest request = get(server.url());
    request.sink = [](std::string_view) {
        throw Error("disk full");
    };
    try {
        client.send(request, {});
        FAIL() << "went on";
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "disk full");
    }
    request.sink = {};
    EXPECT_EQ(client.send(request, {}).body, "stream");
}

TEST(Http, RefusesABodyOverItsLimit) {
    const FaultServer server(
        [](const SeenRequest&) { return Answer{.body = std::string(1000, 'x')}; });
    HttpRequest request = get(server.url());
    request.body_limit = 999;
    EXPECT_EQ(failure_of(request), HttpError::Kind::too_large);
    request.body_limit = 1000;
    HttpClient client("test");
    EXPECT_EQ(client.send(request, {}).body.size(), 1000U);
}

TEST(Http, NamesEachWayToHaveNoAnswer) {
    const FaultServer server([](const SeenRequest& seen) -> Answer {
        if (seen.path() == "/reset") {
            return {.reset = true};
        }
        if (seen.path() == "/stall") {
            return {.stall = true};
        }
        if (seen.path() == "/half") {
            return {.body = "0123456789", .stall_after = 4};
        }
        return {.body = "0123456789", .cut_after = 4};
    });
    EXPECT_EQ(failure_of(get(server.url("/reset"))), HttpError::Kind::cut);
    EXPECT_EQ(failure_of(get(server.url("/stall"))), HttpError::Kind::stall);
    EXPECT_EQ(failure_of(get(server.url("/half"))), HttpError::Kind::stall);
    EXPECT_EQ(failure_of(get(server.url("/cut"))), HttpError::Kind::cut);
    EXPECT_EQ(failure_of(get("http://nowhere.invalid/")), HttpError::Kind::resolve);
    EXPECT_EQ(failure_of(get("ftp://127.0.0.1/")), HttpError::Kind::bad_url);
    EXPECT_EQ(failure_of(get("http://u:p@127.0.0.1/")), HttpError::Kind::bad_url);
    EXPECT_EQ(failure_of(get("https://" + server.host() + "/")), HttpError::Kind::tls);
    int free_port = 0;
    {
        const FaultServer gone([](const SeenRequest&) { return Answer{}; });
        free_port = gone.port();
    }
    EXPECT_EQ(failure_of(get("http://127.0.0.1:" + std::to_string(free_port))),
              HttpError::Kind::connect);
}

TEST(Http, NoticesAnUploadThatNobodyReads) {
    const FaultServer server([](const SeenRequest&) { return Answer{}; },
                             [](const SeenRequest&) { return Answer{.stall = true}; });
    HttpRequest request = get(server.url());
    request.method = "PUT";
    request.body =
        BodySource{.size = std::uint64_t{1} << 40, .read = [](std::uint64_t, std::span<char> into) {
                       return into.size();
                   }};
    CancelSource stop;
    HttpClient client("test");
    std::jthread later([&] {
        std::this_thread::sleep_for(50ms);
        stop.request();
    });
    try {
        client.send(request, stop.token());
        FAIL() << "was answered";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::interrupted);
    }
}

TEST(Http, GivesUpAtTheDeadline) {
    const FaultServer server([](const SeenRequest&) { return Answer{.stall = true}; });
    HttpClient client("test");
    HttpRequest request = get(server.url());
    request.stall_timeout = 60s;
    try {
        client.send(request, Cancel{}.within(50ms, "--timeout 50ms"));
        FAIL() << "was answered";
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "gave up after --timeout 50ms");
    }
}

TEST(Http, RefusesALineBreakInAHeader) {
    const FaultServer server([](const SeenRequest&) { return Answer{}; });
    HttpRequest request = get(server.url());
    request.headers = {{"X", "a\r\nY: b"}};
    EXPECT_EQ(failure_of(request), HttpError::Kind::bad_url);
    EXPECT_TRUE(server.seen().empty());
}

TEST(Http, AnswersAllRequestsOfABatchOnce) {
    const FaultServer server([](const SeenRequest& seen) -> Answer {
        if (seen.path() == "/3") {
            return {.reset = true};
        }
        return {.body = seen.path()};
    });
    HttpClient client("test");
    std::vector<HttpRequest> requests;
    for (int i = 0; i < 8; ++i) {
        requests.push_back(get(server.url("/" + std::to_string(i))));
    }
    std::vector<std::string> bodies(8);
    client.send_all(requests, 3,
                    [&](std::size_t i, HttpResponse* response, const HttpError* error) {
                        EXPECT_NE(response == nullptr, error == nullptr);
                        bodies[i] += response != nullptr ? response->body : "error";
                    },
                    {});
    EXPECT_EQ(bodies,
              (std::vector<std::string>{"/0", "/1", "/2", "error", "/4", "/5", "/6", "/7"}));
}

TEST(Http, ABatchEndsWithWhatItsCallbackThrows) {
    const FaultServer server([](const SeenRequest&) { return Answer{.body = "x"}; });
    HttpClient client("test");
    const std::vector<HttpRequest> requests(4, get(server.url()));
    EXPECT_THROW(
        client.send_all(requests, 2,
                        [](std::size_t, HttpResponse*, const HttpError*) { throw Error("enough"); },
                        {}),
        Error);
    EXPECT_EQ(client.send(get(server.url()), {}).body, "x");
}

TEST(Url, IsParsedStrictly) {
    const auto url = parse_url("HTTPS://GHCR.io/v2/a?b=c");
    ASSERT_TRUE(url);
    EXPECT_EQ(url->origin(), "https://ghcr.io:443");
    EXPECT_EQ(url->path, "/v2/a");
    EXPECT_EQ(url->query, "b=c");
    EXPECT_EQ(parse_url("http://[::1]:5000")->origin(), "http://[::1]:5000");
    EXPECT_EQ(parse_url("http://h")->path, "/");
    EXPECT_TRUE(parse_url("http://u@h/")->has_user);
    for (const char* bad :
         {"", "h", "/x", "ftp://h/", "http:/h", "http:///h", "http://", "http://a b/"}) {
        EXPECT_FALSE(parse_url(bad)) << bad;
    }
}

TEST(Url, ResolvesALocation) {
    const std::string base = "https://r.example/v2/a/blobs/uploads/?x=1";
    EXPECT_EQ(resolve_url(base, "/v2/up?_state=ab%2Fc"), "https://r.example/v2/up?_state=ab%2Fc");
    EXPECT_EQ(resolve_url(base, "?y=2"), "https://r.example/v2/a/blobs/uploads/?y=2");
    EXPECT_EQ(resolve_url(base, "https://u:p@cdn.example/b#c"), "https://cdn.example/b");
    EXPECT_EQ(resolve_url(base, "//cdn.example/b"), "https://cdn.example/b");
    EXPECT_THROW(resolve_url(base, ""), HttpError);
    EXPECT_THROW(resolve_url(base, "file:///etc/passwd"), HttpError);
    EXPECT_THROW(resolve_url(base, "https://"), HttpError);
}

TEST(Url, AddsAParameter) {
    EXPECT_EQ(with_query("http://h/p", "digest", "sha256:ab"), "http://h/p?digest=sha256:ab");
    EXPECT_EQ(with_query("http://h/p?_state=x%3D", "a", "b c&d"),
              "http://h/p?_state=x%3D&a=b%20c%26d");
    EXPECT_EQ(with_query("http://h/p?", "a", "b"), "http://h/p?a=b");
}

TEST(Url, IsShownWithoutSecrets) {
    EXPECT_EQ(display_url("https://u:p@h/x?token=abc#d"), "https://h/x");
    EXPECT_EQ(display_url("https://h/@a"), "https://h/@a");
}

TEST(Http, AsksAgainAfterAFailureWithTheSameClient) {
    HttpClient client("test");
    for (int i = 0; i < 3; ++i) {
        try {
            client.send({.url = "http://no-such-host.invalid/"}, {});
            FAIL();
        } catch (const HttpError& error) {
            EXPECT_EQ(error.kind(), HttpError::Kind::resolve) << error.what();
        }
    }
}

}  // namespace
}  // namespace wasmplug
