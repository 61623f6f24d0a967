#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace wasmplug::wasm {

// Parts of WebAssembly that some Envoy's V8 does not take. What every one of them takes (SIMD,
// bulk memory, several values, reference types, sign extension, threads, the first exceptions)
// is not listed.
enum class Feature : std::uint8_t {
    tail_calls,
    extended_constants,
    relaxed_simd,
    garbage_collection,
    several_memories,
    memory64,
    exception_references,
};

struct FeatureInfo {
    Feature feature;
    std::string_view name;  // "tail calls", "64-bit memory": as a compiler's flag names it
    int v8;                 // the first V8 that has it switched on: 1102 is 11.2
};

// In the order of the enumeration.
// Source: V8's src/wasm/wasm-feature-flags.h, "Shipped in" beside each flag.
inline constexpr std::array<FeatureInfo, 7> known_features{{
    {Feature::tail_calls, "tail calls", 1102},
    {Feature::extended_constants, "extended constant expressions", 1104},
    {Feature::relaxed_simd, "relaxed SIMD", 1104},
    {Feature::garbage_collection, "typed references or garbage collection", 1109},
    {Feature::several_memories, "several memories", 1200},
    {Feature::memory64, "64-bit memory", 1303},
    {Feature::exception_references, "exception references (try_table)", 1307},
}};

// Where a module first needs each feature.
class FeatureUse {
  public:
    void note(Feature feature, std::size_t offset) {
        auto& first = first_[static_cast<std::size_t>(feature)];
        if (!first) {
            first = offset;
        }
    }

    std::optional<std::size_t> first(Feature feature) const {
        return first_[static_cast<std::size_t>(feature)];
    }

  private:
    std::array<std::optional<std::size_t>, known_features.size()> first_;
};

}  // namespace wasmplug::wasm
