#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_schema.hpp"
#include "manifest/finding.hpp"
#include "manifest/objects.hpp"

namespace wasmplug::manifest {

// What a plugin wants to find in pluginConfig.
struct ConfigSchema {
    std::string name;  // the file, or the image that carries it
    JsonSchema schema;
    bool carried = false;
};

// JSON or YAML. Throws Error for what is no schema.
ConfigSchema read_config_schema(const std::filesystem::path& file);

// One that came with an image, from whoever made that. Throws Error as above, and for one that is
// larger or deeper than a schema is.
ConfigSchema carried_config_schema(std::string_view text, const std::string& image);

// The same file as one line of JSON, for an image to carry. Throws Error for what is no schema.
std::string config_schema_text(const std::filesystem::path& file);

// WP114 for each thing that the schema does not allow, at its place, and for a schema of the user's
// own that goes round in circles or takes too much work. A missing pluginConfig is judged as an
// empty one. Returns what could not be judged, a sentence each: patterns that we do not match, and
// such schemas of images.
std::vector<std::string> check_config(const Object& object, const ConfigSchema& schema,
                                      Findings& findings);

// The schema for a manifest's file, and the plugins that it is for.
struct SchemaInForce {
    const ConfigSchema* schema = nullptr;
    const std::set<std::string, std::less<>>* plugins = nullptr;  // nullptr: any

    bool is_for(const Object& object) const;
};

// config.schema.json beside a plugin.yaml, which makes the folder a plugin's project. It is for
// that plugin.yaml, and in the folder and those below (deploy/prod/…) for manifests of the same
// plugin: whose image has the same name, as the last part of its repository, as one in plugin.yaml.
// The nearest project counts, and none above the root of the work tree; without one, any above:
// unlike a policy it speaks of its own plugin only.
class ConfigSchemas {
  public:
    // Throws Error as read_config_schema, once for each project. What it returns lives as long as
    // this. For one thread at a time.
    SchemaInForce of(std::string_view file);

  private:
    struct Project {
        std::unique_ptr<const ConfigSchema> schema;
        std::set<std::string, std::less<>> plugins;
    };

    struct Folder {
        const Project* project = nullptr;
        bool is_own = false;
    };

    Folder& look_at(const std::filesystem::path& folder);

    std::vector<std::unique_ptr<const Project>> projects_;
    std::map<std::string, Folder, std::less<>> folders_;  // by their absolute names
    std::map<std::string, Folder, std::less<>> by_name_;  // as they are named in files
};

}  // namespace wasmplug::manifest
