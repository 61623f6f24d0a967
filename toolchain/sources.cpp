#include "toolchain/sources.hpp"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "toolchain/metadata.hpp"
#include "toolchain/workspace.hpp"

namespace wasmplug::toolchain {

namespace fs = std::filesystem;

namespace {

bool is_metadata(const fs::path& path) {
    static const std::set<std::string> names{"Cargo.toml",
                                             "Cargo.lock",
                                             "rust-toolchain.toml",
                                             "rust-toolchain",
                                             "go.mod",
                                             "go.sum",
                                             "asconfig.json",
                                             "package.json",
                                             "CMakeLists.txt",
                                             "package-lock.json",
                                             "npm-shrinkwrap.json",
                                             "pnpm-lock.yaml",
                                             "yarn.lock",
                                             "Makefile"};
    return names.contains(path.filename().string());
}

bool is_source(Language language, const fs::path& relative) {
    const std::string extension = relative.extension().string();
    // What lies among the sources of these may be read by them: include_str!, a transform of asc.
    const std::string first = relative.begin() == relative.end() ? "" : relative.begin()->string();
    switch (language) {
        case Language::rust:
            return extension == ".rs" || first == "src";
        case Language::go:
            return is_go_source(relative);
        case Language::assemblyscript:
            return extension == ".ts" || first == "assembly";
        case Language::cpp:
            return is_cpp_source(relative) || is_cpp_header(relative);
    }
    return false;
}

// A text that may name other files.
bool is_code(const fs::path& path) {
    const std::string extension = path.extension().string();
    return is_cpp_source(path) || is_cpp_header(path) || extension == ".rs" || extension == ".ts";
}

// Only what stands at the top is known by its name: src/test may be a module like any other.
bool is_outside_of_the_module(const fs::path& relative) {
    static const std::set<std::string> tests{"tests",   "test",     "bench",
                                             "benches", "examples", "__tests__"};
    return is_made(relative) || tests.contains(relative.begin()->string());
}

// The quoted strings that follow `word` in a source: imports and includes. A word in a comment
// names a file too many, never one too few.
std::vector<std::string> quoted_after(std::string_view text, std::string_view word) {
    std::vector<std::string> found;
    for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at)) {
        at += word.size();
        const auto open = text.find_first_not_of(" \t\r\n(:", at);
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
    return is_below(path, root) && !is_outside_of_the_module(relative) &&
           (is_metadata(path) || is_source(project_.language, relative));
}

bool Sources::has(const fs::path& path) const {
    const fs::path whole = fs::weakly_canonical(path);
    return single_.contains(whole) || holds(own_, whole) ||
           std::any_of(others_.begin(), others_.end(),
                       [&](const fs::path& root) { return holds(root, whole); }) ||
           std::any_of(embedded_.begin(), embedded_.end(), [&](const GoEmbed& embed) {
               return embed.match(whole) == GoEmbed::Match::yes;
           });
}

std::vector<fs::path> Sources::below(const fs::path& root) const {
    return fs::is_directory(root)
               ? find_files(
                     root, [&](const fs::path& path) { return holds(root, path); },
                     [&](const fs::path& folder) {
                         return !is_outside_of_the_module(folder.lexically_relative(root));
                     })
               : std::vector<fs::path>{};
}

std::vector<fs::path> Sources::files() const {
    std::vector<fs::path> files = below(own_);
    const auto add = [&](const std::vector<fs::path>& more) {
        files.insert(files.end(), more.begin(), more.end());
    };
    for (const auto& root : others_) {
        add(below(root));
    }
    for (const auto& embed : embedded_) {
        add(embed.files());
    }
    std::copy_if(single_.begin(), single_.end(), std::back_inserter(files),
                 [](const fs::path& file) { return fs::exists(file); });
    for (auto& file : files) {
        if (is_below(file, own_)) {
            file = (project_.directory / file.lexically_relative(own_)).lexically_normal();
        }
    }
    std::sort(files.begin(), files.end());
    files.erase(std::unique(files.begin(), files.end()), files.end());
    return files;
}

std::vector<fs::path> Sources::folders() const {
    std::vector<fs::path> folders{project_.directory};
    folders.insert(folders.end(), others_.begin(), others_.end());
    for (const auto& file : single_) {
        const fs::path folder = file.parent_path();
        if (!is_below(folder, own_) &&
            std::find(folders.begin(), folders.end(), folder) == folders.end()) {
            folders.push_back(folder);
        }
    }
    return folders;
}

void Sources::add_folder(const fs::path& folder) {
    const fs::path whole = fs::weakly_canonical(folder);
    // A library of the project's may stand where its tests or builds would.
    if (!is_below(whole, own_) || is_outside_of_the_module(whole.lexically_relative(own_))) {
        others_.insert(whole);
    }
}

bool Sources::add_file(const fs::path& file) {
    const fs::path whole = fs::weakly_canonical(file);
    return !has(whole) && single_.insert(whole).second;
}

void Sources::add_rust() {
    const auto root = cargo_workspace(own_);
    CargoManifest workspace;
    if (root) {
        workspace = read_cargo_manifest(*read_project_file(*root / "Cargo.toml"));
    }
    for (const auto& folder : {own_, root.value_or(own_)}) {
        for (const char* name : {"Cargo.toml", "Cargo.lock", "rust-toolchain.toml",
                                 "rust-toolchain", ".cargo/config.toml", ".cargo/config"}) {
            add_file(folder / name);
        }
    }
    std::set<fs::path> seen{own_};
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
            add_folder(folder);
            if (seen.insert(fs::weakly_canonical(folder)).second) {
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
                is_go_source(entry.path()) ? read_project_file(entry.path()) : std::nullopt;
            const auto embeds = go_embeds(package, text.value_or(""));
            embedded_.insert(embedded_.end(), embeds.begin(), embeds.end());
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
        for (const char* name : {"package.json", "package-lock.json", "npm-shrinkwrap.json",
                                 "pnpm-lock.yaml", "yarn.lock"}) {
            add_file(*root / name);
        }
    }
    std::set<fs::path> seen;
    for (fs::path config = package / "asconfig.json";
         seen.insert(fs::weakly_canonical(config)).second;) {
        const auto text = read_project_file(config);
        const auto extended = quoted_after(text.value_or(""), "\"extends\"");
        if (!extended.empty()) {
            config = config.parent_path() / extended.front();
            add_file(config);
        }
    }
    seen = {package};
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
            add_folder(folder);
            if (seen.insert(fs::weakly_canonical(folder)).second) {
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
            const fs::path text = file.string() + ".ts";
            file = fs::is_directory(file) && !fs::exists(text) ? file / "index.ts" : text;
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
                if (fs::is_regular_file(file) && add_file(file)) {
                    open.push_back(fs::weakly_canonical(file));
                }
            }
        }
    }
}

bool is_made(const fs::path& relative) {
    static const std::set<std::string> folders{"build", "dist", "target"};
    return folders.contains(relative.begin()->string()) ||
           std::any_of(relative.begin(), relative.end(), [](const fs::path& part) {
               const std::string name = part.string();
               return name == "node_modules" || (name.size() > 1 && name[0] == '.' && name != "..");
           });
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
