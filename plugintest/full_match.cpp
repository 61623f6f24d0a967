#include "plugintest/full_match.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "plugintest/matcher.hpp"

namespace wasmplug::plugintest {
namespace {

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

char other_case(char c) {
    return static_cast<char>(c ^ ('a' ^ 'A'));
}

int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

// ECMAScript's special characters, of which RE2 takes some for themselves in places.
constexpr std::string_view special = R"(\^$.|?*+()[]{})";

// Writes the same expression as ECMAScript.
class Translation {
  public:
    explicit Translation(std::string_view text) : text_(text) {}

    bool run() {
        std::vector<Flags> outer;
        while (good_ && at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '(') {
                outer.push_back(flags_);
                open(outer);
            } else if (c == ')') {
                good_ = !outer.empty();
                if (good_) {
                    flags_ = outer.back();
                    outer.pop_back();
                }
                syntax(")", 1);
            } else {
                atom(c);
            }
        }
        return good_ && outer.empty();
    }

    const std::string& expression() const { return out_; }

    // The expression without its quoting, while it is nothing but text.
    const std::optional<std::string>& plain() const { return plain_; }

    bool branches() const { return branches_; }

  private:
    struct Flags {
        bool any_case = false;
        bool dot_is_all = false;
        bool lines = false;
    };

    void syntax(std::string_view what, std::size_t instead_of) {
        out_ += what;
        at_ += instead_of;
        plain_.reset();
    }

    void literal(char c, std::size_t instead_of) {
        at_ += instead_of;
        if (flags_.any_case && is_letter(c)) {
            out_ += {'[', c, other_case(c), ']'};
            plain_.reset();
            return;
        }
        out_ +=
            special.find(c) == std::string_view::npos ? std::string(1, c) : std::string{'\\', c};
        if (plain_) {
            *plain_ += c;
        }
    }

    void atom(char c) {
        switch (c) {
            case '\\':
                return escape();
            case '[':
                return bracket();
            case '.':
                return syntax(flags_.dot_is_all ? R"([\s\S])" : ".", 1);
            case '{':
                return repetition();
            case '|':
                branches_ = true;
                return syntax("|", 1);
            case '^':
            case '$':
                good_ = !flags_.lines;
                return syntax({&text_[at_], 1}, 1);
            case '*':
            case '+':
            case '?':
                return syntax({&text_[at_], 1}, 1);
            default:
                return literal(c, 1);
        }
    }

    // A group, or flags from here to the end of the group around.
    void open(std::vector<Flags>& outer) {
        const auto rest = text_.substr(at_);
        if (!rest.starts_with("(?")) {
            return syntax("(", 1);
        }
        if (rest.starts_with("(?P<") || rest.starts_with("(?<")) {
            const auto end = rest.find('>');
            good_ = end != std::string_view::npos && !rest.starts_with("(?<=") &&
                    !rest.starts_with("(?<!");
            return good_ ? syntax("(", end + 1) : void();
        }
        bool on = true;
        for (std::size_t i = 2; i < rest.size(); ++i) {
            switch (rest[i]) {
                case '-':
                    on = false;
                    break;
                case 'i':
                    flags_.any_case = on;
                    break;
                case 's':
                    flags_.dot_is_all = on;
                    break;
                case 'm':
                    flags_.lines = on;
                    break;
                case 'U':  // which match it finds, not whether
                    break;
                case ':':
                    return syntax("(?:", i + 1);
                case ')':
                    outer.pop_back();
                    at_ += i + 1;
                    return;
                default:
                    good_ = false;
                    return;
            }
        }
        good_ = false;
    }

    // {2}, {2,}, {2,5}; any other brace is itself.
    void repetition() {
        const auto end = text_.find('}', at_);
        const auto inner = text_.substr(at_ + 1, end == std::string_view::npos ? 0 : end - at_ - 1);
        const auto comma = inner.find(',');
        const auto digits = [](std::string_view text) {
            return text.find_first_not_of("0123456789") == std::string_view::npos;
        };
        const bool is_one = !inner.substr(0, comma).empty() && digits(inner.substr(0, comma)) &&
                            (comma == std::string_view::npos || digits(inner.substr(comma + 1)));
        is_one ? syntax(text_.substr(at_, end - at_ + 1), end - at_ + 1) : literal('{', 1);
    }

    // The character that an escape at `at` stands for, and how long the escape is.
    struct Character {
        char value = '\0';
        std::size_t size = 0;
    };

    std::optional<Character> character(std::size_t at) const {
        const char c = at + 1 < text_.size() ? text_[at + 1] : '\0';
        constexpr std::string_view names = "aftnrv";
        constexpr std::string_view values = "\a\f\t\n\r\v";
        if (const auto found = names.find(c); c != '\0' && found != std::string_view::npos) {
            return Character{values[found], 2};
        }
        if (c == 'x') {
            return hex(at + 2);
        }
        if (c >= '0' && c <= '7') {
            unsigned value = 0;
            std::size_t size = 1;
            while (size < 4 && at + size < text_.size() && text_[at + size] >= '0' &&
                   text_[at + size] <= '7') {
                value = value * 8 + static_cast<unsigned>(text_[at + size++] - '0');
            }
            return value < 0x80 ? std::optional(Character{static_cast<char>(value), size})
                                : std::nullopt;
        }
        const bool is_punctuation = c > ' ' && c < 0x7f && !is_letter(c) && !(c >= '0' && c <= '9');
        return is_punctuation ? std::optional(Character{c, 2}) : std::nullopt;
    }

