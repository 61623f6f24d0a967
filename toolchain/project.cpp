#include "toolchain/project.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/error.hpp"
#include "base/file.hpp"
#include "toolchain/metadata.hpp"

namespace wasmplug::toolchain {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t metadata_limit = std::size_t{4} << 20;
constexpr std::array cpp_sources{".cc", ".cpp", ".cxx", ".c"};

std::optional<std::string> read(const fs::path& path) {
    return read_file_if_there(path, metadata_limit);
}

std::string folder_name(const fs::path& directory) {
    const fs::path whole = fs::weakly_canonical(directory);
    return whole.filename().empty() ? "plugin" : whole.filename().string();
}

bool has_extension(const fs::path& path, const auto& extensions) {
    return std::find(extensions.begin(), extensions.end(), path.extension().string()) !=
           extensions.end();
}

// Sources of a C++ plugin lie in src/, or beside the build file.
bool holds_cpp(const fs::path& directory) {
    for (const auto& folder : {directory, directory / "src"}) {
        std::error_code ignored;
        for (const auto& entry : fs::directory_iterator(folder, ignored)) {
            if (entry.is_regular_file(ignored) && has_extension(entry.path(), cpp_sources)) {
                return true;
            }
        }
    }
    return false;
}

// What [workspace.package] above `directory` gives to its members.
Identity workspace_identity(const fs::path& directory) {
    for (fs::path at = fs::absolute(directory).lexically_normal(); at.has_relative_path();
         at = at.parent_path()) {
        if (const auto text = read(at / "Cargo.toml")) {
            const CargoManifest manifest = read_cargo_manifest(*text);
            if (manifest.has_workspace) {
                return {{}, manifest.workspace_version, manifest.workspace_license};
            }
        }
    }
    return {};
}

std::optional<Project> rust_project(const fs::path& directory) {
    const auto text = read(directory / "Cargo.toml");
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
    const auto text = read(directory / "go.mod");
    if (!text) {
        return std::nullopt;
    }
    return Project{Language::go, directory, go_module_name(*text), {}};
}

std::optional<Project> assemblyscript_project(const fs::path& directory) {
    const auto text = read(directory / "package.json");
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
        if (const auto text = read(directory / name)) {
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
    const auto cmake = read(directory / "CMakeLists.txt");
    const auto makefile = read(directory / "Makefile");
    const auto& build_file = cmake ? cmake : makefile;
    if (build_file && build_file->find("wasm") == std::string::npos) {
        return std::nullopt;
    }
    const Identity identity = cmake      ? read_cmake_project(*cmake)
                              : makefile ? read_makefile(*makefile)
                                         : Identity{};
    return Project{Language::cpp, directory, identity.name, identity.version};
}

// Folders that "plugins/*" or "auth" name below `root`; hidden ones never match a star.
std::vector<fs::path> expand(const fs::path& root, const std::vector<std::string>& patterns) {
    std::set<fs::path> folders;
    for (const auto& pattern : patterns) {
        const fs::path path = (root / pattern).lexically_normal();
        const fs::path parent = path.parent_path();
        if (path.filename() != "*" && path.filename() != "**") {
            folders.insert(path.filename().empty() ? parent : path);
            continue;
        }
        std::error_code ignored;
        for (const auto& entry : fs::directory_iterator(parent, ignored)) {
            if (entry.is_directory(ignored) && !entry.path().filename().string().starts_with('.')) {
                folders.insert(entry.path());
            }
        }
    }
    return {folders.begin(), folders.end()};
}

// The member folders that a workspace file in `directory` names; empty without one.
std::vector<fs::path> workspace_members(const fs::path& directory) {
    if (const auto text = read(directory / "Cargo.toml")) {
        const CargoManifest manifest = read_cargo_manifest(*text);
        const auto excluded = expand(directory, manifest.excluded);
        auto members = expand(directory, manifest.members);
        std::erase_if(members, [&](const fs::path& member) {
            const auto cargo = read(member / "Cargo.toml");
            // Libraries that plugins share are members too, and no plugins.
            return !cargo || !read_cargo_manifest(*cargo).is_cdylib ||
                   std::find(excluded.begin(), excluded.end(), member) != excluded.end();
        });
        return members;
    }
    if (const auto text = read(directory / "go.work")) {
        auto members = expand(directory, go_work_folders(*text));
        std::erase_if(members,
                      [](const fs::path& member) { return !fs::exists(member / "main.go"); });
        return members;
    }
    if (const auto text = read(directory / "package.json")) {
        return expand(directory,
                      read_npm_package(*text, (directory / "package.json").string()).workspaces);
    }
    return {};
}

bool is_metadata(const fs::path& path) {
    static const std::set<std::string> names{
        "Cargo.toml",    "Cargo.lock",        "go.mod",         "go.sum",  "package.json",
        "asconfig.json", "package-lock.json", "CMakeLists.txt", "Makefile"};
    return names.contains(path.filename().string());
}

bool is_source(Language language, const fs::path& path) {
    const std::string extension = path.extension().string();
    switch (language) {
        case Language::rust:
            return extension == ".rs";
        case Language::go:
            return extension == ".go" && !path.stem().string().ends_with("_test");
        case Language::assemblyscript:
            return extension == ".ts";
        case Language::cpp:
            return has_extension(path, cpp_sources) || extension == ".h" || extension == ".hpp";
    }
    return false;
}

bool is_outside_of_the_module(const fs::path& relative) {
    static const std::set<std::string> folders{"build",    "dist",     "target", "node_modules",
                                               "tests",    "test",     "bench",  "benches",
                                               "examples", "__tests__"};
    return std::any_of(relative.begin(), relative.end(),
                       [](const fs::path& part) { return folders.contains(part.string()); });
}

}  // namespace

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
            if (const auto version = read(directory / "VERSION");
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
    const auto members = workspace_members(directory);
    for (const auto& member : members) {
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
    for (const auto& file : find_files(directory, is_metadata)) {
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

std::vector<fs::path> sources_of(const Project& project) {
    std::set<fs::path> roots{project.directory};
    if (project.language == Language::rust) {
        if (const auto text = read(project.directory / "Cargo.toml")) {
            for (const auto& path : read_cargo_manifest(*text).paths) {
                roots.insert((project.directory / path).lexically_normal());
            }
        }
    }
    std::set<fs::path> sources;
    for (const auto& root : roots) {
        if (!fs::is_directory(root)) {
            continue;
        }
        for (const auto& file : find_files(root, [&](const fs::path& path) {
                 return (is_metadata(path) || is_source(project.language, path)) &&
                        !is_outside_of_the_module(path.lexically_relative(root));
             })) {
            sources.insert(file);
        }
    }
    return {sources.begin(), sources.end()};
}

std::optional<fs::path> newer_than_module(const Project& project) {
    std::error_code failed;
    const auto built = fs::last_write_time(project.module(), failed);
    if (failed) {
        return std::nullopt;
    }
    for (const auto& source : sources_of(project)) {
        const auto changed = fs::last_write_time(source, failed);
        if (!failed && changed > built) {
            return source;
        }
    }
    return std::nullopt;
}

}  // namespace wasmplug::toolchain
