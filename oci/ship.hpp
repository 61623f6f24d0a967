#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "oci/image.hpp"
#include "oci/open.hpp"
#include "oci/package.hpp"

namespace wasmplug::oci {

// What package, push and hash work on: a module packed just now, or an image that exists. It owns
// the store its blobs come from.
struct Shipment {
    std::unique_ptr<Store> from;  // of an existing image
    Image image;
    Manifest manifest;
    std::string module_sha256;
    std::uint64_t module_size = 0;
    std::string diff_id;
    std::string index_digest;  // of the index the image was chosen from; empty: none
    std::string tag;           // what it is called where it comes from; may be empty

    std::uint64_t image_size() const;
};

Shipment pack(const PackageInput& input);

// Reads the module out of the image, and proves it, unless the layout's index says what it is.
// Throws Error for an image without a module.
enum class Module { prove, trust_index };
Shipment load(const ImageReference& reference, Module module, const RegistryOptions& options,
              Services& services);

// Throws Error with Istio's words and the way out for what its agent would not load.
void require_loadable(const Manifest& manifest, const std::string& what);

// Sayings for the end of a push: a one-character repository, the tag latest.
std::vector<std::string> reference_warnings(const ImageReference& reference);

// "Istio, Envoy Gateway, Higress", or "" for nobody.
std::string loaded_by(const Manifest& manifest);

}  // namespace wasmplug::oci
