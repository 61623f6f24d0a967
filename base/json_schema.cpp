#include "base/json_schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json_schema_state.hpp"
#include "base/terminal.hpp"

namespace wasmplug {
namespace {

using Json = nlohmann::json;  // whose objects compare without regard to order

// About a second of work for the least reasonable schema; a real one needs some thousands.
constexpr std::uint64_t work_limit = 5'000'000;
constexpr std::uint64_t work_of_a_schema = 20;
constexpr std::uint64_t instructions_a_step = 32;
constexpr std::size_t issues_limit = 1000;
constexpr std::size_t values_shown = 12;

bool is_integer(const Json& value) {
    return value.is_number_integer() ||
           (value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>());
}

bool has_type(const Json& value, const std::string& type) {
    return type == "object"    ? value.is_object()
           : type == "array"   ? value.is_array()
           : type == "string"  ? value.is_string()
           : type == "boolean" ? value.is_boolean()
           : type == "null"    ? value.is_null()
           : type == "number"  ? value.is_number()
           : type == "integer" ? is_integer(value)
                               : false;
}

bool is_multiple(double value, double of) {
    const auto times = value / of;
    return std::isfinite(times) &&
           std::fabs(times - std::round(times)) <= 1e-9 * std::max(1.0, std::fabs(times) * 1e-6);
}

// Which parts of a value some schema has looked at, for unevaluated*.
struct Seen {
    std::set<std::string> keys;
    std::set<std::size_t> items;

    void add(const Seen& other) {
        keys.insert(other.keys.begin(), other.keys.end());
        items.insert(other.items.begin(), other.items.end());
    }
};

}  // namespace

// One walk over a value. Without `issues` only the verdict is wanted.
class JsonSchema::Walk {
  public:
    Walk(const State& state, std::vector<SchemaIssue>* issues, std::uint64_t& work)
        : state_(state), issues_(issues), work_(work) {}

    bool check(const Json& schema, const Json& value, const yaml::Path& path, Seen& seen,
               int depth = 0) {
        if (depth > schema_depth_limit) {
            state_.refuse("its references go round in circles");
        }
        spend(work_of_a_schema);
        if (schema.is_boolean()) {
            return schema.get<bool>() || say(path, "nothing may stand here");
        }
        bool good = true;
        if (const auto ref = schema.find("$ref"); ref != schema.end()) {
            good = also(state_.target(schema, *ref), value, path, seen, depth);
            if (state_.old) {
                return good;
            }
        }
        good = check_any(schema, value, path) && good;
        good = check_number(schema, value, path) && good;
        good = check_string(schema, value, path) && good;
        good = check_array(schema, value, path, seen, depth) && good;
        good = check_object(schema, value, path, seen, depth) && good;
        good = check_several(schema, value, path, seen, depth) && good;
        return check_unevaluated(schema, value, path, seen, depth) && good;
    }

  private:
    bool say(const yaml::Path& path, std::string message, std::string key = {}) {
        if (issues_ != nullptr && issues_->size() < issues_limit) {
            issues_->push_back({path, std::move(message), std::move(key)});
        }
        return false;
    }

    void spend(std::uint64_t steps) {
        if (steps > work_) {
            state_.refuse("it takes too much work to judge by");
        }
        work_ -= steps;
    }

    // A schema beside others of the same value: what it has seen counts once it is done.
    bool also(const Json& schema, const Json& value, const yaml::Path& path, Seen& seen,
              int depth) {
        Seen own;
        const bool good = check(schema, value, path, own, depth + 1);
        seen.add(own);
        return good;
    }

    // The same without a word. What hangs on a pattern that cannot be matched holds, and is unsure:
    // of the keywords that turn a verdict round, each has to look.
    bool holds(const Json& schema, const Json& value, const yaml::Path& path, Seen& seen,
               int depth) {
        Walk silent(state_, nullptr, work_);
        Seen own;
        const bool good = silent.check(schema, value, path, own, depth + 1);
        if (good) {
            seen.add(own);
        }
        unsure_ = unsure_ || silent.unsure_;
        return good;
    }

    // What `judge` says, and whether that is unsure.
    template <class Judge>
    auto unsurely(const Judge& judge) {
        const bool before = std::exchange(unsure_, false);
        const auto verdict = judge();
        const bool unsure = unsure_;
        unsure_ = unsure || before;
        return std::pair(verdict, unsure);
    }

    // For a message; nothing when nobody will read it, for that is most of a silent walk's work.
    std::string shown(const Json& value) const {
        return issues_ == nullptr ? std::string() : wasmplug::shown(value);
    }

