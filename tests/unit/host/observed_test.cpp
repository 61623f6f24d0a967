// Points of proxy-wasm-host.md §2.4 and envoy-observed.md that the other files of this folder do
// not show; tests/data/host-points.txt has them all.

#include "tests/unit/host/scripted.hpp"

namespace wasmplug::host {
namespace {

using plugintest::FailurePolicy;
using plugintest::first_header;
using plugintest::Outcome;

using Arrival = Scripted;
using Bodiless = Scripted;
using Backpressure = Scripted;
using Worker = Scripted;
using Observed = Scripted;

// ---- what a plugin sees of a client's request

TEST_F(Arrival, HasWhatEnvoyAddsAndNotItsTimingHeader) {
    run("request_headers get 0 x-forwarded-proto\nrequest_headers get 0 "
        "x-envoy-expected-rq-timeout-ms\nrequest_headers get 0 host\n");
    EXPECT_TRUE(logged("get 0 x-forwarded-proto = 0 'http'"));
    EXPECT_TRUE(logged("get 0 x-envoy-expected-rq-timeout-ms = 1"));
    EXPECT_TRUE(logged("get 0 host = 1"));
    EXPECT_FALSE(first_header(first().upstream_request->headers, "x-request-id").empty());
}

TEST_F(Arrival, HasNoHeadersForOneHopAndNoneThatOnlyEnvoyMaySet) {
    request({}, {{"connection", "close, X-Hop"},
                 {"x-hop", "1"},
                 {"keep-alive", "5"},
                 {"te", "gzip"},
                 {"proxy-connection", "close"},
                 {"expect", "100-continue"},
                 {"x-envoy-internal", "true"},
                 {"referer", "not a url"},
                 {"x-kept", "1"}});
    run("request_headers pairs 0\n");
    EXPECT_TRUE(logged("pairs 0 = 0 7"));  // four pseudo headers, two of Envoy's, x-kept
    EXPECT_EQ(first_header(first().upstream_request->headers, "x-kept"), "1");
}

TEST_F(Arrival, KeepsTrailersAsAnEncodingAndAUrlAsReferer) {
    request({}, {{"te", "trailers"}, {"referer", "https://a.test/x"}});
    run("request_headers get 0 te\nrequest_headers get 0 referer\n");
    EXPECT_TRUE(logged("get 0 te = 0 'trailers'"));
    EXPECT_TRUE(logged("get 0 referer = 0 'https://a.test/x'"));
}

TEST_F(Arrival, TakesTheSchemeFromTheForwardedProtocol) {
    request({}, {{"x-forwarded-proto", "https"}});
    run("request_headers get 0 :scheme\n");
    EXPECT_TRUE(logged("get 0 :scheme = 0 'https'"));
}

// ---- messages without a body

TEST_F(Bodiless, ResponsesToHeadEndWithTheirHeaders) {
    for (auto& [name, value] : step().request->headers) {
        value = name == ":method" ? "HEAD" : value;
    }
    response({"hello"});
    run("trace\n");
    EXPECT_TRUE(logged("response_headers(2,1,1)"));
    EXPECT_EQ(first().response->whole_body(), "");
    run("request_headers reply 403 no body \"\"\n");
    EXPECT_EQ(first().response->whole_body(), "");
}

TEST_F(Bodiless, Responses204And304EndWithTheirHeaders) {
    for (const auto* status : {"204", "304"}) {
        response({"hello"});
        step().upstream.headers[0].second = status;
        run("trace\n");
        EXPECT_TRUE(logged("response_headers(2,1,1)")) << status;
        EXPECT_EQ(first().response->whole_body(), "") << status;
    }
}

TEST_F(Bodiless, ContinueAndEndStreamDoesNotCutABody) {
    request({"hello"});
    run("trace\nrequest_headers ret 2\n");
    EXPECT_TRUE(logged("request_body(2,5,0)"));
    EXPECT_EQ(first().upstream_request->whole_body(), "hello");
}

// ---- more than the buffer limit

TEST_F(Backpressure, UnderWatermarkReadsNoMore) {
    given.envoy.buffer_limit = 8;
    request({"hello", "world", "again"});
    run("trace\nrequest_body ret 2\n");
    EXPECT_EQ(std::count(lines.begin(), lines.end(), "request_body(2,5,0)"), 2);
    EXPECT_EQ(first().outcome, Outcome::stuck);
}

TEST_F(Backpressure, ReadsOnOnceTheStreamIsResumed) {
    given.envoy.buffer_limit = 8;
    request({"hello", "world", "again"});
    call_target(answers(200));
    run(std::string(call_auth) +
        "request_headers ret 4\ncall_response effective\ncall_response continue 0\n");
    EXPECT_EQ(first().outcome, Outcome::ok);
    EXPECT_EQ(first().upstream_request->whole_body(), "helloworldagain");
}

TEST_F(Backpressure, StopAllAndBufferIsAnsweredWith413) {
    given.envoy.buffer_limit = 8;
    request({"hello", "world"});
    run("request_headers ret 3\n");
    EXPECT_EQ(status(), "413");
}

// ---- headers that a request or response cannot do without

TEST_F(Observed, AnEmptyPathFindsNoRoute) {
    run("request_headers replace 0 :path \"\"\n");
    EXPECT_EQ(status(), "404");
    EXPECT_EQ(first().response_details, "route_not_found");
}

TEST_F(Observed, WithoutAnAuthorityTheRequestIsForwarded) {
    run("request_headers remove 0 :authority\n");
    ASSERT_TRUE(first().upstream_request);
    EXPECT_EQ(first_header(first().upstream_request->headers, ":authority"), "");
}

TEST_F(Observed, PairsWithoutSchemeAndForwardedProtocolFindNoRoute) {
    run("request_headers setpairs 0 :method=GET,:path=/set,:authority=b\n");
    EXPECT_EQ(status(), "404");
}

TEST_F(Observed, AnInvalidStatusIsABadGateway) {
    run("response_headers replace 2 :status abc\n");
    EXPECT_EQ(status(), "502");
}

TEST_F(Observed, AMethodWithABlankIsForwardedAsItIs) {
    run("request_headers replace 0 :method \"G T\"\n");
    EXPECT_EQ(first_header(first().upstream_request->headers, ":method"), "G T");
}

// ---- replies

TEST_F(Observed, ASecondReplyCostsTheFirstItsDetails) {
    run("request_headers reply 418 why first \"\"\nrequest_headers reply 500 b second \"\"\n");
    EXPECT_EQ(first().response->whole_body(), "first");
    EXPECT_EQ(first().response_details, "");
}

TEST_F(Observed, AnyStatusIsAcceptedInAReply) {
    for (const auto* code : {"0", "99", "1000"}) {
        run(std::string("request_headers reply ") + code + " d b \"\"\n");
        EXPECT_EQ(status(), code);
        EXPECT_EQ(first().outcome, Outcome::local_reply);
    }
}

TEST_F(Observed, NamesOfHeadersInRepliesAndCallsAreLowerCased) {
    call_target(answers(200));
    run("request_headers call auth :method=GET,:path=/,:authority=a,X-Mixed=V \"\" 500\n"
        "request_headers reply 403 d b X-Other=W\n");
    EXPECT_EQ(first_header(first().calls.at(0).request.headers, "x-mixed"), "V");
    EXPECT_EQ(first_header(first().response->headers, "x-other"), "W");
}

TEST_F(Observed, AReplyWithoutABodyHasNoLength) {
    run("request_headers reply 400 d \"\" content-length=3\n");
    EXPECT_EQ(first_header(first().response->headers, "content-length"), "");
}

// ---- the end of streams and VMs

TEST_F(Observed, AllPluginsLogBeforeOneIsDone) {
    auto second = given.plugins.front();
    second.name = "second";
    second.config = "trace\n";
    given.plugins.push_back(second);
    run("trace\n");
    const std::vector<std::string> end(lines.end() - 6, lines.end());
    EXPECT_EQ(end, (std::vector<std::string>{"log(3,0,0)", "log(4,0,0)", "done(3,0,0)",
                                             "delete(3,0,0)", "done(4,0,0)", "delete(4,0,0)"}));
}

TEST_F(Observed, AStreamIsDeletedWhateverItsDoneSays) {
    run("trace\ndone ret 0\n");
    EXPECT_TRUE(logged("delete(2,0,0)"));
}

TEST_F(Observed, ProxyDoneIsNotFoundForWhatNobodyWaitsFor) {
    run("configure done\nrequest_headers done\nlog done\ndone done\n");
    EXPECT_EQ(std::count(lines.begin(), lines.end(), "done = 1"), 4);
}

// Roots end in reverse: by the time of the first, the second is waited for.
TEST_F(Observed, ProxyDoneIsOkForARootThatIsNotDone) {
    const auto module = test::assembled(
        "(module (import \"env\" \"proxy_done\" (func $d (result i32))) (import \"env\" "
        "\"proxy_set_effective_context\" (func $e (param i32) (result i32))) (import \"env\" "
        "\"proxy_set_shared_data\" (func $s (param i32 i32 i32 i32 i32) (result i32))) (memory "
        "(export \"memory\") 1) (data (i32.const 0) \"01234\") (func (export "
        "\"proxy_abi_version_0_2_1\")) (func (export \"malloc\") (param i32) (result i32) "
        "(i32.const 64)) (func (export \"proxy_on_done\") (param i32) (result i32) (if (result "
        "i32) (i32.eq (local.get 0) (i32.const 2)) (then (i32.const 0)) (else (drop (call $e "
        "(i32.const 2))) (drop (call $s (i32.const 0) (i32.const 1) (call $d) (i32.const 1) "
        "(i32.const 0))) (i32.const 1)))) (func (export \"proxy_on_delete\") (param i32)))");
    WASMPLUG_NEEDS(module.has_value(), "wat2wasm");
    given.plugins.front().module = *module;
    given.plugins.push_back(given.plugins.front());
    given.plugins.back().name = "second";
    given.steps.clear();
    run("");
    EXPECT_EQ(seen.outcome, Outcome::ok) << seen.message;
    EXPECT_EQ(seen.shared_data.at("0"), "0");  // the digit at address 0: ok
    EXPECT_EQ(seen.callbacks.at("proxy_on_delete"), 2U);
}

TEST_F(Observed, AGrpcRequestToADeadVmIsUnavailable) {
    request({}, {{"content-type", "application/grpc"}});
    run("request_headers trap\n");
    EXPECT_EQ(status(), "200");
    EXPECT_EQ(first_header(first().response->headers, "grpc-status"), "14");
}

TEST_F(Observed, ALoopTakesTheWorkerWithAllItsStreams) {
    given.limits.instructions = 100'000;
    given.envoy.failure_policy = FailurePolicy::open;
    given.steps.push_back(given.steps.front());
    run("trace\nrequest_headers spin\n");
    EXPECT_EQ(first().outcome, Outcome::out_of_fuel);
    EXPECT_FALSE(first().response);
    EXPECT_EQ(seen.steps[1].outcome, Outcome::stuck);
    EXPECT_FALSE(seen.steps[1].response);
}

// The third VM that is configured is the worker's.
TEST_F(Worker, WhoseConfigurationFailsServesWithoutThePlugin) {
    const auto module = test::assembled(
        "(module (import \"env\" \"proxy_get_shared_data\" (func $g (param i32 i32 i32 i32 i32) "
        "(result i32))) (import \"env\" \"proxy_set_shared_data\" (func $s (param i32 i32 i32 i32 "
        "i32) (result i32))) (memory (export \"memory\") 1) (data (i32.const 0) \"ab\") (func "
        "(export \"proxy_abi_version_0_2_1\")) (func (export \"malloc\") (param i32) (result i32) "
        "(i32.const 64)) (func (export \"proxy_on_configure\") (param i32 i32) (result i32) (if "
        "(i32.eqz (call $g (i32.const 1) (i32.const 1) (i32.const 8) (i32.const 12) (i32.const "
        "16))) (then (return (i32.const 0)))) (if (i32.eqz (call $g (i32.const 0) (i32.const 1) "
        "(i32.const 8) (i32.const 12) (i32.const 16))) (then (drop (call $s (i32.const 1) "
        "(i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0))))) (drop (call $s (i32.const 0) "
        "(i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0))) (i32.const 1)) (func (export "
        "\"proxy_on_request_headers\") (param i32 i32 i32) (result i32) unreachable))");
    WASMPLUG_NEEDS(module.has_value(), "wat2wasm");
    given.plugins.front().module = *module;
    run("");
    EXPECT_EQ(seen.callbacks.at("proxy_on_configure"), 3U);
    EXPECT_EQ(status(), "200");
    EXPECT_EQ(seen.outcome, Outcome::ok);
    EXPECT_NE(seen.message.find("Failed to configure"), std::string::npos) << seen.message;
}

// ---- calls, data, queues, ticks, properties

TEST_F(Observed, ACallWithoutATimeoutWaits) {
    auto slow = answers(200);
    slow.delay = std::chrono::seconds(60);
    call_target(slow);
    run("request_headers call auth :method=GET,:path=/,:authority=a \"\" 0\nrequest_headers ret 1\n"
        "call_response get 6 :status\ncall_response effective\ncall_response continue 0\n");
    EXPECT_TRUE(logged("get 6 :status = 0 '200'"));
    EXPECT_EQ(status(), "200");
}

TEST_F(Observed, EachKindOfCallCountsItsTokens) {
    given.envoy.clusters_without_hosts = {"empty"};
    call_target(answers(200));
    call_target(answers(200), true);
    run(std::string(call_auth) +
        "request_headers call empty :method=GET,:path=/,:authority=a \"\" 9\n" +
        "request_headers grpc auth ask\nrequest_headers call auth "
        ":method=GET,:path=/,:authority=b \"\" 9\n");
    EXPECT_TRUE(logged("grpc auth ask = 0 5"));
    EXPECT_TRUE(logged("call auth :method=GET,:path=/,:authority=b \"\" 9 = 0 12"));
}

TEST_F(Observed, SharedDataIsKeptByVmId) {
    auto second = given.plugins.front();
    second.vm_id = "other";
    second.name = "second";
    second.config = "request_headers sget k\n";
    given.plugins.push_back(second);
    run("request_headers sset k v 0\n");
    EXPECT_TRUE(logged("sget k = 1"));
    given.plugins[1].vm_id = given.plugins[0].vm_id;
    given.plugins[1].env = {{"A", "1"}};  // another VM of the same id
    run("request_headers sset k v 0\n");
    EXPECT_TRUE(logged("sget k = 0 'v'"));
}

TEST_F(Observed, AQueueMovesToWhoRegistersItLastAndIsToldOncePerItem) {
    auto second = given.plugins.front();
    second.env = {{"A", "1"}};  // a VM of its own with the same id
    second.name = "second";
    second.config = "trace\nconfigure qreg jobs\nqueue_ready qget\n";
    given.plugins.push_back(second);
    run("configure qreg jobs\nrequest_headers qput one\nrequest_headers qput two\nqueue_ready log "
        "2 \"told the first\"\n");
    EXPECT_FALSE(logged("told the first"));
    EXPECT_TRUE(logged("qget = 0 'one'"));
    EXPECT_TRUE(logged("qget = 0 'two'"));
    EXPECT_EQ(std::count(lines.begin(), lines.end(), "queue_ready(1,1,0)"), 2);
}

TEST_F(Observed, AQueueThatDoesNotExistIsNotFound) {
    run("request_headers qput x\nrequest_headers qget\n");
    EXPECT_TRUE(logged("qput x = 1"));
    EXPECT_TRUE(logged("qget = 1"));
}

TEST_F(Observed, MetricIdsAreAVmsOwn) {
    run("configure metric 0 c\nconfigure inc 1\nrequest_headers mget\n");
    EXPECT_TRUE(logged("metric 0 c = 0 4"));
    EXPECT_TRUE(logged("mget = 0 3"));
}

TEST_F(Observed, AnotherTickPeriodBeginsAnew) {
    plugintest::Step wait;
    wait.advance = std::chrono::milliseconds(250);
    given.steps = {wait, given.steps.front(), wait, wait};
    run("trace\nconfigure tick 300\nrequest_headers tick 300\n");
    // 300 after the request at 250, not 300 after the start.
    const auto ticks = [&](std::size_t number) {
        return seen.steps[number].logs.size();
    };
    EXPECT_EQ(ticks(0), 0U);
    EXPECT_EQ(ticks(2), 0U);
    EXPECT_EQ(ticks(3), 1U);
}

TEST_F(Observed, PropertiesNameThePluginItsRootAndItsVm) {
    given.plugins.front().root_id = "my_root";
    run("request_headers prop plugin_root_id\nrequest_headers prop plugin_vm_id\n"
        "request_headers prop \"\"\nrequest_headers prop nope\n");
    EXPECT_TRUE(logged("prop plugin_root_id = 0 'my_root'"));
    EXPECT_TRUE(logged("prop plugin_vm_id = 0 'vm'"));
    EXPECT_TRUE(logged("prop \"\" = 3"));
    EXPECT_TRUE(logged("prop nope = 1"));
}

// Plugins panic without them.
TEST_F(Observed, PropertiesThatPluginsCountOnAreThere) {
    for (const auto* name :
         {"request.time", "request.id", "request.scheme", "request.size", "request.total_size",
          "source.address", "source.port", "destination.address", "destination.port",
          "connection.id", "connection.mtls", "connection_id", "xds.node.id",
          "xds.listener_direction", "xds.route_name"}) {
        run(std::string("request_headers prop ") + name + "\n");
        EXPECT_TRUE(lines.at(0).starts_with(std::string("prop ") + name + " = 0 ")) << lines[0];
    }
    for (const auto* name : {"response.code", "response.code_details", "response.flags",
                             "upstream.address", "request.duration"}) {
        run(std::string("log prop ") + name + "\n");
        EXPECT_TRUE(lines.at(0).starts_with(std::string("prop ") + name + " = 0 ")) << lines[0];
    }
}

// It answers that it is configured when the forty bytes are fewer in between and the same again.
constexpr const char* there_and_back = R"((module
  (import "env" "proxy_call_foreign_function"
    (func $call (param i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "compress")
  (data (i32.const 16) "uncompress")
  (data (i32.const 32) "aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbb")
  (global $heap (mut i32) (i32.const 1024))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param $size i32) (result i32)
    global.get $heap
    (global.set $heap (i32.add (global.get $heap) (local.get $size))))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (local $i i32)
    (if (call $call (i32.const 0) (i32.const 8) (i32.const 32) (i32.const 40)
                    (i32.const 96) (i32.const 100))
      (then (return (i32.const 0))))
    (if (i32.ge_u (i32.load (i32.const 100)) (i32.const 40)) (then (return (i32.const 0))))
    (if (call $call (i32.const 16) (i32.const 10) (i32.load (i32.const 96))
                    (i32.load (i32.const 100)) (i32.const 104) (i32.const 108))
      (then (return (i32.const 0))))
    (if (i32.ne (i32.load (i32.const 108)) (i32.const 40)) (then (return (i32.const 0))))
    (loop $next
      (if (i64.ne (i64.load (i32.add (i32.load (i32.const 104)) (local.get $i)))
                  (i64.load offset=32 (local.get $i)))
        (then (return (i32.const 0))))
      (local.set $i (i32.add (local.get $i) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $i) (i32.const 40))))
    i32.const 1)))";

