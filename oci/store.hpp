#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/http.hpp"
#include "base/image_reference.hpp"
#include "oci/gzip.hpp"
#include "oci/manifest.hpp"

namespace wasmplug::oci {

class Store;

struct Blob {
    Descriptor descriptor;
    // Called when, and only when, the target does not have it.
    std::function<BodySource()> open;
    std::string mount_from = {};  // a repository of the same registry that holds it
};

// A manifest and what it needs. `blobs` are ordered as they are written: layers, then config.
struct Image {
    RawManifest manifest;
    std::vector<Blob> blobs;
    Annotations index_annotations = {};  // of its entry in a layout's index.json
    Store* source = nullptr;             // whose read_blobs() has the blobs; none: only open() has
};

// A blob and where its bytes go.
struct BlobRead {
    Descriptor blob;
    Sink sink;
};

// What a write did; a person reads it at the end of a push.
struct WriteReport {
    std::uint64_t sent = 0;  // bytes of blobs
    std::size_t blobs_sent = 0;
    std::size_t blobs_there = 0;  // already there, or mounted
    bool unchanged = false;       // every tag named this manifest already
    std::vector<std::string> warnings = {};
};

// One repository: in a registry, an image layout or an archive. This is the only seam between
// them; package, push, pull and copy know nothing else.
class Store {
  public:
    Store() = default;
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;
    virtual ~Store() = default;

    // "ghcr.io/acme/auth", "oci:dist": how messages call it.
    virtual std::string name() const = 0;

    // By tag or digest; nothing when there is none. The digest is of the bytes, and the one asked
    // for when a digest was.
    virtual std::optional<RawManifest> manifest(const std::string& selector) = 0;

    // Streams a blob; size and digest are verified by the time it returns, and it throws when they
    // are wrong: what the sink made before that must not be used.
    void read_blob(const Descriptor& blob, const Sink& sink);

    // The same for several, at once where they come over a network.
    virtual void read_blobs(const std::vector<BlobRead>& reads) = 0;

    // The same as a body that can be sent. What is on disk already is not read: whoever takes the
    // body verifies it, registries by the digest in the request.
    virtual BodySource open_blob(const Descriptor& blob);

    // What the entry of a layout's index says about this manifest besides its tag; nothing
    // elsewhere.
    virtual Annotations index_annotations(const std::string& selector);

    virtual std::vector<std::string> tags() = 0;

    // Manifests whose subject is `digest`, with their artifact types.
    virtual std::vector<Descriptor> referrers(const std::string& digest) = 0;

    // Blobs first, then the manifest, then the tags. Without tags it is found by digest only.
    virtual WriteReport write(const Image& image, const std::vector<std::string>& tags) = 0;
};

// The image that `reference` names, with the choice that Istio makes of an index.
struct Resolved {
    RawManifest raw;                   // of the image
    Manifest manifest;                 // parsed
    std::optional<RawManifest> index;  // what the reference named, when that is an index
};

// Throws Error when there is none; its hint lists the nearest tags.
Resolved resolve_image(Store& store, const ImageReference& reference);

// The same for what the reference was found to name.
Resolved resolve_image(Store& store, const ImageReference& reference, RawManifest raw);

}  // namespace wasmplug::oci
