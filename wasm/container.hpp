#pragma once

#include <optional>
#include <string_view>

#include "wasm/abi.hpp"

namespace wasmplug::wasm {

// What the Proxy-Wasm host makes of the sections before the engine sees them. It is laxer than
// the specification (it skips the version) and stricter (a bad "name" section is fatal).
struct ContainerScan {
    bool corrupted = false;
    std::optional<AbiVersion> abi;
    bool bad_names = false;
};

// As proxy-wasm-cpp-host 52a0291, src/bytecode_util.cc getAbiVersion, getFunctionNameIndex and
// getStrippedSource do, in the order in which src/wasm.cc asks them.
ContainerScan scan_container(std::string_view bytes);

}  // namespace wasmplug::wasm
