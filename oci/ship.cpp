#include "oci/ship.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "oci/copy.hpp"
#include "oci/media_types.hpp"

namespace wasmplug::oci {
namespace {

bool is_sha256_hex(const std::string& text) {
    return is_valid_digest("sha256:" + text);
}

bool take_from_index(Shipment& shipment, const Annotations& annotations) {
    const auto sha = annotations.find(annotation::module_sha256);
    const auto size = annotations.find(annotation::module_size);
    if (sha == annotations.end() || size == annotations.end() || !is_sha256_hex(sha->second) ||
        size->second.empty() || size->second.size() > 12 ||
        size->second.find_first_not_of("0123456789") != std::string::npos) {
        return false;
    }
    shipment.module_sha256 = sha->second;
    shipment.module_size = std::stoull(size->second);
    return true;
}

}  // namespace

std::uint64_t Shipment::image_size() const {
    std::uint64_t size = image.manifest.bytes.size();
    for (const auto& blob : image.blobs) {
        size += blob.descriptor.size;
    }
    return size;
}

Shipment pack(const PackageInput& input) {
    Package package = make_package(input);
    Shipment shipment;
    shipment.manifest = parse_manifest(package.image.manifest.bytes,
                                       package.image.manifest.media_type, "the new manifest");
    shipment.image = std::move(package.image);
    shipment.module_sha256 = std::move(package.module_sha256);
    shipment.module_size = package.module_size;
    shipment.diff_id = std::move(package.diff_id);
    return shipment;
}

Shipment load(const ImageReference& reference, Module module, const RegistryOptions& options,
              Services& services) {
    Shipment shipment;
    shipment.from = open_store(reference, Access::pull, options, services);
    ImageReference wanted = reference;
    if (reference.kind != ImageReference::Kind::registry && reference.tag.empty() &&
        reference.digest.empty()) {
        const auto tags = shipment.from->tags();
        if (tags.size() > 1) {
            std::string list;
            for (const auto& tag : tags) {
                list += (list.empty() ? "" : ", ") + tag;
            }
            throw usage_error(fmt::format("{} holds several images", reference.text()),
                              fmt::format("name one: {}:TAG with {}", reference.text(), list));
        }
        if (tags.size() == 1) {
            wanted.tag = tags.front();
        }
    }
    Resolved resolved = resolve_image(*shipment.from, wanted);
    shipment.tag = wanted.tag;
    if (resolved.index) {
        shipment.index_digest = resolved.index->digest;
    }
    shipment.image = load_image(*shipment.from, resolved.raw, resolved.manifest);
    shipment.image.index_annotations = shipment.from->index_annotations(wanted.selector());
    shipment.manifest = std::move(resolved.manifest);
    if (module == Module::trust_index &&
        take_from_index(shipment, shipment.image.index_annotations)) {
        return shipment;
    }
    const auto layer = find_module_layer(shipment.manifest);
    if (!layer) {
        throw Error(fmt::format("{} holds no WebAssembly module", wanted.text()),
                    "its layers are none of the formats that hosts read");
    }
    const ModuleFacts facts = read_module(
        *shipment.from, *layer, [](std::string_view) {}, wanted.text());
    shipment.module_sha256 = facts.sha256;
    shipment.module_size = facts.size;
    return shipment;
}

void require_loadable(const Manifest& manifest, const std::string& what) {
    const IstioChoice choice = choose_as_istio(manifest);
    if (!choice.layer) {
        throw Error(fmt::format("Istio would not load {}: {}", what, choice.message),
                    "push the .wasm itself, or name a format made for another host: --layout cncf");
    }
}

std::vector<std::string> reference_warnings(const ImageReference& reference) {
    std::vector<std::string> out;
    if (reference.kind != ImageReference::Kind::registry) {
        return out;
    }
    if (reference.repository.size() < 2) {
        out.push_back(
            fmt::format("Istio cannot name {}: a repository needs two characters at least "
                        "there (could not parse reference)",
                        reference.name()));
    }
    if (reference.tag_or_latest() == "latest" && reference.digest.empty()) {
        out.emplace_back(
            "the tag latest is pulled again at every start of a proxy, and nobody can "
            "tell which version runs; use a version as tag");
    }
    return out;
}

std::string loaded_by(const Manifest& manifest) {
    std::string out;
    for (const auto& verdict : verdicts(manifest)) {
        if (verdict.loads) {
            out += (out.empty() ? "" : ", ") + verdict.host;
        }
    }
    return out;
}

}  // namespace wasmplug::oci
