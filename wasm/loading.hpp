#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wasm/abi.hpp"
#include "wasm/module.hpp"

namespace wasmplug::wasm {

// What decides in one Envoy minor release (1.MINOR) whether a module loads.
struct EnvoyRules {
    int minor = 40;
    WasiEpoch wasi = WasiEpoch::c;
    int v8 = 1406;     // 14.6
    int v8_later = 0;  // of later patches of this minor, from 1.MINOR.later_patch on; 0: none
    int later_patch = 0;
};

// The oldest minor release that is judged; the newest is that of istio::envoys().
inline constexpr int oldest_envoy_minor = 26;
int newest_envoy_minor();

// An older or newer minor is judged as the nearest.
EnvoyRules envoy_rules(int minor);

// Whether Envoy builds a virtual machine of a module: everything up to, and without,
// proxy_on_vm_start. A minor whose patches differ is judged as its first. Envoy prefixes each line
// with "[error][wasm] [file:line] ".
struct LoadVerdict {
    bool loads = true;
    std::string message;           // the line that names the cause; empty when it loads
    std::vector<std::string> log;  // all lines, in order, `message` among them
    std::string reason;            // the cause in our words, with what to do about it
    std::string not_judged;        // what could still keep it from loading; empty: nothing
    bool when_run = false;         // it links, and `_initialize` or the like is foretold to fail
};

// The lowest Envoy minor that loads the module, all newer ones included; nothing when the newest
// does not. Never below oldest_envoy_minor.
std::optional<int> loads_since(std::string_view bytes);

LoadVerdict would_load(std::string_view bytes, const EnvoyRules& rules);

// The same, with what was read on the way: nothing for what is no module.
struct JudgedModule {
    LoadVerdict verdict;
    std::optional<Module> module;
};

JudgedModule judge_module(std::string_view bytes, const EnvoyRules& rules);

}  // namespace wasmplug::wasm
