#pragma once

#include <string>
#include <string_view>

#include "base/http.hpp"

namespace wasmplug::host {

// Header maps as they cross the boundary: a count, the sizes of all names and values, then each
// of them with a NUL behind it. Nothing at all for an empty map.
std::string serialize_pairs(const Headers& pairs);

// Names are lower-cased. Malformed input is an empty map: so does proxy-wasm-cpp-host, and Envoy
// then replaces the headers by nothing (envoy-observed).
Headers parse_pairs(std::string_view bytes);

}  // namespace wasmplug::host
