#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wasmplug::toolchain {

struct TemplateFile {
    std::string_view path;  // relative, with "/"
    std::string_view text;
};

// One project of toolchain/templates/LANGUAGE/PATTERN, a plugin by the name of `my-plugin`.
struct Template {
    std::string_view language;
    std::string_view pattern;
    std::span<const TemplateFile> files;  // sorted by path
};

// All that are embedded in the program, sorted by language and pattern.
std::span<const Template> templates();

// Null when there is none.
const Template* find_template(std::string_view language, std::string_view pattern);

// In the order in which they are offered; each exists for each of the others.
const std::vector<std::string>& template_languages();
const std::vector<std::string>& template_patterns();

// What a pattern does, in one line; "" for an unknown one.
std::string_view describe_pattern(std::string_view pattern);

// Why `name` cannot be the name of a plugin, or nothing. It becomes a Kubernetes object, a
// crate, an npm package, a part of an image reference, a CMake target and of a metric's name: a
// DNS label (RFC 1123) that starts with a letter, of at most 50 characters.
std::optional<std::string> plugin_name_fault(std::string_view name);

// The nearest valid name for a folder: "My Plugin_2" -> "my-plugin-2"; "" when nothing is left.
std::string plugin_name_from(std::string_view folder);

struct NewFile {
    std::filesystem::path path;  // relative
    std::string text;
    unsigned mode = 0644;
};

// The same project under another name: `my-plugin`, `my_plugin` and `MyPlugin` in paths and
// texts become the same spellings of `name`. A text with a NUL byte is left as it is.
NewFile render(NewFile file, std::string_view name);
std::vector<NewFile> render(const Template& source, std::string_view name);

// The files of a template folder, sorted by path, less what building leaves behind (build, dist,
// target, node_modules) and .git. Throws Error when it is no folder or holds no file, and above
// 64 MiB or 10,000 files, which is no template.
std::vector<NewFile> read_template_folder(const std::filesystem::path& folder);

enum class Existing { keep, overwrite };

// Writes the files below `root` and creates folders as needed: all of them, or none. Throws
// Error, naming them, when some exist and are to be kept; when a write fails, takes back what it
// has written and puts back what it has overwritten.
void write_project(const std::filesystem::path& root, const std::vector<NewFile>& files,
                   Existing existing);

}  // namespace wasmplug::toolchain
