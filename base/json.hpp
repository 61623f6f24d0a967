#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace wasmplug {

// Parses a document from outside. Throws Error naming `what` and the byte offset; refuses
// nesting deeper than `depth`, which nlohmann-json alone would follow into the stack's end.
nlohmann::ordered_json parse_json(std::string_view text, std::string_view what,
                                  std::size_t depth = 100);

// Two spaces of indent, invalid UTF-8 replaced, a newline at the end: how every document that
// a person may read is written.
std::string pretty_json(const nlohmann::ordered_json& value);

// No spaces, keys in our order: annotations, image manifests.
std::string compact_json(const nlohmann::ordered_json& value);

}  // namespace wasmplug
