#include "toolchain/sources.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "toolchain/metadata.hpp"
#include "toolchain/workspace.hpp"

namespace wasmplug::toolchain {

namespace fs = std::filesystem;

namespace {

bool is_metadata(const fs::path& path) {
    static const std::set<std::string> names{
        "Cargo.toml",    "Cargo.lock",        "go.mod",         "go.sum",  "package.json",
        "asconfig.json", "package-lock.json", "CMakeLists.txt", "Makefile"};
    return names.contains(path.filename().string());
}

bool is_source(Language language, const fs::path& relative) {
    const std::string extension = relative.extension().string();
    // What lies among the sources may be embedded into them: include_str!, //go:embed.
    const std::string first = relative.begin() == relative.end() ? "" : relative.begin()->string();
    switch (language) {
        case Language::rust:
            return extension == ".rs" || first == "src";
        case Language::go:
            return extension == ".go" && !relative.stem().string().ends_with("_test");
        case Language::assemblyscript:
            return extension == ".ts" || first == "assembly";
        case Language::cpp:
            return is_cpp_source(relative) || extension == ".h" || extension == ".hpp" ||
                   extension == ".inc";
    }
    return false;
}

// A text that may name other files.
bool is_code(const fs::path& path) {
    const std::string extension = path.extension().string();
    return is_cpp_source(path) || extension == ".h" || extension == ".hpp" || extension == ".inc" ||
           extension == ".rs" || extension == ".ts";
}

bool is_outside_of_the_module(const fs::path& relative) {
    static const std::set<std::string> folders{"build",    "dist",     "target", "node_modules",
                                               "tests",    "test",     "bench",  "benches",
                                               "examples", "__tests__"};
    return std::any_of(relative.begin(), relative.end(), [](const fs::path& part) {
        const std::string name = part.string();
        return folders.contains(name) || (name.size() > 1 && name[0] == '.' && name != "..");
    });
}

bool is_inside(const fs::path& path, const fs::path& root) {
    const fs::path relative = path.lexically_relative(root);
    return !relative.empty() && *relative.begin() != "..";
}

// The quoted strings that follow `word` in a source: imports and includes. A word in a comment
// names a file too many, never one too few.
std::vector<std::string> quoted_after(std::string_view text, std::string_view word) {
    std::vector<std::string> found;
    for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at)) {
        at += word.size();
        const auto open = text.find_first_not_of(" \t(:", at);
        if (open == std::string_view::npos || (text[open] != '"' && text[open] != '\'')) {
            continue;
        }
        const auto close = text.find(text[open], open + 1);
        if (close != std::string_view::npos) {
            found.emplace_back(text.substr(open + 1, close - open - 1));
            at = close;
        }
    }
    return found;
}

// The paths that a Go file imports: every string of its lines "import …" and blocks
// "import ( … )".
std::vector<std::string> go_imports(std::string_view text) {
    std::vector<std::string> imports;
    bool in_block = false;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const bool starts = line.starts_with("import");
        if (in_block || starts) {
            const auto open = line.find('"');
            const auto close = line.find('"', open == std::string_view::npos ? open : open + 1);
            if (close != std::string_view::npos) {
                imports.emplace_back(line.substr(open + 1, close - open - 1));
            }
        }
        in_block = (in_block && !line.starts_with(')')) ||
                   (starts && line.find('(') != std::string_view::npos);
    }
    return imports;
}

}  // namespace

Sources::Sources(const Project& project)
    : project_(project), own_(fs::weakly_canonical(project.directory)) {
    switch (project.language) {
        case Language::rust:
            add_rust();
            add_relative_imports();
            break;
        case Language::go:
            add_go(own_);
            break;
        case Language::assemblyscript:
            add_assemblyscript(own_);
            add_relative_imports();
            break;
        case Language::cpp:
            add_relative_imports();
            break;
    }
}

bool Sources::holds(const fs::path& root, const fs::path& path) const {
    const fs::path relative = path.lexically_relative(root);
    return is_inside(path, root) && !is_outside_of_the_module(relative) &&
           (is_metadata(path) || is_source(project_.language, relative));
}

