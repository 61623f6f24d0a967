#include "envoy/request.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.hpp"
#include "base/terminal.hpp"

namespace wasmplug::envoy {
namespace {

bool is_method(std::string_view word) {
    return !word.empty() &&
           std::all_of(word.begin(), word.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    return first == std::string_view::npos
               ? std::string_view{}
               : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

HttpRequest parse_request(const std::string& text, const std::vector<std::string>& headers,
                          const std::string& data, const std::string& address) {
    HttpRequest request;
    request.max_redirects = 0;  // the plugin's answer is what is asked for
    // Envoy is the one to give up on a stream that nothing moves; it takes 30 s for that.
    request.stall_timeout = std::chrono::seconds(45);
    const std::size_t space = text.find(' ');
    std::string path = text;
    if (space != std::string::npos) {
        request.method = text.substr(0, space);
        path = std::string(trimmed(std::string_view(text).substr(space)));
    } else if (!data.empty()) {
        request.method = "POST";
    }
    if (!is_method(request.method) || !path.starts_with('/') ||
        path.find_first_of(" \t\r\n") != std::string::npos) {
        throw usage_error(fmt::format("'{}' is no request", text), "write it as 'GET /path'");
    }
    request.url = "http://" + address + path;
    for (const auto& header : headers) {
        const std::size_t colon = header.find(':');
        if (colon == 0 || colon == std::string::npos) {
            throw usage_error(fmt::format("'{}' is no header", header),
                              "write it as 'Name: value'");
        }
        request.headers.emplace_back(header.substr(0, colon),
                                     trimmed(std::string_view(header).substr(colon + 1)));
    }
    if (!data.empty()) {
        request.body = body_of(data.starts_with('@') ? read_file(data.substr(1)) : data);
    }
    return request;
}

std::string describe(const HttpResponse& response) {
    std::string out = fmt::format("HTTP/1.1 {}\n", response.status);
    for (const auto& [name, value] : response.headers) {
        out += fmt::format("{}: {}\n", printable(name), printable(value));
    }
    return out + "\n" + response.body;
}

}  // namespace wasmplug::envoy
