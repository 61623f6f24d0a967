#pragma once

#include <string>
#include <vector>

#include "base/http.hpp"

namespace wasmplug::envoy {

// "GET /path", "/path" (GET), "POST /path": the request of `run --request`, sent to `address`.
// `headers` are "Name: value", `data` is a text or @FILE. Throws a usage Error for what is none.
HttpRequest parse_request(const std::string& text, const std::vector<std::string>& headers,
                          const std::string& data, const std::string& address);

// Status line, headers and body as curl -i shows them.
std::string describe(const HttpResponse& response);

}  // namespace wasmplug::envoy
