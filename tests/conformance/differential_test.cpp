// The modules of the Envoy lab, patterns.wasm and our own script plugin: the same cases in the
// embedded host and in a real Envoy, with equal results.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "base/process.hpp"
#include "envoy/engine.hpp"
#include "tests/conformance/both_engines.hpp"
#include "tests/support/envoy.hpp"
#include "tests/support/require.hpp"
#include "tests/support/script_plugin.hpp"

namespace wasmplug::test {
namespace {

namespace fs = std::filesystem;
using namespace plugintest;
using namespace std::chrono_literals;

class Differential : public testing::Test {
  protected:
    void SetUp() override {
        WASMPLUG_NEEDS_PROGRAM("clang");
        WASMPLUG_NEEDS(envoy_binary().has_value(), "envoy");
    }
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

// A line of script.c's language that asks `cluster`.
std::string call_line(const std::string& cluster) {
    return "request_headers call " + cluster + " :method=GET,:path=/check,:authority=a \"\" 500\n";
}

class Lab : public Differential {
  protected:
    void SetUp() override {
        Differential::SetUp();
        if (!shared_folder()) {
            GTEST_SKIP() << "no folder shared/prototypes/envoy-lab beside the repository";
        }
    }

    static fs::path modules() { return *shared_folder() / "prototypes/envoy-lab/modules"; }

    static void run(std::vector<std::string> argv) {
        const auto ended = run_process({.argv = std::move(argv)}, {});
        if (ended.exit_code != 0) {
            throw Error(ended.err);
        }
    }

    fs::path built(const std::string& source, const std::string& name,
                   const std::vector<std::string>& flags = {}) {
        const auto module = folder_.path() / (name + ".wasm");
        std::vector<std::string> argv{
            "clang",           "--target=wasm32", "-O2",
            "-nostdlib",       "-ffreestanding",  "-fno-builtin",
            "-Wno-everything", "-Wl,--no-entry",  "-Wl,--allow-undefined"};
        argv.insert(argv.end(), flags.begin(), flags.end());
        argv.insert(argv.end(), {(modules() / source).string(), "-o", module.string()});
        run(std::move(argv));
        return module;
    }

    fs::path probe() { return built("probe.c", "probe"); }

    fs::path written(const std::string& name, const std::string& bytes) {
        const auto module = folder_.path() / (name + ".wasm");
        write_file(module, bytes);
        return module;
    }

    // A case for each path, for what changes the VM or the connection of those after it.
    static std::vector<NamedCase> each_alone(const fs::path& module,
                                             const std::vector<std::string>& paths,
                                             const std::vector<std::string>& body = {}) {
        std::vector<NamedCase> cases;
        for (const auto& path : paths) {
            cases.push_back({path, with(module, "", {get(path, body)})});
        }
        return cases;
    }

    // One case for all paths.
    static NamedCase together(const fs::path& module, const std::string& config,
                              const std::vector<std::string>& paths,
                              const std::vector<std::string>& body = {}) {
        std::vector<Step> steps;
        for (const auto& path : paths) {
            steps.push_back(get(path, body));
        }
        return {paths.front() + " …", with(module, config, std::move(steps))};
    }

