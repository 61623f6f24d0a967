#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wasmplug::toolchain {

// Name, version and licence (an SPDX expression) as a build file gives them; empty where it does
// not.
struct Identity {
    std::string name;
    std::string version;
    std::string license = {};
};

// What of a Cargo.toml matters here. Only what is written in the plain forms that cargo itself
// writes is understood: strings, booleans, inline tables, arrays of strings.
struct CargoManifest {
    bool has_package = false;
    Identity package;
    bool version_from_workspace = false;
    bool license_from_workspace = false;
    std::string workspace_version;  // [workspace.package] version
    std::string workspace_license;
    std::vector<std::string> members;    // [workspace] members, globs as written
    std::vector<std::string> excluded;   // [workspace] exclude
    std::vector<std::string> paths;      // path = "…" of dependencies
    std::vector<std::string> inherited;  // dependencies with workspace = true
    // [workspace.dependencies]: name -> its path
    std::map<std::string, std::string> shared_paths;
    bool has_workspace = false;
    bool is_cdylib = false;
};

CargoManifest read_cargo_manifest(std::string_view text);

// The last element of the module path, without a major version suffix.
std::string go_module_name(std::string_view go_mod);

// The module path; "" without one.
std::string go_module_path(std::string_view go_mod);

// `replace MODULE => ./FOLDER` of a go.mod or go.work: module and folder, as written.
std::vector<std::pair<std::string, std::string>> go_replaced_folders(std::string_view text);

// The folders that a go.work names.
std::vector<std::string> go_work_folders(std::string_view go_work);

struct NpmPackage {
    Identity identity;
    std::string full_name;  // with its scope
    bool uses_assemblyscript = false;
    std::map<std::string, std::string> dependencies;  // of every kind: name -> version as written
    std::vector<std::string> workspaces;              // globs as written
};

// Throws Error when the text is no JSON object.
NpmPackage read_npm_package(std::string_view text, std::string_view path);

// project(NAME VERSION X) of a CMakeLists.txt.
Identity read_cmake_project(std::string_view text);

// NAME and VERSION assigned in a Makefile.
Identity read_makefile(std::string_view text);

// The expression behind the first "SPDX-License-Identifier:", for languages whose build file has
// no field for it; "" when there is none.
std::string spdx_license(std::string_view text);

// `text` when it is of the form of an SPDX expression, else "": npm's "UNLICENSED" and
// "SEE LICENSE IN …" are not.
std::string spdx_expression(std::string_view text);

}  // namespace wasmplug::toolchain
