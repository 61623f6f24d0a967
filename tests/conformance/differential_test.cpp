// The same cases in the embedded host and in a real Envoy, with equal results.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <sstream>

#include "base/http.hpp"
#include "base/output.hpp"
#include "envoy/engine.hpp"
#include "host/embedded.hpp"
#include "plugintest/expect.hpp"
#include "tests/support/envoy.hpp"
#include "tests/support/require.hpp"
#include "tests/support/script_plugin.hpp"

namespace wasmplug::test {
namespace {

namespace fs = std::filesystem;
using namespace plugintest;

// Lines that cannot be the same in two runs of one Envoy, let alone in two engines. All else that
// differs is a fault of the host.
struct Known {
    const char* line;         // regex over the whole line
    const char* replacement;  // what is compared instead; "" for nothing
    const char* reason;
};

constexpr Known known[] = {
    {"prop (request\\|(time|id|duration|total_size|size)|source\\|port|"
     "destination\\|address|upstream\\|address|connection\\|id|connection_id|source\\|address) .*",
     "", "times, ports and ids are a run's own"},
    {"  (x-request-id|date|server|x-envoy-upstream-service-time|x-envoy-expected-rq-timeout-ms|"
     "content-length|transfer-encoding): .*",
     "", "volatile headers, and framing that a proxy writes anew"},
    {"(.* pairs\\(map \\d+\\) rc=\\d+).*", "$1", "counts volatile headers and their bytes"},
    {"((request|response)_headers\\(\\d+,)n=\\d+(.*)", "$1n$3",
     "counts the codec's framing headers and Envoy's timing header"},
    {"prop request\\|headers .*", "", "Envoy's map has an order of its own"},
    {"prop xds\\|(route_name|virtual_host_name) .*", "",
     "the embedded host's are an Istio sidecar's, the local Envoy has others"},
    {"(http_call_response\\(.*,)h=\\d+(,.*)", "$1h$2", "counts framing and timing headers too"},
    {"prop xds\\|node .*", "", "60 KB of an Envoy's own build"},
    {"response_headers\\(\\d+,n,eos=0\\) :status=504|response_body\\(.*'stream timeout'", "",
     "a local Envoy gives up on a stuck stream after a second, with this reply"},
};

std::string normal(std::string line) {
    for (const auto& each : known) {
        const std::regex whole(each.line);
        if (std::regex_match(line, whole)) {
            line = std::regex_replace(line, whole, each.replacement);
        }
    }
    return line;
}

std::string lines_of(const std::vector<Log>& logs) {
    std::string text;
    for (const auto& log : logs) {
        std::string line = log.text;
        std::replace(line.begin(), line.end(), '\n', '~');
        if (const auto kept = normal(line); !kept.empty()) {
            text += std::string(log_level_name(log.level)) + ": " + kept + "\n";
        }
    }
    return text;
}

// Headers in any order: an HTTP/1.1 codec and a filter chain put their own in between.
std::string text_of(const std::optional<Message>& message) {
    if (!message) {
        return "none";
    }
    std::vector<std::string> lines;
    for (const auto& [name, value] : message->headers) {
        // HTTP/1.1 does not carry the scheme.
        if (!is_volatile_header(name) && name != ":scheme") {
            lines.push_back(name + ": " + value);
        }
    }
    std::sort(lines.begin(), lines.end());
    std::string text;
    for (const auto& line : lines) {
        text += line + "\n";
    }
    text += "body " + message->whole_body() + "\n";
    for (const auto& [name, value] : message->trailers) {
        text += "trailer " + name + ": " + value + "\n";
    }
    return text;
}

std::string text_of(const std::vector<Call>& calls) {
    std::string text;
    for (const auto& call : calls) {
        text += call.cluster + " " + std::to_string(call.timeout.count()) + " " +
                (call.grpc ? call.service + "/" + call.method
                           : first_header(call.request.headers, ":path")) +
                " " + call.request.whole_body() + "\n";
    }
    return text;
}

// A service that nobody can reach does not see what it is asked.
std::vector<Call> arriving(const Case& test, std::vector<Call> calls) {
    std::erase_if(calls, [&](const Call& call) {
        const auto& empty = test.envoy.clusters_without_hosts;
        return std::find(empty.begin(), empty.end(), call.cluster) != empty.end() ||
               std::any_of(test.calls.begin(), test.calls.end(), [&](const CallTarget& target) {
                   return target.cluster == call.cluster &&
                          target.reply.kind == CallReply::Kind::refused;
               });
    });
    return calls;
}

class Differential : public testing::Test {
  protected:
    void SetUp() override {
        WASMPLUG_NEEDS_PROGRAM("clang");
        WASMPLUG_NEEDS(envoy_binary().has_value(), "envoy");
    }

