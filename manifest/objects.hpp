#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/yaml.hpp"
#include "manifest/fields.hpp"

namespace wasmplug::manifest {

enum class Identity {
    ours,          // a WasmPlugin or TrafficExtension of extensions.istio.io/v1alpha1
    unserved,      // meant to be one: another version, another group of Istio's, a kind mistyped
    foreign,       // any other kind
    unidentified,  // a mapping without apiVersion or kind, or no mapping
    broken,        // no YAML
};

// One object of a stream: a document, or an item of a List in it.
struct Object {
    yaml::File file;
    const yaml::Node* root = nullptr;      // the mapping; nullptr when broken
    std::size_t index = 0;                 // of the document in the stream
    std::optional<std::size_t> item = {};  // in the List
    yaml::Range range = {};                // where the document stands
    Identity identity = Identity::broken;
    Kind kind = Kind::wasm_plugin;  // of ours
    std::string_view api_version = {};
    std::string_view kind_name = {};
    std::string_view ns = {};  // "" when the manifest does not say
    std::string_view name = {};
    bool mentions_ours = false;  // unidentified or broken: its text names our kinds or group

    const yaml::Node* spec() const;

    // The mapping with url, sha256 and the like: spec, or spec.wasm of a TrafficExtension.
    // Nullptr for Lua and when it is missing.
    const yaml::Node* payload() const;

    // "spec." or "spec.wasm."
    std::string_view payload_path() const;
};

// "prod/auth", "auth" without a namespace, "" without a name.
std::string full_name(const Object& object);

// All objects in order. Documents without content are left out. As kubectl does, a document that
// is no YAML does not keep those after the next "---" from being read.
std::vector<Object> objects_in(const yaml::File& file);

// The string at `key` of a mapping; "" when it is missing, null or of another type.
std::string_view text_at(const yaml::Node* mapping, std::string_view key);

}  // namespace wasmplug::manifest
