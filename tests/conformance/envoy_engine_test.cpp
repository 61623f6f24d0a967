// Test cases in a real Envoy: each way an exchange can end.
#include <gtest/gtest.h>

#include <sstream>

#include "base/http.hpp"
#include "base/output.hpp"
#include "envoy/engine.hpp"
#include "envoy/server.hpp"
#include "tests/support/envoy.hpp"
#include "tests/support/require.hpp"

namespace wasmplug::envoy {
namespace {

using namespace plugintest;
using namespace std::chrono_literals;

class EnvoyEngine : public testing::Test {
  protected:
    void SetUp() override {
        WASMPLUG_NEEDS_PROGRAM("clang");
        WASMPLUG_NEEDS(test::envoy_binary().has_value(), "envoy");
        const auto built = run_process(
            {.argv = {"clang", "--target=wasm32", "-O2", "-nostdlib", "-Wl,--no-entry", "-o",
                      module().string(), WASMPLUG_SOURCE_DIR "/tests/data/behaviours.c"}},
            {});
        ASSERT_EQ(built.exit_code, 0) << built.err;
    }

    std::filesystem::path module() const { return folder_.path() / "behaviours.wasm"; }

    Case on(const std::string& path) const {
        Case test;
        test.plugins.push_back({.module = module(), .name = "behaviours"});
        Step step;
        step.request = Message{.headers = {{":method", "GET"},
                                           {":scheme", "http"},
                                           {":authority", "a.test"},
                                           {":path", path}}};
        step.upstream =
            Message{.headers = {{":status", "200"}, {"x-from", "upstream"}}, .body = {"hello"}};
        test.steps.push_back(step);
        return test;
    }

    Observed run(const Case& test) { return engine(*test::envoy_binary(), services_)(test); }

    static bool said(const StepObserved& step, const std::string& text) {
        for (const auto& log : step.logs) {
            if (log.text == text) {
                return true;
            }
        }
        return false;
    }

