#pragma once

#include <string>
#include <vector>

#include "toolchain/compile.hpp"

namespace wasmplug::toolchain {

// One thing that a plugin author's machine has or lacks.
struct Check {
    std::string id;     // stable: "rust-target"
    std::string title;  // "Rust's wasm32-unknown-unknown"
    bool ok = false;
    bool needed = false;   // for the projects at hand
    bool relevant = true;  // false: only projects of another language would need it
    std::string found;     // version, path; empty when there is nothing
    std::string problem;   // empty when ok
    std::string mend;      // the one command
};

// Looks at the tool chains, each with a real compilation of nothing where that is quick, so that
// what is said is what `build` would meet. Those of `projects` are needed; without projects, one
// whole tool chain of any language is.
std::vector<Check> check_toolchains(const std::vector<Project>& projects, const BuildWorld& world);

}  // namespace wasmplug::toolchain
