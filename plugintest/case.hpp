#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/http.hpp"
#include "base/time.hpp"

namespace wasmplug::plugintest {

// One HTTP message as it is on the wire: pseudo headers (":method", ":path", ":authority",
// ":scheme"; ":status") stand first among `headers`, names are lower case.
struct Message {
    Headers headers;
    std::vector<std::string> body;  // chunks; empty: no body at all
    Headers trailers;

    std::string whole_body() const {
        std::string all;
        for (const auto& chunk : body) {
            all += chunk;
        }
        return all;
    }
};

// What a request's :authority is when the test names none.
inline constexpr const char* default_authority = "example.com";

// The value of the first header `name` (lower case), or "".
std::string first_header(const Headers& headers, std::string_view name);

struct Plugin {
    std::filesystem::path module;  // absolute
    std::string name;
    std::string root_id;
    std::string config;  // the bytes that the plugin reads
    std::string vm_id;
    std::string vm_config;
    std::map<std::string, std::string> env;
};

enum class FailurePolicy { closed, open, reload };

// What the test file's `envoy:` sets; names and defaults are Envoy's.
struct EnvoySettings {
    FailurePolicy failure_policy = FailurePolicy::closed;
    bool allow_on_headers_stop_iteration = false;
    std::size_t buffer_limit = std::size_t{1} << 20;  // per_connection_buffer_limit_bytes
    // Clusters that an http_call may name besides those in `calls`.
    std::vector<std::string> clusters;
    std::vector<std::string> clusters_without_hosts;
    std::chrono::milliseconds stream_idle_timeout{300'000};
    // capability_restriction_config: names that stay allowed; nothing means all.
    std::optional<std::vector<std::string>> allowed_capabilities;
};

// How a call of the plugin to another service ends.
struct CallReply {
    // response: `message` · refused: no connection · reset: closed before headers ·
    // reset_after_headers · timeout: no headers in time · timeout_after_headers · garbage: not
    // HTTP · overflow: a circuit breaker is open
    enum class Kind {
        response,
        refused,
        reset,
        reset_after_headers,
        timeout,
        timeout_after_headers,
        garbage,
        overflow,
    };
    Kind kind = Kind::response;
    Message message;
    std::chrono::nanoseconds delay{0};
    // gRPC: status of the trailers and its text; the messages are `message.body`.
    int grpc_status = 0;
    std::string grpc_message;
};

// A canned service: the first that fits a call answers it.
struct CallTarget {
    std::string cluster;
    bool grpc = false;
    std::function<bool(const Message&)> matches;  // empty: every call
    bool matches_scheme = false;                  // and looks at :scheme for that
    CallReply reply;
    std::optional<int> times;  // answers at most so often
};

struct Limits {
    std::uint64_t instructions = 500'000'000;  // per callback chain of one step
    bool instructions_given = false;           // the test says so
    std::optional<std::uint64_t> memory;       // bytes, peak
    std::optional<std::uint64_t> host_calls;   // per step
};

// One thing that happens, in order.
struct Step {
    std::optional<Message> request;
    Message upstream;              // its answer
    bool upstream_resets = false;  // the upstream closes instead of answering
    std::optional<std::chrono::nanoseconds> client_leaves;  // after so long without an answer
    std::chrono::nanoseconds advance{0};                    // the clock, ticks on the way included
    int ticks = 0;                                          // forced, one period apart

    struct Push {
        std::string queue;
        std::string data;
        std::string vm_id;  // of the queue; empty: the plugin's
    };

