#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/json_schema.hpp"
#include "base/pattern.hpp"

namespace wasmplug {

constexpr int schema_depth_limit = 200;  // of schemas in schemas, and of $ref to $ref

constexpr std::uint64_t patterns_limit = 200'000;  // instructions of all patterns: a few MB

// At most 60 bytes of a value, for a message.
std::string shown(const nlohmann::json& value);
std::string shown_text(std::string text);

// A schema with what its keywords need to be known beforehand: names, bases, patterns. Its
// objects compare without regard to order.
struct JsonSchema::State {
    using Json = nlohmann::json;

    Json root;
    std::string name;
    bool old = false;                          // up to draft-07: $ref hides what stands beside it
    std::map<std::string, const Json*> known;  // by absolute name
    std::map<const Json*, std::string> bases;  // of every schema in it
    std::vector<const Json*> in_order;         // those, as they were found
    std::map<std::string, Pattern> patterns;
    std::uint64_t pattern_size = 0;  // of all of them
    std::vector<std::string> not_judged;

    // Of all of `root`. Throws Error as the constructor of JsonSchema.
    void learn();

    [[noreturn]] void refuse(const std::string& why) const;

    // What a $ref in `schema` leads to.
    const Json& target(const Json& schema, const Json& ref) const;

  private:
    void learn_references();
    void learn(const Json& schema, std::string base, int depth);
    void check_leaves(const Json& schema) const;
    void learn_children(const Json& schema, const std::string& base, int depth);
    void learn_pattern(const std::string& text);
};

}  // namespace wasmplug
