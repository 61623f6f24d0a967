#pragma once

#include <string>
#include <string_view>

#include "base/yaml.hpp"
#include "manifest/fields.hpp"

// What to write instead, as far as one value tells. Sentences for Finding::fix.
namespace wasmplug::manifest {

// "string", "array": the type as the API server names it.
std::string_view wanted_type(Type type);

std::string type_fix(const Field& field, const yaml::Node& node);
std::string enum_fix(const Field& field, std::string_view text);
std::string sha_fix(std::string_view text);
std::string url_fix(std::string_view url);

// For a field that does not exist at "spec.match[0].port".
std::string unknown_fix(Kind kind, const std::string& path);

}  // namespace wasmplug::manifest
