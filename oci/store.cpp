#include "oci/store.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/terminal.hpp"
#include "oci/spool.hpp"

namespace wasmplug::oci {
namespace {

std::string tags_hint(Store& store, const std::string& wanted) {
    std::vector<std::string> tags;
    try {
        tags = store.tags();
    } catch (const Error&) {
        return {};  // the answer that matters is that the manifest is not there
    }
    if (tags.empty()) {
        return {};
    }
    if (const std::string near = closest(wanted, tags); !near.empty()) {
        return fmt::format("did you mean {}?", near);
    }
    const std::size_t shown = std::min<std::size_t>(tags.size(), 8);
    std::string list;
    for (std::size_t i = tags.size() - shown; i < tags.size(); ++i) {
        list += (list.empty() ? "" : ", ") + tags[i];
    }
    return fmt::format("{} has {}{}", store.name(), shown < tags.size() ? "…, " : "", list);
}

}  // namespace

void Store::read_blob(const Descriptor& blob, const Sink& sink) {
    read_blobs({{.blob = blob, .sink = sink}});
}

BodySource Store::open_blob(const Descriptor& blob) {
    Spool spool;
    read_blob(blob, [&](std::string_view part) { spool.append(part); });
    return spool.body();
}

Annotations Store::index_annotations(const std::string&) {
    return {};
}

Resolved resolve_image(Store& store, const ImageReference& reference) {
    auto raw = store.manifest(reference.selector());
    if (!raw) {
        throw Error(fmt::format("{} is not there", reference.text()),
                    reference.digest.empty() ? tags_hint(store, reference.tag_or_latest()) : "");
    }
    return resolve_image(store, reference, std::move(*raw));
}

Resolved resolve_image(Store& store, const ImageReference& reference, RawManifest raw) {
    Resolved resolved;
    resolved.manifest = parse_manifest(raw.bytes, raw.media_type, reference.text());
    if (!resolved.manifest.is_index) {
        resolved.raw = std::move(raw);
        return resolved;
    }
    const Descriptor* child = child_for_linux_amd64(resolved.manifest);
    if (child == nullptr) {
        throw Error(fmt::format("no child with platform linux/amd64 in index {}", reference.text()),
                    "Istio takes that platform on every node, arm64 too");
    }
    const Descriptor wanted = *child;
    resolved.index = std::move(raw);
    auto image = store.manifest(wanted.digest);
    if (!image) {
        throw Error(fmt::format("{} names an image that is not there: {}", reference.text(),
                                wanted.digest));
    }
    resolved.manifest = parse_manifest(image->bytes, image->media_type,
                                       fmt::format("{}@{}", reference.name(), wanted.digest));
    if (resolved.manifest.is_index) {
        throw Error(fmt::format("{} is an index of an index", reference.text()));
    }
    resolved.raw = std::move(*image);
    return resolved;
}

}  // namespace wasmplug::oci
