#pragma once

#include <cstdint>

// Media types and annotation keys, each with the document that fixes it.
namespace wasmplug::oci::media {

// image-spec, media-types.md
inline constexpr char oci_manifest[] = "application/vnd.oci.image.manifest.v1+json";
inline constexpr char oci_index[] = "application/vnd.oci.image.index.v1+json";
inline constexpr char oci_config[] = "application/vnd.oci.image.config.v1+json";
inline constexpr char oci_layer_gzip[] = "application/vnd.oci.image.layer.v1.tar+gzip";
// distribution, manifest-v2-2.md
inline constexpr char docker_manifest[] = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr char docker_list[] = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr char docker_config[] = "application/vnd.docker.container.image.v1+json";
inline constexpr char docker_layer_gzip[] = "application/vnd.docker.image.rootfs.diff.tar.gzip";
// solo-io/wasm, spec/README.md; Istio pkg/wasm/imagefetcher.go takes the content type
inline constexpr char solo_config[] = "application/vnd.module.wasm.config.v1+json";
inline constexpr char solo_content[] = "application/vnd.module.wasm.content.layer.v1+wasm";
// CNCF TAG Runtime, wasm-oci-artifact
inline constexpr char cncf_config[] = "application/vnd.wasm.config.v0+json";
inline constexpr char cncf_layer[] = "application/wasm";
// Higress hgctl plugin install, push
inline constexpr char higress_spec[] = "application/vnd.module.wasm.spec.v1+yaml";
inline constexpr char higress_doc[] = "application/vnd.module.wasm.doc.v1+markdown";
inline constexpr char higress_doc_zh[] = "application/vnd.module.wasm.doc.v1.zh+markdown";
inline constexpr char higress_doc_en[] = "application/vnd.module.wasm.doc.v1.en+markdown";
inline constexpr char higress_icon[] = "application/vnd.module.wasm.icon.v1+png";
inline constexpr char unknown_config[] = "application/vnd.unknown.config.v1+json";

// What a manifest GET accepts: a registry hides what the client does not name.
inline constexpr char accept_manifests[] =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json";

}  // namespace wasmplug::oci::media

namespace wasmplug::oci::annotation {

// image-spec, annotations.md and image-layout.md
inline constexpr char ref_name[] = "org.opencontainers.image.ref.name";
inline constexpr char title[] = "org.opencontainers.image.title";
inline constexpr char version[] = "org.opencontainers.image.version";
inline constexpr char revision[] = "org.opencontainers.image.revision";
inline constexpr char source[] = "org.opencontainers.image.source";
inline constexpr char licenses[] = "org.opencontainers.image.licenses";
inline constexpr char created[] = "org.opencontainers.image.created";
// solo-io/wasm, spec/spec-compat.md
inline constexpr char variant[] = "module.wasm.image/variant";

// Ours: the JSON Schema of pluginConfig, compact. In the manifest, so that it is under the digest
// that a WasmPlugin pins and in every layout; no host looks at annotations.
inline constexpr char config_schema[] = "wasmplug.dev/config-schema";
// Ours, in a layout's index only, so that a push need not unpack what was just packed. Never part
// of an image: digests do not depend on it.
inline constexpr char module_sha256[] = "wasmplug.dev/module.sha256";
inline constexpr char module_size[] = "wasmplug.dev/module.size";

}  // namespace wasmplug::oci::annotation

namespace wasmplug::oci::limit {

// Registries refuse manifests over 4 MiB (distribution 2.8.2: 400 MANIFEST_INVALID).
inline constexpr std::size_t manifest = std::size_t{4} << 20;
// ISTIO_WASM_MAX_BINARY_SIZE_BYTES: what Istio's agent reads of a module at most.
inline constexpr std::uint64_t module = std::uint64_t{256} << 20;
// Of everything in one layer, unpacked: other files may stand beside the module.
inline constexpr std::uint64_t unpacked_layer = std::uint64_t{1} << 30;
// Of the JSON Schema that an image carries, and of the one that `package` puts into one.
inline constexpr std::uint64_t config_schema = std::uint64_t{256} << 10;
inline constexpr std::uint64_t packed_config_schema = std::uint64_t{64} << 10;

}  // namespace wasmplug::oci::limit
