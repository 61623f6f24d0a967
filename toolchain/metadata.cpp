#include "toolchain/metadata.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace wasmplug::toolchain {

namespace {

std::string_view trim(std::string_view text) {
    constexpr std::string_view space = " \t\r\n";
    const auto first = text.find_first_not_of(space);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(space) - first + 1);
}

// Up to the first `comment` outside of quotes.
std::string_view without_comment(std::string_view line, char comment) {
    char quote = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (quote != 0) {
            if (line[i] == quote) {
                quote = 0;
            }
        } else if (line[i] == '"' || line[i] == '\'') {
            quote = line[i];
        } else if (line[i] == comment) {
            return line.substr(0, i);
        }
    }
    return line;
}

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const auto end = text.find('\n');
        lines.push_back(text.substr(0, end));
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    }
    return lines;
}

// The quoted strings of a TOML value, in order.
std::vector<std::string> strings_in(std::string_view value) {
    std::vector<std::string> strings;
    while (true) {
        const auto open = value.find_first_of("\"'");
        if (open == std::string_view::npos) {
            return strings;
        }
        const auto close = value.find(value[open], open + 1);
        if (close == std::string_view::npos) {
            return strings;
        }
        strings.emplace_back(value.substr(open + 1, close - open - 1));
        value.remove_prefix(close + 1);
    }
}

std::string first_string(std::string_view value) {
    const auto strings = strings_in(value);
    return strings.empty() ? std::string{} : strings.front();
}

// What stands behind `key` = in an inline table: { path = "../x", version = "1" }; "" without it.
std::string_view inline_value(std::string_view table, std::string_view key) {
    for (auto at = table.find(key); at != std::string_view::npos; at = table.find(key, at + 1)) {
        const bool starts =
            at == 0 || table[at - 1] == ' ' || table[at - 1] == '{' || table[at - 1] == ',';
        const std::string_view rest = trim(table.substr(at + key.size()));
        if (starts && rest.starts_with('=')) {
            return trim(rest.substr(1));
        }
    }
    return {};
}

// Those of tests are no part of a module.
bool is_dependency_table(std::string_view table) {
    return table.find("dependencies") != std::string_view::npos &&
           table.find("dev-dependencies") == std::string_view::npos;
}

// Which dependency an entry of a dependency table is about, and what it says of it: `name = …`,
// `name.path = …`, and `path = …` below [dependencies.name].
struct DependencyEntry {
    std::string name;
    std::string path;
    bool inherited = false;
};

DependencyEntry dependency_entry(std::string_view table, std::string_view key,
                                 std::string_view value) {
    constexpr std::string_view word = "dependencies.";
    const auto at = table.rfind(word);
    const std::string whole =
        at == std::string_view::npos
            ? std::string(key)
            : std::string(table.substr(at + word.size())) + '.' + std::string(key);
    const auto dot = whole.find('.');
    const std::string field = dot == std::string::npos ? "" : whole.substr(dot + 1);
    DependencyEntry entry{.name = whole.substr(0, dot)};
    if (field.empty()) {
        entry.path = first_string(inline_value(value, "path"));
        entry.inherited = inline_value(value, "workspace").starts_with("true");
    } else if (field == "path") {
        entry.path = first_string(value);
    } else if (field == "workspace") {
        entry.inherited = value.starts_with("true");
    }
    return entry;
}

void take_entry(CargoManifest& manifest, std::string_view table, std::string_view key,
                std::string_view value) {
    if (table == "package") {
        if (key == "name") {
            manifest.package.name = first_string(value);
        } else if (key == "version" || key == "version.workspace") {
            manifest.package.version = key == "version" ? first_string(value) : "";
            manifest.version_from_workspace = manifest.package.version.empty();
        } else if (key == "license" || key == "license.workspace") {
            manifest.package.license = key == "license" ? spdx_expression(first_string(value)) : "";
            manifest.license_from_workspace = value.find("true") != std::string_view::npos;
        }
    } else if (table == "workspace.package" && key == "version") {
        manifest.workspace_version = first_string(value);
    } else if (table == "workspace.package" && key == "license") {
        manifest.workspace_license = spdx_expression(first_string(value));
    } else if (table == "workspace" && key == "members") {
        manifest.members = strings_in(value);
    } else if (table == "workspace" && key == "exclude") {
        manifest.excluded = strings_in(value);
    } else if (table == "lib" && (key == "crate-type" || key == "crate_type")) {
        const auto types = strings_in(value);
        manifest.is_cdylib = std::find(types.begin(), types.end(), "cdylib") != types.end();
    } else if (is_dependency_table(table)) {
        DependencyEntry entry = dependency_entry(table, key, value);
        if (table.starts_with("workspace.")) {
            if (!entry.path.empty()) {
                manifest.shared_paths[entry.name] = entry.path;
            }
        } else if (entry.inherited) {
            manifest.inherited.push_back(entry.name);
        } else if (!entry.path.empty()) {
            manifest.paths.push_back(entry.path);
        }
    }
}

