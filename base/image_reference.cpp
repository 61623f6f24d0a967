#include "base/image_reference.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/error.hpp"
#include "base/terminal.hpp"
#include "base/text.hpp"

namespace wasmplug {
namespace {

bool is_lower_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_alnum(char c) {
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

std::string in_quotes(std::string_view text) {
    return "'" + printable(text) + "'";
}

// [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*
bool is_valid_component(std::string_view text) {
    std::size_t at = 0;
    const auto word = [&] {
        const std::size_t start = at;
        while (at < text.size() && is_lower_alnum(text[at])) {
            ++at;
        }
        return at > start;
    };
    if (!word()) {
        return false;
    }
    while (at < text.size()) {
        if (text[at] == '-') {
            while (at < text.size() && text[at] == '-') {
                ++at;
            }
        } else if (text[at] == '_') {
            at += text.substr(at, 2) == "__" ? 2U : 1U;
        } else if (text[at] == '.') {
            ++at;
        } else {
            return false;
        }
        if (!word()) {
            return false;
        }
    }
    return true;
}

bool is_port(std::string_view text) {
    return !text.empty() && text.size() <= 5 &&
           std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }) &&
           std::stoul(std::string(text)) <= 65535;
}

bool is_valid_host(std::string_view text) {
    if (text.starts_with('[')) {
        const std::size_t close = text.find(']');
        in6_addr address{};
        if (close == std::string_view::npos ||
            ::inet_pton(AF_INET6, std::string(text.substr(1, close - 1)).c_str(), &address) != 1) {
            return false;
        }
        const std::string_view rest = text.substr(close + 1);
        return rest.empty() || (rest.starts_with(':') && is_port(rest.substr(1)));
    }
    const std::size_t colon = text.find(':');
    if (colon != std::string_view::npos && !is_port(text.substr(colon + 1))) {
        return false;
    }
    const std::string_view name = text.substr(0, colon);
    return !name.empty() && name.front() != '-' && name.front() != '.' &&
           name.find("..") == std::string_view::npos &&
           std::ranges::all_of(name, [](char c) { return is_alnum(c) || c == '-' || c == '.'; });
}

bool is_host_part(std::string_view part) {
    return part.find('.') != std::string_view::npos || part.find(':') != std::string_view::npos ||
           part == "localhost";
}

void take_digest(std::string_view& text, ImageReference& reference, std::string_view whole) {
    const std::size_t at = text.rfind('@');
    if (at == std::string_view::npos) {
        return;
    }
    reference.digest = text.substr(at + 1);
    if (!is_valid_digest(reference.digest)) {
        throw usage_error(in_quotes(whole) + " has no valid digest after '@'",
                          "a digest is sha256: and 64 hexadecimal digits in lower case");
    }
    text = text.substr(0, at);
}

ImageReference parse_local(std::string_view rest, ImageReference::Kind kind,
                           std::string_view whole) {
    ImageReference reference;
    reference.kind = kind;
    // A path may itself contain "@": only what looks like a digest is one.
    if (const auto at = rest.rfind("@sha");
        at != std::string_view::npos && rest.find('/', at) == std::string_view::npos) {
        take_digest(rest, reference, whole);
    }
    const std::size_t colon = rest.rfind(':');
    if (colon != std::string_view::npos && rest.find('/', colon) == std::string_view::npos) {
        reference.tag = rest.substr(colon + 1);
        rest = rest.substr(0, colon);
        if (!is_valid_tag(reference.tag)) {
            throw usage_error(
                in_quotes(whole) + " has no valid tag after ':'",
                "a tag is a letter, digit or '_', then up to 127 of those, '.' or '-'");
        }
    }
    if (rest.empty()) {
        throw usage_error(in_quotes(whole) + " names no path",
                          kind == ImageReference::Kind::layout
                              ? "an image layout is written oci:DIRECTORY[:TAG]"
                              : "an image archive is written oci-archive:FILE[:TAG]");
    }
    reference.path = std::filesystem::path(std::string(rest));
    return reference;
}

void split_host(std::string_view text, ImageReference& reference, std::string_view whole) {
    const std::size_t slash = text.find('/');
    const std::string_view first = text.substr(0, slash);
    if (slash == std::string_view::npos) {
        throw usage_error(in_quotes(whole) + " names no repository",
                          is_host_part(first)
                              ? "write it as HOST/REPOSITORY[:TAG]"
                              : "write it as HOST/REPOSITORY[:TAG]; Docker Hub's own "
                                "images are docker.io/library/NAME");
    }
    if (is_host_part(first)) {
        reference.host = lower_case(first);
        reference.repository = text.substr(slash + 1);
    } else {
        reference.host = "docker.io";
        reference.repository = text;
    }
    if (reference.host == "index.docker.io" || reference.host == "registry-1.docker.io") {
        reference.host = "docker.io";
    }
    if (reference.host == "docker.io" && reference.repository.find('/') == std::string::npos) {
        reference.repository.insert(0, "library/");
    }
    if (!is_valid_host(reference.host)) {
        throw usage_error(in_quotes(whole) + " has no valid host: " + in_quotes(first),
                          "a layout is written oci:DIR[:TAG], an archive oci-archive:FILE[:TAG]");
    }
}

void check_repository(const ImageReference& reference, std::string_view whole) {
    if (is_valid_repository(reference.repository) &&
        reference.host.size() + 1 + reference.repository.size() <= 255) {
        return;
    }
    const bool upper =
        std::ranges::any_of(reference.repository, [](char c) { return c >= 'A' && c <= 'Z'; });
    throw usage_error(
        in_quotes(whole) + " has no valid repository name: " + in_quotes(reference.repository),
        upper ? "repository names are lower case: " + lower_case(reference.repository)
              : "parts of lower-case letters and digits, joined by '.', '_', '__' or '-' and "
                "separated by '/', 255 characters at most with the host");
}

std::optional<std::array<std::uint8_t, 4>> ipv4(const std::string& host) {
    std::array<std::uint8_t, 4> bytes{};
    if (::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1) {
        return bytes;
    }
    return std::nullopt;
}

std::optional<std::array<std::uint8_t, 16>> ipv6(const std::string& host) {
    std::array<std::uint8_t, 16> bytes{};
    if (::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1) {
        return bytes;
    }
    return std::nullopt;
}

bool is_rfc1918(const std::array<std::uint8_t, 4>& a) {
    return a[0] == 10 || (a[0] == 172 && (a[1] & 0xF0U) == 16) || (a[0] == 192 && a[1] == 168);
}

bool is_private_v4(const std::array<std::uint8_t, 4>& a) {
    return is_rfc1918(a) || a[0] == 127 || a[0] == 0 || (a[0] == 169 && a[1] == 254) ||
           (a[0] == 100 && (a[1] & 0xC0U) == 64);
}

}  // namespace

