#pragma once

#include <memory>
#include <string>

#include "oci/registry.hpp"
#include "oci/store.hpp"

namespace wasmplug::oci {

// The store behind a reference, of any kind.
std::unique_ptr<Store> open_store(const ImageReference& reference, Access access,
                                  const RegistryOptions& options, Services& services);

// What a word on the command line names.
enum class SourceKind { module, project, image };

struct Source {
    SourceKind kind = SourceKind::image;
    std::filesystem::path path;  // module and project
    ImageReference image;        // image
};

// "plugin.wasm", "./auth" (a project, or a folder that is an image layout), "oci:dist:1.0.0",
// "oci-archive:auth.tar", "auth.tar", or, when `registries` is set, a registry reference.
// A layout or archive with a single image needs no tag. Throws Error when the file is not there.
enum class Registries { refused, allowed };
Source classify_source(const std::string& text, Registries registries);

}  // namespace wasmplug::oci