// Text between `open` and its matching close, `open` included; arrays may go over lines.
std::string array_from(const std::vector<std::string_view>& lines, std::size_t& line,
                       std::string_view first) {
    std::string value(first);
    while (value.find(']') == std::string::npos && line + 1 < lines.size()) {
        value += ' ';
        value += without_comment(lines[++line], '#');
    }
    return value;
}

}  // namespace

CargoManifest read_cargo_manifest(std::string_view text) {
    CargoManifest manifest;
    const auto lines = lines_of(text);
    std::string table;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const std::string_view line = trim(without_comment(lines[i], '#'));
        if (line.starts_with('[')) {
            table = std::string(trim(line.substr(1, line.find(']') - 1)));
            manifest.has_package = manifest.has_package || table == "package";
            manifest.has_workspace =
                manifest.has_workspace || table == "workspace" || table.starts_with("workspace.");
            continue;
        }
        const auto equals = line.find('=');
        if (equals == std::string_view::npos) {
            continue;
        }
        const std::string_view value = trim(line.substr(equals + 1));
        const bool array = value.starts_with('[');
        take_entry(manifest, table, trim(line.substr(0, equals)),
                   array ? array_from(lines, i, value) : std::string(value));
    }
    return manifest;
}

std::string go_module_path(std::string_view go_mod) {
    for (const auto line : lines_of(go_mod)) {
        std::string_view text = trim(line.substr(0, line.find("//")));
        if (!text.starts_with("module")) {
            continue;
        }
        text = trim(text.substr(6));
        return std::string(text.size() > 1 && text.front() == '"' ? text.substr(1, text.size() - 2)
                                                                  : text);
    }
    return {};
}

std::string go_module_name(std::string_view go_mod) {
    const std::string text = go_module_path(go_mod);
    const auto last = text.rfind('/');
    const std::string name = text.substr(last + 1);
    const bool major = name.size() > 1 && name[0] == 'v' &&
                       std::all_of(name.begin() + 1, name.end(),
                                   [](unsigned char c) { return std::isdigit(c) != 0; });
    if (major && last != std::string::npos) {
        const std::string parent = text.substr(0, last);
        return parent.substr(parent.rfind('/') + 1);
    }
    return name;
}

std::vector<std::pair<std::string, std::string>> go_replaced_folders(std::string_view text) {
    std::vector<std::pair<std::string, std::string>> replaced;
    for (const auto line : lines_of(text)) {
        std::string_view rule = trim(line.substr(0, line.find("//")));
        if (rule.starts_with("replace")) {
            rule = trim(rule.substr(7));
        }
        const auto arrow = rule.find("=>");
        if (arrow == std::string_view::npos) {
            continue;
        }
        const std::string_view folder = trim(rule.substr(arrow + 2));
        if (folder.starts_with('.') || folder.starts_with('/')) {
            const std::string_view module = rule.substr(0, rule.find_first_of(" \t"));
            replaced.emplace_back(module, folder);
        }
    }
    return replaced;
}

std::vector<std::string> go_work_folders(std::string_view go_work) {
    std::vector<std::string> folders;
    bool in_block = false;
    for (const auto line : lines_of(go_work)) {
        std::string_view text = trim(line.substr(0, line.find("//")));
        if (text == ")") {
            in_block = false;
        } else if (text.starts_with("use")) {
            text = trim(text.substr(3));
            in_block = text == "(";
            if (!in_block && !text.empty()) {
                folders.emplace_back(text);
            }
        } else if (in_block && !text.empty()) {
            folders.emplace_back(text);
        }
    }
    return folders;
}

