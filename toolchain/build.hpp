#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "toolchain/compile.hpp"
#include "wasm/lint.hpp"

namespace wasmplug::toolchain {

struct Built {
    Project project;
    std::filesystem::path module;
    std::string sha256;           // of the module
    std::uint64_t compiled_size;  // as the compiler left it
    std::uint64_t size;
    std::uint64_t gzipped_size;
    std::string optimised_by;  // "wasm-opt version 108 -Oz"; empty: not optimised
    bool unchanged = false;    // the module was there already, made from the same
    std::vector<wasm::Warning> warnings;
};

// Compiles, optimises, strips, and puts the module at project.module(), replacing what was there
// only when Envoy would load the new one. Throws Error for everything else.
Built build(const Project& project, const BuildOptions& options, const BuildWorld& world);

// The projects with a source that differs from `revision` in git, untracked files counted.
// Throws Error when git cannot tell.
std::vector<Project> changed_since(const std::vector<Project>& projects,
                                   const std::string& revision, const BuildWorld& world);

}  // namespace wasmplug::toolchain
