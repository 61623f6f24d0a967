#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wasmplug::oci {

using Annotations = std::map<std::string, std::string>;

struct Platform {
    std::string os;
    std::string architecture;

    bool operator==(const Platform&) const = default;
};

// image-spec, descriptor.md
struct Descriptor {
    std::string media_type;
    std::string digest;
    std::uint64_t size = 0;
    Annotations annotations = {};
    std::string artifact_type = {};
    std::optional<Platform> platform = {};

    bool operator==(const Descriptor&) const = default;
};

// An image manifest or an index, OCI's or docker's, as far as we look at it.
struct Manifest {
    bool is_index = false;
    std::string media_type;
    std::string artifact_type;
    Descriptor config;                  // of an image
    std::vector<Descriptor> layers;     // of an image
    std::vector<Descriptor> manifests;  // of an index
    std::optional<Descriptor> subject;
    Annotations annotations;
};

// A manifest as it travels: its digest is over these bytes, so they are never written anew.
struct RawManifest {
    std::string media_type;
    std::string bytes;
    std::string digest;

    Descriptor descriptor() const {
        return {.media_type = media_type, .digest = digest, .size = bytes.size()};
    }
};

// Parses a manifest from outside; `what` names it in errors. `content_type` is the media type it
// came with (parameters allowed, may be empty); it must agree with the body's own mediaType.
// Throws Error for unknown types, bad digests, sizes that are no numbers, duplicate keys.
Manifest parse_manifest(std::string_view bytes, std::string_view content_type,
                        std::string_view what);

// What a manifest without "mediaType" is by its content, and what a Content-Type says without
// its parameters.
std::string media_type_of(std::string_view bytes, std::string_view content_type,
                          std::string_view what);

// Compact JSON in image-spec's order of keys: the same value gives the same bytes everywhere.
RawManifest write_manifest(const Manifest& manifest);

// An index with one more entry at its end, and without those that `drop` names; what we do not know
// of the others stays. Throws Error when it is no index.
RawManifest with_entry(const RawManifest& index, const Descriptor& entry,
                       const std::function<bool(const Descriptor&)>& drop = {});

// The child of an index that a host on linux/amd64 takes (go-containerregistry's rule, hence
// Istio's and Envoy Gateway's: a child without platform counts as linux/amd64), or nothing.
const Descriptor* child_for_linux_amd64(const Manifest& index);

}  // namespace wasmplug::oci
