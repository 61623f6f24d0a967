#pragma once

#include <filesystem>
#include <memory>

#include "oci/store.hpp"

namespace wasmplug::oci {

// A tar of an image layout, as skopeo's and podman's oci-archive. Nothing is unpacked: blobs are
// read where they lie. Writing replaces the file as a whole and keeps what else it held.
std::unique_ptr<Store> open_archive(const std::filesystem::path& file);

}  // namespace wasmplug::oci
