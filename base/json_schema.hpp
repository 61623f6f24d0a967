#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/yaml.hpp"

namespace wasmplug {

// One thing in a value that its schema does not allow.
struct SchemaIssue {
    yaml::Path path;      // of the value
    std::string message;  // "\"loose\" is none of \"strict\", \"off\""
    std::string key;      // of an object, when it is this key that should not be there
};

// A JSON Schema of draft 2020-12, or of draft-07 and 2019-09 as far as they are the same or spelled
// differently there (`items` as a list, `dependencies`, `definitions`). `format` and contents are
// annotations, as 2020-12 has it by default. References stay within the schema: nothing is
// fetched, and $dynamicRef is refused. Held to the JSON-Schema-Test-Suite by a conformance test.
//
// A schema may come from anybody: depth, patterns and the work of one check are bounded.
class JsonSchema {
  public:
    // Throws Error naming `name` for what is no schema, a reference that leads nowhere or
    // elsewhere, or a pattern that is no regular expression.
    JsonSchema(const nlohmann::ordered_json& schema, std::string name);
    ~JsonSchema();
    JsonSchema(JsonSchema&&) noexcept;

    // In the order of the schema's keywords and the value's keys; empty when it is valid. At most
    // 1000. Throws Error when the schema goes round in circles or takes too much work.
    std::vector<SchemaIssue> check(const nlohmann::ordered_json& value) const;

    // What is in the schema and never decides: patterns beyond class Pattern. A value that depends
    // on one is taken for good.
    const std::vector<std::string>& not_judged() const;

  private:
    struct State;
    class Walk;
    std::unique_ptr<const State> state_;
};

}  // namespace wasmplug
