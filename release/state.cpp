#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "base/hash.hpp"
#include "base/image_reference.hpp"
#include "base/json.hpp"
#include "release/located.hpp"

namespace wasmplug::release {
namespace {

using yaml::Node;

constexpr auto npos = std::string_view::npos;

// What the object says besides and a rollback does not put back. Environment values may be
// secrets, so vmConfig is not among them.
constexpr std::array<std::string_view, 8> recorded_beside{
    "phase",           "priority",        "failStrategy", "pluginName",
    "imagePullPolicy", "imagePullSecret", "type",         "verificationKey"};

// Other texts than an object's may leave "oci://" out and carry the digest in the name: two that
// mean the same have to compare equal.
std::string in_full(std::string url, bool has_name) {
    const std::size_t digest = url.find("@sha256:");
    if (digest != npos) {
        url.erase(digest);
    }
    return has_name && !url.empty() && url.find("://") == npos ? "oci://" + url : url;
}

}  // namespace

std::string config_hash(const Node* config) {
    if (config == nullptr || config->is_null()) {
        return {};
    }
    const nlohmann::json sorted = yaml::to_json(*config);
    return sha256_hex(sorted.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))
        .substr(0, 16);
}

State state_of(const Located& located) {
    State state;
    const Site* url = located.site(Role::url);
    const Site* tag = located.site(Role::tag);
    state.content.url = url == nullptr ? "" : url->text();
    if (tag != nullptr && !tag->text().empty()) {
        state.content.url += (url == nullptr ? "" : ":") + tag->text();
    }
    if (const auto reference = try_parse_reference(state.content.url)) {
        state.version = reference->tag;
    }
    if (const auto digest = state.content.url.find("@sha256:"); digest != npos) {
        state.content.sha256 = state.content.url.substr(digest + 8);
    }
    if (tag != nullptr) {
        state.version = tag->text().substr(0, tag->text().find('@'));
    }
    if (located.form != Form::object) {
        state.content.url = in_full(state.content.url, url != nullptr);
    }
    for (const Role role : {Role::sha256, Role::digest}) {
        if (const Site* site = located.site(role); site != nullptr && !site->text().empty()) {
            state.content.sha256 = site->text();
            if (state.content.sha256.starts_with("sha256:")) {
                state.content.sha256.erase(0, 7);
            }
        }
    }
    if (const Site* config = located.site(Role::config)) {
        state.content.config_hash = config_hash(config->value);
        if (config->own) {
            state.config = located.layout().value_text(config->slot());
        } else if (config->value != nullptr) {
            state.config = std::string(inherited_text);
        }
    }
    if (located.form == Form::object && !located.sites.empty() &&
        located.sites[0].place.value->is_mapping()) {
        for (const auto key : recorded_beside) {
            const Node* value = located.sites[0].place.value->find(key);
            value = value == nullptr ? located.spec.value->find(key) : value;
            if (value != nullptr) {
                state.beside.emplace_back(key, compact_json(yaml::to_json(*value)));
            }
        }
    }
    if (located.metadata.value != nullptr) {
        const Node* annotations = located.metadata.value->find("annotations");
        if (annotations != nullptr && annotations->is_mapping()) {
            for (const auto& [key, value] : annotations->effective_entries()) {
                state.annotations.emplace_back(key.key_text(), value.text());
            }
        }
    }
    return state;
}

}  // namespace wasmplug::release
