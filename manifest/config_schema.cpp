#include "manifest/config_schema.hpp"

#include <fmt/format.h>

#include <system_error>

#include <nlohmann/json.hpp>

#include "manifest/layers.hpp"

namespace wasmplug::manifest {

namespace fs = std::filesystem;

ConfigSchema read_config_schema(const fs::path& file) {
    const auto text = yaml::File::read(file);
    return {file.string(), JsonSchema(yaml::to_json(text.single()), file.string())};
}

void check_config(const Object& object, const ConfigSchema& schema, Findings& findings) {
    const auto* payload = object.payload();
    if (payload == nullptr) {
        return;  // Lua
    }
    const auto* config = payload->find("pluginConfig");
    const bool written = config != nullptr && !config->is_null();
    if (written && !config->is_mapping()) {
        return;  // the API server refuses it
    }
    const auto value = written ? yaml::to_json(*config) : nlohmann::ordered_json::object();
    for (const auto& issue : schema.schema.check(value)) {
        const auto* node = written ? config->at(issue.path) : nullptr;
        const auto range = node == nullptr      ? key_range(*object.root, "spec")
                           : !issue.key.empty() ? key_range(*node, issue.key)
                           : issue.path.empty() ? key_range(*payload, "pluginConfig")
                                                : beginning_of(*node);
        const auto path = yaml::Path{"pluginConfig"} / issue.path;
        auto& finding =
            findings.add("WP114", {}, range,
                         fmt::format("{}: {} ({})", path.to_string(), issue.message, schema.file));
        finding.path = std::string(object.payload_path()) + path.to_string();
    }
}

ConfigSchemas::ConfigSchemas(const std::string& named) {
    if (!named.empty()) {
        named_ = std::make_unique<const ConfigSchema>(read_config_schema(named));
    }
}

const ConfigSchema* ConfigSchemas::of(std::string_view file) {
    if (named_) {
        return named_.get();
    }
    const auto name = file.substr(0, file.rfind('/') + 1);
    const auto known = by_folder_.find(name);
    if (known != by_folder_.end()) {
        return known->second.get();
    }
    const fs::path folder(name);
    std::unique_ptr<const ConfigSchema> schema;
    std::error_code ignored;
    if (fs::is_regular_file(folder / "config.schema.json", ignored) &&
        fs::is_regular_file(folder / "plugin.yaml", ignored)) {
        schema =
            std::make_unique<const ConfigSchema>(read_config_schema(folder / "config.schema.json"));
    }
    return by_folder_.emplace(name, std::move(schema)).first->second.get();
}

}  // namespace wasmplug::manifest
