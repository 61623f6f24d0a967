#pragma once

#include <map>
#include <regex>
#include <string>

#include <nlohmann/json.hpp>

#include "base/json_schema.hpp"

namespace wasmplug {

constexpr int schema_depth_limit = 200;  // of schemas in schemas, and of $ref to $ref

// At most 60 bytes of a value, for a message.
std::string shown(const nlohmann::json& value);

// A schema with what its keywords need to be known beforehand: names, bases, patterns. Its
// objects compare without regard to order.
struct JsonSchema::State {
    using Json = nlohmann::json;

    Json root;
    std::string name;
    bool old = false;                          // up to draft-07: $ref hides what stands beside it
    std::map<std::string, const Json*> known;  // by absolute name
    std::map<const Json*, std::string> bases;
    std::map<std::string, std::regex> patterns;

    // Of all of `root`. Throws Error as the constructor of JsonSchema.
    void learn();

    [[noreturn]] void refuse(const std::string& why) const;

    // What a $ref in `schema` leads to.
    const Json& target(const Json& schema, const Json& ref) const;

  private:
    void learn(const Json& schema, std::string base, int depth);
    void learn_children(const Json& schema, const std::string& base, int depth);
    void learn_pattern(const std::string& text);
};

}  // namespace wasmplug
