#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/manifest.hpp"

namespace wasmplug::oci {

// index.json of a layout, in a folder or in an archive: a list whose entries carry their tag as
// an annotation.
class LayoutIndex {
  public:
    // Empty text: a new layout.
    LayoutIndex(std::string_view text, std::string_view what);

    // By tag (its last component, when the entry carries a whole reference as docker writes it),
    // by digest, or, for "latest" in an index with a single entry, that one. Else nothing.
    const Descriptor* find(const std::string& selector) const;

    std::vector<std::string> tags() const;

    const std::vector<Descriptor>& entries() const { return index_.manifests; }

    // Moves `tag` to this manifest; an entry that loses its tag stays only when nothing else would
    // name it and it never had one.
    void put(const Descriptor& manifest, const std::string& tag,
             const Annotations& annotations = {});

    // Unchanged as long as nothing was put.
    const std::string& text() const { return raw_.bytes; }

  private:
    RawManifest raw_;
    Manifest index_;  // the same, parsed
};

// "blobs/sha256/<hex>"; the digest is valid.
std::string blob_path(const std::string& digest);

inline constexpr char layout_marker[] = R"({"imageLayoutVersion":"1.0.0"})";

// Manifests among the index's entries whose subject is `digest`; `read` returns a manifest's bytes.
std::vector<Descriptor> referrers_among(
    const std::vector<Descriptor>& entries, const std::string& digest,
    const std::function<std::optional<std::string>(const Descriptor&)>& read);

}  // namespace wasmplug::oci
