#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace wasmplug::istio {

// What is known of the thing that spec.url names. `oci` fills it, the rules of `manifest` judge
// it; nothing in here fetches. A field that was not looked up is empty.
struct ArtefactFacts {
    std::string url;            // as it stands in the manifest
    bool found = false;         // the reference resolves
    std::string problem;        // why it does not: the registry's answer, a refused connection
    bool is_index = false;      // the reference names an image index
    std::string digest;         // of what the reference names: "sha256:…"
    std::string image_digest;   // of the image manifest that the agent takes (linux/amd64)
    std::string module_sha256;  // of plugin.wasm, 64 digits
    std::uint64_t module_size = 0;
    std::optional<bool> loads;  // by the host asked for, when the module was looked at
    std::string load_message;   // what that host would log
    std::string config_schema;  // the JSON Schema of pluginConfig that the image carries
};

}  // namespace wasmplug::istio