bool Sources::has(const fs::path& path) const {
    const fs::path whole = fs::weakly_canonical(path);
    return single_.contains(whole) || holds(own_, whole) ||
           std::any_of(others_.begin(), others_.end(),
                       [&](const fs::path& root) { return holds(root, whole); });
}

std::vector<fs::path> Sources::below(const fs::path& root) const {
    return fs::is_directory(root)
               ? find_files(root, [&](const fs::path& path) { return holds(root, path); })
               : std::vector<fs::path>{};
}

std::vector<fs::path> Sources::files() const {
    std::set<fs::path> files;
    for (const auto& file : below(own_)) {
        files.insert((project_.directory / file.lexically_relative(own_)).lexically_normal());
    }
    for (const auto& root : others_) {
        for (auto& file : below(root)) {
            files.insert(std::move(file));
        }
    }
    for (const auto& file : single_) {
        if (fs::exists(file)) {
            files.insert(file);
        }
    }
    return {files.begin(), files.end()};
}

std::vector<fs::path> Sources::folders() const {
    std::vector<fs::path> folders{project_.directory};
    folders.insert(folders.end(), others_.begin(), others_.end());
    for (const auto& file : single_) {
        if (std::find(folders.begin(), folders.end(), file.parent_path()) == folders.end()) {
            folders.push_back(file.parent_path());
        }
    }
    return folders;
}

bool Sources::add_folder(const fs::path& folder) {
    const fs::path whole = fs::weakly_canonical(folder);
    return whole != own_ && !is_inside(whole, own_) && others_.insert(whole).second;
}

bool Sources::add_file(const fs::path& file) {
    const fs::path whole = fs::weakly_canonical(file);
    return !is_inside(whole, own_) && single_.insert(whole).second;
}

void Sources::add_rust() {
    const auto root = cargo_workspace(own_);
    CargoManifest workspace;
    if (root) {
        workspace = read_cargo_manifest(*read_project_file(*root / "Cargo.toml"));
        add_file(*root / "Cargo.toml");
        add_file(*root / "Cargo.lock");
    }
    std::vector<fs::path> open{own_};
    while (!open.empty()) {
        const fs::path package = std::move(open.back());
        open.pop_back();
        const auto text = read_project_file(package / "Cargo.toml");
        if (!text) {
            continue;
        }
        const CargoManifest manifest = read_cargo_manifest(*text);
        std::vector<fs::path> used;
        for (const auto& path : manifest.paths) {
            used.push_back(package / path);
        }
        for (const auto& name : manifest.inherited) {
            if (const auto shared = workspace.shared_paths.find(name);
                shared != workspace.shared_paths.end()) {
                used.push_back(*root / shared->second);
            }
        }
        for (const auto& folder : used) {
            if (add_folder(folder)) {
                open.push_back(fs::weakly_canonical(folder));
            }
        }
    }
}

// Package by package: another plugin of the same module is none of this one's sources.
void Sources::add_go(const fs::path& start) {
    std::vector<Member> local;  // modules whose source is on this machine's disk
    const auto take_replacements = [&](const fs::path& folder, const std::string& text) {
        for (const auto& [module, path] : go_replaced_folders(text)) {
            local.push_back({folder / path, module});
        }
    };
    const auto add_with = [&](const fs::path& folder, std::string_view name,
                              std::string_view sums) {
        add_file(folder / name);
        add_file(folder / sums);
        if (const auto text = read_project_file(folder / name)) {
            take_replacements(folder, *text);
            if (name == "go.mod") {
                local.push_back({folder, go_module_path(*text)});
            }
        }
    };
    if (const auto root = go_module_root(start)) {
        add_with(*root, "go.mod", "go.sum");
    }
    if (const auto root = go_workspace(start)) {
        add_with(*root, "go.work", "go.work.sum");
        for (auto& member : go_members(*root)) {
            local.push_back(std::move(member));
        }
    }
    std::set<fs::path> seen{start};
    std::vector<fs::path> open{start};
    while (!open.empty()) {
        const fs::path package = std::move(open.back());
        open.pop_back();
        std::error_code ignored;
        for (const auto& entry : fs::directory_iterator(package, ignored)) {
            const auto text =
                entry.path().extension() == ".go" ? read_project_file(entry.path()) : std::nullopt;
            for (const auto& import : text ? go_imports(*text) : std::vector<std::string>{}) {
                for (const auto& module : local) {
                    if (module.name.empty() ||
                        (import != module.name && !import.starts_with(module.name + '/'))) {
                        continue;
                    }
                    const fs::path folder = fs::weakly_canonical(
                        module.directory / fs::path(import).lexically_relative(module.name));
                    add_file(module.directory / "go.mod");
                    add_folder(folder);
                    if (seen.insert(folder).second) {
                        open.push_back(folder);
                    }
                }
            }
        }
    }
}

