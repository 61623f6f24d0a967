#pragma once

// Header only: the room it needs (oci) is linked by the suites that include it.

#include <string>

#include "base/hash.hpp"
#include "oci/media_types.hpp"
#include "oci/store.hpp"

namespace wasmplug::test {

inline oci::Blob text_blob(const std::string& text, const std::string& media_type) {
    return {.descriptor = {.media_type = media_type,
                           .digest = sha256_digest(text),
                           .size = text.size()},
            .open = [text] {
                return body_of(text);
            }};
}

// An image of one layer and a config; no module in it.
inline oci::Image image_of(const std::string& layer, const std::string& config = "{}") {
    oci::Image image;
    image.blobs = {text_blob(layer, oci::media::oci_layer_gzip),
                   text_blob(config, oci::media::oci_config)};
    oci::Manifest manifest;
    manifest.media_type = oci::media::oci_manifest;
    manifest.layers = {image.blobs[0].descriptor};
    manifest.config = image.blobs[1].descriptor;
    image.manifest = oci::write_manifest(manifest);
    return image;
}

inline oci::Image small_image(const std::string& content) {
    return image_of("layer " + content, "{\"c\":\"" + content + "\"}");
}

struct SignedIndex {
    std::string index;
    std::string image;
    std::string signature;
};

// An index with one image for linux/amd64, and a manifest whose subject is that image.
inline SignedIndex index_with_signature(oci::Store& store, const std::string& tag) {
    const oci::Image image = small_image("indexed");
    store.write(image, {});
    oci::Manifest index;
    index.is_index = true;
    index.media_type = oci::media::oci_index;
    index.manifests = {image.manifest.descriptor()};
    index.manifests[0].platform = oci::Platform{.os = "linux", .architecture = "amd64"};
    oci::Image whole;
    whole.manifest = oci::write_manifest(index);
    store.write(whole, {tag});
    oci::Image signature = small_image("signature");
    oci::Manifest manifest = oci::parse_manifest(signature.manifest.bytes, "", "test");
    manifest.subject = image.manifest.descriptor();
    manifest.artifact_type = "application/vnd.test.signature";
    signature.manifest = oci::write_manifest(manifest);
    store.write(signature, {});
    return {whole.manifest.digest, image.manifest.digest, signature.manifest.digest};
}

}  // namespace wasmplug::test
