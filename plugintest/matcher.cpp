#include "plugintest/matcher.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <regex>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/terminal.hpp"

namespace wasmplug::plugintest {
namespace {

using nlohmann::json;

std::optional<double> number_of(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                    : std::nullopt;
}

// Everything of `expected` is in `actual`; objects may have more members, lists may not.
bool includes(const json& actual, const json& expected) {
    if (expected.is_object()) {
        return actual.is_object() &&
               std::all_of(expected.items().begin(), expected.items().end(), [&](const auto& item) {
                   return actual.contains(item.key()) &&
                          includes(actual.at(item.key()), item.value());
               });
    }
    if (expected.is_array()) {
        return actual.is_array() && actual.size() == expected.size() &&
               std::equal(actual.begin(), actual.end(), expected.begin(), includes);
    }
    return actual == expected;
}

bool json_matches(std::string_view actual, const std::string& expected) {
    const auto document = json::parse(actual, nullptr, false);
    return !document.is_discarded() && includes(document, json::parse(expected));
}

bool regex_matches(std::string_view actual, const std::string& pattern) {
    // libstdc++ recurses once a character: a long text would end the process.
    constexpr std::size_t longest = 64 * 1024;
    const auto text = actual.substr(0, longest);
    return std::regex_search(text.begin(), text.end(), std::regex(pattern));
}

bool holds(const Matcher::Condition& condition, const std::optional<std::string_view>& actual) {
    using Kind = Matcher::Kind;
    if (condition.kind == Kind::absent) {
        return !actual;
    }
    if (condition.kind == Kind::negate) {
        return !condition.matchers.front().matches(actual);
    }
    if (condition.kind == Kind::all_of) {
        return std::all_of(condition.matchers.begin(), condition.matchers.end(),
                           [&](const auto& matcher) { return matcher.matches(actual); });
    }
    if (!actual) {
        return false;
    }
    switch (condition.kind) {
        case Kind::equals:
            return *actual == condition.text;
        case Kind::contains:
            return actual->find(condition.text) != std::string_view::npos;
        case Kind::prefix:
            return actual->starts_with(condition.text);
        case Kind::suffix:
            return actual->ends_with(condition.text);
        case Kind::regex:
            return regex_matches(*actual, condition.text);
        case Kind::json:
            return json_matches(*actual, condition.text);
        case Kind::one_of:
            return std::any_of(condition.matchers.begin(), condition.matchers.end(),
                               [&](const auto& matcher) { return matcher.matches(actual); });
        case Kind::gte:
        case Kind::lte: {
            const auto number = number_of(*actual);
            return number && (condition.kind == Kind::gte ? *number >= condition.number
                                                          : *number <= condition.number);
        }
        default:
            return true;  // present
    }
}

std::string describe_condition(const Matcher::Condition& condition) {
    using Kind = Matcher::Kind;
    const auto quoted = [&] {
        return fmt::format("\"{}\"", printable(condition.text));
    };
    switch (condition.kind) {
        case Kind::equals:
            return quoted();
        case Kind::contains:
            return "contains " + quoted();
        case Kind::prefix:
            return "begins with " + quoted();
        case Kind::suffix:
            return "ends with " + quoted();
        case Kind::regex:
            return "matches /" + printable(condition.text) + "/";
        case Kind::json:
            return "JSON with " + condition.text;
        case Kind::present:
            return "present";
        case Kind::absent:
            return "absent";
        case Kind::negate:
            return "not (" + condition.matchers.front().describe() + ")";
        case Kind::gte:
            return fmt::format("at least {}", condition.number);
        case Kind::lte:
            return fmt::format("at most {}", condition.number);
        case Kind::one_of:
        case Kind::all_of: {
            const bool any = condition.kind == Kind::one_of;
            std::string text;
            for (const auto& matcher : condition.matchers) {
                text += (text.empty() ? "" : any ? ", " : " and ") + matcher.describe();
            }
            return (any ? "one of " : "") + text;
        }
    }
    return {};
}

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const auto end = text.find('\n');
        lines.push_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return lines;
}

}  // namespace

Matcher Matcher::equal_to(std::string text) {
    Condition condition;
    condition.text = std::move(text);
    return Matcher({std::move(condition)});
}

bool Matcher::matches(const std::optional<std::string_view>& actual) const {
    return std::all_of(conditions_.begin(), conditions_.end(),
                       [&](const auto& condition) { return holds(condition, actual); });
}

std::string Matcher::describe() const {
    std::string text;
    for (const auto& condition : conditions_) {
        text += (text.empty() ? "" : " and ") + describe_condition(condition);
    }
    return text.empty() ? "anything" : text;
}

const std::string* Matcher::only_text() const {
    return conditions_.size() == 1 && conditions_[0].kind == Kind::equals ? &conditions_[0].text
                                                                          : nullptr;
}

const std::vector<std::string>& matcher_kind_names() {
    static const std::vector<std::string> names{"equals", "contains", "prefix", "suffix", "regex",
                                                "json",   "one_of",   "all_of", "not",    "present",
                                                "absent", "gte",      "lte"};
    return names;
}

std::optional<Matcher::Kind> parse_matcher_kind(std::string_view name) {
    const auto& names = matcher_kind_names();
    const auto found = std::find(names.begin(), names.end(), name);
    return found == names.end() ? std::nullopt
                                : std::optional(static_cast<Matcher::Kind>(found - names.begin()));
}

void check_regex(const std::string& pattern) {
    try {
        const std::regex compiled(pattern);
    } catch (const std::regex_error& error) {
        throw Error(fmt::format("'{}' is not a regular expression (ECMAScript): {}", pattern,
                                error.what()));
    }
}

std::string line_diff(std::string_view expected, std::string_view actual) {
    const auto old_lines = lines_of(expected);
    const auto new_lines = lines_of(actual);
    constexpr std::size_t most = 2000;
    if (old_lines.size() > most || new_lines.size() > most) {
        return {};
    }
    // Longest common subsequence, from the end.
    const std::size_t width = new_lines.size() + 1;
    std::vector<std::uint32_t> common((old_lines.size() + 1) * width, 0);
    for (std::size_t i = old_lines.size(); i-- > 0;) {
        for (std::size_t j = new_lines.size(); j-- > 0;) {
            common[i * width + j] =
                old_lines[i] == new_lines[j]
                    ? common[(i + 1) * width + j + 1] + 1
                    : std::max(common[(i + 1) * width + j], common[i * width + j + 1]);
        }
    }
    std::string text;
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < old_lines.size() || j < new_lines.size()) {
        if (i < old_lines.size() && j < new_lines.size() && old_lines[i] == new_lines[j]) {
            text += fmt::format("  {}\n", printable(old_lines[i]));
            ++i;
            ++j;
        } else if (j == new_lines.size() ||
                   (i < old_lines.size() &&
                    common[(i + 1) * width + j] >= common[i * width + j + 1])) {
            text += fmt::format("- {}\n", printable(old_lines[i++]));
        } else {
            text += fmt::format("+ {}\n", printable(new_lines[j++]));
        }
    }
    return text;
}

}  // namespace wasmplug::plugintest
