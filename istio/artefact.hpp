#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace wasmplug::istio {

// What one host makes of a module.
struct Loading {
    std::string host;  // "istio-1.28"
    bool loads = true;
    std::string message;  // what it would log
};

// What is known of the thing that spec.url names. `oci` fills it, the rules of `manifest` judge
// it; nothing in here fetches. A field that was not looked up is empty.
struct ArtefactFacts {
    enum class Answer {
        not_asked,  // nothing of this kind of url is fetched: file://, no image reference
        there,
        missing,  // whoever was asked says so, or what is there cannot be used
        unknown,  // no answer, or none for us
    };
    Answer answer = Answer::not_asked;
    std::string name;     // what was asked for, in the name that we know it by
    std::string problem;  // of missing and unknown: the registry's answer, a refused connection
    std::string hint;
    bool is_image = false;            // else the module itself, over http
    bool is_index = false;            // the reference names an image index
    std::string digest;               // of what the reference names: "sha256:…"
    std::string image_digest;         // of the image manifest that the agent takes (linux/amd64)
    std::string module_sha256;        // of plugin.wasm, 64 digits
    std::vector<std::string> layers;  // their digests
    std::uint64_t module_size = 0;
    // Of digests that were expected and are none of the above: those of which the repository
    // holds a manifest.
    std::vector<std::string> elsewhere;
    std::string config_schema;          // the JSON Schema that an image carries; "" for none
    std::string config_schema_problem;  // why the one it carries was not read
    std::vector<Loading> loading;       // by the hosts asked for, when the module was looked at
};

}  // namespace wasmplug::istio