    std::optional<Push> push;
};

// Everything an engine needs to run one test; expectations stay with the caller.
struct Case {
    std::string name;
    std::vector<Plugin> plugins;  // in the order of requests; mostly one
    EnvoySettings envoy;
    WallClock::time_point clock{};  // frozen at the start
    bool clock_given = false;       // the test asks for this very time
    std::map<std::string, std::string> shared_data;
    // Attribute path with "." between its parts -> bytes as the plugin reads them.
    std::map<std::string, std::string> properties;
    // Foreign functions of the host that are answered by the test.
    std::map<std::string, std::string> foreign_functions;
    // Host functions that refuse: "proxy_http_call" -> the status that they answer.
    std::map<std::string, std::uint32_t> refuse;
    std::vector<CallTarget> calls;
    std::vector<Step> steps;
    Limits limits;
    bool trace = false;  // fill Observed::trace even when nothing fails
    bool exact = false;  // count every instruction (bench)
};

enum class Outcome {
    ok,               // the upstream's answer reached the client
    local_reply,      // the plugin answered
    stuck,            // paused, and nothing will resume it
    reset,            // the stream was closed without an answer
    crash,            // the plugin trapped
    out_of_fuel,      // Limits::instructions
    config_rejected,  // proxy_on_configure or proxy_on_vm_start said no
    load_failed,      // Envoy would not load the module
};

// "ok", "local_reply" …; the names of the test file.
const char* to_string(Outcome outcome);
std::optional<Outcome> parse_outcome(std::string_view name);

// Of a case whose steps ended so: the worse one, the first of two that are equally bad.
Outcome graver(Outcome so_far, Outcome next);

struct Log {
    int level = 2;  // 0 trace … 5 critical
    std::string text;
};

const char* log_level_name(int level);
std::optional<int> parse_log_level(std::string_view name);

// What a host function answers, "ok" (0) to "unimplemented" (12): the numbers of the Proxy-Wasm
// ABI; "unknown" for any other.
const char* status_name(std::uint32_t status);
const std::vector<std::string>& status_names();

struct Call {
    std::string cluster;
    bool grpc = false;
    Message request;
    std::chrono::milliseconds timeout{0};
    std::string service;  // gRPC
    std::string method;   // gRPC
};

struct LocalReply {
    int status = 0;
    std::string body;
    std::string details;
    Headers headers;
    std::optional<int> grpc_status;
};

// What one step showed.
struct StepObserved {
    Outcome outcome = Outcome::ok;
    std::optional<Message> upstream_request;  // nothing: the request never got there
    std::optional<Message> response;          // nothing: the client never got one
    std::string response_details;             // Envoy's %RESPONSE_CODE_DETAILS%
    std::optional<LocalReply> local_reply;
    std::vector<Call> calls;
    std::vector<Log> logs;
};

struct Cost {
    std::uint64_t instructions = 0;
    std::uint64_t host_calls = 0;
    std::uint64_t boundary_bytes = 0;  // copied between host and plugin
    std::uint64_t memory_peak = 0;
    std::uint64_t memory_used = 0;  // at the end, up to the last byte that is not zero; when exact
    std::chrono::nanoseconds load{0};
    std::chrono::nanoseconds run{0};  // interpreter time: never Envoy's
};

struct MetricValue {
    enum class Kind { counter, gauge, histogram } kind = Kind::counter;
    std::int64_t value = 0;  // of a histogram: how many samples
};

struct Observed {
    // Set when this engine cannot run the case: a reason for a person, not a verdict.
    std::optional<std::string> skipped;
    Outcome outcome = Outcome::ok;  // worst of load and steps, in the order of the steps
    std::string message;            // of a failed load, a trap (with backtrace)
    std::vector<Log> start_logs;    // of loading and configuring
    std::vector<StepObserved> steps;
    std::map<std::string, std::string> shared_data;
    std::map<std::string, MetricValue> metrics;
    std::map<std::string, std::vector<std::string>> queues;
    std::map<std::string, std::uint64_t> callbacks;  // "proxy_on_tick" -> calls
    std::map<std::string, std::uint64_t> host_calls;
    // "http_call.failed", "trap" …: situations that this case went through.
    std::map<std::string, std::uint64_t> situations;
    std::vector<std::string> exports;  // callbacks that the module offers
    // What this engine cannot look at ("shared_data", "queues", "limits", "calls", "calls.scheme",
    // "upstream_request.scheme", "metrics.NAME"): a test that expects something of it is skipped
    // here, not passed.
    std::vector<std::string> unseen;
    std::vector<std::string> trace;
    Cost cost;
};

using Engine = std::function<Observed(const Case&)>;

}  // namespace wasmplug::plugintest
