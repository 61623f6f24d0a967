#include "base/pattern.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>

#include <re2/re2.h>

namespace wasmplug {
namespace {

constexpr std::size_t longest_pattern = 4096;
constexpr std::int64_t memory = 1 << 20;  // of one expression and its automaton

// ECMA-262 WhiteSpace and LineTerminator, and all other characters, as ranges of a class.
constexpr std::string_view space =
    R"(\t-\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff})";
constexpr std::string_view no_space =
    R"(\x00-\x08\x0e-\x1f!-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027})"
    R"(\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff})";

// Long names of general categories that RE2 knows by the short one only.
constexpr std::array<std::pair<std::string_view, std::string_view>, 12> categories{{
    {"Letter", "L"},
    {"Lowercase_Letter", "Ll"},
    {"Uppercase_Letter", "Lu"},
    {"Titlecase_Letter", "Lt"},
    {"Mark", "M"},
    {"Number", "N"},
    {"Decimal_Number", "Nd"},
    {"Punctuation", "P"},
    {"Symbol", "S"},
    {"Separator", "Z"},
    {"Space_Separator", "Zs"},
    {"Other", "C"},
}};

std::optional<std::uint32_t> hex(std::string_view digits) {
    std::uint32_t value = 0;
    for (const char c : digits) {
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0 || value > 0x10ffff) {
            return std::nullopt;
        }
        value = value * 16 + static_cast<std::uint32_t>(digit);
    }
    return digits.empty() ? std::nullopt : std::optional(value);
}

// The same expression in RE2's spelling. What is not understood is left as it is, for RE2 to
// refuse.
class Translation {
  public:
    explicit Translation(std::string_view text) : text_(text) {}

    std::string run() {
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '\\') {
                escape();
            } else if (in_class_) {
                in_class_ = c != ']';
                take(1);
            } else if (c == '[') {
                open_class();
            } else if (c == '.') {
                put(R"([^\n\r\x{2028}\x{2029}])", 1);
            } else if (rest().starts_with("(?<") && !rest().starts_with("(?<=") &&
                       !rest().starts_with("(?<!")) {
                put("(?P<", 3);
            } else {
                take(1);
            }
        }
        return std::move(out_);
    }

  private:
    std::string_view rest() const { return text_.substr(at_); }

    void take(std::size_t count) { put(rest().substr(0, count), count); }

    void put(std::string_view what, std::size_t instead_of) {
        out_ += what;
        at_ += instead_of;
    }

    void open_class() {
        if (rest().starts_with("[^]")) {
            put(R"([\x00-\x{10ffff}])", 3);
        } else if (rest().starts_with("[]")) {
            put(R"([^\x00-\x{10ffff}])", 2);
        } else {
            take(rest().starts_with("[^") ? 2 : 1);
            in_class_ = true;
        }
    }

    void put_class(std::string_view ranges) {
        put(in_class_ ? std::string(ranges) : fmt::format("[{}]", ranges), 2);
    }

    void escape() {
        switch (at_ + 1 < text_.size() ? text_[at_ + 1] : '\0') {
            case 's':
                return put_class(space);
            case 'S':
                return put_class(no_space);
            case 'u':
                return code_point();
            case 'c':
                if (at_ + 2 < text_.size()) {
                    const auto letter = static_cast<unsigned char>(text_[at_ + 2]);
                    return put(fmt::format("\\x{{{:x}}}", letter % 32U), 3);
                }
                return take(2);
            case 'p':
            case 'P':
                return property();
            default:
                return take(2);
        }
    }

    // \u0041, \u{1f600}, or a pair of surrogates.
    void code_point() {
        if (rest().starts_with("\\u{")) {
            const auto end = rest().find('}');
            const auto value =
                end == std::string_view::npos ? std::nullopt : hex(rest().substr(3, end - 3));
            return value ? put(fmt::format("\\x{{{:x}}}", *value), end + 1) : take(2);
        }
        const auto unit = [&](std::size_t from) {
            const auto part = rest().substr(std::min(from, rest().size()));
            return part.size() >= 6 && part.starts_with("\\u") ? hex(part.substr(2, 4))
                                                               : std::nullopt;
        };
        const auto first = unit(0);
        if (!first) {
            return take(2);
        }
        const auto second = unit(6);
        const bool pair =
            *first >= 0xd800 && *first < 0xdc00 && second && *second >= 0xdc00 && *second < 0xe000;
        const auto value =
            pair ? 0x10000 + ((*first - 0xd800) << 10U) + (*second - 0xdc00) : *first;
        put(fmt::format("\\x{{{:x}}}", value), pair ? 12 : 6);
    }

    // \p{Letter}, \p{General_Category=Lu}, \p{Script=Greek}
    void property() {
        const auto end = rest().find('}');
        if (!rest().substr(2).starts_with('{') || end == std::string_view::npos) {
            return take(2);
        }
        auto name = rest().substr(3, end - 3);
        if (const auto equals = name.find('='); equals != std::string_view::npos) {
            name.remove_prefix(equals + 1);
        }
        for (const auto& [long_name, short_name] : categories) {
            name = name == long_name ? short_name : name;
        }
        put(fmt::format("\\{}{{{}}}", text_[at_ + 1], name), end + 1);
    }

    std::string_view text_;
    std::size_t at_ = 0;
    bool in_class_ = false;
    std::string out_;
};

bool is_wrong_anywhere(RE2::ErrorCode code) {
    return code == RE2::ErrorMissingParen || code == RE2::ErrorUnexpectedParen ||
           code == RE2::ErrorRepeatArgument || code == RE2::ErrorTrailingBackslash;
}

RE2::Options options() {
    RE2::Options chosen(RE2::Quiet);
    chosen.set_max_mem(memory);
    chosen.set_never_capture(true);
    return chosen;
}

}  // namespace

struct Pattern::Compiled {
    explicit Compiled(const std::string& text) : expression(text, options()) {}

    RE2 expression;
};

Pattern::Pattern(std::string_view text) {
    if (text.size() > longest_pattern) {
        reading_ = Reading::beyond;
        problem_ = fmt::format("over {} bytes long", longest_pattern);
        return;
    }
    compiled_ = std::make_unique<Compiled>(Translation(text).run());
    if (const auto& expression = compiled_->expression; !expression.ok()) {
        reading_ = is_wrong_anywhere(expression.error_code()) ? Reading::wrong : Reading::beyond;
        problem_ = expression.error();
    }
}

Pattern::Pattern(Pattern&&) noexcept = default;
Pattern::~Pattern() = default;

bool Pattern::found_in(std::string_view text) const {
    return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), compiled_->expression);
}

std::uint64_t Pattern::size() const {
    return compiled_ && compiled_->expression.ok()
               ? static_cast<std::uint64_t>(compiled_->expression.ProgramSize())
               : 0;
}

}  // namespace wasmplug
