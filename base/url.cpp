#include <algorithm>
#include <array>
#include <memory>

#include "base/curl.hpp"
#include "base/http.hpp"
#include "base/terminal.hpp"

namespace wasmplug {
namespace {

struct FreeUrl {
    void operator()(CURLU* url) const { curl().url_cleanup(url); }
};

using CurlUrl = std::unique_ptr<CURLU, FreeUrl>;

CurlUrl new_url() {
    CurlUrl url(curl().url());
    if (!url) {
        throw Error("out of memory");
    }
    return url;
}

std::string part(CURLU* url, CURLUPart which, unsigned flags = 0) {
    char* text = nullptr;
    if (curl().url_get(url, which, &text, flags) != CURLUE_OK || text == nullptr) {
        return {};
    }
    std::string out = text;
    curl().free(text);
    return out;
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_name(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

std::optional<std::string> header(const Headers& headers, std::string_view name) {
    const auto found = std::ranges::find_if(
        headers, [&](const auto& field) { return same_name(field.first, name); });
    if (found == headers.end()) {
        return std::nullopt;
    }
    return found->second;
}

BodySource body_of(std::string text) {
    auto held = std::make_shared<const std::string>(std::move(text));
    return {.size = held->size(), .read = [held](std::uint64_t offset, std::span<char> into) {
                const std::size_t from = std::min<std::uint64_t>(offset, held->size());
                return held->copy(into.data(), into.size(), from);
            }};
}

std::optional<Url> parse_url(std::string_view text) {
    const std::size_t colon = text.find("://");
    if (colon == std::string_view::npos || text.substr(colon + 3).starts_with('/')) {
        return std::nullopt;  // libcurl would forgive "http:/host" and "http:///host"
    }
    const auto url = new_url();
    if (curl().url_set(url.get(), CURLUPART_URL, std::string(text).c_str(), 0) != CURLUE_OK) {
        return std::nullopt;
    }
    Url out;
    out.scheme = part(url.get(), CURLUPART_SCHEME);
    if (out.scheme != "http" && out.scheme != "https") {
        return std::nullopt;
    }
    out.host = part(url.get(), CURLUPART_HOST);
    std::ranges::transform(out.host, out.host.begin(), lower);
    out.port = part(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
    out.path = part(url.get(), CURLUPART_PATH);
    out.query = part(url.get(), CURLUPART_QUERY);
    out.has_user =
        !part(url.get(), CURLUPART_USER).empty() || !part(url.get(), CURLUPART_PASSWORD).empty();
    if (out.host.empty()) {
        return std::nullopt;
    }
    return out;
}

std::string resolve_url(std::string_view base, std::string_view reference) {
    const auto url = new_url();
    const bool ok =
        curl().url_set(url.get(), CURLUPART_URL, std::string(base).c_str(), 0) == CURLUE_OK &&
        !reference.empty() && reference.size() <= 65'536 &&
        curl().url_set(url.get(), CURLUPART_URL, std::string(reference).c_str(), 0) == CURLUE_OK;
    if (!ok) {
        throw HttpError(HttpError::Kind::bad_url,
                        "'" + printable(elide_middle(reference, 200)) + "' is no URL");
    }
    for (const auto which : {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_FRAGMENT}) {
        curl().url_set(url.get(), which, nullptr, 0);
    }
    std::string out = part(url.get(), CURLUPART_URL);
    if (!parse_url(out)) {
        throw HttpError(HttpError::Kind::bad_url,
                        "'" + printable(display_url(out)) + "' is no http or https URL");
    }
    return out;
}

std::string percent_encoded(std::string_view text, std::string_view also_plain) {
    constexpr std::string_view plain = "-._~";
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool alnum =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (alnum || plain.find(c) != std::string_view::npos ||
            also_plain.find(c) != std::string_view::npos) {
            out += c;
        } else {
            out += '%';
            out += digits[byte >> 4U];
            out += digits[byte & 15U];
        }
    }
    return out;
}

std::string with_query(std::string url, std::string_view key, std::string_view value) {
    const std::size_t question = url.find('?');
    if (question == std::string::npos) {
        url += '?';
    } else if (question + 1 != url.size() && !url.ends_with('&')) {
        url += '&';
    }
    url += percent_encoded(key, ":/") + '=';
    url += percent_encoded(value, ":/");
    return url;
}

std::string display_url(std::string_view url) {
    std::string out(url.substr(0, url.find_first_of("?#")));
    const std::size_t host = out.find("://");
    const std::size_t from = host == std::string::npos ? 0 : host + 3;
    const std::size_t path = std::min(out.find('/', from), out.size());
    const std::size_t at = out.rfind('@', path);
    if (at != std::string::npos && at >= from && at < path) {
        out.erase(from, at + 1 - from);
    }
    return printable(out);
}

}  // namespace wasmplug
