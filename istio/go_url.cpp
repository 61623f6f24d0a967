#include "istio/go_url.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace wasmplug::istio {
namespace {

constexpr auto npos = std::string_view::npos;

struct Failure {
    std::string text;
};

enum class Part { host, zone, path, user, fragment };

bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

unsigned unhex(char c) {
    return c <= '9' ? static_cast<unsigned>(c - '0') : (static_cast<unsigned>(c) & 7U) + 9;
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// net/url allows more than RFC 3986's reg-name in a host: quotes and angle brackets too.
bool host_byte(char c) {
    return is_letter(c) || is_digit(c) ||
           std::string_view("-_.~!$&'()*+,;=:[]<>\"").find(c) != npos;
}

std::string unescape(std::string_view text, Part part) {
    std::string plain;
    plain.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c != '%') {
            if ((part == Part::host || part == Part::zone) &&
                static_cast<unsigned char>(c) < 0x80 && !host_byte(c)) {
                throw Failure{fmt::format("invalid character {} in host name",
                                          go_quote(std::string_view(&c, 1)))};
            }
            plain += c;
            continue;
        }
        if (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) {
            throw Failure{"invalid URL escape " + go_quote(text.substr(i, 3))};
        }
        const auto escape = text.substr(i, 3);
        const auto value = static_cast<char>((unhex(text[i + 1]) << 4) | unhex(text[i + 2]));
        // In a host only non-ASCII bytes may be escaped, and the percent sign of a zone.
        const bool refused =
            escape != "%25" && ((part == Part::host && unhex(text[i + 1]) < 8) ||
                                (part == Part::zone && value != ' ' && !host_byte(value)));
        if (refused) {
            throw Failure{"invalid URL escape " + go_quote(escape)};
        }
        plain += value;
        i += 2;
    }
    return plain;
}

bool valid_optional_port(std::string_view port) {
    if (port.empty()) {
        return true;
    }
    return port[0] == ':' && port.find_first_not_of("0123456789", 1) == npos;
}

// netip.ParseAddr, as far as "is it an IPv6 address" goes; a zone may follow '%'.
void check_ip_literal(const std::string& text) {
    const auto address = text.substr(0, text.find('%'));
    std::array<unsigned char, 16> bytes{};
    if (inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1) {
        return;
    }
    if (inet_pton(AF_INET, address.c_str(), bytes.data()) == 1) {
        throw Failure{"invalid IP-literal"};
    }
    throw Failure{fmt::format("invalid host: ParseAddr({}): unable to parse IP", go_quote(text))};
}

std::string parse_host(std::string_view scheme, std::string_view host) {
    const auto open = host.rfind('[');
    if (open != npos && open > 0) {
        throw Failure{"invalid IP-literal"};
    }
    if (open == 0) {
        const auto close = host.rfind(']');
        if (close == npos) {
            throw Failure{"missing ']' in host"};
        }
        const auto port = host.substr(close + 1);
        if (!valid_optional_port(port)) {
            throw Failure{fmt::format("invalid port {} after host", go_quote(port))};
        }
        const auto name = host.substr(1, close - 1);
        const auto zone = name.find("%25");
        const auto literal = zone == npos ? unescape(name, Part::host)
                                          : unescape(name.substr(0, zone), Part::host) +
                                                unescape(name.substr(zone), Part::zone);
        check_ip_literal(literal);
        return fmt::format("[{}]{}", literal, port);
    }
    if (auto colon = host.find(':'); colon != npos) {
        // Only http and https are strict about colons within the host (go.dev/issue/75223).
        if (scheme != "http" && scheme != "https") {
            colon = host.rfind(':');
        }
        if (!valid_optional_port(host.substr(colon))) {
            throw Failure{fmt::format("invalid port {} after host", go_quote(host.substr(colon)))};
        }
    }
    return unescape(host, Part::host);
}

