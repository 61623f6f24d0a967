#include "toolchain/go_embed.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/file.hpp"

namespace wasmplug::toolchain {

namespace fs = std::filesystem;

namespace {

// Takes the next word off: plain, or a string of Go's in " or `. Empty at the end.
std::string take_word(std::string_view& rest) {
    const auto start = rest.find_first_not_of(" \t\r");
    if (start == std::string_view::npos) {
        return {};
    }
    rest.remove_prefix(start);
    const bool quoted = rest.front() == '"' || rest.front() == '`';
    const auto end =
        std::min(quoted ? rest.find(rest.front(), 1) : rest.find_first_of(" \t\r"), rest.size());
    std::string word(rest.substr(quoted ? 1 : 0, end - (quoted ? 1 : 0)));
    rest.remove_prefix(std::min(end + (quoted ? 1 : 0), rest.size()));
    return word;
}

}  // namespace

GoEmbed::Match GoEmbed::match(const fs::path& path) const {
    if (!is_below(path, package)) {
        return Match::no;
    }
    const fs::path relative = path.lexically_relative(package);
    auto part = relative.begin();
    for (const auto& element : pattern) {
        if (part == relative.end()) {
            return Match::above;
        }
        if (fnmatch(element.c_str(), part->c_str(), 0) != 0) {
            return Match::no;
        }
        ++part;
    }
    // What follows lies in an embedded folder.
    const bool hidden = std::any_of(part, relative.end(), [](const fs::path& name) {
        return name.string().starts_with('.') || name.string().starts_with('_');
    });
    return hidden && !all ? Match::no : Match::yes;
}

std::vector<fs::path> GoEmbed::files() const {
    return find_files(
        package, [&](const fs::path& file) { return match(file) == Match::yes; },
        [&](const fs::path& folder) { return match(folder) != Match::no; });
}

std::vector<GoEmbed> go_embeds(const fs::path& package, std::string_view source) {
    constexpr std::string_view directive = "//go:embed";
    constexpr std::string_view prefix = "all:";
    std::vector<GoEmbed> found;
    while (!source.empty()) {
        const auto end = std::min(source.find('\n'), source.size());
        std::string_view line = source.substr(0, end);
        source.remove_prefix(std::min(end + 1, source.size()));
        if (!line.starts_with(directive)) {
            continue;
        }
        line.remove_prefix(directive.size());
        for (auto word = take_word(line); !word.empty(); word = take_word(line)) {
            const bool all = word.starts_with(prefix);
            found.push_back({package, word.substr(all ? prefix.size() : 0), all});
        }
    }
    return found;
}

}  // namespace wasmplug::toolchain
