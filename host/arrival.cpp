// What Envoy's HTTP connection manager makes of a client's headers before any plugin sees them
// (ConnectionManagerUtility::mutateRequestHeaders; each rule is compared with a real Envoy by
// tests/conformance/streams_test.cpp).

#include "host/arrival.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "host/pairs.hpp"

namespace wasmplug::host {
namespace {

using plugintest::first_header;

// Between a client and the next hop only, and what Envoy alone may say.
constexpr std::array<std::string_view, 7> dropped{
    "connection", "keep-alive", "proxy-connection", "upgrade",
    "expect",     "host",       "x-envoy-internal"};

// The header names that `connection` lists.
std::vector<std::string> named_by_connection(const std::string& value) {
    std::vector<std::string> names(1);
    for (const char c : value) {
        if (c == ',') {
            names.emplace_back();
        } else if (c != ' ' && c != '\t') {
            names.back() += c;
        }
    }
    std::transform(names.begin(), names.end(), names.begin(),
                   [](const auto& name) { return lower_case(name); });
    return names;
}

bool is_url(std::string_view text) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (text.starts_with(scheme)) {
            text.remove_prefix(scheme.size());
            return !text.empty() && text.front() != '/' && text.find(' ') == std::string_view::npos;
        }
    }
    return false;
}

void add_unless_there(Headers& headers, const char* name, const std::string& value) {
    if (first_header(headers, name).empty()) {
        headers.emplace_back(name, value);
    }
}

}  // namespace

void receive_request_headers(Headers& headers, const std::string& request_id) {
    const auto hops = named_by_connection(first_header(headers, "connection"));
    std::erase_if(headers, [&](const auto& header) {
        const auto& [name, value] = header;
        return std::find(dropped.begin(), dropped.end(), name) != dropped.end() ||
               (std::find(hops.begin(), hops.end(), name) != hops.end() && name != "te") ||
               (name == "te" && value != "trailers") || (name == "referer" && !is_url(value));
    });
    const std::string protocol = first_header(headers, "x-forwarded-proto");
    for (auto& [name, value] : headers) {
        if (name == ":scheme" && (protocol == "http" || protocol == "https")) {
            value = protocol;
        }
    }
    add_unless_there(headers, "x-forwarded-proto", "http");
    add_unless_there(headers, "x-request-id", request_id);
}

}  // namespace wasmplug::host