    static const Json* get(const Json& schema, const char* key) {
        const auto found = schema.find(key);
        return found == schema.end() ? nullptr : &*found;
    }

    bool is_one_of(const Json& value, const Json& values) {
        spend(values.size());
        return std::find(values.begin(), values.end(), value) != values.end();
    }

    std::string listed(const Json& values) const {
        std::string list;
        std::size_t count = 0;
        for (const auto& one : values) {
            if (++count > values_shown) {
                return list + fmt::format(" and {} more", values.size() - values_shown);
            }
            list += (list.empty() ? "" : ", ") + shown(one);
        }
        return list;
    }

    bool check_any(const Json& schema, const Json& value, const yaml::Path& path) {
        bool good = true;
        if (const auto* type = get(schema, "type")) {
            const auto types = type->is_array() ? *type : Json::array({*type});
            const bool known = std::any_of(types.begin(), types.end(),
                                           [&](const Json& one) { return has_type(value, one); });
            if (!known) {
                std::string list;
                for (const auto& one : types) {
                    list += (list.empty() ? "" : " or ") + one.get<std::string>();
                }
                good = say(path, fmt::format("{} is no {}", shown(value), list));
            }
        }
        if (const auto* values = get(schema, "enum");
            values != nullptr && !is_one_of(value, *values)) {
            good = say(path, fmt::format("{} is none of {}", shown(value), listed(*values)));
        }
        if (const auto* only = get(schema, "const"); only != nullptr && *only != value) {
            good = say(path, fmt::format("{} has to be {}", shown(value), shown(*only)));
        }
        return good;
    }

    bool check_number(const Json& schema, const Json& value, const yaml::Path& path) {
        if (!value.is_number()) {
            return true;
        }
        bool good = true;
        const auto limit = [&](const char* key, const auto& fits, std::string_view words) {
            if (const auto* bound = get(schema, key); bound != nullptr && !fits(value, *bound)) {
                good = say(path, fmt::format("{} {} {}", shown(value), words, shown(*bound)));
            }
        };
        limit(
            "minimum", [](const Json& a, const Json& b) { return a >= b; }, "is less than");
        limit(
            "maximum", [](const Json& a, const Json& b) { return a <= b; }, "is more than");
        limit(
            "exclusiveMinimum", [](const Json& a, const Json& b) { return a > b; },
            "is not more than");
        limit(
            "exclusiveMaximum", [](const Json& a, const Json& b) { return a < b; },
            "is not less than");
        limit(
            "multipleOf",
            [](const Json& a, const Json& b) { return is_multiple(a.get<double>(), b); },
            "is no multiple of");
        return good;
    }

    // "at least 3 characters": for everything that is counted.
    bool count(const Json& schema, std::size_t number, const yaml::Path& path, const char* least,
               const char* most, std::string_view what) {
        bool good = true;
        if (const auto* limit = get(schema, least);
            limit != nullptr && static_cast<double>(number) < limit->get<double>()) {
            good = say(path, fmt::format("{} {}, and at least {} are wanted", number, what,
                                         shown(*limit)));
        }
        if (const auto* limit = get(schema, most);
            limit != nullptr && static_cast<double>(number) > limit->get<double>()) {
            good =
                say(path, fmt::format("{} {}, and at most {} may be", number, what, shown(*limit)));
        }
        return good;
    }

    enum class Match { no, yes, unsure };

    Match match(const std::string& text_of_pattern, const std::string& text) {
        const auto& pattern = state_.patterns.at(text_of_pattern);
        if (pattern.reading() != Pattern::Reading::good) {
            unsure_ = true;
            return Match::unsure;
        }
        spend(1 + text.size() * pattern.size() / instructions_a_step);
        return pattern.found_in(text) ? Match::yes : Match::no;
    }

    bool check_string(const Json& schema, const Json& value, const yaml::Path& path) {
        if (!value.is_string()) {
            return true;
        }
        const auto& text = value.get_ref<const std::string&>();
        bool good = count(schema, code_points(text), path, "minLength", "maxLength", "characters");
        if (const auto* pattern = get(schema, "pattern");
            pattern != nullptr && match(*pattern, text) == Match::no) {
            good = say(path, fmt::format("{} does not match {}", shown(value),
                                         shown_text(pattern->get<std::string>())));
        }
        return good;
    }

