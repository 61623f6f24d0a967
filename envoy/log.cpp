#include "envoy/log.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace wasmplug::envoy {
namespace {

constexpr std::array<std::string_view, 6> levels{"trace",   "debug", "info",
                                                 "warning", "error", "critical"};
constexpr std::string_view prefix = "wasm log";

}  // namespace

std::optional<LogEntry> parse_log_line(std::string_view line) {
    if (!line.starts_with('\x01')) {
        return std::nullopt;
    }
    line.remove_prefix(1);
    std::array<std::string, 4> parts;
    for (auto& part : parts) {
        const std::size_t bar = line.find('|');
        if (bar == std::string_view::npos) {
            return std::nullopt;
        }
        part = line.substr(0, bar);
        line.remove_prefix(bar + 1);
    }
    return LogEntry{.by_worker = parts[0] != parts[1],
                    .level = std::move(parts[2]),
                    .component = std::move(parts[3]),
                    .text = std::string(line)};
}

std::optional<AccessLine> parse_access_line(std::string_view line) {
    const std::size_t bar = line.rfind('|');
    if (!line.starts_with('\x02') || bar == std::string_view::npos) {
        return std::nullopt;
    }
    return AccessLine{.details = std::string(line.substr(1, bar - 1)),
                      .flags = std::string(line.substr(bar + 1))};
}

std::optional<std::string> plugin_words(const LogEntry& entry) {
    if (entry.component != "wasm" || !entry.text.starts_with(prefix)) {
        return std::nullopt;
    }
    const std::size_t colon = entry.text.find(": ", prefix.size());
    if (colon == std::string::npos) {
        return entry.text.ends_with(':') ? std::optional<std::string>("") : std::nullopt;
    }
    return entry.text.substr(colon + 2);
}

std::string speaker(const LogEntry& entry, const std::vector<std::string>& names) {
    const auto said = plugin_words(entry);
    if (!said || entry.text.size() <= prefix.size() || entry.text[prefix.size()] != ' ') {
        return {};
    }
    const std::size_t begin = prefix.size() + 1;
    const std::string name =
        entry.text.substr(begin, entry.text.find_first_of(" :", begin) - begin);
    return std::find(names.begin(), names.end(), name) == names.end() ? std::string() : name;
}

std::optional<int> level_number(std::string_view level) {
    const auto* const found = std::find(levels.begin(), levels.end(), level);
    if (found == levels.end()) {
        return std::nullopt;
    }
    return static_cast<int>(found - levels.begin());
}

}  // namespace wasmplug::envoy
