#include "envoy/log.hpp"

#include <algorithm>
#include <array>

namespace wasmplug::envoy {
namespace {

constexpr std::array<std::string_view, 6> levels{"trace",   "debug", "info",
                                                 "warning", "error", "critical"};

}  // namespace

std::optional<LogEntry> parse_log_line(std::string_view line) {
    if (!line.starts_with('\x01')) {
        return std::nullopt;
    }
    line.remove_prefix(1);
    const std::size_t first = line.find('|');
    const std::size_t second = first == std::string_view::npos ? first : line.find('|', first + 1);
    if (second == std::string_view::npos) {
        return std::nullopt;
    }
    return LogEntry{.level = std::string(line.substr(0, first)),
                    .component = std::string(line.substr(first + 1, second - first - 1)),
                    .text = std::string(line.substr(second + 1))};
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
    constexpr std::string_view prefix = "wasm log";
    if (entry.component != "wasm" || !entry.text.starts_with(prefix)) {
        return std::nullopt;
    }
    const std::size_t colon = entry.text.find(": ", prefix.size());
    if (colon == std::string::npos) {
        return entry.text.ends_with(':') ? std::optional<std::string>("") : std::nullopt;
    }
    return entry.text.substr(colon + 2);
}

std::optional<int> level_number(std::string_view level) {
    const auto* const found = std::find(levels.begin(), levels.end(), level);
    if (found == levels.end()) {
        return std::nullopt;
    }
    return static_cast<int>(found - levels.begin());
}

}  // namespace wasmplug::envoy
