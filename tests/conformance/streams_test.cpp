// What a stream goes through, by the little language of tests/data/wasm/script.c: the same in the
// embedded host and in a real Envoy.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/conformance/both_engines.hpp"
#include "tests/support/envoy.hpp"
#include "tests/support/require.hpp"
#include "tests/support/script_plugin.hpp"

namespace wasmplug::test {
namespace {

using namespace plugintest;
using namespace std::chrono_literals;

class Streams : public testing::Test {
  protected:
    void SetUp() override {
        script_ = built_plugin("script");
        WASMPLUG_NEEDS(script_.has_value(), "clang with wasm-ld");
        WASMPLUG_NEEDS(envoy_binary().has_value(), "envoy");
    }

    Case scripted(const std::string& script, std::vector<Step> steps = {get("/")}) const {
        return with(*script_, script, std::move(steps));
    }

    // Another plugin behind the first, in the same VM unless `vm_id` is another.
    Plugin second(const std::string& script, const std::string& vm_id = "vm1") const {
        return {.module = *script_, .name = "second", .config = script, .vm_id = vm_id};
    }

    static Step asked(const std::string& method, Headers more = {}) {
        Step step = get("/x");
        for (auto& [name, value] : step.request->headers) {
            value = name == ":method" ? method : value;
        }
        step.request->headers.insert(step.request->headers.end(), more.begin(), more.end());
        return step;
    }

    static Step answered(const std::string& status, std::vector<std::string> body,
                         Headers trailers = {}) {
        Step step = get("/x");
        step.upstream.headers[0].second = status;
        step.upstream.body = std::move(body);
        step.upstream.trailers = std::move(trailers);
        return step;
    }

