#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/yaml.hpp"

namespace wasmplug::plugintest {

// A protobuf message without its schema: fields in their order, repeated ones several times.
struct ProtoText {
    std::string name;
    std::string value;              // of a scalar, unescaped
    std::vector<ProtoText> fields;  // of a message
    bool is_message = false;
    std::size_t line = 1;  // of its name
    std::size_t column = 1;

    // The first field of that name, or nullptr.
    const ProtoText* find(std::string_view field) const;
    std::vector<const ProtoText*> all(std::string_view field) const;

    // The scalar of that name, or "".
    std::string text(std::string_view field) const;
};

// Reads protobuf's text format (https://protobuf.dev/reference/protobuf/textformat-spec/), but for
// extensions and Any. Throws Error at name:line:col.
ProtoText parse_proto_text(std::string_view text, const std::string& name);

// The same out of YAML: mappings are messages, lists repeat their field.
ProtoText proto_text_of(const yaml::File& file);

}  // namespace wasmplug::plugintest
