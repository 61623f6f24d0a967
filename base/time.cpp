#include "base/time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>

namespace wasmplug {
namespace {

using namespace std::chrono;

// Takes `digits` decimal digits from the front.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
    int value = 0;
    if (text.size() < digits) {
        return std::nullopt;
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + digits, value);
    if (error != std::errc() || end != text.data() + digits || text[0] == '-') {
        return std::nullopt;
    }
    text.remove_prefix(digits);
    return value;
}

bool take(std::string_view& text, char wanted) {
    if (!text.starts_with(wanted)) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

std::optional<seconds> take_offset(std::string_view& text) {
    if (take(text, 'Z') || take(text, 'z')) {
        return seconds{0};
    }
    const bool west = text.starts_with('-');
    if (!west && !text.starts_with('+')) {
        return std::nullopt;
    }
    text.remove_prefix(1);
    const auto hour = take_number(text, 2);
    if (!hour || !take(text, ':')) {
        return std::nullopt;
    }
    const auto minute = take_number(text, 2);
    if (!minute || *hour > 23 || *minute > 59) {
        return std::nullopt;
    }
    const seconds offset = hours{*hour} + minutes{*minute};
    return west ? -offset : offset;
}

constexpr std::array<std::pair<std::string_view, double>, 8> duration_units{{
    {"ns", 1},
    {"us", 1e3},
    {"µs", 1e3},
    {"μs", 1e3},
    {"ms", 1e6},
    {"s", 1e9},
    {"m", 60e9},
    {"h", 3600e9},
}};

}  // namespace

std::string format_time(WallClock::time_point time) {
    const auto day = floor<days>(time);
    const year_month_day date{day};
    const hh_mm_ss clock{floor<seconds>(time - day)};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::optional<WallClock::time_point> parse_time(std::string_view text) {
    const auto y = take_number(text, 4);
    if (!y || !take(text, '-')) {
        return std::nullopt;
    }
    const auto mo = take_number(text, 2);
    if (!mo || !take(text, '-')) {
        return std::nullopt;
    }
    const auto d = take_number(text, 2);
    if (!d || !(take(text, 'T') || take(text, 't') || take(text, ' '))) {
        return std::nullopt;
    }
    const auto h = take_number(text, 2);
    if (!h || !take(text, ':')) {
        return std::nullopt;
    }
    const auto mi = take_number(text, 2);
    if (!mi || !take(text, ':')) {
        return std::nullopt;
    }
    const auto s = take_number(text, 2);
    if (!s) {
        return std::nullopt;
    }
    nanoseconds fraction{0};
    if (take(text, '.')) {
        std::int64_t unit = 100'000'000;
        bool any = false;
        while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
            fraction += nanoseconds{(text[0] - '0') * unit};
            unit /= 10;
            any = true;
            text.remove_prefix(1);
        }
        if (!any) {
            return std::nullopt;
        }
    }
    const year_month_day date{year{*y}, month{static_cast<unsigned>(*mo)},
                              day{static_cast<unsigned>(*d)}};
    const auto offset = take_offset(text);
    if (!offset || !text.empty() || !date.ok() || *h > 23 || *mi > 59 || *s > 60) {
        return std::nullopt;
    }
    return time_point_cast<WallClock::duration>(sys_days{date} + hours{*h} + minutes{*mi} +
                                                seconds{*s} - *offset + fraction);
}

std::optional<nanoseconds> parse_duration(std::string_view text) {
    if (text == "0") {
        return nanoseconds{0};
    }
    double total = 0;
    if (text.empty()) {
        return std::nullopt;
    }
    while (!text.empty()) {
        double value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value,
                                                  std::chars_format::fixed);
        if (error != std::errc() || text[0] == '-') {
            return std::nullopt;
        }
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        bool known = false;
        for (const auto& [name, scale] : duration_units) {
            const std::string_view rest = text.substr(std::min(name.size(), text.size()));
            const bool whole = rest.empty() || rest[0] == '.' || (rest[0] >= '0' && rest[0] <= '9');
            if (text.starts_with(name) && whole) {
                total += value * scale;
                text = rest;
                known = true;
                break;
            }
        }
        if (!known || total > 0x1p62) {
            return std::nullopt;
        }
    }
    return nanoseconds{std::llround(total)};
}

std::string format_duration(nanoseconds time) {
    if (time < milliseconds{1}) {
        return time.count() == 0 ? "0s" : fmt::format("{}us", time.count() / 1000);
    }
    if (time < seconds{1}) {
        return fmt::format("{}ms", time.count() / 1'000'000);
    }
    if (time < minutes{1}) {
        const double value = static_cast<double>(time.count()) / 1e9;
        return fmt::format("{:.3g}s", value);
    }
    const auto whole = duration_cast<seconds>(time);
    const auto pair = [](std::int64_t high, const char* a, std::int64_t low, const char* b) {
        return low == 0 ? fmt::format("{}{}", high, a) : fmt::format("{}{}{}{}", high, a, low, b);
    };
    if (whole < hours{1}) {
        return pair(whole.count() / 60, "m", whole.count() % 60, "s");
    }
    return pair(whole.count() / 3600, "h", whole.count() % 3600 / 60, "m");
}

std::string format_age(seconds age) {
    if (age < minutes{1}) {
        return "now";
    }
    if (age < hours{1}) {
        return fmt::format("{} min", age.count() / 60);
    }
    if (age < days{1}) {
        return fmt::format("{} h", age.count() / 3600);
    }
    return fmt::format("{} d", age.count() / 86400);
}

}  // namespace wasmplug
