#pragma once

#include <span>
#include <string>
#include <string_view>

namespace wasmplug::istio {

enum class MetricSource { envoy, agent, istiod, traffic };

struct Metric {
    std::string_view name;  // as Prometheus sees it
    MetricSource source;
    int since;  // first Istio minor, 0: all of ours
    std::string_view labels;
    std::string_view meaning;
};

// Those that exist and have to do with Wasm plugins.
std::span<const Metric> metrics();

// What is wrong with `name` in a query: nothing ("") when it exists, or when it is none of
// Istio's, Envoy's or the agent's Wasm metrics and so none of our business.
struct MetricVerdict {
    bool exists = true;
    std::string instead;
    bool is_renamed = false;  // `instead` is the name of the same metric, and nothing else
};

MetricVerdict judge_metric(std::string_view name);

}  // namespace wasmplug::istio