    static Step get(const std::string& path, std::vector<std::string> body = {}) {
        Step step;
        step.request = Message{.headers = {{":authority", "a.test"},
                                           {":path", path},
                                           {":method", body.empty() ? "GET" : "POST"},
                                           {":scheme", "http"},
                                           {"user-agent", "differential"}},
                               .body = std::move(body)};
        step.upstream = Message{.headers = {{":status", "200"}, {"x-from", "upstream"}},
                                .body = {"upstream\n"}};
        return step;
    }

    static Case with(const fs::path& module, const std::string& config, std::vector<Step> steps) {
        Case test;
        test.plugins.push_back(
            {.module = module, .name = "plugin", .config = config, .vm_id = "vm1"});
        test.steps = std::move(steps);
        return test;
    }

    void expect_same(const std::string& what, const Case& test) {
        Case traced = test;
        const Observed ours = embedded_.run(traced);
        const Observed theirs = envoy::engine(*envoy_binary(), services_)(traced);
        ASSERT_FALSE(theirs.skipped) << what << ": " << *theirs.skipped;
        const std::string where = "(embedded, Envoy) in " + what;
        EXPECT_STREQ(to_string(ours.outcome), to_string(theirs.outcome))
            << where << ": " << ours.message << theirs.message;
        EXPECT_EQ(lines_of(ours.start_logs), lines_of(theirs.start_logs)) << where;
        ASSERT_EQ(ours.steps.size(), theirs.steps.size()) << where;
        for (std::size_t i = 0; i < ours.steps.size(); ++i) {
            const auto& a = ours.steps[i];
            const auto& b = theirs.steps[i];
            const std::string step =
                where + ", " +
                (test.steps[i].request ? first_header(test.steps[i].request->headers, ":path")
                                       : "no request");
            EXPECT_STREQ(to_string(a.outcome), to_string(b.outcome)) << step;
            EXPECT_EQ(text_of(a.upstream_request), text_of(b.upstream_request)) << step;
            EXPECT_EQ(text_of(a.response), text_of(b.response)) << step;
            EXPECT_EQ(a.response_details, b.response_details) << step;
            EXPECT_EQ(text_of(arriving(test, a.calls)), text_of(b.calls)) << step;
            EXPECT_EQ(lines_of(a.logs), lines_of(b.logs)) << step;
        }
    }

    HttpClient client_{"wasmplug-tests"};
    std::ostringstream out_;
    Output output_{out_, out_};
    Services services_{.out = output_,
                       .send = [this](const HttpRequest& request, const Cancel& cancel) {
                           return client_.send(request, cancel);
                       }};
    host::Embedded embedded_;
};

// ../shared beside the repository; its modules are no part of it.
std::optional<fs::path> shared_folder() {
    for (fs::path folder = WASMPLUG_SOURCE_DIR; folder.has_relative_path();
         folder = folder.parent_path()) {
        if (fs::exists(folder / "shared/prototypes/envoy-lab/modules/probe.c")) {
            return folder / "shared";
        }
    }
    return std::nullopt;
}

class Lab : public Differential {
  protected:
    void SetUp() override {
        Differential::SetUp();
        if (!shared_folder()) {
            GTEST_SKIP() << "no folder shared/prototypes/envoy-lab beside the repository";
        }
    }

