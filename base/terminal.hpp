#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace wasmplug {

class Cancel;

// The environment is read through this, so that tests need not change the process.
using Environment = std::function<std::optional<std::string>(const std::string&)>;

std::optional<std::string> process_environment(const std::string& name);

enum class ColourChoice { automatic, always, never };

// automatic: a terminal, TERM is not "dumb", NO_COLOR unset; CLICOLOR_FORCE and FORCE_COLOR force.
bool use_colour(ColourChoice choice, bool is_terminal, const Environment& environment);

bool is_terminal(int fd);

// The next line of standard input without its newline, or nothing at its end. Throws as
// Cancel::check does when a stop is requested while the person thinks.
std::optional<std::string> read_line(const Cancel& cancel);

// Columns of the terminal behind `fd`; COLUMNS wins, 80 when neither is known.
std::size_t terminal_width(int fd, const Environment& environment);

// Columns that `text` takes: UTF-8 code points less escape sequences, wide ones counted twice.
std::size_t display_width(std::string_view text);

// Cuts in the middle with "…" so that it fits.
std::string elide_middle(std::string_view text, std::size_t width);

// Folds at spaces; lines after the first are indented.
std::string wrap(std::string_view text, std::size_t width, std::size_t indent = 0);

// Control characters that could drive a terminal are shown as \xNN; tabs and newlines stay.
// Everything that came from outside passes here before a person sees it.
std::string printable(std::string_view text);

// Of UTF-8.
std::size_t code_points(std::string_view text);

// Each byte that is not UTF-8 becomes U+FFFD, as Go's encoding/json writes it.
std::string valid_utf8(std::string_view text);

// The closest of `candidates` to `word` (edit_distance at most a third of it), or "".
template <class Range>
std::string closest(std::string_view word, const Range& candidates);

// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b);

template <class Range>
std::string closest(std::string_view word, const Range& candidates) {
    std::string best;
    std::size_t best_distance = (word.size() / 3 > 1 ? word.size() / 3 : 1) + 1;
    for (const auto& candidate : candidates) {
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

}  // namespace wasmplug
