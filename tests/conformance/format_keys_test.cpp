// Every key of the test format in a real Envoy: it does what it says, or the test is skipped with
// a reason. None is silently left out.
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/parallel.hpp"
#include "base/yaml.hpp"
#include "plugintest/runner.hpp"
#include "tests/conformance/both_engines.hpp"
#include "tests/support/envoy.hpp"
#include "tests/support/require.hpp"
#include "tests/support/script_plugin.hpp"

namespace wasmplug::test {
namespace {

using namespace plugintest;

// A key, written CONTEXT.KEY as the reader has it, and a test in which `@` stands for its value:
// with `right` it passes, with `wrong` it fails. `skipped`: what is said instead of a verdict.
struct Row {
    const char* key;
    const char* script;  // the plugin's configuration: tests/data/wasm/script.c
    const char* test;
    const char* right;
    const char* wrong = nullptr;
    const char* skipped = nullptr;
};

constexpr auto asks =
    "request_headers call auth :method=GET,:path=/check,:authority=au,x-c=1 ask 500\n"
    "request_headers ret 1\ncall_response get 6 :status\ncall_response get 6 x-a\n"
    "call_response buf 4 0 100\ncall_response get 7 x-t\ncall_response effective\n"
    "call_response continue 0\n";
constexpr auto asks_by_grpc =
    "trace\nrequest_headers grpc auth ask\nrequest_headers ret 1\ngrpc_close status\n"
    "grpc_receive effective\ngrpc_receive continue 0\ngrpc_close effective\ngrpc_close continue "
    "0\n";
constexpr auto adds = "request_headers add 0 x-a 1\n";
constexpr auto replies = "request_headers reply 403 why no x-r=1\nrequest_headers ret 1\n";
constexpr auto no_clock = "the clock is real";
constexpr auto no_time = "time cannot be advanced";
constexpr auto no_push = "nothing can be pushed into a queue";
constexpr auto no_limits = "expects something of limits";

const Row rows[] = {
    {"plugin.wasm", "", "plugin: {wasm: @}\n", "script.wasm", "none.wasm"},
    {"plugin.config", "",
     "plugin: {wasm: script.wasm, config: @}\n"
     "expect: {upstream_request: {headers: {x-a: '1'}}}\n",
     "request_headers add 0 x-a 1", "x"},
    {"plugin.name", "",
     "plugin: {wasm: script.wasm, name: @, config: request_headers prop "
     "plugin_name}\nexpect: {logs: [\"'right'\"]}\n",
     "right", "other"},
    {"plugin.root_id", "",
     "plugin: {wasm: script.wasm, root_id: @, config: request_headers prop "
     "plugin_root_id}\nexpect: {logs: [\"'right'\"]}\n",
     "right", "other"},
    {"vm.id", "",
     "plugin: {wasm: script.wasm, vm: {id: @}, config: request_headers prop "
     "plugin_vm_id}\nexpect: {logs: [\"'right'\"]}\n",
     "right", "other"},
    {"vm.config", "", "plugin: {wasm: script.wasm, vm: {config: @}}\n", "yes", "no"},
    {"vm.env", "", "plugin: {wasm: environment.wasm, vm: {env: @}}\n", "{A: b}", "{}"},
    {"envoy.failure_policy", "request_headers trap\n",
     "envoy: {failure_policy: @}\n"
     "steps:\n- request: {path: /}\n- request: {path: /}\n  expect: {response: {status: 200}}\n"
     "expect: {outcome: crash}\n",
     "fail_open", "fail_closed"},
    {"envoy.allow_on_headers_stop_iteration", "request_headers ret 1\n",
     "envoy: {allow_on_headers_stop_iteration: @}\nrequest: {method: POST, path: /, body: b}\n",
     "true", "false"},
    {"envoy.buffer_limit", "request_body ret 1\n",
     "envoy: {buffer_limit: @}\n"
     "request: {method: POST, path: /, body: {random: 5000}}\nexpect: {response: {status: 413}}\n",
     "1KiB", "1MiB"},
    {"envoy.clusters", asks,
     "envoy: {clusters: [@]}\n"
     "expect: {logs: [{regex: 'call auth .* = 0 '}]}\n",
     "auth", "other"},
    {"envoy.clusters_without_hosts", asks,
     "envoy: {clusters_without_hosts: [@]}\n"
     "expect: {outcome: stuck, logs: [{regex: 'call auth .* = 10'}]}\n",
     "auth", "other"},
    {"envoy.stream_idle_timeout",
     "request_headers call auth :method=GET,:path=/,:authority=a x 5000\nrequest_headers ret 1\n"
     "call_response effective\ncall_response continue 0\n",
     "envoy: {stream_idle_timeout: @}\ncalls: [{cluster: auth, reply: {status: 200, delay: 1s}}]\n"
     "expect: {outcome: stuck}\n",
     "300ms", "5m"},
    {"envoy.allowed_capabilities", adds,
     "envoy: {allowed_capabilities: [proxy_log, "
     "proxy_on_vm_start, proxy_on_configure, proxy_on_context_create, proxy_get_buffer_bytes, "
     "proxy_on_request_headers, @]}\nexpect: {logs: [x-a 1 = 10]}\n",
     "proxy_on_log", "proxy_add_header_map_value"},

    {"a test.config", "", "config: @\nexpect: {upstream_request: {headers: {x-a: '1'}}}\n",
     "request_headers add 0 x-a 1", "x"},
    {"a test.shared_data", "", "shared_data: @\n", "{a: b}", nullptr, "shared data starts empty"},
    {"a test.properties", "", "properties: @\n", "{a.b: c}", nullptr, "properties are Envoy's own"},
    {"a test.foreign_functions", "", "foreign_functions: @\n", "{f: x}", nullptr,
     "foreign functions are Envoy's own"},
    {"a test.refuse", "", "refuse: @\n", "{proxy_http_call: empty}", nullptr,
     "host functions do not refuse"},
    {"a test.clock", "", "clock: @\n", "2026-01-02T00:00:00Z", nullptr, no_clock},
    {"limits.instructions", "", "limits: {instructions: @}\n", "1000", nullptr, no_limits},
    {"limits.memory", "", "limits: {memory: @}\n", "4MiB", nullptr, no_limits},
    {"limits.host_calls", "", "limits: {host_calls: @}\n", "5", nullptr, no_limits},

    {"request.method", "",
     "request: {method: @, path: /}\n"
     "expect: {upstream_request: {method: PUT}}\n",
     "PUT", "POST"},
    {"request.path", "", "request: {path: @}\nexpect: {upstream_request: {path: /a?b}}\n", "/a?b",
     "/b"},
    {"request.authority", "",
     "request: {path: /, authority: @}\n"
     "expect: {upstream_request: {authority: a.test}}\n",
     "a.test", "b.test"},
    {"request.host", "",
     "request: {path: /, host: @}\n"
     "expect: {upstream_request: {authority: a.test}}\n",
     "a.test", "b.test"},
    {"request.scheme", "", "request: {path: /, scheme: @}\n", "https", nullptr,
     "the scheme is http"},
    {"request.headers", "",
     "request: {path: /, headers: {x-q: @}}\n"
     "expect: {upstream_request: {headers: {x-q: [a, b]}}}\n",
     "[a, b]", "a"},
    {"request.body", "",
     "request: {method: POST, path: /, body: @}\n"
     "expect: {upstream_request: {body: hello}}\n",
     "hello", "other"},
    {"request.trailers", "",
     "request: {method: POST, path: /, body: a, trailers: {x-t: @}}\n"
     "expect: {upstream_request: {trailers: {x-t: a}}}\n",
     "a", "b"},
    {"request.client_leaves", "request_headers ret 1\n",
     "request: {path: /, client_leaves: @}\n"
     "expect: {outcome: reset}\n",
     "100ms", "60s"},
    {"body.chunks", "trace\n",
     "request: {method: POST, path: /, body: {chunks: @}}\n"
     "expect: {logs: {some: [{contains: 'request_body(2,1,0)', times: 2}]}}\n",
     "[a, b]", "[ab]"},
    {"upstream.status", "", "upstream: {status: @}\nexpect: {response: {status: 418}}\n", "418",
     "200"},
    {"upstream.headers", "",
     "upstream: {status: 200, headers: {x-u: @}}\n"
     "expect: {response: {headers: {x-u: a}}}\n",
     "a", "b"},
    {"upstream.body", "", "upstream: {status: 200, body: @}\nexpect: {response: {body: a}}\n", "a",
     "b"},
    {"upstream.trailers", "",
     "upstream: {status: 200, body: a, trailers: {x-t: @}}\n"
     "expect: {response: {trailers: {x-t: a}}}\n",
     "a", "b"},
    {"upstream.fail", "", "upstream: {fail: @}\nexpect: {response: {status: 503}}\n", "reset",
     nullptr},

    {"a call.cluster", asks,
     "calls: [{cluster: @, reply: {status: 207}}]\n"
     "expect: {logs: [\"'207'\"]}\n",
     "auth", "other"},
    {"a call.grpc", asks_by_grpc,
     "calls: [{cluster: auth, grpc: @, reply: {body: x}}]\n"
     "expect: {logs: ['grpc_receive(5,1,0)']}\n",
     "true", "false"},
    {"a call.times", asks,
     "calls: [{cluster: auth, times: @, reply: {status: 207}}]\n"
     "expect: {logs: [\"'207'\"]}\n",
     "1", "0"},
    {"a call.match", asks,
     "calls: [{cluster: auth, match: @, reply: {status: 207}}]\n"
     "expect: {logs: [\"'207'\"]}\n",
     "{path: /check, method: GET, authority: au, body: ask, "
     "headers: {x-c: '1'}}",
     "{headers: {x-c: '2'}}"},
    {"match.scheme", asks, "calls: [{cluster: auth, match: {scheme: @}, reply: {status: 207}}]\n",
     "http", nullptr, "a call's scheme cannot be seen"},
    {"match.strict", asks,
     "calls: [{cluster: auth, match: {strict: @}, reply: {status: 207}}]\n"
     "expect: {logs: [\"'207'\"]}\n",
     "false", "true"},
    {"reply.status", asks,
     "calls: [{cluster: auth, reply: {status: @}}]\n"
     "expect: {logs: [\"'207'\"]}\n",
     "207", "208"},
    {"reply.headers", asks,
     "calls: [{cluster: auth, reply: {status: 200, headers: {x-a: @}}}]\n"
     "expect: {logs: [\"x-a = 0 'yes'\"]}\n",
     "yes", "no"},
    {"reply.body", asks,
     "calls: [{cluster: auth, reply: {status: 200, body: @}}]\n"
     "expect: {logs: [\"'said'\"]}\n",
     "said", "kept"},
    {"reply.trailers", asks,
     "calls: [{cluster: auth, reply: {status: 200, body: b, trailers: {x-t: @}}}]\n"
     "expect: {logs: [\"x-t = 0 'yes'\"]}\n",
     "yes", "no"},
    {"reply.fail", asks,
     "calls: [{cluster: auth, reply: {fail: @}}]\n"
     "expect: {logs: [\"'502'\"]}\n",
     "garbage", "reset"},
    {"reply.delay", asks,
     "calls: [{cluster: auth, reply: {status: 200, delay: @}}]\n"
     "expect: {logs: [\"'504'\"]}\n",
     "900ms", "0s"},
    {"reply.grpc_status", asks_by_grpc,
     "calls: [{cluster: auth, grpc: true, reply: {grpc_status: "
     "@}}]\nexpect: {logs: ['grpc_close(5,5,']}\n",
     "5", "6"},
    {"reply.grpc_message", asks_by_grpc,
     "calls: [{cluster: auth, grpc: true, reply: {grpc_status: "
     "5, grpc_message: @}}]\nexpect: {logs: [\"'because\"]}\n",
     "because", "so"},

    {"a step.request", "",
     "steps: [{request: {path: @}}]\n"
     "expect: {upstream_request: {path: /a}}\n",
     "/a", "/b"},
    {"a step.upstream", "",
     "steps: [{request: {path: /}, upstream: {status: @}}]\n"
     "expect: {response: {status: 418}}\n",
     "418", "200"},
    {"a step.expect", "", "steps: [{request: {path: /}, expect: {response: {status: @}}}]\n", "200",
     "201"},
    {"a step.advance", "", "steps: [{advance: @}]\n", "5s", nullptr, no_time},
    {"a step.tick", "", "steps: [{tick: @}]\n", "1", nullptr, no_time},
    {"a step.queue", "", "steps: [{queue: {push: @}}]\n", "{name: q, data: d, vm_id: v}", nullptr,
     no_push},

    {"expect.response", "", "expect: {response: {status: @}}\n", "200", "201"},
    {"response.status", "", "expect: {response: {status: @}}\n", "200", "201"},
    {"response.headers", "", "expect: {response: {headers: {x-from: @}}}\n", "here", "there"},
    {"response.trailers", "",
     "upstream: {status: 200, body: a, trailers: {x-t: a}}\n"
     "expect: {response: {trailers: {x-t: @}}}\n",
     "a", "b"},
    {"response.body", "", "expect: {response: {body: @}}\n", "hello", "bye"},
    {"response.details", "", "expect: {response: {details: @}}\n", "via_upstream", "other"},
    {"response.strict", "", "expect: {response: {strict: @}}\n", "false", "true"},
    {"local_reply.grpc_status",
     "request_headers reply 403 why no grpc-status=7\nrequest_headers ret 1\n",
     "expect: {local_reply: {grpc_status: @}}\n", "7", "8"},
    {"local_reply.status", replies, "expect: {local_reply: {status: @}}\n", "403", "404"},
    {"local_reply.headers", replies, "expect: {local_reply: {headers: {x-r: @}}}\n", "'1'", "'2'"},
    {"local_reply.body", replies, "expect: {local_reply: {body: @}}\n", "'no'", "'yes'"},
    {"local_reply.details", replies, "expect: {local_reply: {details: @}}\n", "why", "other"},
    {"local_reply.strict", replies, "expect: {local_reply: {strict: @}}\n", "false", "true"},
    {"expect.local_reply", replies, "expect: {local_reply: @}\n", "true", "false"},

    {"upstream_request.method", "", "expect: {upstream_request: {method: @}}\n", "GET", "PUT"},
    {"upstream_request.path", "", "expect: {upstream_request: {path: @}}\n", "/", "/b"},
    {"upstream_request.authority", "",
     "request: {path: /, authority: a.test}\n"
     "expect: {upstream_request: {authority: @}}\n",
     "a.test", "b.test"},
    {"upstream_request.scheme", "", "expect: {upstream_request: {scheme: @}}\n", "http", nullptr,
     "expects something of upstream_request.scheme"},
    {"upstream_request.headers", adds, "expect: {upstream_request: {headers: {x-a: @}}}\n", "'1'",
     "'2'"},
    {"upstream_request.trailers", "",
     "request: {method: POST, path: /, body: a, trailers: {x-t: "
     "a}}\nexpect: {upstream_request: {trailers: {x-t: @}}}\n",
     "a", "b"},
    {"upstream_request.body", "",
     "request: {method: POST, path: /, body: hello}\n"
     "expect: {upstream_request: {body: @}}\n",
     "hello", "bye"},
    {"upstream_request.strict", adds, "expect: {upstream_request: {strict: @}}\n", "false", "true"},
    {"upstream_request.reached", "", "expect: {upstream_request: {reached: @}}\n", "true", "false"},
    {"expect.upstream_request", "", "expect: {upstream_request: {path: @}}\n", "/", "/b"},

    {"expect.calls", asks,
     "calls: [{cluster: auth, reply: {status: 200}}]\n"
     "expect: {calls: @}\n",
     "[{cluster: auth}]", "[]"},
    {"expect.calls", asks,
     "calls: [{cluster: auth, reply: {fail: refused}}]\n"
     "expect: {calls: @}\n",
     "[{cluster: auth}]", nullptr, "expects something of calls"},
    {"expected call.cluster", asks,
     "calls: [{cluster: auth, reply: {status: 200}}]\n"
     "expect: {calls: [{cluster: @}]}\n",
     "auth", "other"},
    {"expected call.timeout", asks,
     "calls: [{cluster: auth, reply: {status: 200}}]\n"
     "expect: {calls: [{timeout: @}]}\n",
     "500ms", "501ms"},
    {"expected call.method", asks,
     "calls: [{cluster: auth, reply: {status: 200}}]\n"
     "expect: {calls: [{method: @}]}\n",
     "GET", "PUT"},
    {"expected call.path", asks,
     "calls: [{cluster: auth, reply: {status: 200}}]\n"
     "expect: {calls: [{path: @}]}\n",
     "/check", "/other"},
    {"expected call.authority", asks,
     "calls: [{cluster: auth, reply: {status: 200}}]\n"
     "expect: {calls: [{authority: @}]}\n",
     "au", "other"},
    {"expected call.scheme", asks,
     "calls: [{cluster: auth, reply: {status: 200}}]\n"
     "expect: {calls: [{scheme: @}]}\n",
     "http", nullptr, "expects something of calls.scheme"},
    {"expected call.headers", asks,
     "calls: [{cluster: auth, reply: {status: 200}}]\n"
     "expect: {calls: [{headers: {x-c: @}}]}\n",
     "'1'", "'2'"},
    {"expected call.body", asks,
     "calls: [{cluster: auth, reply: {status: 200}}]\n"
     "expect: {calls: [{body: @}]}\n",
     "ask", "tell"},
    {"expected call.strict", asks,
     "calls: [{cluster: auth, reply: {status: 200}}]\n"
     "expect: {calls: [{strict: @}]}\n",
     "false", "true"},
    {"expected call.service", asks_by_grpc,
     "calls: [{cluster: auth, grpc: true, reply: {body: "
     "x}}]\nexpect: {calls: [{service: @}]}\n",
     "svc.Auth", "svc.Other"},
    {"expected call.grpc_method", asks_by_grpc,
     "calls: [{cluster: auth, grpc: true, reply: {body: "
     "x}}]\nexpect: {calls: [{grpc_method: @}]}\n",
     "Check", "Other"},

    {"expect.logs", adds, "expect: {logs: [@]}\n", "x-a 1 = 0", "x-b"},
    {"logs.none", adds, "expect: {logs: {none: [@]}}\n", "x-b", "x-a"},
    {"a log line.level", "request_headers log 4 bad\n", "expect: {logs: [{level: @}]}\n", "error",
     "warn"},
    {"a log line.times", adds, "expect: {logs: [{contains: x-a, times: @}]}\n", "1", "2"},
    {"expect.outcome", replies, "expect: {outcome: @}\n", "local_reply", "ok"},
    {"expect.message", "request_headers trap\n",
     "expect: {outcome: crash, message: {contains: "
     "@}}\n",
     "unreachable", "out of bounds"},
    {"expect.metrics", "configure metric 0 seen\nrequest_headers inc 2\n",
     "expect: {metrics: {seen: @}}\n", "2", "3"},
    {"expect.metrics", "configure metric 2 times\nrequest_headers rec 5\n",
     "expect: {metrics: {times: @}}\n", "1", nullptr, "expects something of metrics.times"},
    {"expect.shared_data", "", "expect: {shared_data: @}\n", "{a: b}", nullptr,
     "expects something of shared_data"},
    {"expect.queues", "", "expect: {queues: @}\n", "{q: []}", nullptr,
     "expects something of queues"},
};

// What the reader has done with before an engine sees a case: names, other ways to write the same,
// matchers. Tests of the reader have them.
const std::set<std::string> read_away = {"a test.name",
                                         "a test.matrix",
                                         "a test.skip",
                                         "a test.plugin",
                                         "a test.envoy",
                                         "a test.request",
                                         "a test.upstream",
                                         "a test.calls",
                                         "a test.limits",
                                         "a test.steps",
                                         "a test.expect",
                                         "plugin.vm",
                                         "a call.reply",
                                         "body.file",
                                         "body.json",
                                         "body.base64",
                                         "body.random",
                                         "body.seed",
                                         "queue.push",
                                         "push.name",
                                         "push.data",
                                         "push.vm_id",
                                         "match.method",
                                         "match.path",
                                         "match.authority",
                                         "match.headers",
                                         "match.trailers",
                                         "match.body",
                                         "match.reached",
                                         "logs.some",
                                         "a log line.text",
                                         "a log line.contains",
                                         "a log line.prefix",
                                         "a log line.suffix",
                                         "a log line.regex",
                                         "a log line.equals",
                                         "level.gte",
                                         "level.lte",
                                         "response.grpc_status",
                                         "local_reply.trailers",
                                         "expected call.trailers"};

// The keys that the reader takes, out of its source: members(value, "CONTEXT", {"KEY", …}). A list
// without a context serves two.
std::set<std::string> keys_of_the_format() {
    std::set<std::string> keys;
    for (const char* file : {"reader.cpp", "reader_expect.cpp", "file.cpp"}) {
        const std::string text = read_file(std::string(WASMPLUG_SOURCE_DIR "/plugintest/") + file);
        static const std::regex list(R"(members\(\s*[\w.]+,\s*("[^"]*"|what),\s*\{([^}]*)\})");
        static const std::regex word(R"("(\w+)\")");
        for (std::sregex_iterator at(text.begin(), text.end(), list), end; at != end; ++at) {
            const std::string words = (*at)[2];
            std::vector<std::string> contexts{(*at)[1].str()};
            if (contexts[0] == "what") {
                contexts = words.find("reached") != std::string::npos
                               ? std::vector<std::string>{"upstream_request", "match"}
                               : std::vector<std::string>{"response", "local_reply"};
            } else {
                contexts[0] = contexts[0].substr(1, contexts[0].size() - 2);
            }
            if (std::string(file) == "reader_expect.cpp" && contexts[0] == "a call") {
                contexts[0] = "expected call";
            }
            for (std::sregex_iterator key(words.begin(), words.end(), word); key != end; ++key) {
                for (const auto& context : contexts) {
                    keys.insert(context + "." + (*key)[1].str());
                }
            }
        }
    }
    return keys;
}

class FormatKeys : public testing::Test {
  protected:
    void SetUp() override {
        WASMPLUG_NEEDS_PROGRAM("clang");
        WASMPLUG_NEEDS_PROGRAM("wat2wasm");
        WASMPLUG_NEEDS(envoy_binary().has_value(), "envoy");
        write_file(folder_.path() / "script.wasm", read_file(*built_plugin("script")));
        write_file(folder_.path() / "none.wasm", "no module");
        // Takes its configuration only when there is an environment variable.
        const auto environment = assembled(R"((module
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (i32.ne (i32.load (i32.const 0)) (i32.const 0))))
)");
        write_file(folder_.path() / "environment.wasm", read_file(*environment));
    }

    CaseResult run(const Row& row, const std::string& value) const {
        std::string test = row.test;
        test.replace(test.find('@'), 1, value);
        const std::string lines_of_test = "\n" + test;
        if (lines_of_test.find("\nrequest:") == std::string::npos &&
            lines_of_test.find("\nsteps:") == std::string::npos) {
            test += "request: {path: /}\n";
        }
        std::string text = "wasmplug: 1\nplugin:\n  wasm: script.wasm\n  config: |\n    quiet\n";
        std::istringstream script(row.script);
        for (std::string line; std::getline(script, line);) {
            text += "    " + line + "\n";
        }
        text +=
            "defaults:\n  request: {path: /}\n"
            "  upstream: {status: 200, headers: {x-from: here}, body: hello}\n"
            "tests:\n- name: it\n";
        std::istringstream lines(test);
        for (std::string line; std::getline(lines, line);) {
            text += "  " + line + "\n";
        }
        const auto path = folder_.path() / "it.test.yaml";
        const auto file = parse_test_file(yaml::File::parse(text, path.string()), path);
        return run_case(file.tests.at(0), run_in_envoy, false);
    }

    TemporaryDirectory folder_;
};

