#include "istio/plugin_url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "istio/go_url.hpp"

namespace wasmplug::istio {
namespace {

constexpr auto npos = std::string_view::npos;
constexpr std::array<std::string_view, 5> schemes = {"", "http", "https", "file", "oci"};

bool allowed(std::string_view scheme) {
    return std::find(schemes.begin(), schemes.end(), scheme) != schemes.end();
}

std::string go_error(std::string_view url, const std::string& error) {
    return fmt::format("parse {}: {}", go_quote(url), error);
}

// strictParseURL, of a text that is a request's.
std::string strict_verdict(std::string_view url, const GoUrl& as_request,
                           const GoUrlResult& as_url) {
    if (!as_url.error.empty()) {
        return "failed to strict parse url: " + go_error(url, as_url.error);
    }
    if (!allowed(as_request.scheme)) {
        return "url contains unsupported scheme: " + as_request.scheme;
    }
    return {};
}

// Its caller.
std::string webhook_verdict(std::string_view url, const GoUrlResult& as_request,
                            const GoUrlResult& as_url) {
    if (url.empty()) {
        return "url field needs to be set";
    }
    if (as_request.error.empty()) {
        return strict_verdict(url, as_request.url, as_url);
    }
    const auto tried = "http://" + std::string(url);
    const auto parsed = parse_request_uri(tried);
    return parsed.error.empty() ? strict_verdict(tried, parsed.url, parse_url(tried))
                                : "failed to parse url: " + go_error(url, as_request.error);
}

std::string cel_verdict(std::string_view url, const GoUrlResult& as_request) {
    bool good = false;
    if (as_request.error.empty()) {
        good = allowed(as_request.url.scheme);
    } else {
        const auto with_scheme = parse_request_uri("http://" + std::string(url));
        good = with_scheme.error.empty() && allowed(with_scheme.url.scheme);
    }
    return good ? "" : "url must have schema one of [http, https, file, oci]";
}

bool only(std::string_view text, bool (*accept)(char)) {
    return std::all_of(text.begin(), text.end(), accept);
}

bool repository_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' ||
           c == '/';
}

bool tag_byte(char c) {
    return (c != '/' && repository_byte(c)) || (c >= 'A' && c <= 'Z');
}

bool parse_repository(std::string_view name, FetchReference& into) {
    std::string_view registry;
    if (const auto slash = name.find('/'); slash != npos) {
        const auto first = name.substr(0, slash);
        if (first == "localhost" || first.find_first_of(".:") != npos) {
            registry = first;
            name.remove_prefix(slash + 1);
        }
    }
    if (name.empty() || name.size() > 255 || !only(name, repository_byte)) {
        return false;
    }
    const auto as_url = parse_url("//" + std::string(registry));
    if (!as_url.error.empty() || as_url.url.host != registry) {
        return false;
    }
    into.registry = registry;
    into.repository = name;
    return true;
}

bool parse_tagged(std::string_view text, FetchReference& into) {
    const auto colon = text.rfind(':');
    std::string_view base = text;
    std::string_view tag;
    if (colon != npos && text.find('/', colon) == npos) {
        base = text.substr(0, colon);
        tag = text.substr(colon + 1);
        if (tag.empty() || tag.size() > 128 || !only(tag, tag_byte)) {
            return false;
        }
    }
    if (!parse_repository(base, into)) {
        return false;
    }
    into.tag = tag;
    return true;
}

// go-digest's Validate: a known algorithm and exactly its number of lower-case digits.
bool valid_digest(std::string_view digest) {
    constexpr std::array<std::pair<std::string_view, std::size_t>, 3> algorithms = {
        {{"sha256:", 64}, {"sha384:", 96}, {"sha512:", 128}}};
    return std::any_of(algorithms.begin(), algorithms.end(), [&](const auto& algorithm) {
        const auto& [prefix, digits] = algorithm;
        return digest.starts_with(prefix) && digest.size() == prefix.size() + digits &&
               digest.find_first_not_of("0123456789abcdef", prefix.size()) == npos;
    });
}

void read_transport(std::string_view text, const GoUrl& url, PluginUrl& result) {
    result.scheme_as_written = text.substr(0, url.scheme.size());
    result.explicit_scheme = !url.scheme.empty();
    result.host = url.host;
    result.user_info = url.has_user;
    result.password = url.has_password;
    result.empty_host = url.host.empty();
    if (url.scheme == "file") {
        result.transport = Transport::file;
        // strings.TrimPrefix(url, "file://"): any other spelling stays whole.
        result.path = text.starts_with("file://") ? text.substr(7) : text;
        return;
    }
    if (url.scheme == "http" || url.scheme == "https") {
        result.transport = Transport::http;
        result.path = url.host + url.path;
        return;
    }
    result.transport = Transport::oci;
    result.query_dropped = !url.query.empty() || !url.fragment.empty();
    result.path = url.host + url.path;
    result.image = parse_fetch_reference(result.path);
    if (!result.image) {
        result.unfetchable =
            "could not parse url in image reference: could not parse reference: " + result.path;
    }
}

}  // namespace

std::optional<FetchReference> parse_fetch_reference(std::string_view text) {
    if (text.starts_with("http://") || text.starts_with("https://")) {
        return std::nullopt;
    }
    FetchReference reference;
    if (parse_tagged(text, reference)) {
        return reference;
    }
    reference = {};
    const auto at = text.find('@');
    if (at == npos || text.find('@', at + 1) != npos || !valid_digest(text.substr(at + 1))) {
        return std::nullopt;
    }
    const auto base = text.substr(0, at);
    if (!parse_tagged(base, reference) && !parse_repository(base, reference)) {
        return std::nullopt;
    }
    reference.digest = text.substr(at + 1);
    return reference;
}

namespace {

PluginUrl read_anew(std::string_view text) {
    PluginUrl result;
    const auto as_request = parse_request_uri(text);
    const auto pushed = parse_url(text);
    result.api_server = cel_verdict(text, as_request);
    result.webhook = webhook_verdict(text, as_request, pushed);
    if (!pushed.error.empty()) {
        result.discarded = go_error(text, pushed.error);
        return result;
    }
    if (allowed(pushed.url.scheme)) {
        read_transport(text, pushed.url, result);
    }
    return result;
}

}  // namespace

PluginUrl read_plugin_url(std::string_view text) {
    // Every layer asks about the same url, one after the other.
    thread_local std::string last_text;
    thread_local PluginUrl last = read_anew(last_text);
    if (text != last_text) {
        last = read_anew(text);
        last_text = text;
    }
    return last;
}

}  // namespace wasmplug::istio
