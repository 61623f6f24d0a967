#include "base/http_load.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "base/error.hpp"
#include "tests/support/fault_server.hpp"

namespace wasmplug {
namespace {

using namespace std::chrono_literals;
using test::Answer;
using test::FaultServer;
using test::SeenRequest;

HttpRequest get(const std::string& url) {
    HttpRequest request;
    request.url = url;
    return request;
}

TEST(HttpLoad, SendsSoManyOnSoManyConnectionsAndKeepsThem) {
    const FaultServer server([](const SeenRequest&) { return Answer{.body = "ok"}; });
    HttpLoad load(get(server.url("/a?b=c")), "test");
    for (int run = 0; run < 2; ++run) {
        const auto result = load.run({.requests = 20, .concurrency = 3}, {});
        EXPECT_EQ(result.samples.size(), 20U);
        EXPECT_TRUE(result.error.empty());
        for (const auto& sample : result.samples) {
            EXPECT_EQ(sample.status, 200);
            EXPECT_GT(sample.latency.count(), 0);
        }
    }
    const auto seen = server.seen();
    EXPECT_EQ(seen.size(), 40U);
    std::set<int> connections;
    for (const auto& request : seen) {
        EXPECT_EQ(request.target, "/a?b=c");
        connections.insert(request.connection);
    }
    EXPECT_EQ(connections.size(), 3U);
}

TEST(HttpLoad, StartsRequestsOnTimeWhenItHasARate) {
    const FaultServer server([](const SeenRequest&) { return Answer{}; });
    HttpLoad load(get(server.url()), "test");
    const auto result = load.run({.requests = 10, .concurrency = 4, .rate = 100}, {});
    EXPECT_EQ(result.samples.size(), 10U);
    EXPECT_GE(result.elapsed, 90ms);  // the tenth is due 9 intervals after the first
}

TEST(HttpLoad, CountsTheWaitForAConnection) {
    const FaultServer server([](const SeenRequest&) {
        return Answer{.body = "x", .trickle = 1ms};  // some tens of ms for the head
    });
    HttpLoad load(get(server.url()), "test");
    const auto result = load.run({.requests = 4, .concurrency = 1, .rate = 10'000}, {});
    // All were due at once and had one connection: each waited for those before it, and each
    // took the server at least the time that the bytes of its head need.
    EXPECT_GE(result.samples.at(3).latency - result.samples.at(0).latency, 3 * 20ms);
}

TEST(HttpLoad, CountsAnswersThatAreErrorsAndRequestsWithoutAnswer) {
    const FaultServer server([](const SeenRequest& request) {
        return request.target == "/reset" ? Answer{.reset = true} : Answer{.status = 503};
    });
    HttpLoad failing(get(server.url("/x")), "test");
    EXPECT_EQ(failing.run({.requests = 2}, {}).samples.at(1).status, 503);
    HttpLoad cut(get(server.url("/reset")), "test");
    const auto result = cut.run({.requests = 3, .concurrency = 2}, {});
    EXPECT_EQ(result.samples.size(), 3U);
    EXPECT_EQ(result.samples.at(0).status, 0);
    EXPECT_NE(result.error.find("127.0.0.1"), std::string::npos) << result.error;
}

TEST(HttpLoad, TellsAServerThatKeepsSilentFromOneThatTakesNoConnection) {
    const FaultServer server([](const SeenRequest&) { return Answer{.stall = true}; });
    auto request = get(server.url("/"));
    request.stall_timeout = 50ms;
    HttpLoad load(request, "test");
    const auto result = load.run({.requests = 1}, {});
    EXPECT_NE(result.error.find("gave no whole answer within"), std::string::npos) << result.error;
}

TEST(HttpLoad, FollowsNoRedirect) {
    const FaultServer server([](const SeenRequest&) {
        return Answer{.status = 302, .headers = {{"Location", "/elsewhere"}}};
    });
    HttpLoad load(get(server.url()), "test");
    EXPECT_EQ(load.run({}, {}).samples.at(0).status, 302);
    EXPECT_EQ(server.seen().size(), 1U);
}

TEST(HttpLoad, SendsItsBodyAgainWithEveryRequest) {
    const FaultServer server([](const SeenRequest&) { return Answer{}; });
    HttpRequest request = get(server.url());
    request.method = "POST";
    request.body = body_of("hello");
    HttpLoad load(request, "test");
    load.run({.requests = 5, .concurrency = 2}, {});
    for (const auto& seen : server.seen()) {
        EXPECT_EQ(seen.method, "POST");
        EXPECT_EQ(seen.body, "hello");
    }
}

TEST(HttpLoad, StopsWhenItIsToldAndKeepsWhatItHas) {
    const CancelSource source;
    std::atomic<int> answered = 0;
    const FaultServer server([&](const SeenRequest&) {
        if (++answered == 3) {
            source.request();
            return Answer{.stall = true};
        }
        return Answer{.body = "ok"};
    });
    HttpLoad load(get(server.url()), "test");
    EXPECT_EQ(load.run({.requests = 5}, source.token()).samples.size(), 2U);
    EXPECT_TRUE(load.run({.requests = 5}, source.token()).samples.empty());
}

TEST(HttpLoad, RefusesWhatIsNoUrl) {
    EXPECT_THROW(HttpLoad(get("nonsense"), "test"), HttpError);
}

TEST(HttpLoad, GoesOnWhenTheServerClosesTheConnectionAfterEachAnswer) {
    const FaultServer server(
        [](const SeenRequest&) { return Answer{.body = "ok", .close = true}; });
    HttpLoad load(get(server.url()), "test");
    const auto result = load.run({.requests = 30, .concurrency = 4}, {});
    EXPECT_EQ(result.samples.size(), 30U);
    EXPECT_TRUE(result.error.empty()) << result.error;
}

TEST(HttpLoad, ReadsABodyThatIsLargerThanItsBuffer) {
    const FaultServer server(
        [](const SeenRequest&) { return Answer{.body = std::string(300'000, 'x')}; });
    HttpLoad load(get(server.url()), "test");
    const auto result = load.run({.requests = 6, .concurrency = 2}, {});
    EXPECT_EQ(result.samples.size(), 6U);
    EXPECT_TRUE(result.error.empty()) << result.error;
}

}  // namespace
}  // namespace wasmplug
