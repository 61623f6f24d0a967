#include "toolchain/workspace.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "base/file.hpp"
#include "toolchain/metadata.hpp"
#include "toolchain/project.hpp"

namespace wasmplug::toolchain {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t file_limit = std::size_t{4} << 20;
constexpr int deepest = 16;  // of "**"

std::vector<fs::path> folders_in(const fs::path& folder) {
    std::vector<fs::path> found;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
        const std::string name = entry.path().filename().string();
        if (entry.is_directory(ignored) && !name.starts_with('.') && name != "node_modules" &&
            name != "target") {
            found.push_back(entry.path());
        }
    }
    return found;
}

// `part` to `end` are the elements of a pattern that are still to be met below `folder`.
void expand_below(const fs::path& folder, fs::path::const_iterator part,
                  fs::path::const_iterator end, int depth, std::set<fs::path>& found) {
    if (part == end) {
        found.insert(folder);
        return;
    }
    const std::string pattern = part->string();
    if (pattern.find_first_of("*?[") == std::string::npos) {
        const fs::path next = pattern.empty() ? folder : folder / pattern;
        if (fs::is_directory(next)) {
            expand_below(next.lexically_normal(), std::next(part), end, depth, found);
        }
        return;
    }
    if (pattern == "**") {
        expand_below(folder, std::next(part), end, depth, found);
    }
    for (const auto& next : folders_in(folder)) {
        if (pattern == "**" && depth < deepest) {
            expand_below(next, part, end, depth + 1, found);
        } else if (fnmatch(pattern.c_str(), next.filename().c_str(), FNM_PERIOD) == 0) {
            expand_below(next, std::next(part), end, depth, found);
        }
    }
}

std::optional<fs::path> nearest(const fs::path& directory, auto&& is_root) {
    for (fs::path at = fs::absolute(directory).lexically_normal(); at.has_relative_path();
         at = at.parent_path()) {
        if (is_root(at)) {
            return at;
        }
    }
    return std::nullopt;
}

NpmPackage npm_package(const fs::path& directory) {
    const auto text = read_project_file(directory / "package.json");
    return text ? read_npm_package(*text, (directory / "package.json").string()) : NpmPackage{};
}

std::vector<fs::path> cargo_plugins(const fs::path& root, const CargoManifest& workspace) {
    auto members = expand_folders(root, workspace.members);
    if (workspace.has_package) {
        members.insert(members.begin(), root);
    }
    const auto excluded = expand_folders(root, workspace.excluded);
    std::erase_if(members, [&](const fs::path& member) {
        const auto cargo = read_project_file(member / "Cargo.toml");
        return !cargo || !read_cargo_manifest(*cargo).is_cdylib ||
               std::find(excluded.begin(), excluded.end(), member) != excluded.end();
    });
    return members;
}

// A package that another member depends on is a library, whatever else it looks like.
std::vector<fs::path> npm_plugins(const fs::path& root) {
    const auto members = npm_members(root);
    std::set<std::string> used;
    for (const auto& member : members) {
        for (const auto& dependency : npm_package(member.directory).dependencies) {
            used.insert(dependency.first);
        }
    }
    std::vector<fs::path> plugins;
    for (const auto& member : members) {
        if (member.name.empty() || !used.contains(member.name)) {
            plugins.push_back(member.directory);
        }
    }
    return plugins;
}

}  // namespace

std::optional<std::string> read_project_file(const fs::path& path) {
    return read_file_if_there(path, file_limit);
}

std::vector<fs::path> expand_folders(const fs::path& root,
                                     const std::vector<std::string>& patterns) {
    std::set<fs::path> found;
    for (const auto& pattern : patterns) {
        const bool without = pattern.starts_with('!');
        const fs::path path = fs::path(pattern.substr(without ? 1 : 0)).lexically_normal();
        std::set<fs::path> matching;
        expand_below(root, path.begin(), path.end(), 0, matching);
        for (const auto& folder : matching) {
            without ? void(found.erase(folder)) : void(found.insert(folder));
        }
    }
    return {found.begin(), found.end()};
}

std::optional<fs::path> cargo_workspace(const fs::path& directory) {
    return nearest(directory, [](const fs::path& at) {
        const auto text = read_project_file(at / "Cargo.toml");
        return text && read_cargo_manifest(*text).has_workspace;
    });
}

std::optional<fs::path> go_workspace(const fs::path& directory) {
    return nearest(directory, [](const fs::path& at) { return fs::exists(at / "go.work"); });
}

std::optional<fs::path> npm_workspace(const fs::path& directory) {
    const fs::path own = fs::absolute(directory).lexically_normal();
    return nearest(directory, [&](const fs::path& at) {
        const auto members = expand_folders(at, npm_package(at).workspaces);
        return std::find(members.begin(), members.end(), own) != members.end();
    });
}

std::vector<Member> go_members(const fs::path& root) {
    std::vector<Member> members;
    if (const auto text = read_project_file(root / "go.work")) {
        for (const auto& folder : expand_folders(root, go_work_folders(*text))) {
            const auto go_mod = read_project_file(folder / "go.mod");
            members.push_back({folder, go_mod ? go_module_path(*go_mod) : ""});
        }
    }
    return members;
}

std::vector<Member> npm_members(const fs::path& root) {
    std::vector<Member> members;
    for (const auto& folder : expand_folders(root, npm_package(root).workspaces)) {
        members.push_back({folder, npm_package(folder).full_name});
    }
    return members;
}

std::vector<fs::path> plugin_members(const fs::path& directory) {
    if (const auto text = read_project_file(directory / "Cargo.toml")) {
        const CargoManifest manifest = read_cargo_manifest(*text);
        return manifest.has_workspace ? cargo_plugins(directory, manifest)
                                      : std::vector<fs::path>{};
    }
    if (fs::exists(directory / "go.work")) {
        std::vector<fs::path> plugins;
        for (const auto& member : go_members(directory)) {
            if (has_go_main(member.directory)) {
                plugins.push_back(member.directory);
            }
        }
        return plugins;
    }
    return npm_plugins(directory);
}

bool has_go_main(const fs::path& directory) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(directory, ignored)) {
        const fs::path& path = entry.path();
        if (!is_go_source(path)) {
            continue;
        }
        const auto text = read_project_file(path);
        // A generator that `go run` runs lies among the files of a library.
        if (text && ("\n" + *text).find("\npackage main") != std::string::npos &&
            text->find("//go:build ignore") == std::string::npos) {
            return true;
        }
    }
    return false;
}

std::optional<fs::path> go_module_root(const fs::path& directory) {
    return nearest(directory, [](const fs::path& at) { return fs::exists(at / "go.mod"); });
}

}  // namespace wasmplug::toolchain
