#include "oci/layout_index.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "oci/media_types.hpp"
#include "oci/referrers.hpp"

namespace wasmplug::oci {
namespace {

// docker and buildkit write "docker.io/acme/auth:1.2.0" where the specification wants "1.2.0".
std::string tag_of(const Descriptor& entry) {
    const auto found = entry.annotations.find(annotation::ref_name);
    if (found == entry.annotations.end()) {
        return {};
    }
    const std::string& name = found->second;
    const std::size_t colon = name.rfind(':');
    const std::size_t slash = name.rfind('/');
    if (slash != std::string::npos && colon != std::string::npos && colon > slash) {
        return name.substr(colon + 1);
    }
    return name;
}

bool is_manifest(const Descriptor& entry) {
    return entry.media_type == media::oci_manifest || entry.media_type == media::oci_index ||
           entry.media_type == media::docker_manifest || entry.media_type == media::docker_list;
}

}  // namespace

LayoutIndex::LayoutIndex(std::string_view text, std::string_view what) {
    if (text.empty()) {
        index_.is_index = true;
        index_.media_type = media::oci_index;
        raw_ = write_manifest(index_);
        return;
    }
    index_ = parse_manifest(text, media::oci_index, what);
    raw_ = {
        .media_type = index_.media_type, .bytes = std::string(text), .digest = std::string(what)};
    if (!index_.is_index) {
        throw Error(fmt::format("{} is no image index", what));
    }
}

const Descriptor* LayoutIndex::find(const std::string& selector) const {
    const auto matches = [&](const Descriptor& entry) {
        return entry.digest == selector || tag_of(entry) == selector;
    };
    const auto found = std::ranges::find_if(index_.manifests, matches);
    if (found != index_.manifests.end()) {
        return &*found;
    }
    return selector == "latest" && index_.manifests.size() == 1 ? index_.manifests.data() : nullptr;
}

std::vector<std::string> LayoutIndex::tags() const {
    std::vector<std::string> out;
    for (const auto& entry : index_.manifests) {
        if (std::string tag = tag_of(entry); !tag.empty()) {
            out.push_back(std::move(tag));
        }
    }
    return out;
}

void LayoutIndex::put(const Descriptor& manifest, const std::string& tag,
                      const Annotations& annotations) {
    Descriptor entry = manifest;
    entry.annotations = annotations;
    entry.annotations.erase(annotation::ref_name);
    if (!tag.empty()) {
        entry.annotations[annotation::ref_name] = tag;
    }
    raw_ = with_entry(raw_, entry, [&](const Descriptor& there) {
        const std::string name = tag_of(there);
        return tag.empty() ? there.digest == manifest.digest && name.empty() : name == tag;
    });
    index_ = parse_manifest(raw_.bytes, media::oci_index, raw_.digest);
}

std::string blob_path(const std::string& digest) {
    return fmt::format("blobs/{}/{}", digest.substr(0, 6), digest.substr(7));
}

std::vector<Descriptor> referrers_among(
    const std::vector<Descriptor>& entries, const std::string& digest,
    const std::function<std::optional<std::string>(const Descriptor&)>& read) {
    std::vector<Descriptor> out;
    for (const auto& entry : entries) {
        if (!is_manifest(entry)) {
            continue;
        }
        const auto bytes = read(entry);
        if (!bytes) {
            continue;
        }
        const Manifest manifest = parse_manifest(*bytes, entry.media_type, entry.digest);
        if (manifest.subject && manifest.subject->digest == digest) {
            out.push_back(referrer_entry(
                {.media_type = entry.media_type, .bytes = *bytes, .digest = entry.digest},
                manifest));
        }
    }
    return out;
}

}  // namespace wasmplug::oci
