#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

namespace wasmplug::toolchain {

// One pattern of a line "//go:embed", as package embed of Go's library has it.
struct GoEmbed {
    std::filesystem::path package;  // the folder of the source that has the line
    std::filesystem::path pattern;  // one of path.Match for each element
    bool all = false;               // hidden files and those named _… of a folder too

    enum class Match { no, above, yes };

    // `yes` for a file that is embedded, `above` for a folder that may hold one. `path` need not
    // be there.
    Match match(const std::filesystem::path& path) const;

    // The files that are there.
    std::vector<std::filesystem::path> files() const;
};

std::vector<GoEmbed> go_embeds(const std::filesystem::path& package, std::string_view source);

}  // namespace wasmplug::toolchain
