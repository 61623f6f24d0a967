#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "wasm/module.hpp"

namespace wasmplug::wasm {

// What an engine makes of the bodies of functions.
struct BodiesVerdict {
    std::string fault;       // the first that is invalid, and why; empty: none is
    std::string not_judged;  // why some body could not be judged; empty: all were
    FeatureUse features;     // what the bodies and the declarations need
};

// Validates every body by the algorithm of the specification (appendix "Validation Algorithm"),
// with V8's own limits where it has some. Bodies with typed references or garbage-collected
// types are not judged, nor is what would compare more than `most_work` types for calls and
// branches (a module of 256 MiB could ask for years of it; real ones need a hundredth). Never
// throws for what a module holds.
BodiesVerdict judge_bodies(std::string_view bytes, const Module& module,
                           std::uint64_t most_work = 1'000'000'000);

}  // namespace wasmplug::wasm
