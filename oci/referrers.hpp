#pragma once

#include <optional>
#include <string>

#include "oci/manifest.hpp"

namespace wasmplug::oci {

// A registry without the referrers API keeps the list in an index under a tag, which whoever
// pushes a referrer has to maintain (distribution-spec, "Unavailable Referrers API").

// "sha256-<hex>": at most 32 characters of algorithm and 64 of the rest.
std::string referrers_tag(const std::string& digest);

// How `raw` stands in such a list: its config's type in place of a missing artifact type, and its
// annotations.
Descriptor referrer_entry(const RawManifest& raw, const Manifest& manifest);

// The list with one more entry; the bytes of others are kept. Nothing when `entry` stands in it
// already. Throws Error when `list` is no index.
std::optional<RawManifest> with_referrer(const std::optional<RawManifest>& list,
                                         const Descriptor& entry);

}  // namespace wasmplug::oci
