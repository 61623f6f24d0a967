// Header maps and buffers, as Envoy 1.40 gives and refuses them.

#include "tests/unit/host/scripted.hpp"

namespace wasmplug::host {
namespace {

using Maps = Scripted;
using Buffers = Scripted;

TEST_F(Maps, LowerCasesNamesAndKeepsValues) {
    run("request_headers add 0 X-Up Vv\n"
        "request_headers get 0 x-UP\n");
    EXPECT_TRUE(logged("get 0 x-UP = 0 'Vv'"));
    EXPECT_EQ(plugintest::first_header(first().upstream_request->headers, "x-up"), "Vv");
}

TEST_F(Maps, GivesTheFirstOfSeveralValuesAndReplaceLeavesOne) {
    run("request_headers add 0 x-m 1\n"
        "request_headers add 0 x-m 2\n"
        "request_headers get 0 x-m\n"
        "request_headers pairs 0\n"
        "request_headers replace 0 X-M 3\n"
        "request_headers pairs 0\n");
    EXPECT_TRUE(logged("get 0 x-m = 0 '1'"));
    EXPECT_TRUE(logged("pairs 0 = 0 8"));
    EXPECT_TRUE(logged("pairs 0 = 0 7"));
}

TEST_F(Maps, AnswersNotFoundForAMissingHeaderAndOkForRemovingIt) {
    run("request_headers get 0 x-none\nrequest_headers remove 0 x-none\n");
    EXPECT_TRUE(logged("get 0 x-none = 1"));
    EXPECT_TRUE(logged("remove 0 x-none = 0"));
}

TEST_F(Maps, RefusesMapsThatDoNotExistYetOrAtAll) {
    run("request_headers get 2 x\n"
        "request_headers get 6 x\n"
        "request_headers get 9 x\n"
        "request_headers add 2 a b\n"
        "request_headers pairs 2\n"
        "request_headers size 6\n");
    EXPECT_TRUE(logged("get 2 x = 2"));
    EXPECT_TRUE(logged("get 6 x = 2"));
    EXPECT_TRUE(logged("get 9 x = 2"));
    EXPECT_TRUE(logged("add 2 a b = 2"));
    EXPECT_TRUE(logged("pairs 2 = 0 0"));
    EXPECT_TRUE(logged("size 6 = 2"));
}

TEST_F(Maps, VanishOnceTheirCallbackLetTheMessageGoOn) {
    request({"hello"});
    run("request_body get 0 :path\n"
        "request_body add 0 a b\n"
        "request_body pairs 0\n"
        "request_body size 0\n"
        "response_headers get 0 :path\n"
        "response_headers prop request.path\n");
    EXPECT_TRUE(logged("get 0 :path = 2"));
    EXPECT_TRUE(logged("add 0 a b = 2"));
    EXPECT_TRUE(logged("pairs 0 = 0 0"));
    EXPECT_TRUE(logged("size 0 = 2"));
    EXPECT_TRUE(logged("prop request.path = 1"));
}

TEST_F(Maps, StayUsableWhileTheStreamIsPaused) {
    call_target(answers(200));
    run(std::string(call_auth) +
        "request_headers ret 1\n"
        "call_response effective\n"
        "call_response get 0 :path\n"
        "call_response add 0 x-from-call 1\n"
        "call_response continue 0\n"
        "call_response get 0 :path\n");
    EXPECT_TRUE(logged("get 0 :path = 0 '/x?a=1'"));
    EXPECT_TRUE(logged("get 0 :path = 2"));  // after continue
    EXPECT_EQ(plugintest::first_header(first().upstream_request->headers, "x-from-call"), "1");
}

TEST_F(Maps, AreReadableAndReadOnlyInTheLogPhase) {
    run("log get 0 :path\nlog get 2 :status\nlog get 2 x-none\nlog add 0 a b\n");
    EXPECT_TRUE(logged("get 0 :path = 0 '/x?a=1'"));
    EXPECT_TRUE(logged("get 2 :status = 0 '200'"));
    EXPECT_TRUE(logged("get 2 x-none = 1"));
    EXPECT_TRUE(logged("add 0 a b = 2"));
}

TEST_F(Maps, SizeIsInBytesNotInPairs) {
    request({}, {{"x-request-id", "1"}, {"x-forwarded-proto", "http"}});
    run("request_headers size 0\n");
    const Headers& headers = first().upstream_request->headers;
    std::size_t bytes = 0;
    for (const auto& [name, value] : headers) {
        bytes += name.size() + value.size();
    }
    EXPECT_TRUE(logged("size 0 = 0 " + std::to_string(bytes)));
}

TEST_F(Maps, SetPairsDropsEverythingThatWasThere) {
    run("request_headers setpairs 0 :method=GET,:path=/set,:authority=b,:scheme=http\n"
        "request_headers pairs 0\n");
    EXPECT_TRUE(logged("pairs 0 = 0 4"));
    EXPECT_EQ(plugintest::first_header(first().upstream_request->headers, ":path"), "/set");
}

TEST_F(Maps, AreEmptiedByMalformedPairs) {
    run("request_headers setpairs 0 bad=1\nrequest_headers pairs 0\n");
    EXPECT_TRUE(logged("setpairs 0 bad=1 = 0"));
    EXPECT_TRUE(logged("pairs 0 = 0 0"));
    EXPECT_EQ(status(), "404");  // no path is left to route
}

TEST_F(Maps, JoinPseudoHeadersThatAreAdded) {
    run("request_headers add 0 :path /other\n");
    EXPECT_EQ(plugintest::first_header(first().upstream_request->headers, ":path"),
              "/x?a=1,/other");
}

TEST_F(Maps, WithoutAMethodTheRequestIsRefused) {
    run("request_headers remove 0 :method\n");
    EXPECT_EQ(status(), "503");
    EXPECT_EQ(first().response->whole_body(), "missing required header: :method");
    EXPECT_FALSE(first().upstream_request);
}

TEST_F(Maps, WithoutAPathNoRouteIsFound) {
    run("request_headers remove 0 :path\n");
    EXPECT_EQ(status(), "404");
    EXPECT_EQ(first().response_details, "route_not_found");
}

TEST_F(Maps, WithoutASchemeTheRequestGoesOn) {
    run("request_headers remove 0 :scheme\n");
    EXPECT_EQ(status(), "200");
}

TEST_F(Maps, WithoutAStatusTheResponseIsABadGateway) {
    run("response_headers remove 2 :status\n");
    EXPECT_EQ(status(), "502");
    EXPECT_EQ(first().response->whole_body(), "missing required header: :status");
}

TEST_F(Maps, RefuseALineBreakInAValue) {
    run("request_headers add 0 x-nl a~b\n");
    EXPECT_EQ(status(), "503");
    EXPECT_EQ(first().response->whole_body(), "invalid header value for: x-nl");
}

TEST_F(Maps, CannotTakeTheServerHeaderAway) {
    response({}, {{"server", "nginx"}});
    run("response_headers remove 2 server\n");
    EXPECT_EQ(plugintest::first_header(first().response->headers, "server"), "envoy");
}

TEST_F(Maps, OfTrailersAreMadeInTheLastBodyCallbackOnly) {
    request({"hello"});
    run("request_body add 1 x-trl 1\nrequest_body_end add 1 x-trl 2\n");
    EXPECT_TRUE(logged("add 1 x-trl 1 = 2"));
    EXPECT_TRUE(logged("add 1 x-trl 2 = 0"));
    ASSERT_TRUE(first().upstream_request);
    EXPECT_EQ(plugintest::first_header(first().upstream_request->trailers, "x-trl"), "2");
}

TEST_F(Buffers, ShowOnlyTheChunkAtHand) {
    request({"abc", "de"});
    run("request_body buf 0 0 100\nrequest_body_end buf 0 0 100\n");
    EXPECT_TRUE(logged("buf 0 0 100 = 0 'abc'"));
    EXPECT_TRUE(logged("buf 0 0 100 = 0 'de'"));
    EXPECT_TRUE(logged("buf 0 0 100 = 0 ''"));  // HTTP/1 ends a body by an empty part
    EXPECT_EQ(first().upstream_request->whole_body(), "abcde");
}

TEST_F(Buffers, AccumulateAfterStopAndBuffer) {
    request({"abc", "de"});
    run("trace\n"
        "request_body ret 1\n"
        "request_body_end buf 0 0 100\n");
    EXPECT_TRUE(logged("request_body(2,5,0)"));
    EXPECT_TRUE(logged("request_body(2,5,1)"));
    EXPECT_TRUE(logged("buf 0 0 100 = 0 'abcde'"));
    EXPECT_EQ(first().upstream_request->whole_body(), "abcde");
}

TEST_F(Buffers, ShowNothingOfAPartOfTheBodyThatIsGone) {
    request({"abc", "de"}, {}, {{"t", "1"}});
    // Of the first part nothing is left in memory when the trailers' callback asks and writes.
    run("request_body ret 3\nrequest_trailers buf 0 0 100\nrequest_trailers setbuf 0 0 9 new\n");
    EXPECT_TRUE(logged("buf 0 0 100 = 0 ''"));
    EXPECT_TRUE(logged("setbuf 0 0 9 new = 0"));
}

TEST_F(Buffers, KeepAllUnderWatermarkAndShowOnlyTheNewest) {
    request({"abc", "de"});
    run("request_body ret 2\nrequest_body buf 0 0 100\n");
    EXPECT_TRUE(logged("buf 0 0 100 = 0 'de'"));
    EXPECT_EQ(first().upstream_request->whole_body(), "abcde");
}

TEST_F(Buffers, LoseWhatStopsWithoutBuffering) {
    request({"abc", "de"});
    run("request_body ret 3\n");
    EXPECT_EQ(first().upstream_request->whole_body(), "");
}

TEST_F(Buffers, ReplaceAtTheFrontOrAppendAndNothingElse) {
    request({"hello"});
    run("request_body setbuf 0 0 2 XX\n"
        "request_body setbuf 0 0 0 P-\n"
        "request_body setbuf 0 1 2 yy\n"
        "request_body setbuf 0 9999 0 -A\n"
        "request_body setbuf 1 0 0 no\n"
        "request_body buf 0 1000 1\n"
        "request_body buf 0 10 4294967295\n"
        "request_body buf 0 0 100\n");
    EXPECT_TRUE(logged("setbuf 0 0 2 XX = 0"));
    EXPECT_TRUE(logged("setbuf 0 1 2 yy = 2"));
    EXPECT_TRUE(logged("setbuf 1 0 0 no = 2"));
    EXPECT_TRUE(logged("buf 0 1000 1 = 0 ''"));
    EXPECT_TRUE(logged("buf 0 10 4294967295 = 0 ''"));
    EXPECT_TRUE(logged("buf 0 0 100 = 0 'P-XXllo-A'"));
    EXPECT_EQ(first().upstream_request->whole_body(), "P-XXllo-A");
}

TEST_F(Buffers, OverTheLimitAreAnsweredWith413ThroughThePlugin) {
    given.envoy.buffer_limit = 8;
    request({"hello", "world"});
    run("trace\nrequest_body ret 1\n");
    EXPECT_EQ(status(), "413");
    EXPECT_EQ(first().response_details, "request_payload_too_large");
    EXPECT_TRUE(logged("response_headers(2,3,0)"));
    EXPECT_FALSE(first().upstream_request);
}

TEST_F(Buffers, OfTheResponseOverTheLimitAreAnsweredWith500) {
    given.envoy.buffer_limit = 8;
    response({"hello", "world"});
    run("response_headers ret 1\nresponse_body ret 1\n");
    given.envoy.allow_on_headers_stop_iteration = true;
    run("response_headers ret 1\nresponse_body ret 1\n");
    EXPECT_EQ(status(), "500");
    EXPECT_EQ(first().response_details, "response_payload_too_large");
}

TEST_F(Buffers, LeaveAContentLengthAsThePluginLeftIt) {
    response({"hello"}, {{"content-length", "5"}});
    run("response_body setbuf 1 0 5 0123456789\n");
    EXPECT_EQ(first().response->whole_body(), "01234");
    run("response_body setbuf 1 0 5 x\n");
    EXPECT_EQ(first().outcome, plugintest::Outcome::stuck);
    run("response_headers remove 2 content-length\nresponse_body setbuf 1 0 5 0123456789\n");
    EXPECT_EQ(first().response->whole_body(), "0123456789");
}

TEST_F(Buffers, OfConfigurationsAreThereWhenConfiguring) {
    given.plugins.front().vm_config = "of the vm";
    run("configure buf 6 0 100\nconfigure bufstatus 6\nrequest_headers buf 7 0 10\n");
    EXPECT_TRUE(logged("buf 6 0 100 = 0 'of the vm'"));
    EXPECT_TRUE(logged("bufstatus 6 = 0 9"));
    EXPECT_TRUE(logged("buf 7 0 10 = 1"));
}

}  // namespace
}  // namespace wasmplug::host
