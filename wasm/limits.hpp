#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace wasmplug::wasm {

struct Module;

// What the reader takes at most. The counts are V8's own (src/wasm/wasm-limits.h), so a module
// that is refused for one of them would be refused by Envoy too; the size is what Istio's
// fetcher reads of a module.
struct ModuleLimits {
    std::size_t bytes = std::size_t{256} << 20;
    std::uint32_t types = 1'000'000;
    std::uint32_t functions = 1'000'000;
    std::uint32_t imports = 100'000;
    std::uint32_t exports = 100'000;
    std::uint32_t globals = 1'000'000;
    std::uint32_t tables = 100'000;
    std::uint32_t memories = 100'000;
    std::uint32_t tags = 1'000'000;
    std::uint32_t data_segments = 100'000;
    std::uint32_t element_segments = 10'000'000;
    std::uint32_t table_elements = 10'000'000;
    std::uint32_t parameters = 1'000;
    std::uint32_t results = 1'000;
    std::uint32_t struct_fields = 10'000;
    std::uint32_t locals = 50'000;
    std::uint32_t function_bytes = 7'654'321;
    std::uint32_t sections = 10'000;
};

// What an engine of ours is asked to hold. An interpreter allocates what a module declares, so
// a module beyond these never reaches it.
struct EngineLimits {
    std::uint64_t memory_pages = 16'384;  // Envoy starts V8 with --wasm_max_mem_pages=16384
    std::uint64_t table_elements = 1'000'000;
    std::uint64_t total_locals = 10'000'000;
};

// Why `module` is too large for an engine, or nothing: "the memory begins with 65536 pages, over
// the limit of 16384".
std::optional<std::string> over_limits(const Module& module, const EngineLimits& limits = {});

}  // namespace wasmplug::wasm
