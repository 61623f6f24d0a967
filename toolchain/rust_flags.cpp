#include "toolchain/rust_flags.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.hpp"

namespace wasmplug::toolchain {

namespace fs = std::filesystem;

namespace {

constexpr char separator = '\x1f';  // of CARGO_ENCODED_RUSTFLAGS

fs::path cargo_home(const Environment& environment) {
    if (const auto home = environment("CARGO_HOME"); home && !home->empty()) {
        return *home;
    }
    return fs::path(environment("HOME").value_or("")) / ".cargo";
}

std::string trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r");
    const auto last = text.find_last_not_of(" \t\r");
    return first == std::string_view::npos ? "" : std::string(text.substr(first, last - first + 1));
}

std::string encoded(std::string_view flags) {
    std::string all;
    std::size_t start = 0;
    while ((start = flags.find_first_not_of(' ', start)) != std::string_view::npos) {
        const auto end = std::min(flags.find(' ', start), flags.size());
        all += (all.empty() ? "" : std::string(1, separator)) +
               std::string(flags.substr(start, end - start));
        start = end;
    }
    return all;
}

// Where the project's configuration, or that of a folder above, or the user's, sets them.
std::string configured(const fs::path& project, const Environment& environment) {
    std::string found = environment("CARGO_BUILD_RUSTFLAGS") ? "build" : "";
    const auto look = [&](const fs::path& folder) {
        for (const char* name : {"config.toml", "config"}) {
            if (const auto text = read_file_if_there(folder / name)) {
                const std::string table = rustflags_table(*text);
                found = table.empty() || found == "target" ? found : table;
                return;
            }
        }
    };
    for (fs::path at = fs::absolute(project).lexically_normal(); at.has_relative_path();
         at = at.parent_path()) {
        look(at / ".cargo");
    }
    look(cargo_home(environment));
    return found;
}

}  // namespace

std::string rustflags_table(std::string_view config) {
    std::string table;
    std::string found;
    while (!config.empty()) {
        const auto end = std::min(config.find('\n'), config.size());
        const std::string line = trimmed(config.substr(0, end));
        config.remove_prefix(std::min(end + 1, config.size()));
        if (line.starts_with('[')) {
            table = trimmed(std::string_view(line).substr(1, line.find(']') - 1));
            continue;
        }
        const std::string key = trimmed(std::string_view(line).substr(0, line.find('=')));
        const std::string whole = table.empty() ? key : table + '.' + key;
        if (line.find('=') == std::string::npos || line.starts_with('#') ||
            !whole.ends_with(".rustflags")) {
            continue;
        }
        if (whole.starts_with("target.")) {
            return "target";
        }
        if (whole == "build.rustflags") {
            found = "build";
        }
    }
    return found;
}

RustFlags reproducible_rust_flags(const fs::path& project, std::string_view target,
                                  const Environment& environment) {
    const std::string home = cargo_home(environment).string();
    const std::string flag = "--remap-path-prefix=" + home + "=/cargo";
    for (const char* variable : {"CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"}) {
        if (const auto given = environment(variable)) {
            const std::string others =
                std::string_view(variable) == "RUSTFLAGS" ? encoded(*given) : *given;
            return {
                {},
                {{"CARGO_ENCODED_RUSTFLAGS", others.empty() ? flag : others + separator + flag}}};
        }
    }
    if (home.find('\'') != std::string::npos) {
        return {};  // no TOML string of one line without escapes holds it
    }
    const std::string table =
        configured(project, environment) == "build" ? "build" : fmt::format("target.{}", target);
    return {{"--config", fmt::format("{}.rustflags=['{}']", table, flag)}, {}};
}

}  // namespace wasmplug::toolchain
