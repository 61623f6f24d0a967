#include "base/yaml_scalar.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace wasmplug::yaml {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

Scalar boolean(bool value) {
    return {.type = Type::boolean, .boolean = value};
}

Scalar floating(double value) {
    Scalar scalar{.type = Type::number, .number = value, .is_float = true};
    // encoding/json writes such a float without a point or exponent, and the API server then
    // reads an int64.
    if (std::floor(value) == value && value >= -0x1p63 && value < 0x1p63) {
        scalar.type = Type::integer;
        scalar.negative = value < 0;
        scalar.magnitude = static_cast<std::uint64_t>(std::fabs(value));
    }
    return scalar;
}

std::optional<Scalar> word(std::string_view text) {
    const auto is = [text](std::initializer_list<std::string_view> words) {
        for (const auto candidate : words) {
            if (candidate == text) {
                return true;
            }
        }
        return false;
    };
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (text.size() > 5) {
        return std::nullopt;
    }
    if (is({"", "~", "null", "Null", "NULL"})) {
        return Scalar{.type = Type::null};
    }
    if (is({"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})) {
        return boolean(true);
    }
    if (is({"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})) {
        return boolean(false);
    }
    if (is({".nan", ".NaN", ".NAN"})) {
        return floating(std::numeric_limits<double>::quiet_NaN());
    }
    if (is({".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"})) {
        return floating(infinity);
    }
    if (is({"-.inf", "-.Inf", "-.INF"})) {
        return floating(-infinity);
    }
    return std::nullopt;
}

// strconv.ParseInt and ParseUint with base 0, of a text without underscores: a sign is for
// int64 only.
std::optional<Scalar> integer(std::string_view text) {
    const bool has_sign = text.front() == '+' || text.front() == '-';
    Scalar scalar{.type = Type::integer, .negative = text.front() == '-'};
    if (has_sign) {
        text.remove_prefix(1);
    }
    int base = 10;
    if (text.size() > 1 && text.front() == '0') {
        const char letter = static_cast<char>(text[1] | 0x20);
        base = letter == 'x' ? 16 : letter == 'b' ? 2 : 8;
        text.remove_prefix(letter == 'x' || letter == 'b' || letter == 'o' ? 2 : 1);
    }
    const auto* const end = text.data() + text.size();
    const auto result = std::from_chars(text.data(), end, scalar.magnitude, base);
    if (result.ec != std::errc{} || result.ptr != end) {
        return std::nullopt;
    }
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (has_sign && scalar.magnitude > (scalar.negative ? most + 1 : most)) {
        return std::nullopt;
    }
    return scalar;
}

// ^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$
bool is_yaml_float(std::string_view text) {
    std::size_t at = text.front() == '-' || text.front() == '+' ? 1 : 0;
    const auto digits = [&] {
        const std::size_t from = at;
        while (at < text.size() && is_digit(text[at])) {
            ++at;
        }
        return at - from;
    };
    const bool whole = digits() > 0;
    if (at < text.size() && text[at] == '.') {
        ++at;
        if (digits() == 0 && !whole) {
            return false;
        }
    } else if (!whole) {
        return false;
    }
    if (at < text.size() && (text[at] | 0x20) == 'e') {
        ++at;
        if (at < text.size() && (text[at] == '-' || text[at] == '+')) {
            ++at;
        }
        if (digits() == 0) {
            return false;
        }
    }
    return at == text.size();
}

// strconv.ParseFloat of what is_yaml_float accepts: too large is an error, too small is zero.
std::optional<Scalar> parse_float(const std::string& text) {
    const double value = std::strtod(text.c_str(), nullptr);
    if (!std::isfinite(value)) {
        return std::nullopt;
    }
    return floating(value);
}

std::optional<Scalar> numeric(std::string_view text) {
    if (text.find('_') != std::string_view::npos) {
        std::string plain(text);
        std::erase(plain, '_');
        return numeric(plain);
    }
    if (const auto scalar = integer(text)) {
        return scalar;
    }
    return is_yaml_float(text) ? parse_float(std::string(text)) : std::nullopt;
}

// resolve() for tags "", !!bool, !!int, !!float, !!null: the text alone decides.
Scalar by_text(std::string_view text) {
    if (text.empty()) {
        return {.type = Type::null};
    }
    switch (text.front()) {
        case '~':
        case 'n':
        case 'N':
        case 'y':
        case 'Y':
        case 't':
        case 'T':
        case 'f':
        case 'F':
        case 'o':
        case 'O':
            return word(text).value_or(Scalar{});
        case '.':
            if (const auto found = word(text)) {
                return *found;
            }
            return is_yaml_float(text) ? parse_float(std::string(text)).value_or(Scalar{})
                                       : Scalar{};
        case '+':
        case '-':
            if (const auto found = word(text)) {
                return *found;
            }
            return numeric(text).value_or(Scalar{});
        default:
            return is_digit(text.front()) ? numeric(text).value_or(Scalar{}) : Scalar{};
    }
}

// The formats that time.Parse is tried with: a date, and a date with a time.
bool is_timestamp(std::string_view text) {
    int year = 0;
    int month = 0;
    int day = 0;
    const auto number = [&text](int& into, std::size_t least, std::size_t most) {
        std::size_t count = 0;
        into = 0;
        while (count < text.size() && count < most && is_digit(text[count])) {
            into = into * 10 + (text[count] - '0');
            ++count;
        }
        text.remove_prefix(count);
        return count >= least;
    };
    const auto skip = [&text](std::string_view one_of) {
        if (text.empty() || one_of.find(text.front()) == std::string_view::npos) {
            return false;
        }
        text.remove_prefix(1);
        return true;
    };
    if (!number(year, 4, 4) || !skip("-") || !number(month, 1, 2) || !skip("-") ||
        !number(day, 1, 2)) {
        return false;
    }
    constexpr std::array days{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1) {
        return false;
    }
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > days.at(static_cast<std::size_t>(month - 1)) + (month == 2 && leap ? 1 : 0)) {
        return false;
    }
    if (text.empty()) {
        return true;
    }
    const bool with_zone = text.front() != ' ';
    int hour = 0;
    int minute = 0;
    int second = 0;
    int ignored = 0;
    if (!skip("Tt ") || !number(hour, 1, 2) || !skip(":") || !number(minute, 1, 2) || !skip(":") ||
        !number(second, 1, 2) || hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    if (skip(".,") && !number(ignored, 1, 9)) {
        return false;
    }
    if (!with_zone) {
        return text.empty();
    }
    return text == "Z" ||
           (skip("+-") && number(hour, 2, 2) && skip(":") && number(minute, 2, 2) && text.empty());
}

}  // namespace

Scalar resolve_plain(std::string_view text) {
    return by_text(text);
}

std::optional<Scalar> resolve_tagged(std::string_view tag, std::string_view text) {
    if (!tag.starts_with(tag_prefix)) {
        return Scalar{};
    }
    tag.remove_prefix(tag_prefix.size());
    const bool known =
        tag == "bool" || tag == "int" || tag == "float" || tag == "null" || tag == "timestamp";
    if (!known) {  // !!str, !!binary, !!set: the text is a string
        return Scalar{};
    }
    if (tag == "timestamp") {
        return is_timestamp(text) ? std::optional(Scalar{}) : std::nullopt;
    }
    const Scalar scalar = by_text(text);
    const auto wanted = [&] {
        switch (scalar.type) {
            case Type::null:
                return tag == "null";
            case Type::boolean:
                return tag == "bool";
            case Type::integer:
            case Type::number:
                return tag == "float" || (tag == "int" && !scalar.is_float);
            default:
                return false;
        }
    };
    if (!wanted()) {
        return std::nullopt;
    }
    if (tag == "float" && !scalar.is_float) {
        // resolve.go converts only what fits an int64.
        if (scalar.magnitude >
                static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) &&
            !scalar.negative) {
            return std::nullopt;
        }
        const auto value = static_cast<double>(scalar.magnitude);
        return floating(scalar.negative ? -value : value);
    }
    return scalar;
}

std::string float_key(double value) {
    if (std::isnan(value)) {
        return ".nan";
    }
    const auto narrow = static_cast<float>(value);
    if (std::isinf(narrow)) {
        return narrow > 0 ? ".inf" : "-.inf";
    }
    // The shortest digits, which %g puts plainly from 1e-04 up to 999999.
    std::array<char, 64> buffer{};
    const auto print = [&](std::chars_format format) {
        const auto result =
            std::to_chars(buffer.data(), buffer.data() + buffer.size(), narrow, format);
        return std::string(buffer.data(), result.ptr);
    };
    const std::string scientific = print(std::chars_format::scientific);
    const int exponent = std::stoi(scientific.substr(scientific.find('e') + 1));
    return exponent < -4 || exponent >= 6 ? scientific : print(std::chars_format::fixed);
}

}  // namespace wasmplug::yaml
