#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace wasmplug::toolchain {

// A build file or a source as text; nothing when it is not there. Throws Error when it is far
// larger than any that a person writes.
std::optional<std::string> read_project_file(const std::filesystem::path& path);

// The folders that Cargo's and npm's patterns name below `root`, sorted: "plugins/*", "**/auth",
// "!old" takes out. Hidden ones and node_modules never match a star.
std::vector<std::filesystem::path> expand_folders(const std::filesystem::path& root,
                                                  const std::vector<std::string>& patterns);

// The folder of the nearest workspace file, `directory` itself or above: Cargo.toml with
// [workspace], go.work, package.json among whose workspaces `directory` is; nothing without one.
std::optional<std::filesystem::path> cargo_workspace(const std::filesystem::path& directory);
std::optional<std::filesystem::path> go_workspace(const std::filesystem::path& directory);
std::optional<std::filesystem::path> npm_workspace(const std::filesystem::path& directory);

// A member that is named by others: its module path, or its package name.
struct Member {
    std::filesystem::path directory;
    std::string name;
};

// The members of the workspace whose file is in `root`; empty without one.
std::vector<Member> go_members(const std::filesystem::path& root);
std::vector<Member> npm_members(const std::filesystem::path& root);

// The member folders that are plugins, and not libraries that plugins share, of the workspace
// whose file is in `directory`; empty without one.
std::vector<std::filesystem::path> plugin_members(const std::filesystem::path& directory);

// Whether Go's `package main` is in one of the folder's files, tests aside.
bool has_go_main(const std::filesystem::path& directory);

// The folder of the nearest go.mod, `directory` itself or above.
std::optional<std::filesystem::path> go_module_root(const std::filesystem::path& directory);

}  // namespace wasmplug::toolchain