    bool check_array(const Json& schema, const Json& value, const yaml::Path& path, Seen& seen,
                     int depth) {
        if (!value.is_array()) {
            return true;
        }
        bool good = count(schema, value.size(), path, "minItems", "maxItems", "items");
        const auto* first = get(schema, "prefixItems");
        const auto* rest = get(schema, "items");
        if (rest != nullptr && rest->is_array()) {  // as up to 2019-09
            first = rest;
            rest = get(schema, "additionalItems");
        }
        for (std::size_t i = 0; i < value.size(); ++i) {
            const auto* one = first != nullptr && i < first->size() ? &first->at(i) : rest;
            if (one != nullptr) {
                Seen inner;
                good = check(*one, value[i], path / i, inner, depth + 1) && good;
                seen.items.insert(i);
            }
        }
        if (const auto* unique = get(schema, "uniqueItems"); unique != nullptr && *unique == true) {
            for (std::size_t i = 0; i < value.size(); ++i) {
                spend(i);
                const auto end = value.begin() + static_cast<std::ptrdiff_t>(i);
                if (std::find(value.begin(), end, value[i]) != end) {
                    good = say(path / i, fmt::format("{} stands here twice", shown(value[i])));
                }
            }
        }
        if (const auto* wanted = get(schema, "contains")) {
            const auto [found, unsure] = unsurely([&] {
                std::size_t number = 0;
                for (std::size_t i = 0; i < value.size(); ++i) {
                    Seen inner;
                    if (holds(*wanted, value[i], path / i, inner, depth)) {
                        ++number;
                        if (!state_.old) {
                            seen.items.insert(i);
                        }
                    }
                }
                return number;
            });
            const Json all(value.size());
            const Json limits = {{"least", schema.value("minContains", Json(1))},
                                 {"most", unsure ? all : schema.value("maxContains", all)}};
            good = count(limits, found, path, "least", "most", "items of the wanted kind") && good;
        }
        return good;
    }

    bool check_object(const Json& schema, const Json& value, const yaml::Path& path, Seen& seen,
                      int depth) {
        if (!value.is_object()) {
            return true;
        }
        bool good = count(schema, value.size(), path, "minProperties", "maxProperties", "keys");
        if (const auto* required = get(schema, "required"); required != nullptr) {
            good = require(*required, value, path) && good;
        }
        const auto* known = get(schema, "properties");
        const auto* patterns = get(schema, "patternProperties");
        const auto* names = get(schema, "propertyNames");
        const auto* others = get(schema, "additionalProperties");
        for (const auto& member : value.items()) {
            const std::string& key = member.key();
            const Json& one = member.value();
            const auto below = path / key;
            bool is_known = false;
            const auto apply = [&](const Json& sub) {
                Seen inner;
                good = check(sub, one, below, inner, depth + 1) && good;
                is_known = true;
            };
            if (known != nullptr && known->contains(key)) {
                apply(known->at(key));
            }
            if (patterns != nullptr) {
                for (const auto& [pattern, sub] : patterns->items()) {
                    const auto matched = match(pattern, key);
                    if (matched == Match::yes) {
                        apply(sub);
                    }
                    // It may be the one that allows this key.
                    is_known = is_known || matched == Match::unsure;
                }
            }
            if (!is_known && others != nullptr) {
                if (*others == false) {
                    good = say(path, fmt::format("there is no key '{}'", key), key);
                    is_known = true;
                } else {
                    apply(*others);
                }
            }
            if (is_known) {
                seen.keys.insert(key);
            }
            Seen inner;
            if (names != nullptr && !holds(*names, key, below, inner, depth)) {
                good = say(path, fmt::format("'{}' is no name for a key here", key), key);
            }
        }
        return check_dependencies(schema, value, path, seen, depth) && good;
    }

    bool require(const Json& keys, const Json& value, const yaml::Path& path) {
        bool good = true;
        for (const auto& key : keys) {
            if (!value.contains(key.get<std::string>())) {
                good = say(path, fmt::format("'{}' is missing", key.get<std::string>()));
            }
        }
        return good;
    }

    bool check_dependencies(const Json& schema, const Json& value, const yaml::Path& path,
                            Seen& seen, int depth) {
        bool good = true;
        for (const char* word : {"dependencies", "dependentRequired", "dependentSchemas"}) {
            const auto* map = get(schema, word);
            if (map == nullptr) {
                continue;
            }
            for (const auto& [key, wanted] : map->items()) {
                if (value.contains(key)) {
                    good = (wanted.is_array() ? require(wanted, value, path)
                                              : also(wanted, value, path, seen, depth)) &&
                           good;
                }
            }
        }
        return good;
    }

