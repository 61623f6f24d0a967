#include "oci/registry_error.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/image_reference.hpp"
#include "base/json.hpp"
#include "base/terminal.hpp"

namespace wasmplug::oci {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t reason_limit = 300;

std::string trimmed(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, 4 * reason_limit)) {
        const bool space = c == '\n' || c == '\r' || c == '\t' || c == ' ';
        if (!space) {
            out += c;
        } else if (!out.empty() && out.back() != ' ') {
            out += ' ';
        }
    }
    while (out.ends_with(' ') || out.ends_with('.')) {
        out.pop_back();
    }
    return printable(out.size() > reason_limit ? out.substr(0, reason_limit) + "…" : out);
}

std::string member(const ordered_json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::string joined_errors(const ordered_json& errors) {
    std::string out;
    for (const auto& error : errors) {
        if (!error.is_object()) {
            continue;
        }
        std::string code = member(error, "code");
        std::ranges::transform(code, code.begin(), [](char c) {
            return c == '_' ? ' ' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        const std::string message = member(error, "message");
        const std::string text = message.empty() ? code
                                 : code.empty()  ? message
                                                 : code + ": " + message;
        if (!text.empty()) {
            out += (out.empty() ? "" : "; ") + text;
        }
    }
    return out;
}

ordered_json body_json(const HttpResponse& response) {
    const std::size_t first = response.body.find_first_not_of(" \t\r\n");
    if (first == std::string::npos || response.body[first] != '{' ||
        response.body.size() > (std::size_t{64} << 10)) {
        return {};
    }
    try {
        return parse_json(response.body, "the answer");
    } catch (const Error&) {
        return {};
    }
}

std::string hint_of(const HttpResponse& response, const std::string& where) {
    const std::string host = where.substr(0, where.find('/'));
    const bool ecr = host.find(".dkr.ecr.") != std::string::npos;
    const std::string code = error_code_of(response);
    switch (response.status) {
        case 401:
            return fmt::format("run 'wasmplug login {}'", host);
        case 403:
            return host == "ghcr.io"
                       ? "the token needs write:packages, and the package must grant the "
                         "repository's Actions access"
                       : fmt::format(
                             "the account may not do this; 'wasmplug login {}' takes "
                             "another",
                             host);
        case 404:
            return ecr ? "ECR makes no repository on push: aws ecr create-repository "
                         "--repository-name NAME"
                       : "";
        case 400:
            return reason_of(response).find("immutable") != std::string::npos
                       ? "tags do not move there: push a new version"
                       : "";
        case 405:
            return "the registry does not do this";
        case 413:
            return "the registry or a proxy before it limits the size of a request: try --chunk "
                   "5MiB";
        case 429:
            return "the registry limits the rate of requests; log in, or try later";
        default:
            return ecr && code == "NAME_UNKNOWN"
                       ? "ECR makes no repository on push: aws ecr create-repository"
                       : "";
    }
}

}  // namespace

std::string error_code_of(const HttpResponse& response) {
    const ordered_json body = body_json(response);
    if (body.is_object() && body.contains("errors") && body["errors"].is_array() &&
        !body["errors"].empty() && body["errors"][0].is_object()) {
        return member(body["errors"][0], "code");
    }
    return {};
}

std::string reason_of(const HttpResponse& response) {
    const ordered_json body = body_json(response);
    if (body.is_object()) {
        if (const auto errors = body.find("errors"); errors != body.end() && errors->is_array()) {
            if (const std::string text = joined_errors(*errors); !text.empty()) {
                return trimmed(text);
            }
        }
        for (const char* key : {"details", "message", "error_description", "error"}) {
            if (const std::string text = member(body, key); !text.empty()) {
                return trimmed(text);
            }
        }
        return {};
    }
    const std::string_view text = response.body;
    const std::size_t title = text.find("<title>");
    if (title != std::string_view::npos) {
        const std::size_t end = text.find("</title>", title);
        return trimmed(text.substr(title + 7, end - title - 7));
    }
    if (text.find("<html") != std::string_view::npos ||
        text.find("<HTML") != std::string_view::npos) {
        return "a web page";
    }
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    return first == std::string_view::npos
               ? std::string{}
               : trimmed(text.substr(first, text.find('\n', first) - first));
}

RegistryError registry_error(const HttpResponse& response, const std::string& where) {
    const std::string reason = reason_of(response);
    return {fmt::format("{} answered {}{}", where, response.status,
                        reason.empty() ? "" : " (" + reason + ")"),
            hint_of(response, where), response.status};
}

}  // namespace wasmplug::oci
