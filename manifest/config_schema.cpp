#include "manifest/config_schema.hpp"

#include <fmt/format.h>

#include <system_error>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "istio/plugin_url.hpp"
#include "manifest/layers.hpp"

namespace wasmplug::manifest {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t largest_carried = std::size_t{256} << 10;
constexpr std::size_t deepest_carried = 60;

nlohmann::ordered_json read_schema(const fs::path& file) {
    return yaml::to_json(yaml::File::read(file).single());
}

// "auth" of oci://registry.example.com/team/auth:1.0.0 and of https://example.com/auth.wasm; ""
// without a url.
std::string plugin_of(const Object& object) {
    const auto url = istio::read_plugin_url(text_at(object.payload(), "url"));
    const fs::path name(url.image ? url.image->repository : url.path);
    return (url.image ? name.filename() : name.stem()).string();
}

}  // namespace

ConfigSchema read_config_schema(const fs::path& file) {
    return {.name = file.string(), .schema = JsonSchema(read_schema(file), file.string())};
}

ConfigSchema carried_config_schema(std::string_view text, const std::string& image) {
    const auto name = fmt::format("the schema in {}", image);
    if (text.size() > largest_carried) {
        throw Error(fmt::format("{} is larger than {} bytes", name, largest_carried));
    }
    return {.name = name,
            .schema = JsonSchema(parse_json(text, name, deepest_carried), name),
            .carried = true};
}

std::string config_schema_text(const fs::path& file) {
    const auto schema = read_schema(file);
    static_cast<void>(JsonSchema(schema, file.string()));
    return compact_json(schema);
}

std::vector<std::string> check_config(const Object& object, const ConfigSchema& schema,
                                      Findings& findings) {
    std::vector<std::string> not_judged;
    const auto* payload = object.payload();
    if (payload == nullptr) {
        return not_judged;  // Lua
    }
    const auto* config = payload->find("pluginConfig");
    const bool written = config != nullptr && !config->is_null();
    if (written && !config->is_mapping()) {
        return not_judged;  // the API server refuses it
    }
    for (const auto& part : schema.schema.not_judged()) {
        not_judged.push_back(fmt::format("{}: not judged by {}", schema.name, part));
    }
    const auto value = written ? yaml::to_json(*config) : nlohmann::ordered_json::object();
    std::vector<SchemaIssue> issues;
    try {
        issues = schema.schema.check(value);
    } catch (const Error& error) {
        if (schema.carried) {
            not_judged.emplace_back(error.what());
        } else {
            findings.add("WP114", {}, key_range(*payload, "pluginConfig"), error.what());
        }
    }
    for (const auto& issue : issues) {
        const auto* node = written ? config->at(issue.path) : nullptr;
        const auto range = node == nullptr      ? key_range(*object.root, "spec")
                           : !issue.key.empty() ? key_range(*node, issue.key)
                           : issue.path.empty() ? key_range(*payload, "pluginConfig")
                                                : beginning_of(*node);
        const auto path = yaml::Path{"pluginConfig"} / issue.path;
        auto& finding =
            findings.add("WP114", {}, range,
                         fmt::format("{}: {} ({})", path.to_string(), issue.message, schema.name));
        finding.path = std::string(object.payload_path()) + path.to_string();
        if (schema.carried) {
            finding.fix = "write what the schema in that image describes: wasmplug inspect -o json";
        }
    }
    return not_judged;
}

bool SchemaInForce::is_for(const Object& object) const {
    return schema != nullptr && (plugins == nullptr || plugins->contains(plugin_of(object)));
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as the folder's path
ConfigSchemas::Folder& ConfigSchemas::look_at(const fs::path& folder) {
    const auto [known, is_new] = folders_.try_emplace(folder.native());
    Folder& found = known->second;
    if (!is_new) {
        return found;
    }
    std::error_code ignored;
    if (fs::is_regular_file(folder / "config.schema.json", ignored) &&
        fs::is_regular_file(folder / "plugin.yaml", ignored)) {
        Project project;
        const auto file = folder / "config.schema.json";
        const auto from_here = file.lexically_relative(fs::current_path(ignored));
        const bool shorter = !from_here.empty() && from_here.native().size() < file.native().size();
        project.schema =
            std::make_unique<const ConfigSchema>(read_config_schema(shorter ? from_here : file));
        for (const auto& object : objects_in(yaml::File::read(folder / "plugin.yaml"))) {
            if (auto name = plugin_of(object); !name.empty()) {
                project.plugins.insert(std::move(name));
            }
        }
        projects_.push_back(std::make_unique<const Project>(std::move(project)));
        found = {.project = projects_.back().get(), .is_own = true};
    } else if (!fs::exists(folder / ".git", ignored) && folder != folder.parent_path()) {
        found.project = look_at(folder.parent_path()).project;
    }
    return found;
}

SchemaInForce ConfigSchemas::of(std::string_view file) {
    const auto slash = file.rfind('/');
    const bool here = slash == std::string_view::npos;
    const auto name = here ? "." : file.substr(0, slash + 1);
    const bool is_projects_own = (here ? file : file.substr(slash + 1)) == "plugin.yaml";
    auto known = by_name_.find(name);
    if (known == by_name_.end()) {
        known = by_name_.emplace(name, Folder()).first;
        known->second = look_at(absolute_folder_of(file));
    }
    const auto& [project, is_own] = known->second;
    return project == nullptr
               ? SchemaInForce()
               : SchemaInForce{.schema = project->schema.get(),
                               .plugins = is_own && is_projects_own ? nullptr : &project->plugins};
}

}  // namespace wasmplug::manifest