    // "41" or "{41}" behind \x, ASCII only.
    std::optional<Character> hex(std::size_t at) const {
        const bool braces = at < text_.size() && text_[at] == '{';
        std::size_t i = braces ? at + 1 : at;
        int value = 0;
        std::size_t digits = 0;
        for (; i < text_.size() && hex_digit(text_[i]) >= 0 && digits < (braces ? 8U : 2U) &&
               value < 0x80;
             ++i, ++digits) {
            value = value * 16 + hex_digit(text_[i]);
        }
        const bool closed = !braces || (i < text_.size() && text_[i] == '}');
        if (digits == 0 || (!braces && digits != 2) || !closed || value >= 0x80) {
            return std::nullopt;
        }
        return Character{static_cast<char>(value), i + (braces ? 1 : 0) - at + 2};
    }

    void escape() {
        const char c = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
        if (c != '\0' && std::string_view("dDsSwWbB").find(c) != std::string_view::npos) {
            syntax(text_.substr(at_, 2), 2);
        } else if (c == 'A' || c == 'z') {
            syntax(c == 'A' ? "^" : "$", 2);
        } else if (c == 'Q') {
            at_ += 2;
            const auto end = std::min(text_.find("\\E", at_), text_.size());
            while (at_ < end) {
                literal(text_[at_], 1);
            }
            at_ = std::min(end + 2, text_.size());
        } else if (const auto one = character(at_)) {
            literal(one->value, one->size);
        } else {
            good_ = false;
        }
    }

    void in_bracket(char c) {
        out_ += std::string_view("\\]^-[").find(c) == std::string_view::npos ? std::string(1, c)
                                                                             : std::string{'\\', c};
    }

    // One end of a range: a character, or nothing where the brackets hold something else.
    std::optional<char> take_character() {
        const char c = text_[at_];
        if (c == '\\') {
            const auto one = character(at_);
            if (one) {
                at_ += one->size;
                return one->value;
            }
            return std::nullopt;
        }
        ++at_;
        return c;
    }

    void bracket() {
        plain_.reset();
        ++at_;
        out_ += '[';
        if (at_ < text_.size() && text_[at_] == '^') {
            out_ += '^';
            ++at_;
        }
        bool first = true;
        for (; good_ && at_ < text_.size() && (text_[at_] != ']' || first); first = false) {
            const auto rest = text_.substr(at_);
            if (rest.starts_with("[:")) {
                const auto end = rest.find(":]");
                good_ = end != std::string_view::npos && !rest.starts_with("[:^") &&
                        !rest.starts_with("[:word:]") && !rest.starts_with("[:ascii:]");
                if (good_) {
                    syntax(rest.substr(0, end + 2), end + 2);
                }
            } else if (rest.size() > 1 && rest[0] == '\\' &&
                       std::string_view("dDsSwW").find(rest[1]) != std::string_view::npos) {
                syntax(rest.substr(0, 2), 2);
            } else {
                range();
            }
        }
        good_ = good_ && at_ < text_.size();
        syntax("]", 1);
    }

    void range() {
        const auto low = take_character();
        if (!low || static_cast<unsigned char>(*low) >= 0x80) {
            good_ = false;
            return;
        }
        auto high = low;
        if (at_ + 1 < text_.size() && text_[at_] == '-' && text_[at_ + 1] != ']') {
            ++at_;
            high = take_character();
            if (!high || *high < *low) {
                good_ = false;
                return;
            }
        }
        const auto put = [&](char from, char to) {
            in_bracket(from);
            if (from != to) {
                out_ += '-';
                in_bracket(to);
            }
        };
        put(*low, *high);
        if (flags_.any_case && is_letter(*low) && is_letter(*high) &&
            (*low < 'a') == (*high < 'a')) {
            put(other_case(*low), other_case(*high));
        } else if (flags_.any_case && *low != *high && *high >= 'A' && *low <= 'z') {
            good_ = *high < 'A' || *low > 'z';  // part of the letters: not worth the words
        }
    }

    std::string_view text_;
    std::size_t at_ = 0;
    bool good_ = true;
    bool branches_ = false;
    Flags flags_;
    std::string out_;
    std::optional<std::string> plain_ = std::string();
};

}  // namespace

std::optional<FullMatch> full_match_of(const std::string& re2) {
    Translation whole(re2);
    if (!whole.run()) {
        return std::nullopt;
    }
    // ".*" at an end only says that the text goes on there.
    std::string_view inner = re2;
    const bool all = inner.starts_with("(?s)");
    inner.remove_prefix(all ? 4 : 0);
    const bool may_trim = !whole.branches();
    const auto is_escaped = [&](std::size_t at) {
        std::size_t slashes = 0;
        while (slashes < at && inner[at - slashes - 1] == '\\') {
            ++slashes;
        }
        return slashes % 2 == 1;
    };
    const bool begins = may_trim && inner.starts_with(".*") && !inner.starts_with(".*?");
    inner.remove_prefix(begins ? 2 : 0);
    const bool ends = may_trim && inner.ends_with(".*") && !is_escaped(inner.size() - 2);
    inner.remove_suffix(ends ? 2 : 0);
    const std::string kept = (all ? "(?s)" : "") + std::string(inner);
    Translation part(kept);
    if (!part.run()) {
        return std::nullopt;
    }
    if (part.plain()) {
        const bool anything = (begins || ends) && part.plain()->empty();
        return FullMatch{(begins && ends) || anything ? "contains"
                         : begins                     ? "suffix"
                         : ends                       ? "prefix"
                                                      : "equals",
                         *part.plain()};
    }
    const std::string expression =
        whole.branches() ? "(?:" + part.expression() + ")" : part.expression();
    FullMatch match{"regex", (begins ? "" : "^") + expression + (ends ? "" : "$")};
    try {
        check_regex(match.text);
    } catch (const Error&) {
        return std::nullopt;
    }
    return match;
}

}  // namespace wasmplug::plugintest
