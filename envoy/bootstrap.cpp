#include "envoy/bootstrap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "envoy/log.hpp"

namespace wasmplug::envoy {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view types = "type.googleapis.com/";

ordered_json typed(std::string_view type, ordered_json fields) {
    ordered_json out;
    out["@type"] = std::string(types) + std::string(type);
    out.update(fields);
    return out;
}

ordered_json loopback(std::uint16_t port) {
    return {{"socket_address", {{"address", "127.0.0.1"}, {"port_value", port}}}};
}

ordered_json address_of(const std::string& endpoint) {
    if (endpoint.starts_with('@')) {
        return {{"pipe", {{"path", endpoint}}}};
    }
    const std::size_t colon = endpoint.rfind(':');
    unsigned long port = 0;
    if (colon != std::string::npos && colon + 1 < endpoint.size() &&
        endpoint.find_first_not_of("0123456789", colon + 1) == std::string::npos &&
        endpoint.size() - colon <= 6) {
        port = std::stoul(endpoint.substr(colon + 1));
    }
    if (colon == std::string::npos || colon == 0 || port == 0 || port > 65535) {
        throw usage_error(fmt::format("'{}' is no HOST:PORT", endpoint));
    }
    std::string host = endpoint.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    }
    return {{"socket_address", {{"address", host}, {"port_value", port}}}};
}

ordered_json cluster_json(const Cluster& cluster, bool trailers) {
    // A name that is no address needs a resolver; addresses must not wait for one.
    const bool named =
        cluster.endpoint && !cluster.endpoint->starts_with('@') &&
        cluster.endpoint->find_first_not_of("0123456789.:[]abcdefABCDEF") != std::string::npos;
    ordered_json out{{"name", cluster.name},
                     {"type", named ? "STRICT_DNS" : "STATIC"},
                     {"connect_timeout", "5s"}};
    ordered_json endpoints = ordered_json::array();
    if (cluster.endpoint) {
        endpoints.push_back(
            {{"lb_endpoints",
              ordered_json::array(
                  {{{"endpoint", {{"address", address_of(*cluster.endpoint)}}}}})}});
    }
    out["load_assignment"] = {{"cluster_name", cluster.name}, {"endpoints", endpoints}};
    ordered_json protocol;
    if (cluster.http2) {
        protocol["http2_protocol_options"] = ordered_json::object();
    } else if (trailers) {
        protocol["http_protocol_options"] = {{"enable_trailers", true}};
    }
    if (!protocol.empty()) {
        constexpr std::string_view options =
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        out["typed_extension_protocol_options"][std::string(options)] =
            typed(options, {{"explicit_http_config", protocol}});
    }
    return out;
}

const char* policy_name(FailurePolicy policy) {
    switch (policy) {
        case FailurePolicy::closed:
            return "FAIL_CLOSED";
        case FailurePolicy::open:
            return "FAIL_OPEN";
        case FailurePolicy::reload:
            return "FAIL_RELOAD";
    }
    return "FAIL_CLOSED";
}

ordered_json string_value(const std::string& text) {
    return typed("google.protobuf.StringValue", {{"value", text}});
}

ordered_json filter_json(const Filter& filter) {
    ordered_json vm{{"vm_id", filter.vm_id},
                    {"runtime", "envoy.wasm.runtime.v8"},
                    {"code", {{"local", {{"filename", filter.module.string()}}}}}};
    if (!filter.vm_configuration.empty()) {
        vm["configuration"] = string_value(filter.vm_configuration);
    }
    if (!filter.environment.empty()) {
        vm["environment_variables"] = {{"key_values", filter.environment}};
    }
    ordered_json config{{"name", filter.name},
                        {"root_id", filter.root_id},
                        {"failure_policy", policy_name(filter.failure_policy)},
                        {"configuration", string_value(filter.configuration)},
                        {"vm_config", vm}};
    if (filter.allow_on_headers_stop_iteration) {
        config["allow_on_headers_stop_iteration"] = true;
    }
    if (filter.allowed_capabilities) {
        ordered_json allowed = ordered_json::object();
        for (const auto& name : *filter.allowed_capabilities) {
            allowed[name] = ordered_json::object();
        }
        config["capability_restriction_config"] = {{"allowed_capabilities", allowed}};
    }
    return {{"name", filter.name.empty() ? "wasm" : filter.name},
            {"typed_config",
             typed("envoy.extensions.filters.http.wasm.v3.Wasm", {{"config", config}})}};
}