bool valid_user_info(std::string_view text) {
    for (const char c : text) {
        if (!is_letter(c) && !is_digit(c) &&
            std::string_view("-._:~!$&'()*+,;=%@").find(c) == npos) {
            return false;
        }
    }
    return true;
}

void parse_authority(std::string_view authority, GoUrl& url) {
    const auto at = authority.rfind('@');
    url.host = parse_host(url.scheme, at == npos ? authority : authority.substr(at + 1));
    if (at == npos) {
        return;
    }
    const auto info = authority.substr(0, at);
    if (!valid_user_info(info)) {
        throw Failure{"net/url: invalid userinfo"};
    }
    url.has_user = true;
    const auto colon = info.find(':');
    url.user = unescape(info.substr(0, colon), Part::user);
    if (colon != npos) {
        url.has_password = true;
        unescape(info.substr(colon + 1), Part::user);
    }
}

// The scheme, cut off `text`.
std::string take_scheme(std::string_view& text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (is_letter(c)) {
            continue;
        }
        if (is_digit(c) || c == '+' || c == '-' || c == '.') {
            if (i == 0) {
                return {};
            }
            continue;
        }
        if (c != ':') {
            return {};
        }
        if (i == 0) {
            throw Failure{"missing protocol scheme"};
        }
        std::string scheme(text.substr(0, i));
        for (auto& letter : scheme) {
            letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
        }
        text.remove_prefix(i + 1);
        return scheme;
    }
    return {};
}

GoUrl parse(std::string_view text, bool via_request) {
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            throw Failure{"net/url: invalid control character in URL"};
        }
    }
    if (text.empty() && via_request) {
        throw Failure{"empty url"};
    }
    GoUrl url;
    if (text == "*") {
        url.path = "*";
        return url;
    }
    url.scheme = take_scheme(text);
    if (const auto question = text.find('?'); question != npos) {
        url.query = text.substr(question + 1);
        text = text.substr(0, question);
    }
    if (!text.starts_with('/')) {
        if (!url.scheme.empty()) {
            url.opaque = text;
            return url;
        }
        if (via_request) {
            throw Failure{"invalid URI for request"};
        }
        if (text.substr(0, text.find('/')).find(':') != npos) {
            throw Failure{"first path segment in URL cannot contain colon"};
        }
    }
    if (text.starts_with("//") &&
        (!url.scheme.empty() || (!via_request && !text.starts_with("///")))) {
        const auto authority = text.substr(2, text.find('/', 2) - 2);
        text.remove_prefix(2 + authority.size());
        parse_authority(authority, url);
    }
    url.path = unescape(text, Part::path);
    return url;
}

GoUrlResult attempt(std::string_view text, bool via_request) {
    GoUrlResult result;
    try {
        const auto hash = via_request ? npos : text.find('#');
        result.url = parse(text.substr(0, hash), via_request);
        if (hash != npos) {
            result.url.fragment = unescape(text.substr(hash + 1), Part::fragment);
        }
    } catch (const Failure& failure) {
        result.error = failure.text;
    }
    return result;
}

}  // namespace

GoUrlResult parse_url(std::string_view text) {
    return attempt(text, false);
}

GoUrlResult parse_request_uri(std::string_view text) {
    return attempt(text, true);
}

std::string go_quote(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        switch (c) {
            case '"':
                quoted += "\\\"";
                break;
            case '\\':
                quoted += "\\\\";
                break;
            case '\a':
                quoted += "\\a";
                break;
            case '\b':
                quoted += "\\b";
                break;
            case '\f':
                quoted += "\\f";
                break;
            case '\v':
                quoted += "\\v";
                break;
            case '\n':
                quoted += "\\n";
                break;
            case '\r':
                quoted += "\\r";
                break;
            case '\t':
                quoted += "\\t";
                break;
            default:
                if (byte < 0x20 || byte == 0x7f) {
                    quoted += fmt::format("\\x{:02x}", byte);
                } else {
                    quoted += c;
                }
        }
    }
    return quoted + "\"";
}

}  // namespace wasmplug::istio
