#include "oci/config_schema.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/output.hpp"
#include "oci/media_types.hpp"

namespace wasmplug::oci {
namespace {

CarriedSchema read_small(Store& store, const Descriptor& blob) {
    if (blob.size > limit::config_schema) {
        return {.text = {},
                .problem = fmt::format("it is larger than {}", format_size(limit::config_schema))};
    }
    CarriedSchema found;
    store.read_blob(blob, [&](std::string_view part) { found.text += part; });
    return found;
}

// docker's schema 2 has no annotations.
std::string label_of(Store& store, const Manifest& manifest) {
    const auto config = read_small(store, manifest.config);
    if (config.text.empty()) {
        return {};
    }
    try {
        const auto labels = parse_json(config.text, "the config")
                                .value(nlohmann::json::json_pointer("/config/Labels"),
                                       nlohmann::ordered_json::object());
        return labels.value(annotation::config_schema, "");
    } catch (const Error&) {
        return {};
    } catch (const nlohmann::json::exception&) {
        return {};  // of another shape
    }
}

}  // namespace

CarriedSchema carried_schema(Store& store, const Manifest& manifest) {
    if (const auto found = manifest.annotations.find(annotation::config_schema);
        found != manifest.annotations.end()) {
        return {.text = found->second, .problem = {}};
    }
    if (manifest.media_type == media::docker_manifest) {
        if (auto label = label_of(store, manifest); !label.empty()) {
            return {.text = std::move(label), .problem = {}};
        }
    }
    const auto titled = std::ranges::find_if(manifest.layers, [](const Descriptor& layer) {
        const auto title = layer.annotations.find(annotation::title);
        return title != layer.annotations.end() && title->second == "config.schema.json";
    });
    return titled == manifest.layers.end() ? CarriedSchema() : read_small(store, *titled);
}

}  // namespace wasmplug::oci
