#pragma once

#include <string>
#include <string_view>

namespace wasmplug::istio {

// What Go's net/url makes of a text. Everything that looks at spec.url (the CEL library of the
// API server, istiod's webhook, istiod's push, the agent) uses that parser, and its verdicts
// are not those of RFC 3986. Source: net/url of Go 1.26.
struct GoUrl {
    std::string scheme;  // lower case
    std::string opaque;  // "x" of "scheme:x"
    bool has_user = false;
    std::string user;
    bool has_password = false;
    std::string host;  // with its port, unescaped
    std::string path;  // unescaped
    std::string query;
    std::string fragment;
};

struct GoUrlResult {
    GoUrl url;
    std::string error;  // Go's text without `parse "…": `; empty when it parsed
};

// url.Parse: any reference, relative ones too, with a fragment.
GoUrlResult parse_url(std::string_view text);

// url.ParseRequestURI: an absolute URI or an absolute path; "#" is a character like any other.
GoUrlResult parse_request_uri(std::string_view text);

// strconv.Quote, which Go's messages put around what they cite.
std::string go_quote(std::string_view text);

}  // namespace wasmplug::istio
