#include "plugintest/live.hpp"

#include <gtest/gtest.h>

#include "plugintest/runner.hpp"

namespace wasmplug::plugintest {
namespace {

TestCase parsed(const std::string& test) {
    const std::string text = "wasmplug: 1\nplugin: {wasm: p.wasm}\ntests:\n- name: t\n  " + test;
    return parse_test_file(yaml::File::parse(text, "t.test.yaml"), "/t.test.yaml").tests.at(0);
}

LiveTarget target() {
    LiveTarget live;
    live.url = "https://shop.example.org/base/";
    live.headers = {{"x-canary", "1"}};
    return live;
}

CaseResult run(const std::string& test, const Send& send) {
    return run_case(client_visible(parsed(test)), live_engine(target(), send, Cancel()), false);
}

HttpResponse answer(int status, Headers headers = {}, std::string body = {}) {
    HttpResponse response;
    response.status = status;
    response.headers = std::move(headers);
    response.body = std::move(body);
    return response;
}

TEST(LiveEngine, SendsTheRequestOfATestToTheEndpoint) {
    HttpRequest sent;
    const auto result =
        run("request: {method: PUT, path: /a, headers: {x-b: c}, body: hello}\n"
            "  expect: {response: {status: 200, headers: {x-plugin: \"on\"}, body: hi}}\n",
            [&](const HttpRequest& request, const Cancel&) {
                sent = request;
                return answer(200, {{"X-Plugin", "on"}}, "hi");
            });
    EXPECT_EQ(result.verdict, Verdict::passed);
    EXPECT_EQ(sent.method, "PUT");
    EXPECT_EQ(sent.url, "https://shop.example.org/base/a");
    EXPECT_EQ(sent.headers, (Headers{{"x-b", "c"}, {"x-canary", "1"}}));
    EXPECT_EQ(sent.body->size, 5U);
    EXPECT_EQ(sent.max_redirects, 0);
}

TEST(LiveEngine, NamesAnAuthorityThatTheTestNames) {
    HttpRequest sent;
    run("request: {authority: other.example}\n  expect: {response: {status: 200}}\n",
        [&](const HttpRequest& request, const Cancel&) {
            sent = request;
            return answer(200);
        });
    EXPECT_EQ(header(sent.headers, "host"), "other.example");
}

TEST(LiveEngine, FailsWhenTheAnswerIsAnother) {
    const auto result = run("request: {}\n  expect: {response: {status: 200}}\n",
                            [](const HttpRequest&, const Cancel&) { return answer(503); });
    ASSERT_EQ(result.failures.size(), 1U);
    EXPECT_EQ(result.failures[0].what, "response.status");
}

TEST(LiveEngine, FailsWhenNobodyAnswers) {
    const auto result = run("request: {}\n  expect: {response: {status: 200}}\n",
                            [](const HttpRequest&, const Cancel&) -> HttpResponse {
                                throw HttpError(HttpError::Kind::connect, "connection refused");
                            });
    ASSERT_EQ(result.failures.size(), 1U);
    EXPECT_NE(result.failures[0].actual.find("connection refused"), std::string::npos);
}

TEST(LiveEngine, IgnoresWhatAClientCannotSee) {
    const auto result =
        run("request: {}\n  expect: {response: {status: 200, details: x}, metrics: "
            "{a: 1}, logs: [never], upstream_request: {path: /}}\n",
            [](const HttpRequest&, const Cancel&) { return answer(200); });
    EXPECT_EQ(result.verdict, Verdict::passed);
}

TEST(LiveEngine, TakesALocalReplyAsTheAnswer) {
    const auto result =
        run("request: {}\n  expect: {local_reply: {status: 401, details: no_token}}\n",
            [](const HttpRequest&, const Cancel&) { return answer(200); });
    ASSERT_EQ(result.failures.size(), 1U);
    EXPECT_EQ(result.failures[0].expected, "\"401\"");
}

TEST(LiveEngine, SkipsWhatTheEndpointDecides) {
    const Send never = [](const HttpRequest&, const Cancel&) -> HttpResponse {
        ADD_FAILURE() << "nothing may be sent";
        return {};
    };
    for (const auto* test :
         {"config: other\n  request: {}\n  expect: {response: {status: 200}}\n",
          "request: {}\n  upstream: {status: 503}\n  expect: {response: {status: 503}}\n",
          "request: {}\n  calls: [{cluster: a}]\n  expect: {response: {status: 200}}\n",
          "request: {}\n  expect: {metrics: {a: 1}}\n",
          "steps: [{request: {}, expect: {response: {status: 200}}}, {tick: 1}]\n"}) {
        const auto result = run(test, never);
        EXPECT_EQ(result.verdict, Verdict::skipped) << test;
        EXPECT_FALSE(result.reason.empty());
    }
}

TEST(RecordedTest, PassesAgainstTheSameAnswer) {
    const Send send = [](const HttpRequest&, const Cancel&) {
        return answer(
            418,
            {{"X-Tea", "\"pot\""}, {"Date", "now"}, {"Set-Cookie", "a=1"}, {"Set-Cookie", "b=2"}},
            "short\nand stout");
    };
    const auto text = recorded_test(target(), "GET", "/tea?n=1", send, Cancel());
    const auto file = parse_test_file(yaml::File::parse(text, "r.test.yaml"), "/r.test.yaml");
    ASSERT_EQ(file.tests.size(), 1U);
    EXPECT_EQ(text.find("date"), std::string::npos);
    EXPECT_EQ(run_case(client_visible(file.tests[0]), live_engine(target(), send, Cancel()), false)
                  .verdict,
              Verdict::passed);
}

TEST(RecordedTest, LeavesOutABodyThatIsNoText) {
    const Send send = [](const HttpRequest&, const Cancel&) {
        return answer(200, {{"content-encoding", "gzip"}}, "\x1f\x8b\b\xff");
    };
    const auto text = recorded_test(target(), "GET", "/", send, Cancel());
    EXPECT_TRUE(text.starts_with("# The body is left out: its 4 bytes are no text.\n")) << text;
    const auto file = parse_test_file(yaml::File::parse(text, "r.test.yaml"), "/r.test.yaml");
    EXPECT_EQ(run_case(client_visible(file.tests[0]), live_engine(target(), send, Cancel()), false)
                  .verdict,
              Verdict::passed);
}

TEST(CheckTarget, RefusesWhatIsNoUrl) {
    LiveTarget none;
    none.url = "shop.example.org";
    EXPECT_THROW(check_target(none), Error);
}

TEST(CheckTarget, RefusesAPasswordAndDoesNotRepeatIt) {
    LiveTarget target;
    for (const char* url : {"http://user:s3cret@h/", "htp://user:s3cret@h/"}) {
        target.url = url;
        try {
            check_target(target);
            ADD_FAILURE() << url << " was taken";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ExitCode::usage);
            EXPECT_EQ(error.full_message().find("s3cret"), std::string::npos);
        }
    }
}

}  // namespace
}  // namespace wasmplug::plugintest
