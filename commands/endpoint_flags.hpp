#pragma once

#include <string>
#include <vector>

#include "base/http.hpp"

namespace CLI {
class App;
}

namespace wasmplug {

// How a running endpoint is reached: --header, --resolve, --ca-file.
struct EndpointFlags {
    std::vector<std::string> headers;
    std::vector<std::string> resolve;
    std::string ca_file;

    bool given() const { return !headers.empty() || !resolve.empty() || !ca_file.empty(); }
};

void add_endpoint_flags(CLI::App& command, EndpointFlags& flags);

// "NAME: VALUE" each. Throws usage_error for what is none.
Headers parse_header_flags(const std::vector<std::string>& flags);

}  // namespace wasmplug