void Sources::add_assemblyscript(const fs::path& package) {
    const auto root = npm_workspace(package);
    const auto members = root ? npm_members(*root) : std::vector<Member>{};
    if (root) {
        add_file(*root / "package.json");
        add_file(*root / "package-lock.json");
    }
    fs::path config = package / "asconfig.json";
    do {
        const auto text = read_project_file(config);
        const auto extended = quoted_after(text.value_or(""), "\"extends\"");
        config = extended.empty() ? fs::path() : config.parent_path() / extended.front();
    } while (!config.empty() && add_file(config));
    std::vector<fs::path> open{package};
    while (!open.empty()) {
        const fs::path at = std::move(open.back());
        open.pop_back();
        const auto text = read_project_file(at / "package.json");
        if (!text) {
            continue;
        }
        for (const auto& [name, version] :
             read_npm_package(*text, (at / "package.json").string()).dependencies) {
            const auto colon = version.find(':');
            const bool linked = version.starts_with("file:") || version.starts_with("link:");
            const auto member = std::find_if(members.begin(), members.end(),
                                             [&](const Member& m) { return m.name == name; });
            if (!linked && member == members.end()) {
                continue;
            }
            const fs::path folder = linked ? at / version.substr(colon + 1) : member->directory;
            if (add_folder(folder)) {
                open.push_back(fs::weakly_canonical(folder));
            }
        }
    }
}

// Files outside of the project that its sources name by a relative path, and what those name.
void Sources::add_relative_imports() {
    static const std::vector<std::string_view> rust{"include_str!", "include_bytes!", "include!"};
    static const std::vector<std::string_view> script{"from", "import"};
    static const std::vector<std::string_view> cpp{"#include"};
    const auto& words = project_.language == Language::rust             ? rust
                        : project_.language == Language::assemblyscript ? script
                                                                        : cpp;
    std::vector<fs::path> open = below(own_);
    for (const auto& root : others_) {
        const auto more = below(root);
        open.insert(open.end(), more.begin(), more.end());
    }
    const auto named_by = [&](const fs::path& source, const std::string& name) {
        fs::path file = source.parent_path() / name;
        if (project_.language == Language::assemblyscript) {
            file = fs::is_directory(file) ? file / "index.ts" : fs::path(file.string() + ".ts");
        }
        return file;
    };
    while (!open.empty()) {
        const fs::path source = std::move(open.back());
        open.pop_back();
        const auto text = is_code(source) ? read_project_file(source) : std::nullopt;
        for (const auto& word : words) {
            for (const auto& name : quoted_after(text.value_or(""), word)) {
                const fs::path file = named_by(source, name);
                if (fs::is_regular_file(file) && !has(file) && add_file(file)) {
                    open.push_back(fs::weakly_canonical(file));
                }
            }
        }
    }
}

std::optional<fs::path> newer_than_module(const Project& project) {
    std::error_code failed;
    const auto built = fs::last_write_time(project.module(), failed);
    if (failed) {
        return std::nullopt;
    }
    for (const auto& source : Sources(project).files()) {
        const auto changed = fs::last_write_time(source, failed);
        if (!failed && changed > built) {
            return source;
        }
    }
    return std::nullopt;
}

}  // namespace wasmplug::toolchain
