// How a stream flows, stops and ends: proxy-wasm-host.md §2.3 and §2.4 as Envoy 1.40 has them.

#include "tests/unit/host/scripted.hpp"

namespace wasmplug::host {
namespace {

using plugintest::FailurePolicy;
using plugintest::Outcome;
using Flow = Scripted;
using Replies = Scripted;
using Traps = Scripted;
using Starting = Scripted;

TEST_F(Flow, CallsBackInEnvoysOrder) {
    request({"hello"});
    response({"world"});
    run("trace\n");
    const std::vector<std::string> order{"request_headers(2,6,0)",
                                         "request_body(2,5,0)",
                                         "request_body(2,0,1)",
                                         "response_headers(2,1,0)",
                                         "response_body(2,5,0)",
                                         "response_body(2,0,1)",
                                         "log(2,0,0)",
                                         "done(2,0,0)",
                                         "delete(2,0,0)"};
    EXPECT_EQ(lines, order);
}

TEST_F(Flow, EndsWithTheHeadersWhenThereIsNoBody) {
    run("trace\n");
    EXPECT_TRUE(logged("request_headers(2,6,1)"));
    EXPECT_TRUE(logged("response_headers(2,1,1)"));
}

TEST_F(Flow, PassesTrailersAfterTheBody) {
    request({"hello"}, {}, {{"x-t", "1"}});
    run("trace\nrequest_trailers get 1 x-t\n");
    EXPECT_TRUE(logged("request_body(2,5,0)"));
    EXPECT_TRUE(logged("request_trailers(2,1,1)"));
    EXPECT_TRUE(logged("get 1 x-t = 0 '1'"));
    EXPECT_EQ(first().upstream_request->trailers.size(), 1U);
}

TEST_F(Flow, StopOnHeadersStopsTheBodyToo) {
    request({"hello"});
    run("trace\nrequest_headers ret 1\nrequest_body_end continue 0\n");
    EXPECT_EQ(first().outcome, Outcome::stuck);
    EXPECT_FALSE(logged("request_body(2,5,0)"));
}

TEST_F(Flow, StopOnHeadersShowsTheBodyWhenEnvoyIsToldTo) {
    given.envoy.allow_on_headers_stop_iteration = true;
    request({"hello"});
    run("trace\nrequest_headers ret 1\nrequest_body get 0 :path\n");
    EXPECT_EQ(first().outcome, Outcome::ok);
    EXPECT_TRUE(logged("request_body(2,5,0)"));
    EXPECT_TRUE(logged("get 0 :path = 0 '/x?a=1'"));
    EXPECT_EQ(first().upstream_request->whole_body(), "hello");
}

TEST_F(Flow, StopsForEveryResultThatIsNoneOfTheFive) {
    for (const auto* result : {"3", "4", "77"}) {
        run(std::string("request_headers ret ") + result + "\n");
        EXPECT_EQ(first().outcome, Outcome::stuck) << result;
    }
}

TEST_F(Flow, ContinueAndEndStreamOfARequestWithoutBodyIsHarmless) {
    run("request_headers ret 2\n");
    EXPECT_EQ(status(), "200");
}

TEST_F(Flow, PausedForEverIsStuckAndStillLogged) {
    run("trace\nrequest_headers ret 1\n");
    EXPECT_EQ(first().outcome, Outcome::stuck);
    EXPECT_EQ(first().response_details, "stream_idle_timeout");
    EXPECT_TRUE(logged("log(2,0,0)"));
    EXPECT_TRUE(logged("delete(2,0,0)"));
}

TEST_F(Flow, ResumesFromATick) {
    run("trace\nconfigure tick 300\nrequest_headers ret 1\n"
        "tick effective\ntick continue 0\n");
    EXPECT_EQ(status(), "200");
    EXPECT_TRUE(logged("tick(1,0,0)"));
}

TEST_F(Flow, TheClientLeavingEndsThePause) {
    step().client_leaves = std::chrono::seconds(1);
    run("trace\nrequest_headers ret 1\n");
    EXPECT_EQ(first().response_details, "downstream_remote_disconnect");
    EXPECT_TRUE(logged("log(2,0,0)"));
}

TEST_F(Flow, CloseStreamOfTheRequestResetsIt) {
    run("request_headers close 0\n");
    EXPECT_EQ(first().outcome, Outcome::reset);
    EXPECT_EQ(first().response_details, "wasm_close_stream");
}

TEST_F(Flow, CloseStreamOfAConnectionHasNoEffectOnHttp) {
    run("request_headers close 2\nrequest_headers close 9\n");
    EXPECT_TRUE(logged("close 2 = 0"));
    EXPECT_TRUE(logged("close 9 = 2"));
    EXPECT_EQ(status(), "200");
}

TEST_F(Flow, MeetsSeveralPluginsInOrderAndTheirResponsesInReverse) {
    auto second = given.plugins.front();
    second.vm_id = "other";
    second.name = "second";
    second.config = "request_headers add 0 x-order 2\nresponse_headers add 2 x-back 2\n";
    given.plugins.push_back(second);
    run("request_headers add 0 x-order 1\nresponse_headers add 2 x-back 1\n");
    const auto values = [](const Headers& headers, const std::string& name) {
        std::string all;
        for (const auto& [key, value] : headers) {
            all += key == name ? value : "";
        }
        return all;
    };
    EXPECT_EQ(values(first().upstream_request->headers, "x-order"), "12");
    EXPECT_EQ(values(first().response->headers, "x-back"), "21");
}

TEST_F(Flow, PluginsWithOneVmIdShareAVmWithRootsOneAndTwo) {
    auto second = given.plugins.front();
    second.name = "second";
    second.config = "trace\n";
    given.plugins.push_back(second);
    run("trace\n");
    // Streams 3 and 4 of one machine: the roots took 1 and 2.
    EXPECT_TRUE(logged("request_headers(3,6,1)"));
    EXPECT_TRUE(logged("request_headers(4,6,1)"));
}

TEST_F(Replies, OverrideWhateverTheCallbackReturns) {
    run("request_headers reply 418 \"my details here\" teapot x-extra=One\nrequest_headers ret "
        "0\n");
    EXPECT_EQ(first().outcome, Outcome::local_reply);
    EXPECT_EQ(status(), "418");
    EXPECT_EQ(first().response_details, "my_details_here");
    EXPECT_EQ(plugintest::first_header(first().response->headers, "x-extra"), "One");
    EXPECT_EQ(plugintest::first_header(first().response->headers, "content-type"), "text/plain");
    EXPECT_FALSE(first().upstream_request);
}

TEST_F(Replies, PassThroughThePluginsOwnResponseCallbacks) {
    run("trace\nrequest_headers reply 403 denied forbidden \"\"\nresponse_headers add 2 x-seen "
        "1\n");
    EXPECT_TRUE(logged("response_headers(2,3,0)"));
    EXPECT_TRUE(logged("response_body(2,9,1)"));
    EXPECT_TRUE(logged("log(2,0,0)"));
    EXPECT_EQ(plugintest::first_header(first().response->headers, "x-seen"), "1");
}

TEST_F(Replies, AreSentOnceTheFirstWins) {
    run("request_headers reply 418 a first \"\"\nrequest_headers reply 500 b second \"\"\n");
    EXPECT_EQ(status(), "418");
    EXPECT_EQ(first().response->whole_body(), "first");
}

TEST_F(Replies, FromResponseHeadersAreNotShownToThePluginAgain) {
    run("trace\nresponse_headers reply 500 rl replaced \"\"\n");
    EXPECT_EQ(status(), "500");
    EXPECT_EQ(first().response->whole_body(), "replaced");
    EXPECT_EQ(std::count_if(lines.begin(), lines.end(),
                            [](const auto& line) { return line.starts_with("response_headers("); }),
              1);
}

TEST_F(Replies, AfterTheResponseBeganCutTheStream) {
    response({"hello"});
    run("response_body reply 500 late body \"\"\n");
    EXPECT_EQ(first().outcome, Outcome::reset);
}

TEST_F(Replies, ToGrpcAreTrailersOnly) {
    request({}, {{"content-type", "application/grpc"}});
    run("request_headers reply 403 denied forbidden \"\"\n");
    EXPECT_EQ(status(), "200");
    EXPECT_EQ(plugintest::first_header(first().response->headers, "grpc-status"), "7");
    EXPECT_EQ(plugintest::first_header(first().response->headers, "grpc-message"), "forbidden");
    EXPECT_TRUE(first().response->body.empty());
}

TEST_F(Traps, AreAnsweredWithAnEmpty503) {
    run("trace\nrequest_headers trap\n");
    EXPECT_EQ(first().outcome, Outcome::crash);
    EXPECT_EQ(status(), "503");
    EXPECT_EQ(first().response_details, "wasm_fail_stream");
    EXPECT_EQ(first().response->whole_body(), "");
    EXPECT_FALSE(logged("log(2,0,0)"));  // nothing is called for that stream any more
}

TEST_F(Traps, NameTheFunctionsThatLedThere) {
    run("request_headers trap\n");
    EXPECT_TRUE(seen.message.starts_with(
        "Function: proxy_on_request_headers failed: Uncaught RuntimeError: unreachable\n"
        "Proxy-Wasm plugin in-VM backtrace:\n  0:  "))
        << seen.message;
    EXPECT_NE(seen.message.find(" - on_request_headers"), std::string::npos) << seen.message;
}

TEST_F(Traps, OfEveryKindAreNamedAsV8NamesThem) {
    const std::vector<std::pair<std::string, std::string>> kinds{
        {"oob", "RuntimeError: memory access out of bounds"},
        {"div0", "RuntimeError: divide by zero"}};
    for (const auto& [action, text] : kinds) {
        run("request_headers " + action + "\n");
        EXPECT_NE(seen.message.find(text), std::string::npos) << seen.message;
        EXPECT_EQ(first().outcome, Outcome::crash);
    }
}

TEST_F(Traps, CloseThePluginForEverUnderFailClosed) {
    given.steps.push_back(given.steps.front());
    run("request_headers trap\n");
    EXPECT_EQ(plugintest::first_header(seen.steps[1].response->headers, ":status"), "503");
}

TEST_F(Traps, LetLaterRequestsPassUnderFailOpen) {
    given.envoy.failure_policy = FailurePolicy::open;
    given.steps.push_back(given.steps.front());
    run("request_headers trap\n");
    EXPECT_EQ(status(), "503");  // the one that crashed
    EXPECT_EQ(plugintest::first_header(seen.steps[1].response->headers, ":status"), "200");
}

TEST_F(Traps, ReloadUnderFailReloadOnceTheBackOffIsOver) {
    given.envoy.failure_policy = FailurePolicy::reload;
    given.steps.push_back(given.steps.front());
    plugintest::Step wait;
    wait.advance = std::chrono::seconds(2);
    given.steps.push_back(wait);
    given.steps.push_back(given.steps.front());
    run("request_headers sget once\nrequest_headers sset once yes 0\nrequest_headers trap\n");
    EXPECT_EQ(plugintest::first_header(seen.steps[1].response->headers, ":status"), "503");
    EXPECT_EQ(seen.situations["reload"], 1U);
    EXPECT_TRUE(logged("sget once = 0 'yes'"));  // shared data outlives the VM
}

TEST_F(Traps, InResponseHeadersAreA503AndInItsBodyACut) {
    response({"hello"});
    run("response_headers trap\n");
    EXPECT_EQ(status(), "503");
    run("response_body trap\n");
    EXPECT_EQ(status(), "200");
    EXPECT_EQ(first().outcome, Outcome::crash);
    EXPECT_EQ(first().response->whole_body(), "");
}

TEST_F(Traps, InTheLogPhaseLeaveTheResponse) {
    given.steps.push_back(given.steps.front());
    run("log trap\n");
    EXPECT_EQ(status(), "200");
    EXPECT_EQ(plugintest::first_header(seen.steps[1].response->headers, ":status"), "503");
}

TEST_F(Traps, ElsewhereLeaveAPausedStreamHanging) {
    for (const auto policy : {FailurePolicy::closed, FailurePolicy::open, FailurePolicy::reload}) {
        given.envoy.failure_policy = policy;
        run("configure tick 100\nrequest_headers ret 1\ntick trap\n");
        EXPECT_FALSE(first().response);
        EXPECT_EQ(first().outcome, Outcome::crash);
    }
}

TEST_F(Traps, AnEndlessLoopRunsOutOfFuel) {
    given.limits.instructions = 100'000;
    run("request_headers spin\n");
    EXPECT_EQ(first().outcome, Outcome::out_of_fuel);
    EXPECT_NE(seen.message.find("did not end within 100000 instructions"), std::string::npos);
}

TEST_F(Starting, ARefusedConfigurationIsAnOutcome) {
    run("configure ret 0\n");
    EXPECT_EQ(seen.outcome, Outcome::config_rejected);
    EXPECT_EQ(seen.message, "Failed to configure base Wasm plugin");
    EXPECT_TRUE(seen.steps.empty());
}

TEST_F(Starting, ARefusedVmIsAnOutcome) {
    given.plugins.front().vm_config = "no";
    run("");
    EXPECT_EQ(seen.outcome, Outcome::config_rejected);
    EXPECT_EQ(seen.message, "Failed to start base Wasm");
}

TEST_F(Starting, ATrapWhenConfiguringFailsTheLoad) {
    run("configure trap\n");
    EXPECT_EQ(seen.outcome, Outcome::load_failed);
    EXPECT_NE(seen.message.find("Function: proxy_on_configure failed"), std::string::npos);
}

TEST_F(Starting, SideEffectsOfConfiguringHappenInCanaryMainAndWorker) {
    run("configure metric 0 starts\nconfigure inc 1\n"
        "configure sget n\nconfigure sset n x 0\n");
    EXPECT_EQ(seen.metrics["starts"].value, 3);
    EXPECT_EQ(seen.callbacks["proxy_on_configure"], 3U);
    EXPECT_EQ(std::count(lines.begin(), lines.end(), "inc 1 = 0"), 1) << "one VM's lines are kept";
}

TEST_F(Starting, WithoutSideEffectsOneVmTellsAll) {
    run("configure metric 0 starts\n");
    EXPECT_EQ(seen.callbacks["proxy_on_configure"], 1U);
}

TEST_F(Starting, CapabilitiesThatAreNotAllowedAnswerInternalFailure) {
    given.envoy.allowed_capabilities =
        std::vector<std::string>{"proxy_on_context_create", "proxy_on_configure",
                                 "proxy_on_request_headers", "proxy_log", "proxy_get_buffer_bytes"};
    run("request_headers prop request.path\nresponse_headers log 2 unseen\n");
    EXPECT_TRUE(logged("prop request.path = 10"));
    EXPECT_FALSE(logged("unseen"));
}

TEST_F(Starting, AHostFunctionRefusesAsTheTestAsksAndDoesNothing) {
    given.refuse["proxy_get_property"] = 9;
    given.refuse["proxy_set_shared_data"] = 8;
    run("request_headers prop request.path\n");
    EXPECT_TRUE(logged("prop request.path = 9"));
    EXPECT_EQ(seen.host_calls["proxy_get_property"], 1U);
}

TEST_F(Starting, AMisspeltHostFunctionThatIsToRefuseIsAnError) {
    given.refuse["proxy_get_propertie"] = 9;
    try {
        run("request_headers prop request.path\n");
        FAIL();
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "refuse: 'proxy_get_propertie' is no host function");
        EXPECT_EQ(error.hint(), "did you mean 'proxy_get_property'?");
    }
}

}  // namespace
}  // namespace wasmplug::host