    fs::path built(const std::string& source, const std::string& name,
                   const std::vector<std::string>& flags = {}) {
        const auto lab = *shared_folder() / "prototypes/envoy-lab/modules";
        const auto module = folder_.path() / (name + ".wasm");
        ProcessSpec spec{.argv = {"clang", "--target=wasm32", "-O2", "-nostdlib", "-ffreestanding",
                                  "-fno-builtin", "-Wno-everything", "-Wl,--no-entry",
                                  "-Wl,--allow-undefined"}};
        spec.argv.insert(spec.argv.end(), flags.begin(), flags.end());
        spec.argv.insert(spec.argv.end(), {(lab / source).string(), "-o", module.string()});
        const auto ended = run_process(spec, {});
        if (ended.exit_code != 0) {
            throw Error(ended.err);
        }
        return module;
    }

    TemporaryDirectory folder_;
};

TEST_F(Lab, ProbeReadsAndWritesEverything) {
    std::vector<Step> steps;
    for (const auto* path :
         {"/dump",      "/badmap",          "/hdr",     "/loglevels", "/unterm",   "/props",
          "/shared",    "/queue",           "/reppath", "/addpath",   "/reproute", "/addroute",
          "/setpairs",  "/setpairs-nometh", "/foreign", "/reqmap",    "/dumpresp", "/status299",
          "/respprops", "/logmaps",         "/reqtrl"}) {
        steps.push_back(get(path));
    }
    expect_same("probe", with(built("probe.c", "probe"), "queue", std::move(steps)));
}

TEST_F(Lab, ProbeAnswersByItself) {
    std::vector<Step> steps;
    for (const auto* path :
         {"/local", "/local-dup", "/local-hdr", "/local-empty", "/local-200", "/local-stop",
          "/local-4", "/resplocal", "/ret2", "/contstop", "/close-not"}) {
        steps.push_back(get(path));
    }
    steps.push_back(get("/bodylocal", {"hello"}));
    expect_same("probe", with(built("probe.c", "probe"), "", std::move(steps)));
}

TEST_F(Lab, ProbeHoldsAndChangesBodies) {
    std::vector<Step> steps;
    for (const auto* path : {"/buf-start", "/bodybuf", "/bodywm", "/bodynobuf", "/bodymaps",
                             "/rmcl", "/respcl", "/respbuf"}) {
        steps.push_back(get(path, {"hello"}));
    }
    expect_same("probe", with(built("probe.c", "probe"), "", std::move(steps)));
}

TEST_F(Lab, ProbeBreaksWhatARequestNeeds) {
    std::vector<Step> steps;
    for (const auto* path :
         {"/rmmethod", "/rmpath", "/emptypath", "/nl", "/rmstatus", "/rmscheme", "/badstatus"}) {
        steps.push_back(get(path));
    }
    expect_same("probe", with(built("probe.c", "probe"), "", std::move(steps)));
}

TEST_F(Lab, ProbeCallsOthers) {
    std::vector<Step> steps;
    for (const auto* path : {"/call-ok", "/call-t0", "/call-missing", "/call-nomethod", "/call-neg",
                             "/call-reset", "/cc-mid", "/cc-trash", "/cc-trail", "/call-nohosts"}) {
        steps.push_back(get(path));
    }
    Case test = with(built("probe.c", "probe"), "", std::move(steps));
    const auto service = [&](const char* name, CallReply::Kind kind) {
        CallReply reply{.kind = kind,
                        .message = {.headers = {{":status", "200"}, {"x-s", "v"}}, .body = {"ok"}}};
        if (std::string(name) == "trail") {
            reply.message.trailers = {{"x-t", "1"}};
        }
        test.calls.push_back({.cluster = name, .reply = reply});
    };
    using enum CallReply::Kind;
    service("upstream", response);
    service("dead", refused);
    service("mid", reset_after_headers);
    service("trash", garbage);
    service("trail", response);
    test.envoy.clusters_without_hosts = {"nohosts"};
    expect_same("probe", test);
}

TEST_F(Lab, ProbeTraps) {
    const auto probe = built("probe.c", "probe");
    for (const auto* path :
         {"/crash", "/oob", "/div0", "/resptrap", "/pause", "/xclosereq", "/ret4"}) {
        expect_same("probe", with(probe, "", {get(path)}));
    }
    expect_same("probe", with(probe, "", {get("/bodytrap", {"hello"})}));
}

TEST_F(Lab, ModulesThatLoadOrDoNot) {
    for (const auto* variant :
         {"future", "noabi", "abi010", "abi020", "unknown_import", "unknown_module", "badimport",
          "wasi_unknown", "inittrap", "init", "start", "nomalloc", "badexport"}) {
        expect_same(variant,
                    with(built("bad.c", variant, {"-DV_" + std::string(variant)}), "", {get("/")}));
    }
}

// The embedded host foretells that this one cannot start and never runs it, so what it logs before
// it ends is not there; the rest is the same.
TEST_F(Lab, AModuleThatCallsTooEarly) {
    const Case test = with(built("bad.c", "initcall", {"-DV_initcall"}), "", {get("/")});
    const Observed ours = embedded_.run(test);
    const Observed theirs = envoy::engine(*envoy_binary(), services_)(test);
    EXPECT_EQ(ours.outcome, Outcome::load_failed);
    EXPECT_EQ(theirs.outcome, Outcome::load_failed);
    EXPECT_NE(ours.message.find("restricted_callback"), std::string::npos);
    EXPECT_NE(theirs.message.find("restricted_callback"), std::string::npos) << theirs.message;
}

TEST_F(Lab, PatternsInEveryMode) {
    const auto module = *shared_folder() / "data/patterns.wasm";
    Step denied = get("/x");
    denied.request->headers.emplace_back("authorization", "Bearer t");
    for (const auto* config : {"headers", "transform", "counter"}) {
        Step missing = get("/v1/items", {"hello"});
        missing.upstream.headers[0].second = "404";
        expect_same(config, with(module, config, {get("/"), missing, get("/v1/x")}));
    }
    Case test = with(module, "auth", {get("/"), denied});
    CallReply no{.message = {.headers = {{":status", "403"}}}};
    test.calls.push_back({.cluster = "auth", .reply = no});
    expect_same("auth", test);
    expect_same("a wrong configuration", with(module, "nope", {get("/")}));
    for (const auto* path : {"/crash", "/stuck"}) {
        expect_same(path, with(module, "headers", {get(path)}));
    }
}

// A gRPC service that answers, refuses and breaks, through the little language of script.c.
TEST_F(Differential, GrpcCallsEndAlike) {
    const auto script = built_plugin("script");
    ASSERT_TRUE(script);
    for (const auto* call : {"grpc auth ask",
                             "gstream auth\nrequest_headers gsend hello\n"
                             "request_headers gclose"}) {
        using enum CallReply::Kind;
        for (const auto kind : {response, refused, reset_after_headers, timeout}) {
            if (kind == timeout && call[1] == 's') {
                continue;  // a stream without a timeout waits as long as the test
            }
            Case test = with(*script,
                             std::string("request_headers ") + call +
                                 "\nrequest_headers ret 1\ngrpc_receive buf 5 0 100\n"
                                 "grpc_trailing get 5 x-t\ngrpc_close status\n",
                             {get("/")});
            CallReply reply{.kind = kind,
                            .message = {.headers = {{":status", "200"}},
                                        .body = {"hello"},
                                        .trailers = {{"x-t", "v"}}}};
            test.calls.push_back({.cluster = "auth", .grpc = true, .reply = reply});
            expect_same(std::string(call) + std::to_string(static_cast<int>(kind)), test);
            test.calls[0].reply.grpc_status = 7;
            test.calls[0].reply.grpc_message = "no";
            if (kind == response) {
                expect_same(std::string(call) + " denied", test);
            }
        }
    }
}

}  // namespace
}  // namespace wasmplug::test
