#pragma once

#include <string>
#include <vector>

#include "oci/store.hpp"

namespace wasmplug::oci {

struct CopyOptions {
    bool referrers = true;  // signatures and the like: by subject, and cosign's sha256-….sig tags
    std::string mount_from = {};  // the source's repository, when both are in one registry
};

struct CopyReport {
    RawManifest manifest;                     // what the selector names, as it is at the target now
    std::size_t manifests = 0;                // written, referrers included
    WriteReport written;                      // summed up
    std::vector<std::string> referrers = {};  // their digests
};

// Copies what `selector` names with all that belongs to it; bytes and digests are kept. An index
// is copied whole: its images first. Blobs that the target has are not fetched.
// Throws Error when it is not there.
CopyReport copy_image(Store& from, const std::string& selector, Store& to,
                      const std::vector<std::string>& tags, const CopyOptions& options);

// The image behind one manifest, ready to be written elsewhere while `from` lives.
Image load_image(Store& from, const RawManifest& raw, const Manifest& manifest,
                 const std::string& mount_from = {});

}  // namespace wasmplug::oci
