// What Envoy's HTTP connection manager, router and codec do with a message once every plugin
// has let it pass (envoy-observed, §4).

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "host/stream.hpp"

namespace wasmplug::host {
namespace {

using plugintest::first_header;
using plugintest::LocalReply;

bool has(const Headers& headers, std::string_view name) {
    return std::any_of(headers.begin(), headers.end(),
                       [&](const auto& header) { return header.first == name; });
}

// The first header whose value no codec would write, or "".
std::string invalid_value(const Headers& headers) {
    for (const auto& [name, value] : headers) {
        if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
            return name;
        }
    }
    return {};
}

bool valid_status(const std::string& text) {
    return text.size() == 3 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
           text >= "100";
}

void set_header(Headers& headers, const std::string& name, const std::string& value) {
    std::erase_if(headers, [&](const auto& header) { return header.first == name; });
    headers.emplace_back(name, value);
}

// Several values of one pseudo header are one, with commas: `add` on ":path" joins.
void join_pseudo_headers(Headers& headers) {
    Headers joined;
    for (const auto& header : headers) {
        const auto same = std::find_if(joined.begin(), joined.end(), [&](const auto& each) {
            return header.first.starts_with(':') && each.first == header.first;
        });
        if (same != joined.end()) {
            same->second += "," + header.second;
        } else {
            joined.push_back(header);
        }
    }
    headers = std::move(joined);
}

}  // namespace

bool is_grpc(const Headers& headers) {
    const std::string type = first_header(headers, "content-type");
    constexpr std::string_view grpc = "application/grpc";
    return type.starts_with(grpc) &&
           (type.size() == grpc.size() || type[grpc.size()] == '+' || type[grpc.size()] == ';');
}

int grpc_status_of_http(int status) {
    switch (status) {
        case 400:
            return 13;
        case 401:
            return 16;
        case 403:
            return 7;
        case 404:
            return 12;
        case 429:
        case 502:
        case 503:
        case 504:
            return 14;
        default:
            return 2;
    }
}

void Stream::check_request() {
    auto& headers = ways_[0].message.headers;
    join_pseudo_headers(headers);
    const auto refuse = [&](int status, const std::string& body, const std::string& details) {
        local_reply({.status = status,
                     .body = body,
                     .details = details,
                     .headers = {},
                     .grpc_status = std::nullopt},
                    false);
    };
    if (first_header(headers, ":path").empty() ||
        (!has(headers, ":scheme") && !has(headers, "x-forwarded-proto"))) {
        refuse(404, "", "route_not_found");
        return;
    }
    if (first_header(headers, ":method").empty()) {
        refuse(503, "missing required header: :method",
               "filter_removed_required_request_headers{missing_required_header:_:method}");
        return;
    }
    if (const auto name = invalid_value(headers); !name.empty()) {
        refuse(503, "invalid header value for: " + name,
               "filter_removed_required_request_headers{invalid_header_value_for:_" + name + "}");
    }
}

void Stream::check_response() {
    auto& headers = ways_[1].message.headers;
    join_pseudo_headers(headers);
    const std::string status = first_header(headers, ":status");
    if (!valid_status(status) && !(plugin_reply_ && !status.empty())) {
        local_reply(
            {.status = 502,
             .body = "missing required header: :status",
             .details =
                 "filter_removed_required_response_headers{missing_required_header:_:status}",
             .headers = {},
             .grpc_status = std::nullopt},
            false);
        return;
    }
    // The connection manager writes these after the plugins: removing them has no effect.
    set_header(headers, "server", "envoy");
}

}  // namespace wasmplug::host
