#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/json_schema.hpp"
#include "manifest/finding.hpp"
#include "manifest/objects.hpp"

namespace wasmplug::manifest {

// What a plugin wants to find in pluginConfig.
struct ConfigSchema {
    std::string file;
    JsonSchema schema;
};

// JSON or YAML. Throws Error for what is no schema.
ConfigSchema read_config_schema(const std::filesystem::path& file);

// WP114 for each thing that the schema does not allow, at its place. A missing pluginConfig is
// judged as an empty one.
void check_config(const Object& object, const ConfigSchema& schema, Findings& findings);

// The schema of each file: the one that was named, else config.schema.json of the project that
// the manifest stands in, which is a folder with a plugin.yaml.
class ConfigSchemas {
  public:
    // "" for none named. Throws as read_config_schema, of() too.
    explicit ConfigSchemas(const std::string& named);

    // Nullptr when there is none. What it returns lives as long as this. For one thread at a time.
    const ConfigSchema* of(std::string_view file);

  private:
    std::unique_ptr<const ConfigSchema> named_;
    std::map<std::string, std::unique_ptr<const ConfigSchema>, std::less<>> by_folder_;
};

}  // namespace wasmplug::manifest