    std::optional<std::filesystem::path> script_;
};

const std::string all_calls =
    "trace\nrequest_headers list 0\nresponse_headers list 2\nresponse_trailers list 3\n";

TEST_F(Streams, MessagesWithoutABodyEndAlike) {
    expect_equal_results(
        {{"HEAD", scripted(all_calls, {asked("HEAD")})},
         {"no bodies", scripted(all_calls, {asked("OPTIONS"), asked("DELETE"), answered("204", {}),
                                            answered("304", {}), answered("200", {})})}});
}

// Whether the client waits for a body is told by what it asked, not by what a plugin makes of that.
// (One that asked with HEAD is gone before the body that a GET brings has passed the plugin.)
TEST_F(Streams, ChangedMethodsAlike) {
    const std::string reply = "request_headers reply 403 why body \"\"\n";
    const auto changed = [](const std::string& method) {
        return all_calls + "request_headers replace 0 :method " + method + "\n";
    };
    expect_equal_results({{"to HEAD", scripted(changed("HEAD"), {asked("GET")})},
                          {"reply to HEAD", scripted(changed("HEAD") + reply, {asked("GET")})},
                          {"reply to GET", scripted(changed("GET") + reply, {asked("HEAD")})}});
}

TEST_F(Streams, ChunksAndTrailersArriveAlike) {
    Step sent = get("/x", {"one", "two", "three"});
    sent.request->trailers = {{"x-req", "1"}, {"x-req", "2"}};
    sent.upstream.body = {"four", "five"};
    sent.upstream.trailers = {{"x-res", "3"}};
    std::vector<NamedCase> cases;
    for (const auto* held :
         {"", "request_body ret 1\n", "request_body ret 1\nrequest_body_end ret 0\n",
          "response_body ret 1\n", "response_headers ret 1\n",
          "request_trailers add 1 x-more 1\nresponse_trailers remove 3 x-res\n",
          "request_trailers ret 1\n", "response_body setbuf 1 0 100 new\n"}) {
        cases.push_back({held, scripted(all_calls + held, {sent})});
    }
    expect_equal_results(cases);
}

TEST_F(Streams, StopOnHeadersAlike) {
    std::vector<NamedCase> cases;
    for (const bool allowed : {false, true}) {
        for (const auto* script :
             {"trace\nrequest_headers ret 1\nrequest_body_end ret 0\n",
              "trace\nrequest_headers ret 2\n", "trace\nresponse_headers ret 1\n"}) {
            Case test = scripted(script, {get("/x", {"hello"})});
            test.envoy.allow_on_headers_stop_iteration = allowed;
            cases.push_back({script + std::to_string(allowed), test});
        }
    }
    expect_equal_results(cases);
}

// Headers of a client that Envoy changes before any plugin sees them.
TEST_F(Streams, ClientsHeadersArriveAlike) {
    const std::vector<Headers> given = {
        {{"connection", "close, x-hop"}, {"x-hop", "1"}, {"keep-alive", "5"}},
        {{"connection", "close"}, {"connection", "X-Hop"}, {"x-hop", "1"}},
        {{"te", "trailers"}, {"proxy-connection", "keep-alive"}},
        {{"te", "trailers, gzip"}},
        {{"te", "gzip, Trailers"}},
        {{"referer", "not a url"}},
        {{"x-forwarded-proto", "https"}, {"x-request-id", "mine"}, {"x-forwarded-for", "1.2.3.4"}},
        {{"x-envoy-internal", "true"}, {"x-envoy-original-path", "/y"}, {"x-b3-traceid", "a"}},
        {{"x-empty", ""}, {"x-two", "1"}, {"x-two", "2"}, {"cookie", "a=1"}, {"cookie", "b=2"}},
        {{"expect", "100-continue"}},
        {{"range", "bytes=0-1"}, {"host", "other.test"}},
    };
    std::vector<Step> steps;
    for (const auto& headers : given) {
        steps.push_back(asked("GET", headers));
    }
    expect_equal_results({{"client headers", scripted("request_headers list 0\n", steps)}});
}

TEST_F(Streams, BuffersOverflowAlike) {
    std::vector<NamedCase> cases;
    for (const auto* script :
         {"request_body ret 1\n", "request_body ret 2\n", "response_body ret 1\n",
          "response_body ret 2\n", "request_headers ret 3\n", "request_headers ret 4\n"}) {
        Step step = get("/x", {std::string(40'000, 'a'), std::string(40'000, 'b')});
        step.upstream.body = step.request->body;
        Case test = scripted(script, {step});
        test.envoy.buffer_limit = 50'000;
        cases.push_back({script, test});
    }
    expect_equal_results(cases);
}

TEST_F(Streams, GrpcClientsAreAnsweredAlike) {
    const Step rpc = asked("POST", {{"content-type", "application/grpc"}, {"te", "trailers"}});
    std::vector<NamedCase> cases;
    for (const auto* script :
         {"request_headers reply 418 why tea \"\"\n", "request_headers reply 403 a \"\" x-a=1\n",
          "request_headers trap\n", "response_headers reply 500 late no \"\"\n"}) {
        cases.push_back({script, scripted(script, {rpc, rpc})});
    }
    expect_equal_results(cases);
}

TEST_F(Streams, RepliesOfAPluginAlike) {
    std::vector<NamedCase> cases;
    for (const auto* script :
         {"trace\nrequest_headers reply 200 d b X-Mixed=V,content-type=text/html\n",
          "trace\nrequest_body reply 400 d b \"\"\n", "trace\nresponse_body reply 500 d b \"\"\n",
          "trace\nresponse_headers reply 204 d \"\" \"\"\n",
          "trace\nrequest_headers reply 302 d \"\" location=/y\nresponse_headers replace 2 "
          ":status 307\n",
          "trace\nrequest_headers reply 400 d \"\" content-length=3\n"}) {
        cases.push_back({script, scripted(script, {get("/x", {"hello"})})});
    }
    expect_equal_results(cases);
}

TEST_F(Streams, TheUpstreamResettingIsAnsweredAlike) {
    Step cut = get("/x");
    cut.upstream_resets = true;
    expect_equal_results({{"reset", scripted("trace\nresponse_headers list 2\n", {cut})}});
}

TEST_F(Streams, PluginsShareWhatTheirVmsShare) {
    const std::string reads =
        "trace\nrequest_headers sget k\nrequest_headers qres vm1 jobs\n"
        "request_headers qput hello\n";
    std::vector<NamedCase> cases;
    for (const auto* vm : {"vm1", "vm2"}) {
        Case test = scripted(
            "trace\nconfigure qreg jobs\nrequest_headers sset k v 0\nrequest_headers effective\n"
            "queue_ready qget\nqueue_ready qget\n",
            {get("/a"), get("/b")});
        test.plugins.push_back(second(reads, vm));
        cases.push_back({std::string("two plugins, the second in ") + vm, test});
    }
    Case both = scripted("trace\nconfigure qreg jobs\nqueue_ready qget\n", {get("/a"), get("/b")});
    both.plugins.push_back(
        second("trace\nconfigure qreg jobs\nrequest_headers qput hello\nqueue_ready qget\n"));
    cases.push_back({"the last to register is told", both});
    expect_equal_results(cases);
}

TEST_F(Streams, EachVmThatIsConfiguredCounts) {
    Case first = scripted(
        "configure metric 0 starts\nconfigure inc 1\nconfigure sget n\n"
        "configure sset n x 0\nrequest_headers sget n\n");
    Case two = first;
    two.plugins.push_back(second("configure metric 0 starts\nconfigure inc 1\n"));
    Case apart = first;
    apart.plugins.push_back(second("configure metric 0 starts\nconfigure inc 1\n", "vm2"));
    expect_equal_results({{"one", first}, {"two in one VM", two}, {"two VMs", apart}});
}

// A dead VM takes every plugin in it along, and nobody else.
TEST_F(Streams, PoliciesHoldForEachPlugin) {
    std::vector<NamedCase> cases;
    for (const auto policy : {FailurePolicy::closed, FailurePolicy::open}) {
        for (const auto* vm : {"vm1", "vm2"}) {
            Case test =
                scripted("trace\nresponse_headers add 2 x-first 1\n", {get("/a"), get("/b")});
            test.plugins.push_back(second("trace\nrequest_headers trap\n", vm));
            test.envoy.failure_policy = policy;
            cases.push_back(
                {"policy " + std::to_string(static_cast<int>(policy)) + " " + vm, test});
        }
    }
    expect_equal_results(cases);
}

// The worst step is the case's outcome; and a client that waited has let time pass, in which a
// plugin comes back.
TEST_F(Streams, AbandonedStreamsAndCrashesAlike) {
    Step leaves = get("/x");
    leaves.client_leaves = 200ms;
    const Step crashes = get("/x", {"body"});
    const std::string script = "trace\nrequest_headers ret 1\nrequest_body trap\n";
    Case test = scripted(script, {leaves, crashes});
    Case reloaded = scripted(script, {get("/x"), crashes, get("/x")});
    reloaded.envoy.failure_policy = FailurePolicy::reload;
    expect_equal_results({{"leaves, crashes", test}, {"reloaded", reloaded}});
}

TEST_F(Streams, CapabilitiesAreKeptAlike) {
    Case test = scripted(
        "trace\nrequest_headers prop request.path\nrequest_headers get 0 :path\n"
        "response_headers get 2 :status\n");
    test.envoy.allowed_capabilities = {{"proxy_on_context_create", "proxy_on_configure",
                                        "proxy_on_request_headers", "proxy_log",
                                        "proxy_get_buffer_bytes", "proxy_get_header_map_value"}};
    expect_equal_results({{"capabilities", test}});
}

// Only a root that said in proxy_on_done that it has more to do is waited for.
TEST_F(Streams, ProxyDoneIsAnsweredAlike) {
    expect_equal_results({{"done", scripted("trace\nconfigure done\nrequest_headers done\n"
                                            "log done\ndone done\ndone ret 0\n")}});
}

TEST_F(Streams, ClientsThatLeaveAlike) {
    Step leaves = get("/x");
    leaves.client_leaves = 300ms;
    expect_equal_results({{"leaves", scripted("trace\nrequest_headers ret 1\n", {leaves})}});
}

}  // namespace
}  // namespace wasmplug::test
