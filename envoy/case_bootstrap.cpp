#include "envoy/case_bootstrap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/error.hpp"

namespace wasmplug::envoy {
namespace {

FailurePolicy policy_of(plugintest::FailurePolicy policy) {
    switch (policy) {
        case plugintest::FailurePolicy::open:
            return FailurePolicy::open;
        case plugintest::FailurePolicy::reload:
            return FailurePolicy::reload;
        case plugintest::FailurePolicy::closed:
            break;
    }
    return FailurePolicy::closed;
}

CannedAnswer canned(const plugintest::Message& message) {
    CannedAnswer answer{.headers = {}, .body = message.whole_body()};
    for (const auto& [name, value] : message.headers) {
        if (name == ":status") {
            std::from_chars(value.data(), value.data() + value.size(), answer.status);
        } else if (name != "content-length" && !name.starts_with(':')) {
            answer.headers.emplace_back(name, value);
        }
    }
    return answer;
}

}  // namespace

std::vector<Filter> filters_of(const plugintest::Case& test) {
    std::vector<Filter> filters;
    for (const auto& plugin : test.plugins) {
        filters.push_back(
            {.module = plugin.module,
             .name = plugin.name,
             .root_id = plugin.root_id,
             .vm_id = plugin.vm_id,
             .configuration = plugin.config,
             .vm_configuration = plugin.vm_config,
             .environment = plugin.env,
             .failure_policy = policy_of(test.envoy.failure_policy),
             .allow_on_headers_stop_iteration = test.envoy.allow_on_headers_stop_iteration,
             .allowed_capabilities = test.envoy.allowed_capabilities});
    }
    return filters;
}

Bootstrap canned_bootstrap(const plugintest::Case& test, const std::string& socket) {
    Bootstrap bootstrap;
    bootstrap.filters = filters_of(test);
    bootstrap.canned_socket = socket;
    bootstrap.buffer_limit = static_cast<std::uint32_t>(test.envoy.buffer_limit);
    if (!test.steps.empty()) {
        bootstrap.canned = canned(test.steps.front().upstream);
    }
    const auto serve = [&](const std::string& cluster, const CannedAnswer& answer) {
        const std::string own = fmt::format("{}-{}", socket, bootstrap.canned_services.size());
        bootstrap.canned_services.emplace(own, answer);
        bootstrap.clusters.push_back({.name = cluster, .endpoint = own});
    };
    for (const auto& call : test.calls) {
        if (call.grpc || call.reply.kind != plugintest::CallReply::Kind::response) {
            throw Error(fmt::format("'{}' calls a service that {}, which is not measured",
                                    test.name, call.grpc ? "speaks gRPC" : "fails"));
        }
        const bool again = std::any_of(bootstrap.clusters.begin(), bootstrap.clusters.end(),
                                       [&](const auto& each) { return each.name == call.cluster; });
        if (!again) {
            serve(call.cluster, canned(call.reply.message));
        }
    }
    for (const auto& name : test.envoy.clusters) {
        serve(name, {.status = 404, .headers = {}, .body = {}});
    }
    for (const auto& name : test.envoy.clusters_without_hosts) {
        bootstrap.clusters.push_back({.name = name});
    }
    return bootstrap;
}

}  // namespace wasmplug::envoy
