#include "base/diff.hpp"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "base/output.hpp"

namespace wasmplug {
namespace {

// Lines with their line breaks.
std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
        lines.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return lines;
}

struct Lines {
    std::vector<std::string_view> text;
    std::vector<std::size_t> id;  // equal lines of both texts have one number
    std::vector<bool> changed;
};

// Myers' O(ND) algorithm over the middle that both texts do not share. Marks what is removed
// from `a` and added in `b`. Beyond `limit` differences everything left counts as replaced.
class Comparison {
  public:
    Comparison(Lines& a, Lines& b) : a_(a), b_(b) {}

    void run() {
        std::size_t begin = 0;
        std::size_t a_end = a_.id.size();
        std::size_t b_end = b_.id.size();
        while (begin < a_end && begin < b_end && a_.id[begin] == b_.id[begin]) {
            ++begin;
        }
        while (a_end > begin && b_end > begin && a_.id[a_end - 1] == b_.id[b_end - 1]) {
            --a_end;
            --b_end;
        }
        if (!shortest(begin, static_cast<long>(a_end - begin), static_cast<long>(b_end - begin))) {
            std::fill(a_.changed.begin() + static_cast<long>(begin),
                      a_.changed.begin() + static_cast<long>(a_end), true);
            std::fill(b_.changed.begin() + static_cast<long>(begin),
                      b_.changed.begin() + static_cast<long>(b_end), true);
        }
    }

  private:
    static constexpr long limit = 2000;  // differences; memory is its square in longs, 32 MB

    bool same(std::size_t offset, long x, long y) const {
        return a_.id[offset + static_cast<std::size_t>(x)] ==
               b_.id[offset + static_cast<std::size_t>(y)];
    }

    bool shortest(std::size_t offset, long n, long m) {
        const long most = std::min(n + m, limit);
        std::vector<long> furthest(static_cast<std::size_t>(2 * most + 3), 0);
        const auto at = [most](long k) {
            return static_cast<std::size_t>(k + most + 1);
        };
        std::vector<std::vector<long>> history;
        for (long d = 0; d <= most; ++d) {
            // Only the diagonals that this step can read or write.
            history.emplace_back(furthest.begin() + most - d, furthest.begin() + most + d + 3);
            for (long k = -d; k <= d; k += 2) {
                const bool down = k == -d || (k != d && furthest[at(k - 1)] < furthest[at(k + 1)]);
                long x = down ? furthest[at(k + 1)] : furthest[at(k - 1)] + 1;
                while (x < n && x - k < m && same(offset, x, x - k)) {
                    ++x;
                }
                furthest[at(k)] = x;
                if (x >= n && x - k >= m) {
                    trace(offset, history, n, m);
                    return true;
                }
            }
        }
        return false;
    }

    void trace(std::size_t offset, const std::vector<std::vector<long>>& history, long x, long y) {
        for (long d = static_cast<long>(history.size()) - 1; d > 0; --d) {
            const auto& row = history[static_cast<std::size_t>(d)];
            const auto furthest = [&](long k) {
                return row[static_cast<std::size_t>(k + d + 1)];
            };
            const long k = x - y;
            const bool down = k == -d || (k != d && furthest(k - 1) < furthest(k + 1));
            const long previous_k = down ? k + 1 : k - 1;
            x = furthest(previous_k);
            y = x - previous_k;
            if (down) {
                b_.changed[offset + static_cast<std::size_t>(y)] = true;
            } else {
                a_.changed[offset + static_cast<std::size_t>(x)] = true;
            }
        }
    }

    Lines& a_;
    Lines& b_;
};

// diff -u counts from 1, from the line before for an empty side, and leaves out a count of 1.
std::string range(std::size_t begin, std::size_t count) {
    const std::string first = std::to_string(count == 0 ? begin : begin + 1);
    return count == 1 ? first : first + "," + std::to_string(count);
}

// Consecutive lines of both texts, `a` from a_begin and `b` from b_begin.
struct Hunk {
    std::size_t a_begin;
    std::size_t b_begin;
    std::size_t a_count = 0;
    std::size_t b_count = 0;
    std::string lines = {};

    // ' ' is a line of both texts, '-' of the old one, '+' of the new one.
    void add(char sign, std::string_view line) {
        a_count += sign == '+' ? 0 : 1;
        b_count += sign == '-' ? 0 : 1;
        lines += sign;
        lines += line;
        if (!line.ends_with('\n')) {
            lines += "\n\\ No newline at end of file\n";
        }
    }

    std::string to_text() const {
        return "@@ -" + range(a_begin, a_count) + " +" + range(b_begin, b_count) + " @@\n" + lines;
    }
};

// How many lines of both texts are the same from (i, j) on.
std::size_t same_lines(const Lines& a, const Lines& b, std::size_t i, std::size_t j) {
    std::size_t count = 0;
    while (i + count < a.id.size() && j + count < b.id.size() && !a.changed[i + count] &&
           !b.changed[j + count]) {
        ++count;
    }
    return count;
}

std::string hunks(const Lines& a, const Lines& b, std::size_t context) {
    std::string text;
    std::size_t same = same_lines(a, b, 0, 0);  // between the last change and (i, j)
    for (std::size_t i = same, j = same; i < a.id.size() || j < b.id.size();) {
        const std::size_t before = std::min(same, context);
        Hunk hunk{.a_begin = i - before, .b_begin = j - before};
        for (std::size_t n = i - before; n < i; ++n) {
            hunk.add(' ', a.text[n]);
        }
        for (bool is_last = false; !is_last;) {
            while (i < a.id.size() && a.changed[i]) {
                hunk.add('-', a.text[i++]);
            }
            while (j < b.id.size() && b.changed[j]) {
                hunk.add('+', b.text[j++]);
            }
            same = same_lines(a, b, i, j);
            is_last = same > 2 * context || (i + same == a.id.size() && j + same == b.id.size());
            for (std::size_t n = 0; n < (is_last ? std::min(same, context) : same); ++n) {
                hunk.add(' ', a.text[i + n]);
            }
            i += same;
            j += same;
        }
        text += hunk.to_text();
    }
    return text;
}

}  // namespace

std::string unified_diff(std::string_view old_text, std::string_view new_text,
                         const std::string& old_name, const std::string& new_name,
                         std::size_t context) {
    if (old_text == new_text) {
        return {};
    }
    Lines a{split(old_text), {}, {}};
    Lines b{split(new_text), {}, {}};
    std::unordered_map<std::string_view, std::size_t> ids;
    for (Lines* lines : {&a, &b}) {
        for (const auto line : lines->text) {
            lines->id.push_back(ids.try_emplace(line, ids.size()).first->second);
        }
        lines->changed.assign(lines->text.size(), false);
    }
    Comparison(a, b).run();
    return "--- " + old_name + "\n+++ " + new_name + "\n" + hunks(a, b, context);
}

std::string colour_diff(std::string_view diff) {
    std::string painted;
    for (const auto line : split(diff)) {
        const std::string_view text = line.substr(0, line.size() - (line.ends_with('\n') ? 1 : 0));
        const char* const sgr = text.starts_with("--- ") || text.starts_with("+++ ") ? "1"
                                : text.starts_with("@@")                             ? "36"
                                : text.starts_with("-")                              ? "31"
                                : text.starts_with("+")                              ? "32"
                                                                                     : "";
        painted += *sgr == '\0' ? std::string(text) : paint(sgr, text, true);
        painted += line.substr(text.size());
    }
    return painted;
}

}  // namespace wasmplug
