#include "istio/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace wasmplug::istio {
namespace {

// Names that guides give and no component exports, with what to use instead.
struct MissingMetric {
    std::string_view name;
    std::string_view instead;
};

// Sources: Envoy source/extensions/common/wasm/stats_handler.h and docs
// configuration/other_features/wasm; Istio pkg/wasm/monitoring.go (exported with the prefix
// istio_agent_, no _total), pilot/pkg/xds/monitoring.go.
constexpr std::array<Metric, 20> known = {{
    {"envoy_wasm_envoy_wasm_runtime_v8_created", MetricSource::envoy, 0, "",
     "VMs created since the proxy started, of all plugins together"},
    {"envoy_wasm_envoy_wasm_runtime_v8_active", MetricSource::envoy, 0, "",
     "VMs that live now: one a worker thread and one more, for each plugin"},
    {"envoy_wasm_wasm_vm_count", MetricSource::envoy, 31, "", "VMs that live now"},
    {"envoy_wasm_remote_load_cache_entries", MetricSource::envoy, 0, "",
     "stays 0 under Istio: the agent downloads and Envoy reads a local file"},
    {"envoy_wasm_remote_load_cache_hits", MetricSource::envoy, 0, "", "stays 0 under Istio"},
    {"envoy_wasm_remote_load_cache_misses", MetricSource::envoy, 0, "", "stays 0 under Istio"},
    {"envoy_wasm_remote_load_cache_negative_hits", MetricSource::envoy, 0, "",
     "stays 0 under Istio"},
    {"envoy_wasm_remote_load_fetch_successes", MetricSource::envoy, 0, "", "stays 0 under Istio"},
    {"envoy_wasm_remote_load_fetch_failures", MetricSource::envoy, 0, "", "stays 0 under Istio"},
    {"istio_agent_wasm_remote_fetch_count", MetricSource::agent, 0, "result",
     "downloads of modules; result is success, download_failure, manifest_failure, "
     "checksum_mismatched or fetch_failure"},
    {"istio_agent_wasm_config_conversion_count", MetricSource::agent, 0, "result",
     "plugin configurations rewritten for Envoy; result is success, no_remote_load, "
     "marshal_failure, unmarshal_failure, fetch_failure or miss_remote_fetch_hint"},
    {"istio_agent_wasm_cache_lookup_count", MetricSource::agent, 0, "hit",
     "look-ups in the agent's module cache"},
    {"istio_agent_wasm_cache_entries", MetricSource::agent, 0, "", "modules in the agent's cache"},
    {"istio_agent_wasm_config_conversion_duration_bucket", MetricSource::agent, 0, "le",
     "milliseconds from configuration to module on disk"},
    {"istio_agent_wasm_config_conversion_duration_sum", MetricSource::agent, 0, "",
     "milliseconds from configuration to module on disk"},
    {"istio_agent_wasm_config_conversion_duration_count", MetricSource::agent, 0, "",
     "configurations timed"},
    {"pilot_total_xds_rejects", MetricSource::istiod, 0, "type",
     "configurations that proxies rejected; type=\"ecds\" are the plugins"},
    {"pilot_proxy_convergence_time_bucket", MetricSource::istiod, 0, "le",
     "seconds from a change to the proxies"},
    {"istio_requests_total", MetricSource::traffic, 0, "response_code",
     "requests, by workload and response code"},
    {"istio_request_duration_milliseconds_bucket", MetricSource::traffic, 0, "le",
     "latency of requests"},
}};

constexpr std::array<MissingMetric, 7> not_there = {{
    {"envoy_wasm_failed_total",
     "istio_agent_wasm_remote_fetch_count{result!=\"success\"} and "
     "pilot_total_xds_rejects{type=\"ecds\"}"},
    {"envoy_wasm_failed",
     "istio_agent_wasm_remote_fetch_count{result!=\"success\"} and "
     "pilot_total_xds_rejects{type=\"ecds\"}"},
    {"envoy_wasm_plugin_duration_seconds_bucket",
     "a histogram that the plugin defines; Envoy has no latency of a plugin"},
    {"envoy_wasm_plugin_duration_seconds",
     "a histogram that the plugin defines; Envoy has no latency of a plugin"},
    {"envoy_wasm_created_total", "envoy_wasm_envoy_wasm_runtime_v8_created"},
    {"envoy_wasm_created", "envoy_wasm_envoy_wasm_runtime_v8_created"},
    {"envoy_wasm_active", "envoy_wasm_envoy_wasm_runtime_v8_active"},
}};

// Families with the plugin's name inside: envoy_wasm_<ns>_<name>_vm_reload_success.
bool per_plugin(std::string_view name) {
    constexpr std::array<std::string_view, 4> endings = {"_vm_reload_success", "_vm_reload_failure",
                                                         "_vm_reload_backoff", "_vm_memory_size"};
    return name.starts_with("envoy_wasm_") &&
           std::any_of(endings.begin(), endings.end(),
                       [&](std::string_view ending) { return name.ends_with(ending); });
}

bool ours_to_judge(std::string_view name) {
    return name.starts_with("envoy_wasm_") || name.starts_with("istio_agent_wasm_");
}

}  // namespace

std::span<const Metric> metrics() {
    return known;
}

MetricVerdict judge_metric(std::string_view name) {
    for (const auto& missing : not_there) {
        if (missing.name == name) {
            const bool renamed = std::ranges::count(known, missing.instead, &Metric::name) != 0;
            return {false, std::string(missing.instead), renamed};
        }
    }
    if (!ours_to_judge(name) || per_plugin(name) ||
        name == "envoy_wasm_envoy_wasm_runtime_v8_memory_size") {
        return {};
    }
    for (const auto& metric : known) {
        if (metric.name == name) {
            return {};
        }
    }
    // Neither Envoy nor the agent appends _total to its counters.
    if (name.ends_with("_total")) {
        const auto bare = name.substr(0, name.size() - 6);
        for (const auto& metric : known) {
            if (metric.name == bare) {
                return {false, std::string(metric.name), true};
            }
        }
    }
    return {false, "one of those that `wasmplug generate prometheusrule` uses"};
}

}  // namespace wasmplug::istio
