#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wasmplug::plugintest {

// What a value of a test file expects of one text that was observed. A plain scalar is `equals`;
// a mapping names conditions, which all have to hold.
class Matcher {
  public:
    enum class Kind {
        equals,
        contains,
        prefix,
        suffix,
        regex,  // ECMAScript, anywhere in the text
        json,   // parses as JSON and has at least these members; lists are whole
        one_of,
        all_of,
        negate,  // `not`
        present,
        absent,
        gte,
        lte,
    };

    struct Condition {
        Kind kind = Kind::equals;
        std::string text;               // JSON for Kind::json
        double number = 0;              // gte, lte
        std::vector<Matcher> matchers;  // one_of, all_of, negate
    };

    Matcher() = default;

    explicit Matcher(std::vector<Condition> conditions) : conditions_(std::move(conditions)) {}

    static Matcher equal_to(std::string text);

    // Nothing stands for a value that is not there: only `absent: true` and `not` accept it.
    bool matches(const std::optional<std::string_view>& actual) const;

    // "contains "abc"", "absent", "200": for messages.
    std::string describe() const;

    // The text of a lone `equals`, for a diff.
    const std::string* only_text() const;

    bool empty() const { return conditions_.empty(); }

  private:
    std::vector<Condition> conditions_;
};

// The names of the conditions as test files spell them.
std::optional<Matcher::Kind> parse_matcher_kind(std::string_view name);
const std::vector<std::string>& matcher_kind_names();

// Throws Error for a pattern that is none.
void check_regex(const std::string& pattern);

// `text` of more than one line against another, as a unified diff without a header.
std::string line_diff(std::string_view expected, std::string_view actual);

}  // namespace wasmplug::plugintest