    TemporaryDirectory folder_;
    HttpClient client_{"wasmplug-tests"};
    std::ostringstream out_;
    Output output_{out_, out_};
    Services services_{.out = output_,
                       .send = [this](const HttpRequest& request, const Cancel& cancel) {
                           return client_.send(request, cancel);
                       }};
};

TEST_F(EnvoyEngine, PassesARequestThroughAndBack) {
    const Observed seen = run(on("/pass"));
    ASSERT_EQ(seen.outcome, Outcome::ok) << seen.message;
    const auto& step = seen.steps.at(0);
    ASSERT_TRUE(step.upstream_request);
    EXPECT_EQ(first_header(step.upstream_request->headers, "x-plugin"), "was here");
    EXPECT_EQ(first_header(step.upstream_request->headers, ":authority"), "a.test");
    ASSERT_TRUE(step.response);
    EXPECT_EQ(first_header(step.response->headers, "x-answer"), "seen");
    EXPECT_EQ(first_header(step.response->headers, "x-from"), "upstream");
    EXPECT_EQ(step.response->whole_body(), "hello");
    EXPECT_TRUE(said(step, "logged"));
    ASSERT_EQ(seen.start_logs.size(), 1U);
    EXPECT_EQ(seen.start_logs[0].text, "configured");
    EXPECT_EQ(seen.metrics.at("requests").value, 1);
}

TEST_F(EnvoyEngine, SeesTheReplyOfAPlugin) {
    const Observed seen = run(on("/local"));
    ASSERT_EQ(seen.outcome, Outcome::local_reply) << seen.message;
    const auto& step = seen.steps.at(0);
    EXPECT_FALSE(step.upstream_request);
    ASSERT_TRUE(step.local_reply);
    EXPECT_EQ(step.local_reply->status, 403);
    EXPECT_EQ(step.local_reply->body, "no\n");
    EXPECT_EQ(first_header(step.response->headers, "x-answer"), "seen");
}

TEST_F(EnvoyEngine, TellsAStreamThatNobodyResumes) {
    EXPECT_EQ(run(on("/pause")).outcome, Outcome::stuck);
}

TEST_F(EnvoyEngine, TellsATrapWithItsBacktrace) {
    const Observed seen = run(on("/trap"));
    EXPECT_EQ(seen.outcome, Outcome::crash);
    EXPECT_NE(seen.message.find("proxy_on_request_headers failed"), std::string::npos)
        << seen.message;
    EXPECT_EQ(first_header(seen.steps.at(0).response->headers, ":status"), "503");
}

TEST_F(EnvoyEngine, TellsAStreamThatAPluginCloses) {
    EXPECT_EQ(run(on("/close")).outcome, Outcome::reset);
}

TEST_F(EnvoyEngine, AnswersTheCallsOfAPlugin) {
    Case test = on("/call");
    test.calls.push_back(
        {.cluster = "auth", .reply = {.message = {.headers = {{":status", "207"}}}}});
    const Observed seen = run(test);
    ASSERT_EQ(seen.outcome, Outcome::ok) << seen.message;
    ASSERT_EQ(seen.steps.at(0).calls.size(), 1U);
    EXPECT_EQ(seen.steps[0].calls[0].cluster, "auth");
    EXPECT_EQ(first_header(seen.steps[0].calls[0].request.headers, ":path"), "/check");
    EXPECT_EQ(seen.steps[0].calls[0].timeout, 300ms);
    EXPECT_TRUE(said(seen.steps[0], "207"));
}

// proxy-wasm hosts differ most in how a call fails; these are Envoy's ways.
TEST_F(EnvoyEngine, LetsACallFailInEveryWay) {
    const auto words = [&](CallReply::Kind kind) {
        Case test = on("/call");
        test.calls.push_back(
            {.cluster = "auth",
             .reply = {.kind = kind, .message = {.headers = {{":status", "200"}}}}});
        const Observed seen = run(test);
        EXPECT_EQ(seen.outcome, Outcome::ok) << static_cast<int>(kind) << seen.message;
        std::string said;
        for (const auto& log : seen.steps.at(0).logs) {
            said += log.text + ";";
        }
        return said;
    };
    using enum CallReply::Kind;
    EXPECT_EQ(words(refused), "503;logged;");
    EXPECT_EQ(words(reset), "503;logged;");
    EXPECT_EQ(words(garbage), "502;logged;");
    EXPECT_EQ(words(timeout), "504;logged;");
    EXPECT_EQ(words(reset_after_headers), "the call failed;logged;");
    EXPECT_EQ(words(timeout_after_headers), "the call failed;logged;");
}

TEST_F(EnvoyEngine, HandsOverTheChunksThatTheTestWrote) {
    Case test = on("/body");
    test.steps[0].request->headers[0].second = "POST";
    test.steps[0].request->body = {"one", "two", "three"};
    const Observed seen = run(test);
    ASSERT_EQ(seen.outcome, Outcome::ok) << seen.message;
    EXPECT_EQ(seen.steps.at(0).upstream_request->whole_body(), "onetwothree");
    EXPECT_EQ(std::count_if(seen.steps[0].logs.begin(), seen.steps[0].logs.end(),
                            [](const Log& log) { return log.text == "a chunk"; }),
              3);
}

TEST_F(EnvoyEngine, RunsStepsOnOneVm) {
    Case test = on("/pass");
    test.steps.push_back(test.steps.front());
    test.steps.push_back(test.steps.front());
    EXPECT_EQ(run(test).metrics.at("requests").value, 3);
}

TEST_F(EnvoyEngine, TellsAConfigurationThatThePluginRefuses) {
    Case test = on("/pass");
    test.plugins[0].config = "refuse";
    const Observed seen = run(test);
    EXPECT_EQ(seen.outcome, Outcome::config_rejected);
    EXPECT_EQ(seen.message, "Wasm VM failed Failed to configure base Wasm plugin");
}

TEST_F(EnvoyEngine, TellsAModuleThatEnvoyWillNotLoad) {
    write_file(module(), std::string("\0asm\1\0\0\0", 8));
    const Observed seen = run(on("/pass"));
    EXPECT_EQ(seen.outcome, Outcome::load_failed);
    EXPECT_EQ(seen.message, "Wasm VM failed Missing or unknown Proxy-Wasm ABI version");
}

}  // namespace
}  // namespace wasmplug::envoy
