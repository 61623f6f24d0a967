#include "commands/plugin_chain.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <utility>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/json.hpp"
#include "base/yaml.hpp"
#include "istio/plugin_url.hpp"
#include "manifest/objects.hpp"
#include "manifest/placement.hpp"
#include "manifest/sources.hpp"
#include "toolchain/project.hpp"

namespace wasmplug {
namespace {

namespace fs = std::filesystem;
using manifest::text_at;

// Istio's default; only a plugin of the pod's own namespace comes before one of this.
constexpr std::string_view root_namespace = "istio-system";

std::string config_text(const std::string& option) {
    return option.starts_with('@') ? read_file(option.substr(1)) : option;
}

// What istiod hands to Envoy: the JSON of pluginConfig, nothing when there is none.
std::string plugin_config(const yaml::Node* payload) {
    const auto* config = payload == nullptr ? nullptr : payload->find("pluginConfig");
    return config == nullptr || config->is_null() ? "" : compact_json(yaml::to_json(*config));
}

envoy::FailurePolicy policy_of(std::string_view fail_strategy) {
    return fail_strategy == "FAIL_OPEN"     ? envoy::FailurePolicy::open
           : fail_strategy == "FAIL_RELOAD" ? envoy::FailurePolicy::reload
                                            : envoy::FailurePolicy::closed;
}

fs::path built_module(const toolchain::Project& project) {
    if (!fs::exists(project.module())) {
        throw Error(fmt::format("{} is not built", project.name),
                    fmt::format("wasmplug build {}", project.directory.string()));
    }
    return fs::absolute(project.module());
}

// The module that a manifest's url names and this machine has: a file, or the project that the
// manifest lies in.
fs::path module_of(const manifest::Object& object, const fs::path& manifest_file,
                   const std::string& given) {
    if (!given.empty()) {
        return fs::absolute(given);
    }
    const std::string url(text_at(object.payload(), "url"));
    const auto read = istio::read_plugin_url(url);
    if (read.transport == istio::Transport::file && fs::exists(read.path)) {
        return fs::absolute(read.path);
    }
    const fs::path folder =
        manifest_file.has_parent_path() ? manifest_file.parent_path() : fs::path(".");
    if (const auto project = toolchain::project_at(folder)) {
        return built_module(*project);
    }
    throw Error(object.file.where(object.range.begin) + ": " +
                    fmt::format("the module of {} ({}) is not on this machine",
                                manifest::full_name(object), url),
                fmt::format("wasmplug pull {} plugin.wasm, then --module plugin.wasm", url));
}

envoy::Filter filter_from(const manifest::Object& object, fs::path module) {
    const auto* payload = object.payload();
    const std::string plugin_name(text_at(payload, "pluginName"));
    envoy::Filter filter{.module = std::move(module),
                         .name = std::string(object.name),
                         .root_id = plugin_name,
                         .configuration = plugin_config(payload),
                         .failure_policy = policy_of(text_at(payload, "failStrategy"))};
    const auto* vm = payload == nullptr ? nullptr : payload->find("vmConfig");
    if (const auto* env = vm == nullptr ? nullptr : vm->find("env"); env != nullptr) {
        for (const auto& entry : env->items()) {
            filter.environment[std::string(text_at(&entry, "name"))] = text_at(&entry, "value");
        }
    }
    return filter;
}

PluginChain chain_of_manifests(const std::vector<std::string>& names, const ChainOptions& options,
                               Services& services) {
    PluginChain chain;
    std::vector<std::pair<manifest::Placement, envoy::Filter>> placed;
    for (const auto& source :
         manifest::collect_sources({.names = names}, services.spawn, services.cancel)) {
        const auto file = manifest::parse_source(source).checked();
        for (const auto& object : manifest::objects_in(file)) {
            if (object.identity != manifest::Identity::ours || object.payload() == nullptr) {
                continue;
            }
            auto placement = manifest::place(object, placed.size());
            if (placement.network) {
                services.out.warn(fmt::format("{} is left out: it filters connections, not HTTP",
                                              manifest::full_name(object)));
                continue;
            }
            auto filter = filter_from(object, module_of(object, source.name, options.module));
            chain.files.push_back(filter.module);
            placed.emplace_back(std::move(placement), std::move(filter));
        }
        chain.files.emplace_back(source.name);
    }
    if (placed.empty()) {
        throw Error(fmt::format("no WasmPlugin in {}", fmt::join(names, ", ")));
    }
    if (!options.module.empty() && placed.size() > 1) {
        throw usage_error("--module stands for one plugin, and there are several");
    }
    std::stable_sort(placed.begin(), placed.end(), [](const auto& a, const auto& b) {
        return manifest::stands_before(a.first, b.first, root_namespace);
    });
    for (auto& [place, filter] : placed) {
        chain.filters.push_back(std::move(filter));
    }
    return chain;
}

PluginChain chain_of_project(const toolchain::Project& project, const ChainOptions& options,
                             Services& services) {
    const fs::path manifest_file = project.directory / "plugin.yaml";
    if (fs::exists(manifest_file)) {
        ChainOptions built = options;
        built.module = options.module.empty() ? built_module(project).string() : options.module;
        return chain_of_manifests({manifest_file.string()}, built, services);
    }
    const fs::path module =
        options.module.empty() ? built_module(project) : fs::absolute(options.module);
    return {.filters = {{.module = module, .name = project.name}}, .files = {module}};
}

bool is_module(const std::string& subject) {
    return subject.ends_with(".wasm");
}

}  // namespace

void add_chain_options(CLI::App& command, ChainOptions& options) {
    command
        .add_option("WHAT", options.subjects,
                    "A project (the current folder), a module, or manifests")
        ->type_name("DIR|MODULE|FILE");
    command.add_option("--module", options.module, "The module, instead of what a manifest names")
        ->type_name("FILE")
        ->allow_extra_args(false);
    command
        .add_option("--config", options.config,
                    "Configuration of the plugin, or @FILE; else the manifest's")
        ->type_name("TEXT|@FILE")
        ->allow_extra_args(false);
}

PluginChain plugin_chain(const ChainOptions& options, Services& services) {
    std::vector<std::string> subjects = options.subjects;
    if (subjects.empty()) {
        subjects = {"."};
    }
    PluginChain chain;
    if (subjects.size() == 1 && is_module(subjects.front())) {
        const fs::path module = fs::absolute(subjects.front());
        if (!fs::exists(module)) {
            throw Error(subjects.front() + " does not exist");
        }
        chain = {.filters = {{.module = module, .name = module.stem().string()}},
                 .files = {module}};
    } else if (const auto project = subjects.size() == 1 && fs::is_directory(subjects.front())
                                        ? toolchain::project_at(subjects.front())
                                        : std::nullopt) {
        chain = chain_of_project(*project, options, services);
    } else {
        chain = chain_of_manifests(subjects, options, services);
    }
    if (!options.config.empty()) {
        if (chain.filters.size() > 1) {
            throw usage_error("--config stands for one plugin, and there are several");
        }
        chain.filters.front().configuration = config_text(options.config);
    }
    return chain;
}

}  // namespace wasmplug