    bool check_several(const Json& schema, const Json& value, const yaml::Path& path, Seen& seen,
                       int depth) {
        bool good = true;
        if (const auto* all = get(schema, "allOf")) {
            for (const auto& one : *all) {
                good = also(one, value, path, seen, depth) && good;
            }
        }
        const auto fitting = [&](const Json& list) {
            return unsurely([&] {
                return std::count_if(list.begin(), list.end(), [&](const Json& one) {
                    return holds(one, value, path, seen, depth);
                });
            });
        };
        if (const auto* any = get(schema, "anyOf"); any != nullptr && fitting(*any).first == 0) {
            good = say(path, fmt::format("{} fits none of the shapes there are", shown(value)));
        }
        if (const auto* one = get(schema, "oneOf")) {
            if (const auto [number, unsure] = fitting(*one);
                number == 0 || (number > 1 && !unsure)) {
                good = say(path, fmt::format("{} fits {} of the shapes, and has to fit one",
                                             shown(value), number));
            }
        }
        const auto judged = [&](const Json& other, Seen& into) {
            return unsurely([&] { return holds(other, value, path, into, depth); });
        };
        if (const auto* no = get(schema, "not")) {
            Seen none;
            if (const auto [holds_too, unsure] = judged(*no, none); holds_too && !unsure) {
                good = say(path, fmt::format("{} is what the schema excludes", shown(value)));
            }
        }
        if (const auto* condition = get(schema, "if")) {
            const auto [holds_too, unsure] = judged(*condition, seen);
            const auto* then = get(schema, holds_too ? "then" : "else");
            if (unsure) {
                see_all(value, seen);
            } else if (then != nullptr) {
                good = also(*then, value, path, seen, depth) && good;
            }
        }
        return good;
    }

    static void see_all(const Json& value, Seen& seen) {
        if (value.is_object()) {
            for (const auto& [key, one] : value.items()) {
                seen.keys.insert(key);
            }
        } else if (value.is_array()) {
            for (std::size_t i = 0; i < value.size(); ++i) {
                seen.items.insert(i);
            }
        }
    }

    bool check_unevaluated(const Json& schema, const Json& value, const yaml::Path& path,
                           Seen& seen, int depth) {
        bool good = true;
        if (const auto* rest = get(schema, "unevaluatedProperties");
            rest != nullptr && value.is_object()) {
            for (const auto& [key, one] : value.items()) {
                Seen inner;
                if (!seen.keys.contains(key) && !holds(*rest, one, path / key, inner, depth)) {
                    good = say(path, fmt::format("there is no key '{}'", key), key);
                }
                seen.keys.insert(key);
            }
        }
        if (const auto* rest = get(schema, "unevaluatedItems");
            rest != nullptr && value.is_array()) {
            for (std::size_t i = 0; i < value.size(); ++i) {
                Seen inner;
                if (!seen.items.contains(i) && !holds(*rest, value[i], path / i, inner, depth)) {
                    good = say(path / i, "there is no such item");
                }
                seen.items.insert(i);
            }
        }
        return good;
    }

    const State& state_;
    std::vector<SchemaIssue>* issues_;
    std::uint64_t& work_;  // what is left of it
    bool unsure_ = false;  // a pattern that cannot be matched was asked
};

JsonSchema::JsonSchema(const nlohmann::ordered_json& schema, std::string name) {
    auto state = std::make_unique<State>();
    state->root = Json(schema);
    state->name = std::move(name);
    const auto version = state->root.is_object() ? state->root.value("$schema", Json()) : Json();
    if (version.is_string()) {
        const auto& text = version.get_ref<const std::string&>();
        state->old = text.find("draft-0") != std::string::npos;
    }
    try {
        state->learn();
    } catch (const Json::exception&) {
        state->refuse("a keyword has a value of the wrong type");
    }
    state_ = std::move(state);
}

JsonSchema::~JsonSchema() = default;
JsonSchema::JsonSchema(JsonSchema&&) noexcept = default;

std::vector<SchemaIssue> JsonSchema::check(const nlohmann::ordered_json& value) const {
    std::vector<SchemaIssue> issues;
    try {
        Seen seen;
        auto work = work_limit;
        Walk(*state_, &issues, work).check(state_->root, Json(value), {}, seen);
    } catch (const Json::exception&) {
        state_->refuse("a keyword has a value of the wrong type");
    }
    return issues;
}

const std::vector<std::string>& JsonSchema::not_judged() const {
    return state_->not_judged;
}

}  // namespace wasmplug
