#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/manifest.hpp"
#include "oci/store.hpp"

namespace wasmplug::oci {

// How a module is packed (reference: the consumers' own readers, named in media_types.hpp).
enum class PackageLayout {
    compat,   // OCI image, last layer a tar.gz with plugin.wasm: everything takes it
    solo,     // solo-io/wasm artifact: two layers, the module unpacked
    docker,   // docker's schema 2 image of the same content as compat
    cncf,     // TAG Runtime's artifact: one unpacked application/wasm layer
    higress,  // hgctl's plugin artifact: typed documents, then compat's layer
};

// Throws usage_error naming the five.
PackageLayout package_layout(std::string_view name);
std::string_view to_text(PackageLayout layout);
std::vector<std::string> package_layout_names();

// Istio, Envoy Gateway and Higress load it.
bool loads_in_istio(PackageLayout layout);

// A file that travels along in a layer before the module's. Without media type it is packed as
// the module is, so that an image stays an image.
struct ExtraFile {
    std::filesystem::path path;
    std::string name;  // in the layer, and its title
    std::string media_type;
};

// "FILE" or "FILE:MEDIA/TYPE".
ExtraFile parse_extra_file(std::string_view text, PackageLayout layout);

struct PackageInput {
    std::filesystem::path module;
    PackageLayout layout = PackageLayout::compat;
    Annotations annotations = {};
    std::vector<ExtraFile> extra = {};
    std::string created = {};  // RFC 3339, from SOURCE_DATE_EPOCH; empty: not said
};

struct Package {
    Image image;
    std::string module_sha256;
    std::uint64_t module_size = 0;
    std::string diff_id;  // of the module's layer, unpacked; empty for layouts that do not pack it
};

// The same bytes in give the same manifest digest with the same deflate library, and the same
// diff_id with any. Modules up to 8 MiB are packed in memory, larger ones through a temporary file.
// Throws Error for what is no WebAssembly, what is over limit::module, and a component (Envoy
// takes core modules only).
Package make_package(const PackageInput& input);

}  // namespace wasmplug::oci
