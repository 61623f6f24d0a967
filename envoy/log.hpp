#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wasmplug::envoy {

// Given to `envoy --log-format`: what parse_log_line() reads. The mark tells a new entry from
// the further lines of one (backtraces).
inline constexpr std::string_view log_format = "\x01%P|%t|%l|%n|%v";

struct LogEntry {
    // A worker's thread, which serves requests, logged it; not the main one (Linux gives that the
    // number of the process), on which a plugin runs in VMs of its own.
    bool by_worker = false;
    std::string level;      // "trace", "debug", "info", "warning", "error", "critical"
    std::string component;  // "wasm", "main", "config" ...
    std::string text;       // further lines are joined by line breaks
};

// One line of Envoy's log; nothing for a further line of the entry before it.
std::optional<LogEntry> parse_log_line(std::string_view line);

// Of the access log, on the same stream.
inline constexpr std::string_view access_format = "\x02%RESPONSE_CODE_DETAILS%|%RESPONSE_FLAGS%\n";

struct AccessLine {
    std::string details;  // "via_upstream", "wasm_fail_stream", what the plugin gave, "-"
    std::string flags;    // "UF,URX", "-"
};

std::optional<AccessLine> parse_access_line(std::string_view line);

// What a plugin itself said, out of "wasm log NAME ROOT VM: text": empty parts are left out by
// Envoy, and a root context's line has no NAME. Nothing for Envoy's own words.
std::optional<std::string> plugin_words(const LogEntry& entry);

// The NAME of that line, of a plugin out of `names`; "" for a root context's.
std::string speaker(const LogEntry& entry, const std::vector<std::string>& names);

// 0 trace ... 5 critical, as proxy_log counts; nothing for another word.
std::optional<int> level_number(std::string_view level);

}  // namespace wasmplug::envoy
