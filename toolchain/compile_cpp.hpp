#pragma once

#include "toolchain/compile.hpp"

namespace wasmplug::toolchain {

// C++ has no project tool that every machine with clang has, so we are it: each source in src/
// (or beside the build file) becomes an object when it, a header it read or the command line
// changed, and the objects are linked into `module`.
std::filesystem::path compile_cpp(const Project& project, const BuildOptions& options,
                                  const BuildWorld& world, const std::filesystem::path& module);

// "wasm32" (freestanding) or "wasm32-wasi": what the project's own build file compiles for, the
// latter when it does not say.
std::string cpp_target(const Project& project);

// The files that a make-style dependency file names, the target left out.
std::vector<std::string> read_dependencies(std::string_view text);

}  // namespace wasmplug::toolchain
