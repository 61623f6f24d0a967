#pragma once

#include <string>

#include "plugintest/case.hpp"

namespace wasmplug::host {

// Turns what a client sent into what the first plugin sees: headers for one hop and those that
// only Envoy may set are gone, the scheme is x-forwarded-proto's, and there are
// x-forwarded-proto and x-request-id (`request_id` unless the client named one).
void receive_request_headers(Headers& headers, const std::string& request_id);

}  // namespace wasmplug::host
