#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace wasmplug {

using WallClock = std::chrono::system_clock;

// RFC 3339 in UTC with whole seconds: "2026-11-02T10:15:00Z".
std::string format_time(WallClock::time_point time);

// Accepts fractions and offsets; nothing when the text is not RFC 3339.
std::optional<WallClock::time_point> parse_time(std::string_view text);

// "90s", "1m30s", "250ms", "2h" as Go's time.ParseDuration reads them (a bare "0" too);
// nothing for anything else.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

// The shortest of those spellings with at most two units: "1m30s", "250ms".
std::string format_duration(std::chrono::nanoseconds time);

// "3 d", "5 min", "now": how long ago, for tables.
std::string format_age(std::chrono::seconds age);

}  // namespace wasmplug