NpmPackage read_npm_package(std::string_view text, std::string_view path) {
    const nlohmann::ordered_json document = parse_json(text, path);
    if (!document.is_object()) {
        throw Error(fmt::format("{} is no JSON object", path));
    }
    const auto text_of = [](const nlohmann::ordered_json& object, const char* key) {
        const auto found = object.find(key);
        return found != object.end() && found->is_string() ? found->get<std::string>()
                                                           : std::string{};
    };
    NpmPackage package;
    package.identity = {text_of(document, "name"), text_of(document, "version"),
                        spdx_expression(text_of(document, "license"))};
    package.full_name = package.identity.name;
    // "@scope/name" is a name for npm; the plugin's is what stands behind the scope.
    package.identity.name.erase(0, package.identity.name.rfind('/') + 1);
    for (const char* list :
         {"dependencies", "devDependencies", "peerDependencies", "optionalDependencies"}) {
        const auto found = document.find(list);
        if (found == document.end() || !found->is_object()) {
            continue;
        }
        for (const auto& [name, version] : found->items()) {
            package.dependencies[name] = version.is_string() ? version.get<std::string>() : "";
        }
    }
    package.uses_assemblyscript = package.dependencies.contains("assemblyscript");
    auto workspaces = document.value("workspaces", nlohmann::ordered_json::array());
    if (workspaces.is_object()) {
        workspaces = workspaces.value("packages", nlohmann::ordered_json::array());
    }
    for (const auto& workspace : workspaces) {
        if (workspace.is_string()) {
            package.workspaces.push_back(workspace.get<std::string>());
        }
    }
    return package;
}

Identity read_cmake_project(std::string_view text) {
    Identity identity;
    std::string flat;
    for (const auto line : lines_of(text)) {
        flat += std::string(without_comment(line, '#')) + ' ';
    }
    const std::string lower = lower_case(flat);
    auto at = lower.find("project");
    while (at != std::string::npos &&
           lower.find_first_not_of(' ', at + 7) != lower.find('(', at + 7)) {
        at = lower.find("project", at + 1);
    }
    if (at == std::string::npos) {
        return identity;
    }
    const auto open = flat.find('(', at);
    std::string_view words = std::string_view(flat).substr(open + 1);
    words = words.substr(0, words.find(')'));
    std::string previous;
    while (!(words = trim(words)).empty()) {
        const auto end = words.find_first_of(" \t");
        std::string word(words.substr(0, end));
        words.remove_prefix(word.size());
        word.erase(std::remove(word.begin(), word.end(), '"'), word.end());
        if (previous.empty()) {
            identity.name = word;
        } else if (previous == "VERSION") {
            identity.version = word;
        }
        previous = word;
    }
    return identity;
}

Identity read_makefile(std::string_view text) {
    Identity identity;
    for (const auto line : lines_of(text)) {
        const auto equals = line.find('=');
        if (equals == std::string_view::npos || line.starts_with('\t')) {
            continue;
        }
        std::string_view key = line.substr(0, equals);
        key = trim(key.substr(0, key.find_first_of(":?+")));
        const std::string value(trim(without_comment(line.substr(equals + 1), '#')));
        if (key == "NAME") {
            identity.name = value;
        } else if (key == "VERSION") {
            identity.version = value;
        }
    }
    return identity;
}

std::string spdx_expression(std::string_view text) {
    text = trim(text);
    const bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 ||
               std::string_view(" .-+()/").find(static_cast<char>(c)) != std::string_view::npos;
    });
    if (!plain || text == "UNLICENSED" || text.starts_with("SEE LICENSE")) {
        return {};
    }
    std::string expression(text);
    // Cargo's old way to say OR.
    for (auto at = expression.find('/'); at != std::string::npos; at = expression.find('/')) {
        expression.replace(at, 1, " OR ");
    }
    return expression;
}

std::string spdx_license(std::string_view text) {
    constexpr std::string_view tag = "SPDX-License-Identifier:";
    const auto at = text.find(tag);
    if (at == std::string_view::npos) {
        return {};
    }
    std::string_view rest = text.substr(at + tag.size());
    rest = rest.substr(0, rest.find_first_of("\r\n"));
    return spdx_expression(rest.substr(0, rest.find("*/")));
}

}  // namespace wasmplug::toolchain
