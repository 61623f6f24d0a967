#include "oci/copy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "oci/media_types.hpp"
#include "oci/referrers.hpp"

namespace wasmplug::oci {
namespace {

constexpr int index_depth = 4;

void add(WriteReport& sum, const WriteReport& part) {
    sum.sent += part.sent;
    sum.blobs_sent += part.blobs_sent;
    sum.blobs_there += part.blobs_there;
    sum.unchanged = sum.unchanged && part.unchanged;
    for (const auto& warning : part.warnings) {
        if (std::ranges::find(sum.warnings, warning) == sum.warnings.end()) {
            sum.warnings.push_back(warning);
        }
    }
}

class Copier {
  public:
    Copier(Store& from, Store& to, const CopyOptions& options)
        : from_(from), to_(to), options_(options) {
        report_.written.unchanged = true;
    }

    CopyReport run(const std::string& selector, const std::vector<std::string>& tags) {
        auto raw = from_.manifest(selector);
        if (!raw) {
            throw Error(fmt::format("{} has no {}", from_.name(), selector));
        }
        report_.manifest = *raw;
        copy(*raw, tags, index_depth);
        return std::move(report_);
    }

  private:
    void copy(const RawManifest& raw, const std::vector<std::string>& tags, int depth) {
        if (!seen_.insert(raw.digest).second && tags.empty()) {
            return;
        }
        if (depth == 0) {
            throw Error(
                fmt::format("{}: indexes are nested deeper than {}", raw.digest, index_depth));
        }
        const Manifest manifest = parse_manifest(raw.bytes, raw.media_type, raw.digest);
        for (const auto& child : manifest.manifests) {
            const auto child_raw = from_.manifest(child.digest);
            if (!child_raw) {
                throw Error(
                    fmt::format("{} names {}, which is not there", raw.digest, child.digest),
                    "the source is a partial mirror; copy one of its images by digest");
            }
            copy(*child_raw, {}, depth - 1);
        }
        Image image = load_image(from_, raw, manifest, options_.mount_from);
        image.index_annotations = from_.index_annotations(tags.empty() ? raw.digest : tags.front());
        add(report_.written, to_.write(image, tags));
        ++report_.manifests;
        if (options_.referrers) {
            copy_referrers(raw.digest, depth);
        }
    }

    void copy_referrers(const std::string& digest, int depth) {
        for (const auto& referrer : from_.referrers(digest)) {
            if (const auto raw = from_.manifest(referrer.digest)) {
                report_.referrers.push_back(referrer.digest);
                copy(*raw, {}, depth - 1);
            }
        }
        // cosign's own tags. The list that a registry without the referrers API keeps is not
        // copied: the target makes its own, which may hold more.
        const std::string prefix = referrers_tag(digest);
        for (const auto& tag : {prefix + ".sig", prefix + ".att", prefix + ".sbom"}) {
            const auto raw = from_.manifest(tag);
            if (!raw || raw->digest == digest || seen_.contains(tag)) {
                continue;
            }
            seen_.insert(tag);
            report_.referrers.push_back(raw->digest);
            copy(*raw, {tag}, depth - 1);
        }
    }

    Store& from_;
    Store& to_;
    const CopyOptions& options_;
    CopyReport report_;
    std::set<std::string> seen_;
};

}  // namespace

Image load_image(Store& from, const RawManifest& raw, const Manifest& manifest,
                 const std::string& mount_from) {
    Image image;
    image.manifest = raw;
    image.source = &from;
    if (manifest.is_index) {
        return image;
    }
    std::vector<Descriptor> wanted;
    std::set<std::string> seen;
    const auto want = [&](const Descriptor& blob) {
        // Layers kept elsewhere by their licence ("nondistributable") are not pushed anywhere.
        if (blob.media_type.find("nondistributable") == std::string::npos &&
            blob.media_type.find(".foreign.") == std::string::npos &&
            seen.insert(blob.digest).second) {
            wanted.push_back(blob);
        }
    };
    for (const auto& layer : manifest.layers) {
        want(layer);
    }
    want(manifest.config);
    for (const auto& blob : wanted) {
        image.blobs.push_back({.descriptor = blob,
                               .open = [&from, blob] { return from.open_blob(blob); },
                               .mount_from = mount_from});
    }
    return image;
}

CopyReport copy_image(Store& from, const std::string& selector, Store& to,
                      const std::vector<std::string>& tags, const CopyOptions& options) {
    return Copier(from, to, options).run(selector, tags);
}

}  // namespace wasmplug::oci
