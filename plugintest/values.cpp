#include "plugintest/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "base/terminal.hpp"
#include "base/time.hpp"

namespace wasmplug::plugintest {
namespace {

std::string quoted_list(const std::vector<std::string>& words) {
    return fmt::format("one of {}", fmt::join(words, ", "));
}

}  // namespace

Value Values::value(const yaml::Node& node) const {
    Value result{&node, &node, {}};
    if (node.target().kind() != yaml::Kind::scalar || row_ == nullptr ||
        node.text().find('{') == std::string_view::npos) {
        return result;
    }
    const std::string_view text = node.text();
    // A scalar that is nothing but a placeholder becomes what the row has there, list or mapping
    // included.
    if (text.size() > 2 && text.front() == '{' && text.back() == '}') {
        if (const auto* cell = row_->find(text.substr(1, text.size() - 2))) {
            result.node = cell;
            return result;
        }
    }
    std::string filled = fill(text);
    if (filled != text) {
        result.node = nullptr;
        result.text = std::move(filled);
    }
    return result;
}

std::string Values::fill(std::string_view text) const {
    std::string filled(text);
    if (row_ == nullptr) {
        return filled;
    }
    for (const auto& entry : row_->effective_entries()) {
        const std::string placeholder = "{" + entry.key.key_text() + "}";
        if (entry.value.is_mapping() || entry.value.is_sequence()) {
            continue;
        }
        for (auto at = filled.find(placeholder); at != std::string::npos;
             at = filled.find(placeholder, at + entry.value.text().size())) {
            filled.replace(at, placeholder.size(), entry.value.text());
        }
    }
    return filled;
}

void Values::fail(const Value& value, const std::string& message, const std::string& hint) const {
    fail(*value.at, message, hint);
}

void Values::fail(const yaml::Node& node, const std::string& message,
                  const std::string& hint) const {
    throw file_.error(node.range(), message, hint);
}

std::vector<Member> Values::members(const Value& mapping, std::string_view what,
                                    std::initializer_list<std::string_view> known) const {
    if (!mapping.is_mapping()) {
        fail(mapping, fmt::format("{} has to be a mapping", what));
    }
    std::vector<Member> members;
    for (const auto& entry : mapping.node->effective_entries()) {
        const std::string name = fill(entry.key.key_text());
        if (known.size() > 0 && std::find(known.begin(), known.end(), name) == known.end()) {
            const std::string guess = closest(name, known);
            fail(entry.key, fmt::format("{} has no key '{}'", what, printable(name)),
                 guess.empty() ? fmt::format("known: {}", fmt::join(known, ", "))
                               : fmt::format("did you mean '{}'?", guess));
        }
        members.push_back({name, value(entry.value), &entry.key});
    }
    return members;
}

std::vector<Value> Values::items(const Value& sequence, std::string_view what) const {
    if (!sequence.is_sequence()) {
        fail(sequence, fmt::format("{} has to be a list", what));
    }
    std::vector<Value> items;
    for (const auto& item : sequence.node->items()) {
        items.push_back(value(item));
    }
    return items;
}

std::string Values::text(const Value& value, std::string_view what) const {
    if (!value.is_scalar()) {
        fail(value, fmt::format("{} has to be text", what));
    }
    return value.node == nullptr ? value.text : std::string(value.node->text());
}

bool Values::boolean(const Value& value, std::string_view what) const {
    const std::string word = value.is_scalar() ? text(value, what) : "";
    if (word != "true" && word != "false") {
        fail(value, fmt::format("{} has to be true or false", what));
    }
    return word == "true";
}

std::int64_t Values::integer(const Value& value, std::string_view what, std::int64_t least,
                             std::int64_t most) const {
    std::string digits = value.is_scalar() ? text(value, what) : "";
    std::erase(digits, '_');
    std::int64_t number = 0;
    const auto* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, number);
    if (digits.empty() || error != std::errc() || stop != end || number < least || number > most) {
        fail(value, fmt::format("{} has to be a whole number from {} to {}", what, least, most));
    }
    return number;
}

double Values::number(const Value& value, std::string_view what) const {
    std::string digits = value.is_scalar() ? text(value, what) : "";
    std::erase(digits, '_');
    double number = 0;
    const auto* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, number);
    if (digits.empty() || error != std::errc() || stop != end) {
        fail(value, fmt::format("{} has to be a number", what));
    }
    return number;
}

