#include "base/terminal.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <utility>
#include <vector>

#include "base/cancel.hpp"
#include "base/error.hpp"

namespace wasmplug {
namespace {

// One code point from the front of `text`; a broken sequence is one byte of value 0xFFFD.
std::pair<char32_t, std::size_t> decode(std::string_view text) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const unsigned first = byte(0);
    const std::size_t size = first < 0x80        ? 1
                             : first >> 5U == 6  ? 2
                             : first >> 4U == 14 ? 3
                             : first >> 3U == 30 ? 4
                                                 : 0;
    if (size == 1) {
        return {first, 1};
    }
    if (size == 0) {
        return {0xFFFD, 1};
    }
    char32_t value = first & (0x7FU >> size);
    for (std::size_t i = 1; i < size; ++i) {
        if (byte(i) >> 6U != 2) {
            return {0xFFFD, 1};
        }
        value = (value << 6U) | (byte(i) & 63U);
    }
    // Longer than need be, half of a UTF-16 pair, or beyond Unicode: no UTF-8 either.
    const char32_t least = size == 2 ? 0x80 : size == 3 ? 0x800 : 0x10000;
    if (value < least || (value >= 0xD800 && value < 0xE000) || value > 0x10FFFF) {
        return {0xFFFD, 1};
    }
    return {value, size};
}

// East Asian wide and emoji blocks, coarse on purpose: wcwidth depends on the locale.
std::size_t width_of(char32_t c) {
    if (c < 0x300) {
        return 1;
    }
    if ((c >= 0x300 && c <= 0x36F) || (c >= 0x200B && c <= 0x200F) ||
        (c >= 0xFE00 && c <= 0xFE0F)) {
        return 0;
    }
    const bool wide = (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) ||
                      (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) ||
                      (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
                      (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD);
    return wide ? 2 : 1;
}

bool is_plain_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
}

std::size_t skip_escape(std::string_view text) {
    if (!text.starts_with("\x1b[")) {
        return 0;
    }
    const std::size_t end = text.find_first_of("ABCDEFGHJKSTfhlmnsu", 2);
    return end == std::string_view::npos ? 0 : end + 1;
}

bool set_to_other_than(const std::optional<std::string>& value, std::string_view off) {
    return value && !value->empty() && *value != off;
}

}  // namespace

std::optional<std::string> process_environment(const std::string& name) {
    const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): never set
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

bool use_colour(ColourChoice choice, bool terminal, const Environment& environment) {
    if (choice != ColourChoice::automatic) {
        return choice == ColourChoice::always;
    }
    if (set_to_other_than(environment("NO_COLOR"), "")) {
        return false;
    }
    if (set_to_other_than(environment("CLICOLOR_FORCE"), "0") ||
        set_to_other_than(environment("FORCE_COLOR"), "0")) {
        return true;
    }
    return terminal && environment("TERM").value_or("") != "dumb";
}

bool is_terminal(int fd) {
    return ::isatty(fd) == 1;
}

std::optional<std::string> read_line(const Cancel& cancel) {
    std::string line;
    while (true) {
        pollfd waits[] = {{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0},
                          {.fd = cancel.fd(), .events = POLLIN, .revents = 0}};
        ::poll(waits, 2, cancel.poll_timeout());
        cancel.check();
        if (waits[0].revents == 0) {
            continue;
        }
        // One byte at a time: what follows the line belongs to whoever reads next.
        char c = 0;
        const ssize_t got = ::read(STDIN_FILENO, &c, 1);
        if (got < 0 && errno != EINTR && errno != EAGAIN) {
            throw system_error("cannot read standard input", errno);
        }
        if (got == 0) {
            return line.empty() ? std::nullopt : std::optional(line);
        }
        if (got == 1 && c == '\n') {
            return line;
        }
        if (got == 1) {
            line += c;
        }
    }
}

std::size_t terminal_width(int fd, const Environment& environment) {
    if (const auto columns = environment("COLUMNS")) {
        std::size_t value = 0;
        const auto [end, error] =
            std::from_chars(columns->data(), columns->data() + columns->size(), value);
        if (error == std::errc() && end == columns->data() + columns->size() && value >= 20) {
            return value;
        }
    }
    winsize size = {};
    return ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20 ? size.ws_col : 80;
}

std::size_t display_width(std::string_view text) {
    if (is_plain_ascii(text)) {
        return text.size();
    }
    std::size_t width = 0;
    while (!text.empty()) {
        if (const std::size_t escape = skip_escape(text)) {
            text.remove_prefix(escape);
            continue;
        }
        const auto [c, size] = decode(text);
        width += width_of(c);
        text.remove_prefix(size);
    }
    return width;
}

std::string elide_middle(std::string_view text, std::size_t width) {
    if (display_width(text) <= width) {
        return std::string(text);
    }
    if (width == 0) {
        return {};
    }
    const std::size_t head_width = width / 2;
    const std::size_t tail_width = width - 1 - head_width;
    std::size_t head = 0;
    for (std::size_t used = 0; head < text.size();) {
        const auto [c, size] = decode(text.substr(head));
        if ((used += width_of(c)) > head_width) {
            break;
        }
        head += size;
    }
    std::size_t tail = head;
    while (tail < text.size() && display_width(text.substr(tail)) > tail_width) {
        tail += decode(text.substr(tail)).second;
    }
    return fmt::format("{}…{}", text.substr(0, head), text.substr(tail));
}

std::string wrap(std::string_view text, std::size_t width, std::size_t indent) {
    std::string out;
    std::size_t column = 0;
    while (!text.empty()) {
        const std::size_t space = text.find(' ');
        const std::string_view word = text.substr(0, space);
        const std::size_t needed = display_width(word);
        if (column > indent && column + 1 + needed > width) {
            out += '\n' + std::string(indent, ' ');
            column = indent;
        } else if (!out.empty()) {
            out += ' ';
            ++column;
        }
        out += word;
        column += needed;
        if (out.size() == word.size()) {
            column += indent;
        }
        text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
    }
    return out;
}

namespace {

// Unicode's marks, embeddings, overrides and isolates of direction: what is read is not what is
// there.
bool turns_the_line(char32_t c) {
    return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069);
}

}  // namespace

std::string printable(std::string_view text) {
    // Nearly every text, and all of it needs no look at single characters.
    if (is_plain_ascii(text)) {
        return std::string(text);
    }
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto [c, size] = decode(text);
        const bool control =
            (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7F && c < 0xA0) || turns_the_line(c);
        if (control || (c == 0xFFFD && size == 1)) {
            for (const char byte : text.substr(0, size)) {
                out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
            }
        } else {
            out += text.substr(0, size);
        }
        text.remove_prefix(size);
    }
    return out;
}

std::size_t code_points(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

std::string valid_utf8(std::string_view text) {
    std::string valid;
    while (!text.empty()) {
        const auto [c, size] = decode(text);
        valid += c == 0xFFFD ? std::string_view("\xEF\xBF\xBD") : text.substr(0, size);
        text.remove_prefix(size);
    }
    return valid;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before_last;
    std::vector<std::size_t> last;
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        before_last = std::exchange(last, row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t substitute = last[j - 1] + (a[i - 1] != b[j - 1] ? 1U : 0U);
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, substitute});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before_last[j - 2] + 1);
            }
        }
    }
    return row.back();
}

}  // namespace wasmplug