bool is_valid_tag(std::string_view text) {
    return !text.empty() && text.size() <= 128 && text.front() != '.' && text.front() != '-' &&
           std::ranges::all_of(
               text, [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; });
}

bool is_valid_repository(std::string_view text) {
    for (;;) {
        const std::size_t slash = text.find('/');
        if (!is_valid_component(text.substr(0, slash))) {
            return false;
        }
        if (slash == std::string_view::npos) {
            return true;
        }
        text.remove_prefix(slash + 1);
    }
}

bool is_valid_digest(std::string_view text) {
    const std::size_t wanted = text.starts_with("sha256:")   ? 64
                               : text.starts_with("sha512:") ? 128
                                                             : 0;
    return wanted != 0 && text.size() == wanted + 7 &&
           std::ranges::all_of(text.substr(7), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

bool is_local_reference(std::string_view text) {
    return text.starts_with("oci-archive:") ||
           (text.starts_with("oci:") && !text.starts_with("oci://"));
}

ImageReference parse_reference(std::string_view text) {
    if (text.starts_with("oci-archive:")) {
        return parse_local(text.substr(12), ImageReference::Kind::archive, text);
    }
    if (is_local_reference(text)) {
        return parse_local(text.substr(4), ImageReference::Kind::layout, text);
    }
    std::string_view rest = text;
    if (rest.starts_with("oci://")) {
        rest.remove_prefix(6);
    } else if (rest.find("://") != std::string_view::npos) {
        throw usage_error(in_quotes(text) + " is no image reference",
                          "write it as [oci://]HOST/REPOSITORY[:TAG][@DIGEST]");
    }
    ImageReference reference;
    take_digest(rest, reference, text);
    const std::size_t slash = rest.rfind('/');
    const std::size_t colon = rest.rfind(':');
    if (colon != std::string_view::npos && slash != std::string_view::npos && colon > slash) {
        reference.tag = rest.substr(colon + 1);
        rest = rest.substr(0, colon);
        if (!is_valid_tag(reference.tag)) {
            throw usage_error(
                in_quotes(text) + " has no valid tag after ':'",
                "a tag is a letter, digit or '_', then up to 127 of those, '.' or '-'");
        }
    }
    split_host(rest, reference, text);
    check_repository(reference, text);
    return reference;
}

ImageReference parse_repository(std::string_view text) {
    ImageReference reference = parse_reference(text);
    if (reference.kind == ImageReference::Kind::registry &&
        !(reference.tag.empty() && reference.digest.empty())) {
        throw usage_error(in_quotes(text) + " is a reference, and a repository is wanted",
                          "leave the tag or digest out: " + reference.name());
    }
    return reference;
}

std::optional<ImageReference> try_parse_reference(std::string_view text) {
    try {
        return parse_reference(text);
    } catch (const Error&) {
        return std::nullopt;
    }
}

std::string ImageReference::name() const {
    switch (kind) {
        case Kind::layout:
            return "oci:" + path.string();
        case Kind::archive:
            return "oci-archive:" + path.string();
        case Kind::registry:
            break;
    }
    return host + "/" + repository;
}

std::string ImageReference::text() const {
    std::string out = name();
    if (!tag.empty()) {
        out += ":" + tag;
    }
    if (!digest.empty()) {
        out += "@" + digest;
    }
    return out;
}

std::string ImageReference::url() const {
    return kind == Kind::registry ? "oci://" + text() : text();
}

std::string ImageReference::api_host() const {
    return host == "docker.io" ? "registry-1.docker.io" : host;
}

ImageReference ImageReference::with_tag(std::string new_tag) const {
    ImageReference copy = *this;
    copy.tag = std::move(new_tag);
    copy.digest.clear();
    return copy;
}

ImageReference ImageReference::with_digest(std::string new_digest) const {
    ImageReference copy = *this;
    copy.digest = std::move(new_digest);
    return copy;
}

std::string host_without_port(std::string_view host) {
    if (host.starts_with('[')) {
        return std::string(host.substr(1, host.find(']') - 1));
    }
    const std::size_t colon = host.find(':');
    // More than one colon is an IPv6 address without brackets.
    if (colon != std::string_view::npos && host.find(':', colon + 1) == std::string_view::npos) {
        host = host.substr(0, colon);
    }
    return std::string(host);
}

bool is_loopback_host(std::string_view host) {
    const std::string name = lower_case(host_without_port(host));
    if (name == "localhost" || name.ends_with(".localhost")) {
        return true;
    }
    if (const auto v4 = ipv4(name)) {
        return (*v4)[0] == 127;
    }
    return name == "::1";
}

bool is_private_address(std::string_view host) {
    const std::string name = host_without_port(host);
    if (const auto v4 = ipv4(name)) {
        return is_private_v4(*v4);
    }
    const auto v6 = ipv6(name);
    if (!v6) {
        return false;
    }
    const auto& a = *v6;
    const bool high_zero = std::all_of(a.begin(), a.begin() + 10, [](auto b) { return b == 0; });
    if (high_zero && a[10] == 0xFF && a[11] == 0xFF) {
        return is_private_v4({a[12], a[13], a[14], a[15]});
    }
    const bool unspecified_or_loopback =
        high_zero && std::all_of(a.begin() + 10, a.begin() + 15, [](auto b) { return b == 0; }) &&
        a[15] <= 1;
    return unspecified_or_loopback || (a[0] & 0xFEU) == 0xFC ||
           (a[0] == 0xFE && (a[1] & 0xC0U) == 0x80);
}

}  // namespace wasmplug
