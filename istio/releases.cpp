#include "istio/releases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.hpp"

namespace wasmplug::istio {
namespace {

// Source: the proxy's WORKSPACE and go.mod at each istio/proxy release branch; a minor of Istio
// ships Envoy's minor + 8. State of November 2026.
constexpr std::array<Release, 20> table = {{
    {12, 20}, {13, 21}, {14, 22}, {15, 23}, {16, 24}, {17, 25}, {18, 26},
    {19, 27}, {20, 28}, {21, 29}, {22, 30}, {23, 31}, {24, 32}, {25, 33},
    {26, 34}, {27, 35}, {28, 36}, {29, 37}, {30, 38}, {31, 39},
}};

std::string known() {
    return fmt::format("istio-1.{} to istio-1.{}, or envoy-1.{} to envoy-1.{}", table.front().minor,
                       table.back().minor, table.front().envoy, table.back().envoy);
}

}  // namespace

namespace since {
const int last_layer = 16;             // pkg/wasm/imagefetcher.go
const int match = 16;                  // CRD of 1.16
const int fail_strategy_schema = 19;   // CRD of 1.19
const int strict_schema = 20;          // CRD of 1.20, istio#49901
const int target_refs = 22;            // CRD of 1.22
const int target_namespace_cel = 23;   // CRD of 1.23
const int one_of_cel = 24;             // CRD of 1.24
const int deny_on_fetch_failure = 25;  // pkg/wasm/convert.go
const int fail_reload = 27;            // CRD of 1.27
const int traffic_extension = 30;      // CRD of 1.30
}  // namespace since

std::span<const Release> releases() {
    return table;
}

const Release& newest_release() {
    return table.back();
}

const Release& release_for(std::string_view host) {
    const bool istio = host.starts_with("istio-1.");
    const bool envoy = host.starts_with("envoy-1.");
    int minor = 0;
    if (istio || envoy) {
        const auto digits = host.substr(8);
        const auto* end = digits.data() + digits.size();
        const auto [rest, failure] = std::from_chars(digits.data(), end, minor);
        const bool whole = rest == end || (*rest == '.' && rest + 1 != end);
        if (failure == std::errc() && whole) {
            const auto* found = std::find_if(table.begin(), table.end(), [&](const Release& item) {
                return (istio ? item.minor : item.envoy) == minor;
            });
            if (found != table.end()) {
                return *found;
            }
        }
    }
    throw usage_error(fmt::format("unknown host '{}'", host), "use " + known());
}

std::string to_string(const Release& release) {
    return fmt::format("istio-1.{}", release.minor);
}

std::string ecds_name(const Release& release, std::string_view ns, std::string_view name,
                      bool is_traffic_extension) {
    // pilot/pkg/model/extensions.go and its predecessors; "extenstions" is Istio's own spelling.
    if (release.minor >= since::traffic_extension) {
        return fmt::format("extensions.istio.io/trafficextension/{}.{}{}", ns, name,
                           is_traffic_extension ? "" : "~istio-translated-wasmplugin");
    }
    if (release.minor >= 26) {
        return fmt::format("extensions.istio.io/wasmplugin/{}.{}", ns, name);
    }
    if (release.minor >= 21) {
        return fmt::format("extenstions.istio.io/wasmplugin/{}.{}", ns, name);
    }
    return fmt::format("{}.{}", ns, name);
}

}  // namespace wasmplug::istio
