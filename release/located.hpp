#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/yaml.hpp"
#include "base/yaml_layout.hpp"
#include "release/ledger.hpp"

namespace wasmplug::release {

// The kinds of text in which a version can stand.
enum class Form {
    object,      // WasmPlugin or TrafficExtension; also as an item of a List, and as a kustomize
                 // strategic-merge patch, which is a part of the same object
    policy,      // an entry of an Envoy Gateway EnvoyExtensionPolicy
    json_patch,  // a JSON6902 patch: "- {op: replace, path: /spec/url, value: …}"
    values,      // Helm values, at the path that --path names
    marker,      // "# wasmplug: {"image": "auth"}" behind a value
};

std::string_view to_string(Form form);

// What a value says of the version.
enum class Role { url, tag, sha256, digest, config };

// One place that a version is written in. `value` is missing when the text has none there;
// `own` is false when it comes from a merge key and writing means to override it.
struct Site {
    Role role = Role::url;
    yaml::Slot place;  // the mapping that it is in
    std::string key;
    const yaml::Node* key_node = nullptr;
    const yaml::Node* value = nullptr;
    bool own = false;
    yaml::Path path;  // below the document's root

    std::string text() const;  // "" without a value

    // Of an own one.
    yaml::Slot slot() const { return {place.value, key_node, value}; }
};

// Stands for the source text of a value that a merge key brings in.
inline constexpr std::string_view inherited_text = "<<";

// One plugin in one document. Nodes belong to `file`.
struct Located {
    yaml::File file;                          // of a template: masked, with the ranges of `text`
    std::shared_ptr<const std::string> text;  // as it stands on disk
    bool is_template = false;
    std::size_t document = 0;
    Form form = Form::object;
    std::string kind;  // "WasmPlugin"; the form's own name where there is none
    std::string ns;
    std::string name;
    std::vector<Site> sites;
    yaml::Slot metadata;     // its value is null where there is no place for a ledger
    yaml::Path object_path;  // of the object below the document's root
    yaml::Slot spec;         // of an object
    std::string refusal;     // not empty: why this one cannot be changed
    std::string refusal_hint;
    yaml::Range range;  // what the refusal points at

    const Site* site(Role role) const;

    yaml::Layout layout() const;

    // Of Form::values, where in the values file it stands; else empty.
    std::string values_path() const { return form == Form::values ? name : std::string(); }

    bool keeps_ledger() const { return metadata.value != nullptr; }

    // "wasmplugin.extensions.istio.io/rate-limit", as kubectl writes it.
    std::string title() const;
};

// What the object runs now.
struct State {
    Content content;
    std::string version;  // the tag of the url, or ""
    // Source text of the value (Layout::value_region), or `inherited_text`.
    std::optional<std::string> config;
    std::vector<std::pair<std::string, std::string>> beside;
    Annotations annotations;
};

State state_of(const Located& located);

// 16 hexadecimal digits over the canonical JSON; "" for null.
std::string config_hash(const yaml::Node* config);

struct LocateOptions {
    std::string name = {};         // NS/NAME or NAME
    std::string values_path = {};  // --path: this file is Helm values
};

// All plugins of a file that `options` let through, in order, with those that cannot be changed
// (SOPS, inline kustomize patches, duplicate keys) marked so. Throws for what is no YAML, unless
// the text is a template: that is read around its actions, and its values may be changed where
// they are literal.
std::vector<Located> locate(const yaml::File& file, const LocateOptions& options = {});

// The same plugin in `text`, which its file was made into; nothing when it is not there.
std::optional<Located> locate_again(const Located& located, const std::string& text);

// The same text with each {{action}} overwritten by bytes that leave the YAML around it readable,
// so that ranges stay true. A line that holds nothing but actions becomes a comment.
std::string mask_template(std::string_view text);

}  // namespace wasmplug::release
