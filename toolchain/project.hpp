#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wasmplug::toolchain {

enum class Language { rust, go, cpp, assemblyscript };

std::string_view to_text(Language language);  // "rust", "cpp": as --language spells it

// A folder with one plugin.
struct Project {
    Language language = Language::rust;
    std::filesystem::path directory;
    std::string name;          // from the project's own metadata, else the folder's name
    std::string version;       // the same; empty when it has none
    std::string license = {};  // SPDX expression, the same way

    // Where `build` puts the module and everything else looks for it.
    std::filesystem::path module() const {
        return (directory / "build" / "plugin.wasm").lexically_normal();
    }
};

// The project that `directory` itself is, or nothing. Which file says what:
// Cargo.toml Rust, go.mod (here, or above a `package main`) Go, package.json with
// assemblyscript, sources of C++.
// Throws Error when the file that names the language cannot be understood.
std::optional<Project> project_at(const std::filesystem::path& directory);

// The plugins of a workspace (Cargo, Go, npm), or of any folder that holds projects; just the
// one when `directory` is a project. Sorted by folder. Throws Error when there is none.
std::vector<Project> find_projects(const std::filesystem::path& directory);

// By its ending; a test (NAME_test.cc, NAME_test.go) is none.
bool is_cpp_source(const std::filesystem::path& path);
bool is_go_source(const std::filesystem::path& path);
bool is_cpp_header(const std::filesystem::path& path);

}  // namespace wasmplug::toolchain
