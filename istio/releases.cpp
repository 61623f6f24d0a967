#include "istio/releases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/error.hpp"

namespace wasmplug::istio {
namespace {

// Which Istio ships it: the proxy's WORKSPACE and go.mod at each istio/proxy release branch.
// V8: envoy#23434 (10.7), #40305 (13.8, before 1.35.0), the back-ports #40364, #40386 and #40388
// (12.9, released as 1.32.9, 1.33.6 and 1.34.4), and what the binaries of 1.36.4 (13.8) and 1.39.3
// (14.6) hold. State of November 2026.
constexpr std::array<Envoy, 21> table = {{
    {20, 12, 0},
    {21, 13, 0},
    {22, 14, 0},
    {23, 15, 0},
    {24, 16, 0},
    {25, 17, 1007},
    {26, 18, 1007},
    {27, 19, 1007},
    {28, 20, 1007},
    {29, 21, 1007},
    {30, 22, 1007},
    {31, 23, 1007},
    {32, 24, 1007, 1209, 9},
    {33, 25, 1007, 1209, 6},
    {34, 26, 1007, 1209, 4},
    {35, 27, 1308},
    {36, 28, 1308},
    {37, 29, 1308},
    {38, 30, 1308},
    {39, 31, 1406},
    {40, 0, 1406},
}};

constexpr auto shipped = [] {
    std::array<Release, table.size()> rows{};
    std::size_t count = 0;
    for (const auto& envoy : table) {
        if (envoy.istio != 0) {
            rows[count++] = {envoy.istio, envoy.minor};
        }
    }
    return std::pair{rows, count};
}();

std::string known() {
    return fmt::format("istio-1.{} to istio-1.{}, or envoy-1.{} to envoy-1.{}",
                       releases().front().minor, releases().back().minor, table.front().minor,
                       table.back().minor);
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

std::span<const Envoy> envoys() {
    return table;
}

std::span<const Release> releases() {
    return std::span(shipped.first).first(shipped.second);
}

const Release& newest_release() {
    return releases().back();
}

const Envoy& envoy_for(std::string_view host) {
    const bool istio = host.starts_with("istio-1.");
    const bool envoy = host.starts_with("envoy-1.");
    int minor = 0;
    if (istio || envoy) {
        const auto digits = host.substr(8);
        const auto* end = digits.data() + digits.size();
        const auto [rest, failure] = std::from_chars(digits.data(), end, minor);
        const bool whole = rest == end || (*rest == '.' && rest + 1 != end);
        if (failure == std::errc() && whole && minor > 0) {
            const auto* found = std::find_if(table.begin(), table.end(), [&](const Envoy& item) {
                return (istio ? item.istio : item.minor) == minor;
            });
            if (found != table.end()) {
                return *found;
            }
        }
    }
    throw usage_error(fmt::format("unknown host '{}'", host), "use " + known());
}

const Release& release_for(std::string_view host) {
    const Envoy& envoy = envoy_for(host);
    if (envoy.istio == 0) {
        throw usage_error(fmt::format("no Istio ships Envoy 1.{} yet", envoy.minor),
                          fmt::format("use istio-1.{}, the newest", newest_release().minor));
    }
    const auto all = releases();
    return *std::find_if(all.begin(), all.end(),
                         [&](const Release& item) { return item.minor == envoy.istio; });
}

std::string to_string(const Release& release) {
    return fmt::format("istio-1.{}", release.minor);
}

}  // namespace wasmplug::istio
