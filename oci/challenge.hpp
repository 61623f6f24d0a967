#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/http.hpp"

namespace wasmplug::oci {

// One challenge of a WWW-Authenticate header (RFC 7235 §2.1). Scheme and parameter names are in
// lower case.
struct Challenge {
    std::string scheme;
    std::map<std::string, std::string> parameters = {};

    // "" when it is absent.
    std::string get(const std::string& name) const;

    bool operator==(const Challenge&) const = default;
};

// All challenges of all WWW-Authenticate headers, in order; what cannot be read is left out.
std::vector<Challenge> parse_challenges(const Headers& headers);
std::vector<Challenge> parse_challenges(std::string_view value);

// Bearer before Basic, others ignored; nothing when neither is offered.
std::optional<Challenge> choose_challenge(const std::vector<Challenge>& challenges);

// Why a token realm that a registry names must not be asked, or "": it is no http or https URL,
// it is plain http for an https registry, it is a private address and the registry is not at one,
// or it is where a cloud keeps the secrets of its machines.
std::string realm_problem(const std::string& realm, const Url& registry);

// The metadata services of clouds, and every other link-local address.
bool is_metadata_host(const std::string& host);

// What Istio's agent holds against a realm (pkg/wasm, since 1.27.x: localhost, private and
// link-local literals, anything but http and https), in its words; "" when it asks it.
std::string istio_realm_problem(const std::string& realm);

}  // namespace wasmplug::oci
