#pragma once

#include <filesystem>
#include <memory>

#include "oci/store.hpp"

namespace wasmplug::oci {

// An OCI image layout (image-spec, image-layout.md). Reading needs the folder to be one; writing
// makes it when it is not there or empty, and replaces index.json last, under a lock.
std::unique_ptr<Store> open_layout(const std::filesystem::path& folder);

// Whether `folder` holds an oci-layout file.
bool is_layout(const std::filesystem::path& folder);

}  // namespace wasmplug::oci
