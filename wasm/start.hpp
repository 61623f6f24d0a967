#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "wasm/module.hpp"

namespace wasmplug::wasm {

struct StartFault {
    bool restricted_call = false;  // else: the instruction `unreachable`
    std::string detail;            // "calls env.proxy_get_property before the plugin runs"
};

// What the host is certain to see when it runs a function at start: the instructions up to the
// first branch are followed, through direct calls, and either `unreachable` or an import that is
// not allowed yet is met. Nothing when neither is certain.
std::optional<StartFault> certain_fault(std::string_view bytes, const Module& module,
                                        std::uint32_t function);

}  // namespace wasmplug::wasm
