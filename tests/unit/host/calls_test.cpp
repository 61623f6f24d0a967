// Calls to other services, ticks, queues and the rest of the state (envoy-observed §4, §5).

#include "tests/unit/host/scripted.hpp"

namespace wasmplug::host {
namespace {

using plugintest::CallReply;
using plugintest::Outcome;
using HttpCalls = Scripted;
using GrpcCalls = Scripted;
using State = Scripted;
using Properties = Scripted;

const std::string pause_and_show = std::string("trace\n") + call_auth +
                                   "request_headers ret 1\n"
                                   "call_response status\n"
                                   "call_response get 6 :status\n"
                                   "call_response get 7 x\n"
                                   "call_response buf 4 0 200\n"
                                   "call_response size 6\n"
                                   "call_response effective\n"
                                   "call_response continue 0\n";

TEST_F(HttpCalls, AnswersReachTheRootAndTheStreamGoesOn) {
    call_target(answers(200, "alice"));
    run(pause_and_show);
    EXPECT_TRUE(logged("call auth :method=GET,:path=/check,:authority=a \"\" 500 = 0 4"));
    EXPECT_TRUE(logged("http_call_response(1,5,0)"));
    EXPECT_TRUE(logged("status 0 = 0 ''"));
    EXPECT_TRUE(logged("get 6 :status = 0 '200'"));
    EXPECT_TRUE(logged("get 7 x = 2"));
    EXPECT_TRUE(logged("buf 4 0 200 = 0 'alice'"));
    EXPECT_TRUE(logged("size 6 = 2"));
    EXPECT_EQ(status(), "200");
    ASSERT_EQ(first().calls.size(), 1U);
    EXPECT_EQ(first().calls[0].timeout, std::chrono::milliseconds(500));
}

TEST_F(HttpCalls, ToAnUnknownClusterAreABadArgument) {
    run(pause_and_show);
    EXPECT_TRUE(logged("call auth :method=GET,:path=/check,:authority=a \"\" 500 = 2"));
    EXPECT_EQ(first().outcome, Outcome::stuck);
}

TEST_F(HttpCalls, ToAClusterWithoutHostsAreAnInternalFailure) {
    given.envoy.clusters_without_hosts = {"auth"};
    run(pause_and_show);
    EXPECT_TRUE(logged("call auth :method=GET,:path=/check,:authority=a \"\" 500 = 10"));
}

TEST_F(HttpCalls, WithoutPseudoHeadersOrWithANegativeTimeoutAreABadArgument) {
    call_target(answers(200));
    run("request_headers call auth :method=GET,:authority=a \"\" 500\n"
        "request_headers call auth :method=GET,:path=/,:authority=a \"\" -5\n");
    EXPECT_TRUE(logged("call auth :method=GET,:authority=a \"\" 500 = 2"));
    EXPECT_TRUE(logged("call auth :method=GET,:path=/,:authority=a \"\" -5 = 2"));
}

TEST_F(HttpCalls, ThatAreRefusedAreA503Response) {
    call_target(fails(CallReply::Kind::refused));
    run(pause_and_show);
    EXPECT_TRUE(logged("get 6 :status = 0 '503'"));
    EXPECT_TRUE(
        logged("buf 4 0 200 = 0 'upstream connect error or disconnect/reset before headers. reset "
               "reason: remote connection failure'"));
}

TEST_F(HttpCalls, ThatTimeOutBeforeHeadersAreA504Response) {
    call_target(fails(CallReply::Kind::timeout));
    run(pause_and_show + "call_response now\n");
    EXPECT_TRUE(logged("get 6 :status = 0 '504'"));
    EXPECT_TRUE(logged("buf 4 0 200 = 0 'upstream request timeout'"));
    EXPECT_TRUE(logged("now = 0 1767225600500000000"));  // the clock went on by the timeout
}

TEST_F(HttpCalls, ThatAnswerGarbageAreA502Response) {
    call_target(fails(CallReply::Kind::garbage));
    run(pause_and_show);
    EXPECT_TRUE(logged("get 6 :status = 0 '502'"));
}

TEST_F(HttpCalls, ThatBreakAfterHeadersHaveNothingToReadAndAStatus) {
    call_target(fails(CallReply::Kind::reset_after_headers));
    run(pause_and_show);
    EXPECT_TRUE(logged("http_call_response(0,0,0)"));
    EXPECT_TRUE(logged("status 11 = 0 'reset'"));
    EXPECT_TRUE(logged("get 6 :status = 2"));  // and not "not found": SDKs panic here
    EXPECT_TRUE(logged("buf 4 0 200 = 1"));
}

TEST_F(HttpCalls, KeepTheStatusCodeOfAFailureForLaterSuccesses) {
    call_target(fails(CallReply::Kind::reset_after_headers));
    given.calls[0].times = 1;
    call_target(answers(200));
    given.steps.push_back(given.steps.front());
    run(pause_and_show);
    EXPECT_TRUE(logged("status 11 = 0 'reset'"));
    EXPECT_TRUE(logged("status 11 = 0 ''"));
}

TEST_F(HttpCalls, WithABodyCarryItsLength) {
    call_target(answers(200));
    run("request_headers call auth :method=POST,:path=/,:authority=a body 0\n");
    EXPECT_EQ(plugintest::first_header(first().calls[0].request.headers, "content-length"), "4");
}

TEST_F(HttpCalls, AreAnsweredByTheFirstTargetThatFits) {
    plugintest::CallTarget no;
    no.cluster = "auth";
    no.matches = [](const plugintest::Message& message) {
        return plugintest::first_header(message.headers, ":path") == "/other";
    };
    no.reply = answers(500);
    given.calls.push_back(no);
    call_target(answers(204));
    run(pause_and_show);
    EXPECT_TRUE(logged("get 6 :status = 0 '204'"));
}

TEST_F(HttpCalls, OfADeadVmAreNeverAnswered) {
    call_target(answers(200));
    run(std::string("trace\n") + call_auth + "request_headers trap\n");
    EXPECT_FALSE(logged("http_call_response(1,0,0)"));
}

TEST_F(HttpCalls, CannotActForAStreamThatIsGone) {
    call_target(answers(200));
    run(std::string(call_auth) + "call_response effective\n");
    EXPECT_TRUE(logged("effective = 2"));  // the request was answered before the call was
}

TEST_F(GrpcCalls, AnswerWithOneMessage) {
    call_target(answers(200, "reply"), true);
    run("trace\nrequest_headers grpc auth ask\ngrpc_receive buf 5 0 100\n");
    EXPECT_TRUE(logged("grpc auth ask = 0 5"));
    EXPECT_TRUE(logged("grpc_receive(5,5,0)"));
    EXPECT_TRUE(logged("buf 5 0 100 = 0 'reply'"));
    EXPECT_EQ(first().calls[0].service, "svc.Auth");
    EXPECT_EQ(first().calls[0].request.whole_body(), "ask");
}

TEST_F(GrpcCalls, CloseWithTheStatusWhenTheyFail) {
    auto reply = answers(200);
    reply.grpc_status = 7;
    reply.grpc_message = "no";
    call_target(reply, true);
    run("trace\nrequest_headers grpc auth ask\ngrpc_close status\n");
    EXPECT_TRUE(logged("grpc_close(5,7,0)"));
    EXPECT_TRUE(logged("status 7 = 0 'no{via_upstream}'"));
}

TEST_F(GrpcCalls, ToAnUnknownServiceAreAParseFailure) {
    run("request_headers grpc nobody ask\n");
    EXPECT_TRUE(logged("grpc nobody ask = 4"));
}

TEST_F(GrpcCalls, OfAStreamPassMetadataMessagesTrailersAndTheEnd) {
    call_target(answers(200, "one"), true);
    run("trace\nrequest_headers gstream auth\nrequest_headers gsend hello\n");
    const auto at = [&](const std::string& line) {
        return std::find(lines.begin(), lines.end(), line) - lines.begin();
    };
    EXPECT_TRUE(logged("gsend hello = 0"));
    EXPECT_LT(at("grpc_initial(6,2,0)"), at("grpc_receive(6,3,0)"));
    EXPECT_LT(at("grpc_receive(6,3,0)"), at("grpc_trailing(6,1,0)"));
    EXPECT_LT(at("grpc_trailing(6,1,0)"), at("grpc_close(6,0,0)"));
    EXPECT_TRUE(logged("grpc_close(6,0,0)"));
}

// Every way as a real Envoy 1.40 ended it.
TEST_F(GrpcCalls, FailInEnvoysWays) {
    const auto ends = [&](plugintest::CallReply::Kind kind) {
        given.calls.clear();
        call_target(fails(kind), true);
        run("trace\nrequest_headers grpc auth ask\nrequest_headers ret 1\ngrpc_close status\n");
        std::string said;
        for (const auto& line : lines) {
            if (line.starts_with("grpc_close") || line.starts_with("status")) {
                said += line + ";";
            }
        }
        return said;
    };
    using enum plugintest::CallReply::Kind;
    const std::string broken =
        "grpc_close(5,14,0);status 14 = 0 'upstream connect error or disconnect/reset before "
        "headers. reset reason: ";
    EXPECT_TRUE(ends(refused).starts_with(broken + "remote connection failure{"));
    EXPECT_TRUE(ends(reset).starts_with(broken + "connection termination{"));
    EXPECT_TRUE(ends(garbage).starts_with(broken + "protocol error{"));
    EXPECT_EQ(ends(reset_after_headers),
              "grpc_close(5,13,0);"
              "status 13 = 0 'upstream_reset_after_response_started{remote_reset}';");
    EXPECT_EQ(ends(timeout),
              "grpc_close(5,14,0);status 14 = 0 'upstream request timeout{response_timeout}';");
    EXPECT_EQ(ends(timeout_after_headers), "grpc_close(5,13,0);status 13 = 0 'response_timeout';");
}

TEST_F(GrpcCalls, OfAStreamThatFailsShowEnvoysOwnTrailers) {
    call_target(fails(plugintest::CallReply::Kind::refused), true);
    run("trace\nrequest_headers gstream auth\n");
    EXPECT_TRUE(logged("grpc_initial(6,0,0)"));
    EXPECT_TRUE(logged("grpc_trailing(6,4,0)"));
    EXPECT_TRUE(logged("grpc_close(6,14,0)"));
}

TEST_F(GrpcCalls, KeepTheLastOfSeveralMessages) {
    auto reply = answers(200);
    reply.message.body = {"one", "second"};
    call_target(reply, true);
    run("trace\nrequest_headers grpc auth ask\n");
    EXPECT_TRUE(logged("grpc_receive(5,6,0)"));
}

TEST_F(GrpcCalls, ThatAreCancelledStaySilent) {
    call_target(answers(200, "reply"), true);
    run("trace\nrequest_headers grpc auth ask\nrequest_headers gcancel\nrequest_headers gcancel\n");
    EXPECT_TRUE(logged("gcancel = 0"));
    EXPECT_TRUE(logged("gcancel = 1"));
    EXPECT_FALSE(logged("grpc_receive(5,5,0)"));
}

TEST_F(State, OfSharedDataFollowsItsCas) {
    run("request_headers sget k\n"
        "request_headers sset k a 5\n"
        "request_headers sget k\n"
        "request_headers sset k b last\n"
        "request_headers sset k c last\n"
        "request_headers sset k d 0\n"
        "request_headers sget k\n");
    EXPECT_TRUE(logged("sget k = 1"));
    EXPECT_TRUE(logged("sset k a 5 = 0"));  // a new key takes any cas
    EXPECT_TRUE(logged("sset k b last = 0"));
    EXPECT_TRUE(logged("sset k c last = 8"));
    EXPECT_TRUE(logged("sset k d 0 = 0"));
    EXPECT_TRUE(logged("sget k = 0 'd'"));
    EXPECT_EQ(seen.shared_data["k"], "d");
}

TEST_F(State, OfQueuesIsToldToTheRootThatRegistered) {
    run("trace\nconfigure qreg jobs\nrequest_headers qres vm jobs\nrequest_headers qput hello\n"
        "request_headers qres vm none\nqueue_ready qget\nqueue_ready qget\n");
    EXPECT_TRUE(logged("qres vm jobs = 0"));
    EXPECT_TRUE(logged("qres vm none = 1"));
    EXPECT_TRUE(logged("qget = 0 'hello'"));
    EXPECT_TRUE(logged("qget = 7"));
}

TEST_F(State, OfQueuesTakesWhatTheTestPushes) {
    given.steps.front() = {};
    given.steps.front().push = plugintest::Step::Push{"jobs", "from outside", {}};
    run("configure qreg jobs\nqueue_ready qget\n");
    EXPECT_TRUE(logged("qget = 0 'from outside'"));
}

TEST_F(State, OfMetricsHasTheTypeInTheIdAndItsRules) {
    run("request_headers metric 0 c\n"
        "request_headers inc 0\n"
        "request_headers inc -1\n"
        "request_headers inc 1\n"
        "request_headers rec 5\n"
        "request_headers mget\n"
        "request_headers metric 1 g\n"
        "request_headers inc 3\n"
        "request_headers inc -1\n"
        "request_headers metric 2 h\n"
        "request_headers rec 7\n"
        "request_headers inc 7\n"
        "request_headers metric 0 c\n"
        "request_headers metric 9 z\n");
    EXPECT_TRUE(logged("metric 0 c = 0 4"));
    EXPECT_TRUE(logged("inc 0 = 2"));
    EXPECT_TRUE(logged("mget = 0 6"));
    EXPECT_TRUE(logged("metric 1 g = 0 5"));
    EXPECT_TRUE(logged("metric 2 h = 0 6"));
    EXPECT_TRUE(logged("inc 7 = 2"));
    EXPECT_TRUE(logged("metric 0 c = 0 8"));  // a second id, on the same value
    EXPECT_TRUE(logged("metric 9 z = 2"));
    EXPECT_EQ(seen.metrics["g"].value, 2);
}

TEST_F(State, OfTheClockStandsStillButForTicksAndAdvances) {
    plugintest::Step wait;
    wait.advance = std::chrono::seconds(1);
    given.steps = {wait, given.steps.front()};
    run("trace\nconfigure tick 300\nrequest_headers now\n");
    EXPECT_EQ(std::count(lines.begin(), lines.end(), "tick(1,0,0)"), 3);
    EXPECT_TRUE(logged("now = 0 1767225601000000000"));
}

TEST_F(State, OfLogsRefusesALevelThatIsNone) {
    run("request_headers log 6 x\nrequest_headers badptr\n");
    EXPECT_TRUE(logged("log = 2"));
    EXPECT_TRUE(logged("badptr = 6"));
}

TEST_F(State, ThatOnlyAnEnvoyHasIsNoVerdict) {
    run("request_headers foreign sign x\n");
    ASSERT_TRUE(seen.skipped);
    EXPECT_NE(seen.skipped->find("foreign function sign"), std::string::npos);
    given.foreign_functions["sign"] = "signed";
    run("request_headers foreign sign x\n");
    EXPECT_FALSE(seen.skipped);
    EXPECT_TRUE(logged("foreign sign x = 0 'signed'"));
}

TEST_F(State, OfForeignFunctionsIsEnvoysAndTheTests) {
    given.foreign_functions["mine"] = "answer";
    run("request_headers foreign nope x\nrequest_headers foreign mine x\n"
        "request_headers foreign clear_route_cache \"\"\n");
    EXPECT_TRUE(logged("foreign nope x = 1"));
    EXPECT_TRUE(logged("foreign mine x = 0 'answer'"));
    EXPECT_TRUE(logged("foreign clear_route_cache \"\" = 0 ''"));
}

TEST_F(Properties, ComeFromTheRequestWhileItsHeadersAreThere) {
    run("request_headers prop request.path\n"
        "request_headers prop request.url_path\n"
        "request_headers prop request.query\n"
        "request_headers prop request.method\n"
        "request_headers prop request.host\n"
        "request_headers prop request.headers.x-forwarded-proto\n"
        "request_headers prop request.protocol\n"
        "request_headers prop response.code\n");
    EXPECT_TRUE(logged("prop request.path = 0 '/x?a=1'"));
    EXPECT_TRUE(logged("prop request.url_path = 0 '/x'"));
    EXPECT_TRUE(logged("prop request.query = 0 'a=1'"));
    EXPECT_TRUE(logged("prop request.method = 0 'GET'"));
    EXPECT_TRUE(logged("prop request.host = 0 'example.com'"));
    EXPECT_TRUE(logged("prop request.headers.x-forwarded-proto = 0 'http'"));
    EXPECT_TRUE(logged("prop response.code = 1"));
}

TEST_F(Properties, ThatEnvoyDoesNotKnowAreNotFound) {
    run("request_headers prop node.id\nrequest_headers prop cluster_name\n"
        "request_headers prop request\nrequest_headers prop filter_state\n"
        "request_headers prop xds.cluster_name\nrequest_headers prop plugin_name\n");
    EXPECT_TRUE(logged("prop node.id = 1"));
    EXPECT_TRUE(logged("prop cluster_name = 1"));
    EXPECT_TRUE(logged("prop request = 3"));
    EXPECT_TRUE(logged("prop filter_state = 3"));
    EXPECT_TRUE(logged("prop xds.cluster_name = 0 'upstream'"));
    EXPECT_TRUE(logged("prop plugin_name = 0 'script'"));
}

TEST_F(Properties, ThatAreSetAreReadBackUnderTwoNames) {
    run("request_headers setprop mykey val\nresponse_headers prop mykey\n"
        "response_headers prop wasm.mykey\n");
    EXPECT_TRUE(logged("setprop mykey val = 0"));
    EXPECT_TRUE(logged("prop mykey = 0 'val'"));
    EXPECT_TRUE(logged("prop wasm.mykey = 1"));
}

TEST_F(Properties, OfTheTestStandBeforeAllOthers) {
    given.properties["node.id"] = "sidecar";
    run("request_headers prop node.id\n");
    EXPECT_TRUE(logged("prop node.id = 0 'sidecar'"));
}

}  // namespace
}  // namespace wasmplug::host
