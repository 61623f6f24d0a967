#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/cancel.hpp"
#include "base/process.hpp"
#include "base/terminal.hpp"
#include "toolchain/project.hpp"

namespace wasmplug::toolchain {

struct BuildOptions {
    bool debug = false;    // the language's debug profile; neither optimised nor stripped
    bool optimize = true;  // run wasm-opt when there is one
    std::string level;     // of wasm-opt, "0" … "4", "s", "z"; empty: z, and nothing for Go
    std::string target;    // a compiler's triple; empty: the language's usual one
    std::string compiler;  // a program; empty: found on PATH. "tinygo" for Go
    bool offline = false;  // the compilers are told not to fetch anything
    bool colour = false;   // their messages go to a terminal
};

// What a build may touch.
struct BuildWorld {
    Spawn spawn;
    Environment environment;
    Cancel cancel;
    std::function<void(std::string_view)> stream;   // compiler output, as it comes
    std::function<void(std::string_view)> verbose;  // the command lines
};

// Runs the language's own tool chain and returns where it left its module.
// Throws Error when a tool is missing or fails; a message of table messages.cpp in its output
// becomes the hint.
std::filesystem::path compile(const Project& project, const BuildOptions& options,
                              const BuildWorld& world);

// Runs one tool in the project's folder, streaming what it says; returns its standard output
// when `keep_stdout`. Throws as compile() does.
struct ToolRun {
    std::vector<std::string> argv;
    std::filesystem::path directory;
    std::vector<std::pair<std::string, std::optional<std::string>>> env;
    bool keep_stdout = false;
};

std::string run_tool(const ToolRun& run, const BuildWorld& world);

// The first of `names` that is on PATH, or nothing.
std::optional<std::string> first_program(const std::vector<std::string>& names,
                                         const Environment& environment);

// clang++ for WebAssembly, newest first: $WASI_SDK_PATH's, clang++-21 … clang++-14, clang++.
std::vector<std::string> clang_names(const Environment& environment);

// node_modules/.bin/asc, here or in a folder above, where npm's workspaces keep it; empty if not
// there.
std::filesystem::path find_asc(const std::filesystem::path& directory);

// What Debian's and every other system calls a missing tool; for the hint and for doctor.
std::string install_hint(Language language);

}  // namespace wasmplug::toolchain
