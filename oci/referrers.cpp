#include "oci/referrers.hpp"

#include <algorithm>

#include "oci/media_types.hpp"

namespace wasmplug::oci {

std::string referrers_tag(const std::string& digest) {
    const std::size_t colon = digest.find(':');
    return digest.substr(0, std::min<std::size_t>(colon, 32)) + "-" + digest.substr(colon + 1, 64);
}

Descriptor referrer_entry(const RawManifest& raw, const Manifest& manifest) {
    Descriptor entry = raw.descriptor();
    entry.artifact_type =
        manifest.artifact_type.empty() ? manifest.config.media_type : manifest.artifact_type;
    entry.annotations = manifest.annotations;
    return entry;
}

std::optional<RawManifest> with_referrer(const std::optional<RawManifest>& list,
                                         const Descriptor& entry) {
    if (!list) {
        Manifest index;
        index.is_index = true;
        index.media_type = media::oci_index;
        index.manifests = {entry};
        return write_manifest(index);
    }
    const Manifest index = parse_manifest(list->bytes, list->media_type, "the list of referrers");
    if (std::ranges::count(index.manifests, entry.digest, &Descriptor::digest) > 0) {
        return std::nullopt;
    }
    return with_entry(*list, entry);
}

}  // namespace wasmplug::oci
