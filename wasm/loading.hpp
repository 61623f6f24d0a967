#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wasm/abi.hpp"

namespace wasmplug::wasm {

// What decides in one Envoy minor release (1.MINOR) whether a module loads.
struct EnvoyRules {
    int minor = 40;
    WasiEpoch wasi = WasiEpoch::c;
};

// The oldest and newest minor release that the tables know; others are judged as the nearest.
inline constexpr int oldest_envoy_minor = 26;
inline constexpr int newest_envoy_minor = 40;

EnvoyRules envoy_rules(int minor);

// The Envoy minor behind "envoy-1.36" or "istio-1.28" (a patch number may follow).
// Throws usage_error with what there is.
int envoy_minor_of(std::string_view host);

// Whether Envoy builds a virtual machine of a module: everything up to, and without,
// proxy_on_vm_start. Envoy prefixes each line with "[error][wasm] [file:line] ".
struct LoadVerdict {
    bool loads = true;
    std::string message;           // the line that names the cause; empty when it loads
    std::vector<std::string> log;  // all lines, in order, `message` among them
    std::string reason;            // the cause in our words, with what to do about it
};

// The lowest Envoy minor that loads the module, all newer ones included; nothing when the newest
// does not. Never below oldest_envoy_minor.
std::optional<int> loads_since(std::string_view bytes);

LoadVerdict would_load(std::string_view bytes, const EnvoyRules& rules);

}  // namespace wasmplug::wasm