std::chrono::nanoseconds Values::duration(const Value& value, std::string_view what) const {
    const auto time = parse_duration(value.is_scalar() ? text(value, what) : "");
    if (!time || time->count() < 0) {
        fail(value, fmt::format("{} has to be a duration", what), "write it as 250ms, 5s or 1m30s");
    }
    return *time;
}

std::uint64_t Values::size(const Value& value, std::string_view what) const {
    static constexpr std::pair<std::string_view, int> units[] = {
        {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"B", 0}};
    std::string digits = value.is_scalar() ? text(value, what) : "";
    std::erase(digits, '_');
    std::erase(digits, ' ');
    int shift = 0;
    for (const auto& [unit, bits] : units) {
        if (digits.ends_with(unit)) {
            digits.resize(digits.size() - unit.size());
            shift = bits;
            break;
        }
    }
    std::uint64_t number = 0;
    const auto* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, number);
    if (digits.empty() || error != std::errc() || stop != end || number > (1ULL << 40 >> shift)) {
        fail(value, fmt::format("{} has to be a size", what), "write it as 512, 16KiB or 4MiB");
    }
    return number << shift;
}

std::string Values::word(const Value& value, std::string_view what,
                         const std::vector<std::string>& words) const {
    const std::string given = value.is_scalar() ? text(value, what) : "";
    if (std::find(words.begin(), words.end(), given) == words.end()) {
        const std::string guess = closest(given, words);
        fail(value, fmt::format("{} has to be {}", what, quoted_list(words)),
             guess.empty() ? "" : fmt::format("did you mean '{}'?", guess));
    }
    return given;
}

nlohmann::ordered_json Values::json(const Value& value) const {
    if (value.is_mapping()) {
        auto object = nlohmann::ordered_json::object();
        for (const auto& member : members(value, "the mapping")) {
            object[member.name] = json(member.value);
        }
        return object;
    }
    if (value.is_sequence()) {
        auto list = nlohmann::ordered_json::array();
        for (const auto& item : items(value, "the list")) {
            list.push_back(json(item));
        }
        return list;
    }
    return value.node == nullptr ? nlohmann::ordered_json(value.text) : yaml::to_json(*value.node);
}

Place Values::place(const yaml::Node& node) const {
    const auto position = file_.position(node.range().begin);
    return {position.line, position.column};
}

Expected Values::expected(const Value& given, std::string_view what) const {
    return {matcher(given, what), place(given)};
}

Matcher Values::matcher(const Value& given, std::string_view what) const {
    if (given.is_scalar()) {
        return Matcher::equal_to(text(given, what));
    }
    if (given.is_sequence()) {
        fail(given, fmt::format("{} has to be a value or a matcher", what),
             "for one of several write {one_of: [...]}");
    }
    std::vector<Matcher::Condition> conditions;
    for (const auto& member : members(given, what)) {
        const auto kind = parse_matcher_kind(member.name);
        if (!kind) {
            const std::string guess = closest(member.name, matcher_kind_names());
            fail(*member.key, fmt::format("'{}' is no matcher", printable(member.name)),
                 guess.empty() ? fmt::format("known: {}", fmt::join(matcher_kind_names(), ", "))
                               : fmt::format("did you mean '{}'?", guess));
        }
        Matcher::Condition condition;
        condition.kind = *kind;
        switch (*kind) {
            case Matcher::Kind::json:
                condition.text = json(member.value).dump();
                break;
            case Matcher::Kind::one_of:
            case Matcher::Kind::all_of:
                for (const auto& item : items(member.value, member.name)) {
                    condition.matchers.push_back(matcher(item, member.name));
                }
                break;
            case Matcher::Kind::negate:
                condition.matchers.push_back(matcher(member.value, "not"));
                break;
            case Matcher::Kind::gte:
            case Matcher::Kind::lte:
                condition.number = number(member.value, member.name);
                break;
            case Matcher::Kind::absent:
            case Matcher::Kind::present:
                if (!boolean(member.value, member.name)) {
                    condition.kind = *kind == Matcher::Kind::absent ? Matcher::Kind::present
                                                                    : Matcher::Kind::absent;
                }
                break;
            default:
                condition.text = text(member.value, member.name);
        }
        if (*kind == Matcher::Kind::regex) {
            try {
                check_regex(condition.text);
            } catch (const Error& error) {
                fail(member.value, error.what());
            }
        }
        conditions.push_back(std::move(condition));
    }
    if (conditions.empty()) {
        fail(given, fmt::format("{} is an empty matcher", what));
    }
    return Matcher(std::move(conditions));
}

}  // namespace wasmplug::plugintest