    TemporaryDirectory folder_;
};

TEST_F(Lab, ProbeReadsAndWritesEverything) {
    expect_equal_results(
        {together(probe(), "queue",
                  {"/dump",     "/badmap",         "/hdr",      "/loglevels", "/unterm",
                   "/props",    "/shared",         "/queue",    "/reppath",   "/addpath",
                   "/reproute", "/reproute-clear", "/addroute", "/setpairs",  "/setpairs-nometh",
                   "/foreign",  "/reqmap",         "/dumpresp", "/status299", "/respprops",
                   "/logmaps",  "/reqtrl"})});
}

TEST_F(Lab, ProbeAnswersByItself) {
    const auto module = probe();
    expect_equal_results(
        {together(module, "",
                  {"/local", "/local-dup", "/local-hdr", "/local-empty", "/local-200",
                   "/local-stop", "/local-4", "/resplocal", "/ret2", "/contstop", "/close-not"}),
         together(module, "", {"/bodylocal"}, {"hello"}), together(module, "", {"/local-0"}),
         together(module, "", {"/local-99"}), together(module, "", {"/local-1000"})});
}

TEST_F(Lab, ProbeHoldsAndChangesBodies) {
    const auto module = probe();
    auto cases = each_alone(
        module, {"/bodybig", "/bodysmall", "/bodystop", "/respbig", "/respsmall"}, {"hello"});
    cases.push_back(together(module, "",
                             {"/buf-start", "/bodybuf", "/bodywm", "/bodynobuf", "/bodymaps",
                              "/rmcl", "/respcl", "/respbuf"},
                             {"hello"}));
    expect_equal_results(cases);
}

TEST_F(Lab, ProbeBreaksWhatARequestNeeds) {
    const auto module = probe();
    auto cases = each_alone(module, {"/badmethod", "/rmauth"});
    cases.push_back(together(
        module, "",
        {"/rmmethod", "/rmpath", "/emptypath", "/nl", "/rmstatus", "/rmscheme", "/badstatus"}));
    expect_equal_results(cases);
}

TEST_F(Lab, ProbeCallsOthers) {
    Case test =
        together(probe(), "",
                 {"/call-ok", "/call-t0", "/call-missing", "/call-nomethod", "/call-neg",
                  "/call-reset", "/cc-mid", "/cc-trash", "/cc-trail", "/call-nohosts", "/cc-nohead",
                  "/call-timeout", "/cc-stall", "/call-slow", "/call-5xx", "/call-empty"})
            .test;
    using enum CallReply::Kind;
    const auto service = [&](const char* name, CallReply::Kind kind,
                             std::chrono::milliseconds delay = 0ms) {
        CallReply reply{.kind = kind,
                        .message = {.headers = {{":status", "200"}, {"x-s", "v"}}, .body = {"ok"}},
                        .delay = delay};
        if (std::string(name) == "trail") {
            reply.message.trailers = {{"x-t", "1"}};
        }
        test.calls.push_back({.cluster = name, .reply = reply});
    };
    test.calls.push_back({.cluster = "upstream",
                          .matches =
                              [](const Message& asked) {
                                  return first_header(asked.headers, ":path") == "/status503";
                              },
                          .reply = {.message = {.headers = {{":status", "503"}}, .body = {"no"}}}});
    service("upstream", response);
    service("dead", refused);
    service("mid", reset_after_headers);
    service("trash", garbage);
    service("trail", response);
    service("nohead", reset);
    service("slow", response, 400ms);
    service("stall", timeout_after_headers);
    test.calls.push_back(
        {.cluster = "empty", .reply = {.message = {.headers = {{":status", "204"}}}}});
    test.envoy.clusters_without_hosts = {"nohosts"};
    Case trapping = with(probe(), "", {get("/call-trap"), get("/")});
    trapping.calls.push_back(
        {.cluster = "upstream", .reply = {.message = {.headers = {{":status", "200"}}}}});
    expect_equal_results({{"calls", test}, {"a trap in an answer", trapping}});
}

TEST_F(Lab, ProbeTrapsUnderEachPolicy) {
    const auto module = probe();
    std::vector<NamedCase> cases =
        each_alone(module, {"/oob", "/div0", "/resptrap", "/respbodytrap", "/logtrap"});
    for (const auto& each : each_alone(module, {"/bodytrap"}, {"hello"})) {
        cases.push_back(each);
    }
    // A plugin is loaded again only a second after it was last: a slow answer passes that time on
    // the embedded host's clock too.
    const CallReply slow{.message = {.headers = {{":status", "200"}}}, .delay = 1200ms};
    for (const auto policy : {FailurePolicy::closed, FailurePolicy::open, FailurePolicy::reload}) {
        for (const auto* path : {"/crash", "/logtrap"}) {
            Case test = with(module, "", {get("/call-slow"), get(path), get("/")});
            test.envoy.failure_policy = policy;
            test.calls.push_back({.cluster = "slow", .reply = slow});
            cases.push_back(
                {path + std::string(" under policy ") + std::to_string(static_cast<int>(policy)),
                 test});
        }
    }
    expect_equal_results(cases);
}

TEST_F(Lab, ProbeStopsStreams) {
    expect_equal_results(
        each_alone(probe(), {"/pause", "/resppause", "/xclosereq", "/ret3", "/ret4", "/badret"}));
}

TEST_F(Lab, ProbeLoopsAndRecurses) {
    const auto module = probe();
    std::vector<NamedCase> cases;
    for (const auto* path : {"/spin", "/recurse"}) {
        cases.push_back({path, with(module, "", {get("/"), get(path), get("/")})});
        cases.back().test.limits.instructions = 5'000'000;
    }
    expect_equal_results(cases);
}

// What the words of its configuration make it do; shared data, queues and metrics count each VM
// that Envoy configures.
TEST_F(Lab, ProbeConfigures) {
    const auto module = probe();
    std::vector<NamedCase> cases;
    for (const auto* words :
         {"metrics", "queue", "quiet", "false_conf", "trap_conf", "tick", "third"}) {
        cases.push_back({words, with(module, words, {get("/")})});
    }
    for (const auto* vm : {"false", "trap", "hello"}) {
        Case test = with(module, "", {get("/")});
        test.plugins[0].vm_config = vm;
        cases.push_back({"vm configuration " + std::string(vm), test});
    }
    Case call = with(module, "confcall", {get("/")});
    call.calls.push_back(
        {.cluster = "upstream", .reply = {.message = {.headers = {{":status", "200"}}}}});
    cases.push_back({"confcall", call});
    expect_equal_results(cases);
}

TEST_F(Lab, PathsAreReplacedUnderEachAbi) {
    std::vector<NamedCase> cases;
    for (const std::string abi : {"0_1_0", "0_2_0", "0_2_1"}) {
        std::vector<std::string> flags{"-DABI=proxy_abi_version_" + abi};
        if (abi == "0_1_0") {
            flags.emplace_back("-DOLD");
        }
        cases.push_back({"rc " + abi, with(built("rc.c", "rc" + abi, flags), "",
                                           {get("/"), get("/body", {"hello"})})});
    }
    expect_equal_results(cases);
}

TEST_F(Lab, ModulesThatLoadOrDoNot) {
    std::vector<NamedCase> cases;
    const auto add = [&](const std::string& name, const fs::path& module) {
        cases.push_back({name, with(module, "", {get("/")})});
    };
    for (const std::string variant :
         {"future", "noabi", "abi010", "abi020", "unknown_import", "unknown_module", "badimport",
          "wasi_unknown", "inittrap", "init", "start", "nomalloc", "badexport", "getstatus010",
          "initcall"}) {
        add(variant, built("bad.c", variant, {"-DV_" + variant}));
    }
    for (const auto* wat : {"gowasi", "minimal", "nomemory", "onlyabi", "starttrap"}) {
        const auto module = folder_.path() / (std::string(wat) + ".wasm");
        run({"wat2wasm", "--enable-all", (modules() / (std::string(wat) + ".wat")).string(), "-o",
             module.string()});
        add(wat, module);
    }
    add("text", written("text", "hello, not wasm\n"));
    add("empty", written("empty", ""));
    add("header only", written("header", std::string("\0asm\1\0\0\0", 8)));
    add("version 2", written("version2", std::string("\0asm\2\0\0\0", 8)));
    add("cut off",
        written("cut", read_file(*shared_folder() / "data/patterns.wasm").substr(0, 2000)));
    expect_equal_results(cases);
}

// The features of WebAssembly that Envoy's V8 accepts: gen-features.sh makes a module of each.
TEST_F(Lab, FeaturesLoadAlike) {
    WASMPLUG_NEEDS_PROGRAM("wat2wasm");
    write_file(folder_.path() / "features.sh", read_file(modules() / "gen-features.sh"));
    run({"sh", "-c", "cd " + folder_.path().string() + " && mkdir -p mod/feat && sh features.sh"});
    // Which Envoy takes and an interpreter does not: a case of theirs is skipped, with the reason.
    const std::set<std::string> beyond_us = {"gc", "exnref", "multimem"};
    std::vector<NamedCase> cases;
    for (const auto& entry : fs::directory_iterator(folder_.path())) {
        if (entry.path().extension() == ".wasm") {
            const auto name = entry.path().stem().string();
            cases.push_back({name, with(entry.path(), "", {get("/")})});
            cases.back().beyond_us = beyond_us.contains(name);
        }
    }
    EXPECT_GE(cases.size(), 18U);  // three are written in an order that wat2wasm refuses
    expect_equal_results(cases);
}

TEST_F(Lab, PatternsInEveryMode) {
    const auto module = *shared_folder() / "data/patterns.wasm";
    std::vector<NamedCase> cases;
    for (const auto* config : {"headers", "transform", "counter"}) {
        Step missing = get("/v1/items", {"hello"});
        missing.upstream.headers[0].second = "404";
        cases.push_back({config, with(module, config, {get("/"), missing, get("/v1/x")})});
    }
    Step denied = get("/x");
    denied.request->headers.emplace_back("authorization", "Bearer t");
    using enum CallReply::Kind;
    for (const auto kind : {response, refused, reset, reset_after_headers, timeout, garbage}) {
        Case test = with(module, "auth", {get("/"), denied});
        test.calls.push_back(
            {.cluster = "auth",
             .reply = {.kind = kind, .message = {.headers = {{":status", "403"}}}}});
        cases.push_back({"auth " + std::to_string(static_cast<int>(kind)), test});
    }
    cases.push_back({"a wrong configuration", with(module, "nope", {get("/")})});
    for (const auto* path : {"/crash", "/stuck", "/spin"}) {
        cases.push_back({path, with(module, "headers", {get(path)})});
        cases.back().test.limits.instructions = 5'000'000;
    }
    expect_equal_results(cases);
}

// Each kind of call counts its tokens by itself, and a call that fails at once has one, too.
TEST_F(Differential, TokensCountAlike) {
    const auto script = built_plugin("script");
    ASSERT_TRUE(script);
    const std::string call = call_line("auth");
    Case test = with(*script,
                     call + "request_headers grpc rpc ask\nrequest_headers gstream rpc\n" +
                         call_line("empty") + call + "request_headers grpc rpc ask\n",
                     {get("/"), get("/again")});
    test.calls.push_back(
        {.cluster = "auth", .reply = {.message = {.headers = {{":status", "200"}}}}});
    test.calls.push_back(
        {.cluster = "rpc", .grpc = true, .reply = {.kind = CallReply::Kind::refused}});
    test.envoy.clusters_without_hosts = {"empty"};
    expect_equal_results({{"tokens", test}});
}

// A gRPC service that answers, refuses and breaks, through the little language of script.c.
TEST_F(Differential, GrpcCallsEndAlike) {
    const auto script = built_plugin("script");
    ASSERT_TRUE(script);
    std::vector<NamedCase> cases;
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
            cases.push_back({std::string(call) + std::to_string(static_cast<int>(kind)), test});
            test.calls[0].reply.grpc_status = 7;
            test.calls[0].reply.grpc_message = "no";
            if (kind == response) {
                cases.push_back({std::string(call) + " denied", test});
            }
        }
    }
    expect_equal_results(cases);
}

}  // namespace
}  // namespace wasmplug::test
