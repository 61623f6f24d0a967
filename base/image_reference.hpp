#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace wasmplug {

// Where an image is:
//   [oci://]HOST/REPOSITORY[:TAG][@DIGEST]   a registry (distribution-spec grammar; the first part
//                                            is a host when it has a "." or ":" or is "localhost",
//                                            else the host is docker.io, as docker and Istio read)
//   oci:DIRECTORY[:TAG][@DIGEST]             an OCI image layout
//   oci-archive:FILE[:TAG][@DIGEST]          a tar of one
struct ImageReference {
    enum class Kind { registry, layout, archive };

    Kind kind = Kind::registry;
    std::string host;            // "ghcr.io", "127.0.0.1:5000", "docker.io"; registry only
    std::string repository;      // "acme/auth", "library/x" for Docker Hub's own
    std::filesystem::path path;  // layout and archive
    std::string tag;             // empty when none is written
    std::string digest;          // "sha256:…" or empty; it wins over the tag

    // "latest" when neither tag nor digest is written: what every OCI client means by that.
    std::string tag_or_latest() const { return tag.empty() ? "latest" : tag; }

    // What follows "manifests/" in the API: the digest, else tag_or_latest().
    std::string selector() const { return digest.empty() ? tag_or_latest() : digest; }

    // "ghcr.io/acme/auth", "oci:dist", "oci-archive:auth.tar".
    std::string name() const;

    // name(), ":TAG" and "@DIGEST", as far as they are set. No "oci://".
    std::string text() const;

    // "oci://…" for a WasmPlugin's spec.url; for a layout or archive the same as text().
    std::string url() const;

    // Where the API answers: registry-1.docker.io for docker.io, else `host`.
    std::string api_host() const;

    ImageReference with_tag(std::string new_tag) const;
    ImageReference with_digest(std::string new_digest) const;  // keeps the tag

    bool operator==(const ImageReference&) const = default;
};

// Throws usage_error saying which part is wrong. A lone word ("auth") is refused in favour of
// "docker.io/library/auth", since it is far more often a mistyped file.
ImageReference parse_reference(std::string_view text);

// HOST/REPOSITORY without tag or digest, as parse_reference reads them; for tags.
ImageReference parse_repository(std::string_view text);

// Nothing where parse_reference would throw.
std::optional<ImageReference> try_parse_reference(std::string_view text);

// "oci:" (but not "oci://") or "oci-archive:" stands before it.
bool is_local_reference(std::string_view text);

bool is_valid_tag(std::string_view text);
bool is_valid_repository(std::string_view text);

// sha256 with 64 or sha512 with 128 lower-case hexadecimal digits: the registered algorithms.
bool is_valid_digest(std::string_view text);

// HOST[:PORT] without the port, brackets of IPv6 taken off.
std::string host_without_port(std::string_view host);

// localhost, *.localhost, 127.0.0.0/8 and ::1: plain HTTP may be tried without being asked to.
bool is_loopback_host(std::string_view host);

// An IP literal that is loopback, private (RFC 1918, fc00::/7), link-local, shared (100.64/10) or
// unspecified. Names are not looked up.
bool is_private_address(std::string_view host);

}  // namespace wasmplug
