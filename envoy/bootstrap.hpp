#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace wasmplug::envoy {

// envoy.extensions.wasm.v3.FailurePolicy.
enum class FailurePolicy { closed, open, reload };

// One Wasm HTTP filter, in the terms of envoy.extensions.filters.http.wasm.v3.
struct Filter {
    std::filesystem::path module;  // absolute
    std::string name;
    std::string root_id;
    std::string vm_id;
    std::string configuration;  // the bytes that the plugin reads
    std::string vm_configuration;
    std::map<std::string, std::string> environment;
    FailurePolicy failure_policy = FailurePolicy::closed;
    bool allow_on_headers_stop_iteration = false;
    // Nothing: every capability is allowed.
    std::optional<std::vector<std::string>> allowed_capabilities;
};

// What a listener in the same Envoy answers to everything.
struct CannedAnswer {
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers{{"content-type", "text/plain"}};
    std::string body = "hello from the canned upstream\n";
};

// Where requests, or the calls of a plugin, go.
struct Cluster {
    std::string name;
    // "HOST:PORT", or "@NAME" of an abstract socket; nothing: a cluster without hosts.
    std::optional<std::string> endpoint;
    bool http2 = false;
    // The plugin speaks HTTP/2 (gRPC), the endpoint HTTP/1.1 with trailers: a listener in the same
    // Envoy stands between. Its abstract socket.
    std::string bridge;
};

struct Bootstrap {
    std::vector<Filter> filters;  // in the order that requests meet them
    std::uint16_t port = 0;       // 0: the kernel picks one
    // Nothing: a second listener in the same Envoy, which gives `canned` and the request line.
    std::optional<Cluster> upstream;
    CannedAnswer canned;
    std::string canned_socket = "@wasmplug-upstream";  // of that second listener; unique a process
    std::vector<Cluster> clusters;                     // that plugins may call
    // A plugin that pauses and never resumes hangs this long (Envoy's default: 5 minutes).
    std::chrono::milliseconds stream_idle_timeout{30'000};
    std::optional<std::uint32_t> buffer_limit;  // per_connection_buffer_limit_bytes
    // Further listeners of the same kind: abstract socket -> answer.
    std::map<std::string, CannedAnswer> canned_services;
    bool trailers = false;    // pass HTTP/1.1 trailers on
    bool access_log = false;  // a line a request on stderr: envoy/log.hpp, parse_access_line
};

// The static configuration of an Envoy that listens on loopback only. The plugin configuration
// is always a StringValue and the failure policy always explicit: Envoy hands a Struct to the
// plugin as serialized protobuf, and treats an unset policy as the deprecated fail_open does.
nlohmann::ordered_json to_json(const Bootstrap& bootstrap);

}  // namespace wasmplug::envoy
