#pragma once

// Reading of single values of a test file, with the placeholders of a matrix filled in.

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/yaml.hpp"
#include "plugintest/expect.hpp"

namespace wasmplug::plugintest {

class Values;

// A node where it stands, or what a placeholder put in its place. `at` is always the node that
// messages point to.
struct Value {
    const yaml::Node* node = nullptr;  // null: `text` was composed from placeholders
    const yaml::Node* at = nullptr;
    std::string text;

    bool is_mapping() const { return node != nullptr && node->is_mapping(); }

    bool is_sequence() const { return node != nullptr && node->is_sequence(); }

    bool is_null() const { return node != nullptr && node->is_null(); }

    bool is_scalar() const { return !is_mapping() && !is_sequence(); }
};

struct Member {
    std::string name;
    Value value;
    const yaml::Node* key = nullptr;
};

class Values {
  public:
    // `row` is the matrix row whose keys may be used as "{key}"; null without a matrix.
    explicit Values(const yaml::File& file, const yaml::Node* row = nullptr)
        : file_(file), row_(row) {}

    Value value(const yaml::Node& node) const;

    [[noreturn]] void fail(const Value& value, const std::string& message,
                           const std::string& hint = {}) const;
    [[noreturn]] void fail(const yaml::Node& node, const std::string& message,
                           const std::string& hint = {}) const;

    // The members of a mapping, whose names must be among `known` (none: any name). `what` is
    // the mapping in messages: "request".
    std::vector<Member> members(const Value& mapping, std::string_view what,
                                std::initializer_list<std::string_view> known = {}) const;
    std::vector<Value> items(const Value& sequence, std::string_view what) const;

    // A scalar's text as it is written: 200, true and "x" alike.
    std::string text(const Value& value, std::string_view what) const;
    bool boolean(const Value& value, std::string_view what) const;
    std::int64_t integer(const Value& value, std::string_view what, std::int64_t least,
                         std::int64_t most) const;
    double number(const Value& value, std::string_view what) const;
    std::chrono::nanoseconds duration(const Value& value, std::string_view what) const;

    // "16KiB", "1MiB", "4096".
    std::uint64_t size(const Value& value, std::string_view what) const;

    // One of `words`.
    std::string word(const Value& value, std::string_view what,
                     const std::vector<std::string>& words) const;

    // Placeholders filled in everywhere.
    nlohmann::ordered_json json(const Value& value) const;

    Matcher matcher(const Value& value, std::string_view what) const;
    Expected expected(const Value& value, std::string_view what) const;

    Place place(const yaml::Node& node) const;

    Place place(const Value& value) const { return place(*value.at); }

    // "{name}" of every placeholder of the row.
    std::string fill(std::string_view text) const;

  private:
    const yaml::File& file_;
    const yaml::Node* row_;
};

}  // namespace wasmplug::plugintest