std::string told(const CaseResult& result) {
    std::string text = result.outcome + " " + result.reason + "\n";
    for (const auto& failure : result.failures) {
        text += failure.what + ": expected " + failure.expected + ", got " + failure.actual + "\n";
    }
    for (const auto& line : result.trace) {
        text += "  " + line + "\n";
    }
    return text;
}

TEST_F(FormatKeys, DoWhatTheySayInARealEnvoyOrSkipTheTestWithAReason) {
    struct Ran {
        CaseResult right;
        std::optional<CaseResult> wrong;
    };

    const auto ran = parallel(
        std::size(rows),
        [&](std::size_t i) {
            Ran both{run(rows[i], rows[i].right), std::nullopt};
            if (rows[i].wrong != nullptr) {
                both.wrong = run(rows[i], rows[i].wrong);
            }
            return both;
        },
        Cancel(), 4);
    for (std::size_t i = 0; i < std::size(rows); ++i) {
        const Row& row = rows[i];
        if (row.skipped != nullptr) {
            EXPECT_EQ(ran[i].right.verdict, Verdict::skipped) << row.key << told(ran[i].right);
            EXPECT_NE(ran[i].right.reason.find(row.skipped), std::string::npos)
                << row.key << ": " << ran[i].right.reason;
            continue;
        }
        EXPECT_EQ(ran[i].right.verdict, Verdict::passed) << row.key << ": " << told(ran[i].right);
        if (ran[i].wrong) {
            EXPECT_EQ(ran[i].wrong->verdict, Verdict::failed)
                << row.key << " is left out: " << told(*ran[i].wrong);
        }
    }
}

TEST(FormatKeysTable, HasEveryKeyThatTheReaderTakes) {
    std::set<std::string> known = read_away;
    for (const auto& row : rows) {
        known.insert(row.key);
    }
    // Of a file, of bench and of defaults, which are the same keys as a test's.
    const std::set<std::string> elsewhere = {"a test file", "defaults", "a bench entry", "fail_if"};
    std::set<std::string> taken;
    for (const auto& key : keys_of_the_format()) {
        if (!elsewhere.contains(key.substr(0, key.find('.')))) {
            taken.insert(key);
        }
    }
    EXPECT_EQ(taken, known);
}

}  // namespace
}  // namespace wasmplug::test
