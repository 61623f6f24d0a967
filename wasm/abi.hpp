#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "wasm/module.hpp"

namespace wasmplug::wasm {

// The Proxy-Wasm ABI versions that Envoy knows.
enum class AbiVersion { v0_1_0, v0_2_0, v0_2_1 };

// In which of them something exists.
struct Abis {
    bool v0_1_0 = false;
    bool v0_2_0 = false;
    bool v0_2_1 = false;

    constexpr bool has(AbiVersion version) const {
        return version == AbiVersion::v0_1_0   ? v0_1_0
               : version == AbiVersion::v0_2_0 ? v0_2_0
                                               : v0_2_1;
    }
};

// Which Envoy offers a WASI function: a to 1.32 (15 functions), b 1.33 to 1.38 (18, enough for
// Go), c from 1.39 (45).
enum class WasiEpoch { a, b, c };

// What the host offers in module "env". The signature is written as to_text(FunctionType) does.
struct HostFunction {
    std::string_view name;
    std::string_view signature;
    Abis abis;
};

// What the host offers in "wasi_snapshot_preview1" and in "wasi_unstable".
struct WasiFunction {
    std::string_view name;
    std::string_view signature;
    WasiEpoch since;
    bool allowed_at_start;
};

// What the host calls in the plugin, when it is exported.
struct Callback {
    std::string_view name;
    std::string_view signature;
    Abis abis;
};

std::span<const HostFunction> host_functions();
std::span<const WasiFunction> wasi_functions();
std::span<const Callback> callbacks();

const HostFunction* find_host_function(std::string_view name);
const WasiFunction* find_wasi_function(std::string_view name);
bool is_wasi_module(std::string_view name);

// False for what may only be called once the VM runs; earlier it ends in "restricted_callback".
bool allowed_at_start(std::string_view module, std::string_view name);

std::string_view to_text(AbiVersion version);

// The version that an export of this name announces.
std::optional<AbiVersion> abi_of_marker(std::string_view name);

// The first marker in the order of the export section wins, as in the host.
std::optional<AbiVersion> abi_of(const Module& module);

// The export that the host allocates with ("malloc" is looked for first), or null.
const Export* allocator_of(const Module& module);

// The export that the host runs once after loading: "_initialize" (a reactor), else "_start",
// or empty.
std::string_view entry_of(const Module& module);

}  // namespace wasmplug::wasm
