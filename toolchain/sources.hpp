#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <vector>

#include "toolchain/go_embed.hpp"
#include "toolchain/project.hpp"

namespace wasmplug::toolchain {

// What a project's module is made from: its own sources, metadata and lock files, those of the
// libraries beside it that it uses (path dependencies of Cargo, modules of a go.work and local
// replacements, packages of an npm workspace), what those name by a relative path or embed, and the
// workspace's files. Tests are no part of it.
class Sources {
  public:
    explicit Sources(const Project& project);

    // Whether the module is made from `path`, which may be gone by now.
    bool has(const std::filesystem::path& path) const;

    // The files that are there, sorted; absolute outside of the project, as the project's folder
    // is written inside of it.
    std::vector<std::filesystem::path> files() const;

    // The folders to watch: the project's own first, then those of its libraries.
    std::vector<std::filesystem::path> folders() const;

  private:
    void add_rust();
    void add_go(const std::filesystem::path& package);
    void add_assemblyscript(const std::filesystem::path& package);
    void add_relative_imports();
    void add_folder(const std::filesystem::path& folder);
    // False when it was one of them already.
    bool add_file(const std::filesystem::path& file);
    bool holds(const std::filesystem::path& root, const std::filesystem::path& path) const;
    std::vector<std::filesystem::path> below(const std::filesystem::path& root) const;

    Project project_;
    std::filesystem::path own_;               // absolute, without symbolic links, as all here
    std::set<std::filesystem::path> others_;  // folders that are libraries
    std::set<std::filesystem::path> single_;  // files that are no source by their name or place
    std::vector<GoEmbed> embedded_;
};

// Whether a path below a project or a library leads through a folder that a build fills, or that
// is hidden.
bool is_made(const std::filesystem::path& relative);

// A source that changed after the module was built, or nothing; also nothing without a module.
std::optional<std::filesystem::path> newer_than_module(const Project& project);

}  // namespace wasmplug::toolchain