TEST_F(Observed, WhatIsCompressedComesBack) {
    run("request_headers foreign uncompress nonsense\n");
    EXPECT_TRUE(logged("foreign uncompress nonsense = 3"));
    const auto module = test::assembled(there_and_back);
    WASMPLUG_NEEDS(module.has_value(), "wat2wasm");
    given.plugins.front().module = *module;
    run("");
    EXPECT_EQ(seen.outcome, Outcome::ok) << seen.message;
}

TEST_F(Observed, WasiThatIsNotAllowedIsNotCapable) {
    const auto module = test::assembled(
        "(module (import \"wasi_snapshot_preview1\" \"clock_time_get\" (func $c (param i32 i64 "
        "i32) (result i32))) (memory (export \"memory\") 1) (func (export "
        "\"proxy_abi_version_0_2_1\")) (func (export \"malloc\") (param i32) (result i32) "
        "(i32.const 8)) (func (export \"proxy_on_configure\") (param i32 i32) (result i32) (i32.eq "
        "(call $c (i32.const 0) (i64.const 0) (i32.const 8)) (i32.const 76))))");
    WASMPLUG_NEEDS(module.has_value(), "wat2wasm");
    given.plugins.front().module = *module;
    given.envoy.allowed_capabilities = std::vector<std::string>{"proxy_on_configure"};
    run("");
    EXPECT_EQ(seen.outcome, Outcome::ok) << seen.message;
}

}  // namespace
}  // namespace wasmplug::host