ordered_json router() {
    return {{"name", "envoy.filters.http.router"},
            {"typed_config",
             typed("envoy.extensions.filters.http.router.v3.Router", ordered_json::object())}};
}

// Answers come when the request is there as a whole: a direct response to the headers alone would
// end the request before a plugin has seen its body.
ordered_json whole_requests() {
    constexpr std::uint32_t largest = 256U << 20;
    return {{"name", "envoy.filters.http.buffer"},
            {"typed_config", typed("envoy.extensions.filters.http.buffer.v3.Buffer",
                                   {{"max_request_bytes", largest}})}};
}

// The cluster behind a bridge; no test names one so.
std::string bridged(const std::string& cluster) {
    return cluster + " behind the bridge";
}

// What a connection manager has beyond the usual.
struct Extras {
    std::chrono::milliseconds idle{0};
    bool trailers = false;
    bool access_log = false;
    std::size_t body_size = 0;  // of a direct response; Envoy's own limit is 4,096 bytes
};

ordered_json connection_manager(std::string_view name, ordered_json filters, ordered_json route,
                                const Extras& extras) {
    filters.push_back(router());
    const ordered_json everything{
        {"name", name}, {"domains", {"*"}}, {"routes", ordered_json::array({std::move(route)})}};
    ordered_json fields{
        {"stat_prefix", name},
        {"stream_idle_timeout",
         fmt::format("{:.3f}s", static_cast<double>(extras.idle.count()) / 1000)},
        {"route_config",
         {{"name", name},
          {"virtual_hosts", ordered_json::array({everything})},
          {"max_direct_response_body_size_bytes", std::max<std::size_t>(extras.body_size, 4096)}}},
        {"http_filters", std::move(filters)}};
    if (extras.trailers) {
        fields["http_protocol_options"] = {{"enable_trailers", true}};
    }
    if (extras.access_log) {
        const ordered_json format{
            {"log_format",
             {{"text_format_source", {{"inline_string", std::string(access_format)}}}}}};
        fields["access_log"] = ordered_json::array(
            {{{"name", "envoy.access_loggers.stderr"},
              {"typed_config",
               typed("envoy.extensions.access_loggers.stream.v3.StderrAccessLog", format)}}});
    }
    return {{"name", "envoy.filters.network.http_connection_manager"},
            {"typed_config", typed("envoy.extensions.filters.network.http_connection_manager.v3."
                                   "HttpConnectionManager",
                                   std::move(fields))}};
}

ordered_json listener(std::string_view name, ordered_json address, ordered_json manager) {
    return {{"name", name},
            {"address", std::move(address)},
            {"filter_chains",
             ordered_json::array({{{"filters", ordered_json::array({std::move(manager)})}}})}};
}

ordered_json header_option(const std::string& name, const std::string& value) {
    // A percent sign would begin one of Envoy's commands.
    std::string escaped;
    for (const char c : value) {
        escaped += c == '%' ? std::string("%%") : std::string(1, c);
    }
    return {{"header", {{"key", name}, {"value", escaped}}},
            {"append_action", "OVERWRITE_IF_EXISTS_OR_ADD"}};
}

