#include "oci/package.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/output.hpp"
#include "base/parallel.hpp"
#include "oci/gzip.hpp"
#include "oci/media_types.hpp"
#include "oci/spool.hpp"
#include "oci/tar.hpp"
#include "wasm/abi.hpp"
#include "wasm/module.hpp"

namespace wasmplug::oci {
namespace {

using nlohmann::ordered_json;

constexpr std::uint64_t in_memory = std::uint64_t{8} << 20;
constexpr std::uint64_t worth_a_thread = std::uint64_t{512} << 10;

struct LayoutName {
    PackageLayout layout;
    std::string_view name;
    bool loads_in_istio;
};

constexpr std::array layouts{
    LayoutName{PackageLayout::compat, "compat", true},
    LayoutName{PackageLayout::solo, "solo", true},
    LayoutName{PackageLayout::docker, "docker", true},
    LayoutName{PackageLayout::cncf, "cncf", false},
    LayoutName{PackageLayout::higress, "higress", true},
};

// hgctl's names for the documents of a plugin.
constexpr std::array<std::pair<std::string_view, const char*>, 5> higress_types{{
    {"spec.yaml", media::higress_spec},
    {"README.md", media::higress_doc},
    {"README_ZH.md", media::higress_doc_zh},
    {"README_EN.md", media::higress_doc_en},
    {"icon.png", media::higress_icon},
}};

struct Layer {
    Blob blob;
    std::string diff_id = {};         // of the layer, unpacked
    std::string content_sha256 = {};  // of the file in it
};

Blob blob_of_text(std::string text, const char* media_type) {
    Blob blob;
    blob.descriptor = {
        .media_type = media_type, .digest = sha256_digest(text), .size = text.size()};
    blob.open = [body = body_of(std::move(text))] {
        return body;
    };
    return blob;
}

// The tar in memory, compressed while it is hashed.
Layer pack_small(const BodySource& file, const std::string& header, const std::string& tail) {
    std::string tar;
    tar.reserve(header.size() + file.size + tail.size());
    tar += header;
    read_all(file, [&](std::string_view part) { tar += part; });
    tar += tail;
    Layer layer;
    auto packed = std::make_shared<Gzipped>();
    parallel_for(
        2,
        [&](std::size_t i) {
            if (i == 0) {
                *packed = gzip(tar);
                layer.blob.descriptor.digest = sha256_digest(packed->view());
            } else {
                layer.diff_id = sha256_digest(tar);
                layer.content_sha256 =
                    sha256_hex(std::string_view(tar).substr(header.size(), file.size));
            }
        },
        Cancel{}, tar.size() < worth_a_thread ? 1 : 2);
    layer.blob.descriptor.size = packed->size;
    layer.blob.open = [packed] {
        return BodySource{
            .size = packed->size, .read = [packed](std::uint64_t offset, std::span<char> into) {
                return packed->view().copy(into.data(), into.size(),
                                           std::min<std::uint64_t>(offset, packed->size));
            }};
    };
    return layer;
}

Layer pack_large(const BodySource& file, const std::string& header, const std::string& tail) {
    Sha256 diff;
    Sha256 content;
    Sha256 hash;
    Spool spool;
    Gzip packed([&](std::string_view part) {
        hash.update(part);
        spool.append(part);
    });
    const auto write = [&](std::string_view part) {
        diff.update(part);
        packed.write(part);
    };
    write(header);
    read_all(file, [&](std::string_view part) {
        content.update(part);
        write(part);
    });
    write(tail);
    packed.finish();
    Layer layer;
    layer.diff_id = "sha256:" + diff.hex();
    layer.content_sha256 = content.hex();
    layer.blob.descriptor.digest = "sha256:" + hash.hex();
    layer.blob.descriptor.size = spool.size();
    layer.blob.open = [body = spool.body()] {
        return body;
    };
    return layer;
}

Layer pack(const BodySource& file, const std::string& name, const char* media_type) {
    const std::string header = tar_header(name, file.size);
    const std::string tail = tar_padding(file.size) + tar_end();
    Layer layer =
        file.size <= in_memory ? pack_small(file, header, tail) : pack_large(file, header, tail);
    layer.blob.descriptor.media_type = media_type;
    return layer;
}

Layer unpacked(const BodySource& file, const std::string& title, const std::string& media_type) {
    Layer layer;
    Sha256 hash;
    read_all(file, [&](std::string_view part) { hash.update(part); });
    layer.content_sha256 = hash.hex();
    layer.diff_id = "sha256:" + layer.content_sha256;
    layer.blob.descriptor = {.media_type = media_type,
                             .digest = layer.diff_id,
                             .size = file.size,
                             .annotations = {{annotation::title, title}}};
    layer.blob.open = [file] {
        return file;
    };
    return layer;
}

std::string image_config(const std::vector<Layer>& layers, const PackageInput& input) {
    ordered_json config = {{"architecture", "amd64"}, {"os", "linux"}};
    if (!input.created.empty()) {
        config["created"] = input.created;
    }
    config["config"] = ordered_json::object();
    // Schema 2 manifests have no annotations; labels are what docker shows.
    if (input.layout == PackageLayout::docker && !input.annotations.empty()) {
        config["config"]["Labels"] = input.annotations;
    }
    ordered_json diff_ids = ordered_json::array();
    for (const auto& layer : layers) {
        diff_ids.push_back(layer.diff_id);
    }
    config["rootfs"] = {{"type", "layers"}, {"diff_ids", diff_ids}};
    return compact_json(config);
}

// "v0.2.1" as the module's own marker says it.
std::string abi_text(const std::filesystem::path& module) {
    const std::string bytes = read_file(module, limit::module);
    const auto abi = wasm::abi_of(wasm::read_module(bytes));
    if (!abi) {
        throw Error(fmt::format("{} exports no proxy_abi_version_…", module.string()),
                    "the solo layout states the ABI version; use --layout compat");
    }
    std::string text = "v" + std::string(wasm::to_text(*abi));
    std::ranges::replace(text, '_', '.');
    return text;
}

std::string solo_config(const std::string& abi) {
    return compact_json({{"type", "envoy_proxy"},
                         {"abiVersions", {abi}},
                         {"config", {{"rootIds", ordered_json::array({""})}}}});
}

std::string cncf_config(const std::string& module_digest, const std::string& created) {
    return compact_json({{"created", created.empty() ? "1970-01-01T00:00:00Z" : created},
                         {"author", nullptr},
                         {"architecture", "wasm"},
                         {"os", "wasip1"},
                         {"layerDigests", ordered_json::array({module_digest})},
                         {"component", nullptr}});
}

void check_module(const BodySource& module, const std::string& name) {
    if (module.size > limit::module) {
        throw Error(fmt::format("{} is larger than {}", name, format_size(limit::module)),
                    "Istio's agent reads no more than that (ISTIO_WASM_MAX_BINARY_SIZE_BYTES)");
    }
    std::array<char, 8> head{};
    if (module.read(0, head) < head.size() ||
        std::string_view(head.data(), 4) != std::string_view("\0asm", 4)) {
        throw Error(fmt::format("{} is no WebAssembly module", name),
                    "the file that the compiler wrote begins with 00 61 73 6d");
    }
    if (std::string_view(head.data() + 4, 4) != std::string_view("\1\0\0\0", 4)) {
        throw Error(fmt::format("{} is a WebAssembly component, not a core module", name),
                    "Envoy loads core modules only: build for wasm32-wasip1 as a cdylib");
    }
}

// A package in the making: the extra files' layers are there, the layout adds the rest.
struct Draft {
    const PackageInput& input;
    const BodySource& module;
    std::vector<Layer> layers = {};
    Manifest manifest = {};
    Blob config = {};
    std::string module_diff_id = {};

