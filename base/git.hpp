#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/process.hpp"

namespace wasmplug {

struct GitCall {
    std::vector<std::string> arguments;  // without "git"
    std::filesystem::path folder = {};   // where it runs; empty: where we are
    std::string input = {};
    bool with_hooks = false;  // the repository's own run: for a commit
    bool may_fetch = true;    // a partial clone asks its remote for what it lacks
    std::optional<std::chrono::milliseconds> timeout = {};
};

// Runs git as a program does: it asks nobody, pages nothing, takes no lock that it can do without,
// and finds its repository from the folder alone, also in a hook.
ProcessResult run_git(const GitCall& call, const Spawn& spawn, const Cancel& cancel);

// What it printed. Throws Error "git diff: …" with its own reason when it fails.
std::string git_output(const GitCall& call, const Spawn& spawn, const Cancel& cancel);

}  // namespace wasmplug
