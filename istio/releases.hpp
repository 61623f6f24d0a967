#pragma once

#include <span>
#include <string>
#include <string_view>

namespace wasmplug::istio {

// One minor release of Istio and what the rules need to know of it. The table begins with
// 1.12, the first with WasmPlugin.
struct Release {
    int minor;  // Istio 1.minor
    int envoy;  // the proxy it ships, Envoy 1.envoy

    bool operator==(const Release&) const = default;
};

// One minor release of Envoy, and what decides whether it loads a module.
struct Envoy {
    int minor;            // Envoy 1.minor
    int istio;            // Istio 1.istio ships it; 0: none does yet
    int v8;               // 1007: its first patch release has V8 10.7; 0: not known
    int v8_later = 0;     // a later one has this V8 …
    int later_patch = 0;  // … from 1.minor.later_patch on
};

// Ascending, without gaps; every Envoy that any rule knows of.
std::span<const Envoy> envoys();

// "envoy-1.40" or "istio-1.28" (a patch number may follow). Throws usage_error with what there is.
const Envoy& envoy_for(std::string_view host);

// Ascending: those of envoys() that an Istio ships.
std::span<const Release> releases();

const Release& newest_release();

// "istio-1.28" (a patch number may follow), or "envoy-1.36" for the Istio that ships it.
// Throws usage_error with what there is.
const Release& release_for(std::string_view host);

// "istio-1.28"
std::string to_string(const Release& release);

// The first minors with a behaviour, all of Istio 1.x; the source stands beside each value in
// releases.cpp.
namespace since {
extern const int last_layer;            // the fetcher takes images of several layers
extern const int match;                 // spec.match
extern const int fail_strategy_schema;  // spec.failStrategy in the schema
extern const int strict_schema;         // required url, sha256 pattern, CEL of url, type, targetRef
extern const int target_refs;           // spec.targetRefs, int32 priority
extern const int target_namespace_cel;  // CEL: a target's namespace must be empty
extern const int one_of_cel;            // CEL: selector or targetRef or targetRefs
extern const int deny_on_fetch_failure;  // a failed fetch is a deny-all filter and not a NACK
extern const int fail_reload;            // failStrategy: FAIL_RELOAD
extern const int traffic_extension;      // kind TrafficExtension
}  // namespace since

}  // namespace wasmplug::istio