    const char* layer_type() const {
        return input.layout == PackageLayout::docker ? media::docker_layer_gzip
                                                     : media::oci_layer_gzip;
    }

    void pack_module() {
        layers.push_back(pack(module, "plugin.wasm", layer_type()));
        module_diff_id = layers.back().diff_id;
    }

    void refuse_extra_files(const char* why) const {
        if (!layers.empty()) {
            throw usage_error(
                fmt::format("the {} layout has no room for extra files", to_text(input.layout)),
                fmt::format("{}; use --layout compat", why));
        }
    }
};

void draft_compat(Draft& draft) {
    draft.pack_module();
    draft.config = blob_of_text(image_config(draft.layers, draft.input), media::oci_config);
    draft.manifest.annotations.emplace(annotation::variant, "compat");
}

void draft_docker(Draft& draft) {
    draft.pack_module();
    draft.config = blob_of_text(image_config(draft.layers, draft.input), media::docker_config);
}

void draft_higress(Draft& draft) {
    draft.pack_module();
    draft.config = blob_of_text("{}", media::unknown_config);
}

void draft_solo(Draft& draft) {
    draft.refuse_extra_files("Istio wants exactly two layers there");
    const std::string abi = abi_text(draft.input.module);
    draft.config = blob_of_text(solo_config(abi), media::solo_config);
    Descriptor first = draft.config.descriptor;  // the config's own blob, stored once
    first.annotations[annotation::title] = "runtime-config.json";
    draft.manifest.layers.push_back(std::move(first));
    draft.layers.push_back(unpacked(draft.module, "filter.wasm", media::solo_content));
    draft.manifest.annotations.emplace("module.wasm.runtime/abi_version", abi);
    draft.manifest.annotations.emplace("module.wasm.runtime/type", "envoy_proxy");
}

void draft_cncf(Draft& draft) {
    draft.refuse_extra_files("its readers want exactly one layer");
    draft.layers.push_back(unpacked(draft.module, "plugin.wasm", media::cncf_layer));
    draft.config = blob_of_text(cncf_config(draft.layers.back().diff_id, draft.input.created),
                                media::cncf_config);
}

}  // namespace

PackageLayout package_layout(std::string_view name) {
    const auto found = std::ranges::find(layouts, name, &LayoutName::name);
    if (found == layouts.end()) {
        throw usage_error(fmt::format("'{}' is no package layout", name),
                          "compat, solo, docker, cncf or higress");
    }
    return found->layout;
}

std::string_view to_text(PackageLayout layout) {
    return std::ranges::find(layouts, layout, &LayoutName::layout)->name;
}

std::vector<std::string> package_layout_names() {
    std::vector<std::string> names;
    for (const auto& layout : layouts) {
        names.emplace_back(layout.name);
    }
    return names;
}

bool loads_in_istio(PackageLayout layout) {
    return std::ranges::find(layouts, layout, &LayoutName::layout)->loads_in_istio;
}

ExtraFile parse_extra_file(std::string_view text, PackageLayout layout) {
    ExtraFile extra;
    const std::size_t colon = text.rfind(':');
    // A media type has a slash and no path follows it: "spec.yaml:application/x".
    if (colon != std::string_view::npos && text.find('/', colon) != std::string_view::npos) {
        extra.media_type = text.substr(colon + 1);
        text = text.substr(0, colon);
    }
    extra.path = std::filesystem::path(std::string(text));
    extra.name = extra.path.filename().string();
    if (extra.name == "plugin.wasm") {
        throw usage_error("an extra file cannot be called plugin.wasm",
                          "hosts would take it for the module");
    }
    if (extra.media_type.empty() && layout == PackageLayout::higress) {
        const auto* known = std::ranges::find(higress_types, extra.name,
                                              &decltype(higress_types)::value_type::first);
        extra.media_type = known == higress_types.end() ? "" : known->second;
    }
    return extra;
}

Package make_package(const PackageInput& input) {
    const std::string name = input.module.string();
    const BodySource module = body_of_file(name);
    check_module(module, name);
    Draft draft{.input = input, .module = module};
    for (const auto& extra : input.extra) {
        const BodySource file = body_of_file(extra.path.string());
        draft.layers.push_back(extra.media_type.empty()
                                   ? pack(file, extra.name, draft.layer_type())
                                   : unpacked(file, extra.name, extra.media_type));
    }
    Manifest& manifest = draft.manifest;
    const bool docker = input.layout == PackageLayout::docker;
    manifest.media_type = docker ? media::docker_manifest : media::oci_manifest;
    if (!docker) {
        manifest.annotations = input.annotations;
        if (!input.created.empty()) {
            manifest.annotations.emplace(annotation::created, input.created);
        }
    }
    switch (input.layout) {
        case PackageLayout::compat:
            draft_compat(draft);
            break;
        case PackageLayout::solo:
            draft_solo(draft);
            break;
        case PackageLayout::docker:
            draft_docker(draft);
            break;
        case PackageLayout::cncf:
            draft_cncf(draft);
            break;
        case PackageLayout::higress:
            draft_higress(draft);
            break;
    }
    Package package{.image = {},
                    .module_sha256 = draft.layers.back().content_sha256,
                    .module_size = module.size,
                    .diff_id = draft.module_diff_id};
    for (auto& layer : draft.layers) {
        manifest.layers.push_back(layer.blob.descriptor);
        package.image.blobs.push_back(std::move(layer.blob));
    }
    manifest.config = draft.config.descriptor;
    package.image.blobs.push_back(std::move(draft.config));
    package.image.manifest = write_manifest(manifest);
    package.image.index_annotations = {
        {annotation::module_sha256, package.module_sha256},
        {annotation::module_size, std::to_string(package.module_size)}};
    return package;
}

}  // namespace wasmplug::oci
