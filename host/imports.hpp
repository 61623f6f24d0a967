#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/engine.hpp"
#include "host/vm.hpp"

namespace wasmplug::host {

using Arguments = const std::uint64_t*;

// A function that the host offers. `arguments` says what each argument is, for the trace, and so
// the signature too: s string (address and size) · p pairs (address and size) · k path (address
// and size) · m map · b buffer · l log level · t stream type · o address of a result · i number ·
// q 64-bit number.
struct HostImport {
    std::string_view module;  // "wasi" stands for both names of WASI
    std::string_view name;
    std::string_view arguments;
    bool returns = true;
    bool in_0_1_0 = true;
    bool in_0_2_0 = true;
    bool in_0_2_1 = true;
    bool at_start = false;  // may be called by _initialize, main and _start
    std::uint64_t (*call)(Vm& vm, Arguments arguments) = nullptr;
};

Signature signature_of(const HostImport& import);

// Every import that Envoy 1.39 and later link, with the host's code behind it.
std::vector<const HostImport*> all_imports();

// Nothing for what Envoy does not offer to a module of that ABI.
const HostImport* find_import(std::string_view module, std::string_view name, AbiVersion abi);

// "proxy_log(info, "hello")".
std::string describe_call(Vm& vm, const HostImport& import, Arguments arguments);

// On one line, cut when it is long, for the trace.
std::string in_quotes(std::string_view text);

const std::vector<HostImport>& http_imports();
const std::vector<HostImport>& state_imports();
const std::vector<HostImport>& call_imports();
const std::vector<HostImport>& wasi_imports();

constexpr std::uint64_t code(Status status) {
    return static_cast<std::uint64_t>(status);
}

// proxy_get_property and proxy_set_property (host/properties.cpp).
std::uint64_t get_property(Vm& vm, Arguments arguments);
std::uint64_t set_property(Vm& vm, Arguments arguments);

// proxy_call_foreign_function (host/foreign.cpp).
std::uint64_t call_foreign_function(Vm& vm, Arguments arguments);

}  // namespace wasmplug::host
