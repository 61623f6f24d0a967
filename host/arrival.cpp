// What Envoy's HTTP connection manager makes of a client's headers before any plugin sees them
// (ConnectionManagerUtility::mutateRequestHeaders; each rule is compared with a real Envoy by
// tests/conformance/streams_test.cpp).

#include "host/arrival.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "host/pairs.hpp"

namespace wasmplug::host {
namespace {

using plugintest::first_header;

// Between a client and the next hop only, and what Envoy alone may say.
constexpr std::array<std::string_view, 7> dropped{
    "connection", "keep-alive", "proxy-connection", "upgrade",
    "expect",     "host",       "x-envoy-internal"};

// What the comma-separated lines of a header list.
std::vector<std::string> listed(const Headers& headers, std::string_view name) {
    std::vector<std::string> words;
    for (const auto& [each, value] : headers) {
        if (each != name) {
            continue;
        }
        words.emplace_back();
        for (const char c : value) {
            if (c == ',') {
                words.emplace_back();
            } else if (c != ' ' && c != '\t') {
                words.back() += c;
            }
        }
    }
    return words;
}

bool has(const std::vector<std::string>& words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
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
    auto hops = listed(headers, "connection");
    std::transform(hops.begin(), hops.end(), hops.begin(),
                   [](const auto& name) { return lower_case(name); });
    bool takes_trailers = has(listed(headers, "te"), "trailers");
    for (auto& [name, value] : headers) {
        value = name == "te" ? "trailers" : value;  // of all that it lists, nothing else goes on
    }
    std::erase_if(headers, [&](const auto& header) {
        const auto& [name, value] = header;
        return std::find(dropped.begin(), dropped.end(), name) != dropped.end() ||
               (name == "te" ? !std::exchange(takes_trailers, false) : has(hops, name)) ||
               (name == "referer" && !is_url(value));
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