ordered_json canned_listener(const std::string& name, const std::string& socket,
                             const CannedAnswer& answer, std::chrono::milliseconds idle) {
    ordered_json headers = ordered_json::array();
    for (const auto& [key, value] : answer.headers) {
        headers.push_back(header_option(key, value));
    }
    headers.push_back(
        {{"header", {{"key", "x-upstream-saw"}, {"value", "%REQ(:METHOD)% %REQ(:PATH)%"}}}});
    ordered_json response{{"status", answer.status}};
    if (!answer.body.empty()) {
        response["body"] = {{"inline_bytes", base64_encode(answer.body)}};
    }
    const ordered_json route{{"match", {{"prefix", "/"}}},
                             {"direct_response", response},
                             {"response_headers_to_add", headers}};
    return listener(name, address_of(socket),
                    connection_manager(name, ordered_json::array({whole_requests()}), route,
                                       {.idle = idle, .body_size = answer.body.size()}));
}

// HTTP/2 in, HTTP/1.1 out, message by message, trailers too. It waits for ever: limits are the
// plugin's and the main listener's.
ordered_json bridge_listener(const Cluster& cluster) {
    const ordered_json route{{"match", {{"prefix", "/"}}},
                             {"route", {{"cluster", bridged(cluster.name)}, {"timeout", "0s"}}}};
    return listener(bridged(cluster.name), address_of(cluster.bridge),
                    connection_manager("bridge", ordered_json::array(), route, {.trailers = true}));
}

// A plugin may call a cluster of the usual name, which then is another one.
std::string upstream_name(const Bootstrap& bootstrap) {
    const bool taken = std::any_of(bootstrap.clusters.begin(), bootstrap.clusters.end(),
                                   [](const auto& cluster) { return cluster.name == "upstream"; });
    return taken ? "upstream of the listener" : "upstream";
}

}  // namespace

ordered_json to_json(const Bootstrap& bootstrap) {
    ordered_json filters = ordered_json::array();
    for (const auto& filter : bootstrap.filters) {
        filters.push_back(filter_json(filter));
    }
    const ordered_json route{{"match", {{"prefix", "/"}}},
                             {"route", {{"cluster", upstream_name(bootstrap)}, {"timeout", "0s"}}}};
    ordered_json main = listener("main", loopback(bootstrap.port),
                                 connection_manager("main", filters, route,
                                                    {.idle = bootstrap.stream_idle_timeout,
                                                     .trailers = bootstrap.trailers,
                                                     .access_log = bootstrap.access_log}));
    // Else a second Envoy would share the port, and every other request.
    main["enable_reuse_port"] = false;
    if (bootstrap.buffer_limit) {
        main["per_connection_buffer_limit_bytes"] = *bootstrap.buffer_limit;
    }
    ordered_json listeners = ordered_json::array({main});
    Cluster upstream{.name = upstream_name(bootstrap), .endpoint = bootstrap.canned_socket};
    if (bootstrap.upstream) {
        upstream.endpoint = bootstrap.upstream->endpoint;
        upstream.http2 = bootstrap.upstream->http2;
    } else {
        listeners.push_back(canned_listener("upstream", bootstrap.canned_socket, bootstrap.canned,
                                            bootstrap.stream_idle_timeout));
    }
    for (const auto& [socket, answer] : bootstrap.canned_services) {
        listeners.push_back(
            canned_listener("service", socket, answer, bootstrap.stream_idle_timeout));
    }
    ordered_json clusters = ordered_json::array({cluster_json(upstream, bootstrap.trailers)});
    for (const auto& cluster : bootstrap.clusters) {
        if (cluster.bridge.empty()) {
            clusters.push_back(cluster_json(cluster, bootstrap.trailers));
            continue;
        }
        listeners.push_back(bridge_listener(cluster));
        clusters.push_back(
            cluster_json({.name = cluster.name, .endpoint = cluster.bridge, .http2 = true}, true));
        clusters.push_back(
            cluster_json({.name = bridged(cluster.name), .endpoint = cluster.endpoint}, true));
    }
    return {{"node", {{"id", "wasmplug"}, {"cluster", "wasmplug"}}},
            {"admin", {{"address", loopback(0)}}},
            {"static_resources", {{"listeners", listeners}, {"clusters", clusters}}}};
}

}  // namespace wasmplug::envoy
