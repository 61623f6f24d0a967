#include "toolchain/project.hpp"

#include <fmt/format.h>

#include <set>

#include "base/error.hpp"
#include "base/file.hpp"
#include "toolchain/metadata.hpp"
#include "toolchain/workspace.hpp"

namespace wasmplug::toolchain {

namespace fs = std::filesystem;

namespace {

std::string folder_name(const fs::path& directory) {
    const fs::path whole = fs::weakly_canonical(directory);
    return whole.filename().empty() ? "plugin" : whole.filename().string();
}

// Sources of a C++ plugin lie in src/, or beside the build file.
bool holds_cpp(const fs::path& directory) {
    for (const auto& folder : {directory, directory / "src"}) {
        std::error_code ignored;
        for (const auto& entry : fs::directory_iterator(folder, ignored)) {
            if (entry.is_regular_file(ignored) && is_cpp_source(entry.path())) {
                return true;
            }
        }
    }
    return false;
}

// What [workspace.package] above `directory` gives to its members.
Identity workspace_identity(const fs::path& directory) {
    const auto root = cargo_workspace(directory);
    if (!root) {
        return {};
    }
    const CargoManifest manifest = read_cargo_manifest(*read_project_file(*root / "Cargo.toml"));
    return {{}, manifest.workspace_version, manifest.workspace_license};
}

std::optional<Project> rust_project(const fs::path& directory) {
    const auto text = read_project_file(directory / "Cargo.toml");
    if (!text) {
        return std::nullopt;
    }
    const CargoManifest manifest = read_cargo_manifest(*text);
    if (!manifest.has_package) {
        return std::nullopt;
    }
    Project project{Language::rust, directory, manifest.package.name, manifest.package.version,
                    manifest.package.license};
    if (manifest.version_from_workspace || manifest.license_from_workspace) {
        Identity shared = workspace_identity(directory);
        if (manifest.version_from_workspace) {
            project.version = std::move(shared.version);
        }
        if (manifest.license_from_workspace) {
            project.license = std::move(shared.license);
        }
    }
    return project;
}

std::optional<Project> go_project(const fs::path& directory) {
    const auto text = read_project_file(directory / "go.mod");
    if (has_go_main(directory)) {
        // One of several plugins of a module is named by its folder.
        return text || go_module_root(directory)
                   ? std::optional(
                         Project{Language::go, directory, text ? go_module_name(*text) : "", {}})
                   : std::nullopt;
    }
    // A library is no plugin; a module without any source is one in the making.
    const bool empty = find_files(directory, [](const fs::path& path) {
                           return path.extension() == ".go";
                       }).empty();
    return text && empty
               ? std::optional(Project{Language::go, directory, go_module_name(*text), {}})
               : std::nullopt;
}

std::optional<Project> assemblyscript_project(const fs::path& directory) {
    const auto text = read_project_file(directory / "package.json");
    if (!text) {
        return std::nullopt;
    }
    const NpmPackage package = read_npm_package(*text, (directory / "package.json").string());
    // A workspace keeps the compiler at its root; what its members have is the source.
    if (!fs::exists(directory / "assembly" / "index.ts") &&
        (!package.uses_assemblyscript || !package.workspaces.empty())) {
        return std::nullopt;
    }
    return Project{Language::assemblyscript, directory, package.identity.name,
                   package.identity.version, package.identity.license};
}

// Go and C++ have no field for a licence; its tag stands in a build file, a source or the licence
// itself.
std::string tagged_license(const fs::path& directory) {
    for (const char* name : {"go.mod", "main.go", "CMakeLists.txt", "Makefile", "LICENSE"}) {
        if (const auto text = read_project_file(directory / name)) {
            if (std::string license = spdx_license(*text); !license.empty()) {
                return license;
            }
        }
    }
    return {};
}

// A build file that never says "wasm" is of another kind of program.
std::optional<Project> cpp_project(const fs::path& directory) {
    if (!holds_cpp(directory)) {
        return std::nullopt;
    }
    const auto cmake = read_project_file(directory / "CMakeLists.txt");
    const auto makefile = read_project_file(directory / "Makefile");
    const auto& build_file = cmake ? cmake : makefile;
    if (build_file && build_file->find("wasm") == std::string::npos) {
        return std::nullopt;
    }
    const Identity identity = cmake      ? read_cmake_project(*cmake)
                              : makefile ? read_makefile(*makefile)
                                         : Identity{};
    return Project{Language::cpp, directory, identity.name, identity.version};
}

// A file by which a folder may be a project: a plugin of a Go module needs none but its source.
bool names_a_project(const fs::path& path) {
    static const std::set<std::string> names{"Cargo.toml", "go.mod", "package.json",
                                             "CMakeLists.txt", "Makefile"};
    return names.contains(path.filename().string()) || path.extension() == ".go";
}

bool is_test(const fs::path& path) {
    return path.stem().string().ends_with("_test");
}

}  // namespace

bool is_cpp_source(const fs::path& path) {
    static const std::set<std::string> extensions{".cc", ".cpp", ".cxx", ".c"};
    return extensions.contains(path.extension().string()) && !is_test(path);
}

bool is_go_source(const fs::path& path) {
    return path.extension() == ".go" && !is_test(path);
}

bool is_cpp_header(const fs::path& path) {
    static const std::set<std::string> extensions{".h", ".hh", ".hpp", ".hxx", ".inc", ".inl"};
    return extensions.contains(path.extension().string());
}

std::string_view to_text(Language language) {
    switch (language) {
        case Language::rust:
            return "rust";
        case Language::go:
            return "go";
        case Language::cpp:
            return "cpp";
        case Language::assemblyscript:
            return "assemblyscript";
    }
    return "";
}

std::optional<Project> project_at(const fs::path& directory) {
    for (const auto& detect : {rust_project, go_project, assemblyscript_project, cpp_project}) {
        if (auto project = detect(directory)) {
            if (project->name.empty()) {
                project->name = folder_name(directory);
            }
            if (const auto version = read_project_file(directory / "VERSION");
                project->version.empty() && version) {
                project->version = version->substr(0, version->find_first_of(" \t\r\n"));
            }
            if (project->license.empty()) {
                project->license = tagged_license(directory);
            }
            return project;
        }
    }
    return std::nullopt;
}

std::vector<Project> find_projects(const fs::path& directory) {
    if (!fs::is_directory(directory)) {
        throw Error(fmt::format("{} is no folder", directory.string()),
                    "give the folder that holds the plugin's Cargo.toml, go.mod, package.json or "
                    "C++ sources");
    }
    std::vector<Project> projects;
    for (const auto& member : plugin_members(directory)) {
        if (auto project = project_at(member)) {
            projects.push_back(std::move(*project));
        }
    }
    if (!projects.empty()) {
        return projects;
    }
    if (auto project = project_at(directory)) {
        return {std::move(*project)};
    }
    std::set<fs::path> folders;
    for (const auto& file : find_files(directory, names_a_project)) {
        folders.insert(file.parent_path());
    }
    for (const auto& folder : folders) {
        if (auto project = project_at(folder.lexically_normal())) {
            projects.push_back(std::move(*project));
        }
    }
    if (projects.empty()) {
        throw Error(fmt::format("{} holds no plugin project", directory.string()),
                    "looked for Cargo.toml, go.mod, package.json with assemblyscript, and C++ "
                    "sources; 'wasmplug init' makes one");
    }
    return projects;
}

}  // namespace wasmplug::toolchain
