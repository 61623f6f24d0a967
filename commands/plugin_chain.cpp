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
#include "toolchain/sources.hpp"

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

// The first time that is noted counts.
void note(FileTimes& times, const fs::path& file) {
    std::error_code gone;
    const auto time = fs::last_write_time(file, gone);
    if (!gone) {
        times.emplace(file, time);
    }
}

void note_sources(FileTimes& times, const toolchain::Project& project) {
    for (const auto& source : toolchain::Sources(project).files()) {
        note(times, source);
    }
}

class Finder {
  public:
    Finder(const ChainOptions& options, const ModuleSupply& supply, Services& services,
           PluginChain& chain)
        : options_(options), supply_(supply), services_(services), chain_(chain) {}

    void modules() {
        for (const auto& subject : options_.subjects) {
            add_module(subject);
        }
    }

    void project(const toolchain::Project& project) {
        const fs::path manifest_file = project.directory / "plugin.yaml";
        if (fs::exists(manifest_file)) {
            own_ = &project;
            manifests({manifest_file.string()});
            return;
        }
        const fs::path module =
            options_.module.empty() ? built_module(project) : given_module(options_.module);
        chain_.filters.push_back({.module = module, .name = project.name});
    }

    void manifests(const std::vector<std::string>& names);

  private:
    void add_module(const std::string& name) {
        const fs::path module = given_module(name);
        chain_.filters.push_back({.module = module, .name = module.stem().string()});
    }

    fs::path given_module(const std::string& name) {
        const fs::path module = fs::absolute(name).lexically_normal();
        if (!fs::is_regular_file(module)) {
            throw Error(fmt::format("there is no module at {}", name));
        }
        add_file(module);
        return module;
    }

    fs::path built_module(const toolchain::Project& project) {
        const bool known =
            std::any_of(chain_.projects.begin(), chain_.projects.end(),
                        [&](const auto& each) { return each.directory == project.directory; });
        if (!known) {
            chain_.projects.push_back(project);
            note_sources(chain_.times, project);
            const bool missing = !fs::exists(project.module());
            if (supply_.build && (missing || toolchain::newer_than_module(project))) {
                supply_.build(project);
                note_sources(chain_.times, project);  // Cargo.lock and the like may be new
            } else if (missing) {
                throw Error(fmt::format("{} is not built", project.name),
                            fmt::format("wasmplug build {}", project.directory.string()));
            }
        }
        add_file(fs::absolute(project.module()).lexically_normal());
        return chain_.files.back();
    }

    void add_file(const fs::path& file) {
        chain_.files.push_back(file);
        note(chain_.times, file);
    }

    fs::path module_of(const manifest::Object& object, const fs::path& manifest_file);

    const ChainOptions& options_;
    const ModuleSupply& supply_;
    Services& services_;
    PluginChain& chain_;
    const toolchain::Project* own_ = nullptr;  // whose manifest is read
};

// The module that a manifest's url names: a file, the project that the manifest lies in, or what
// a registry has.
fs::path Finder::module_of(const manifest::Object& object, const fs::path& manifest_file) {
    if (!options_.module.empty()) {
        return given_module(options_.module);
    }
    if (own_ != nullptr) {
        return built_module(*own_);
    }
    const std::string url(text_at(object.payload(), "url"));
    const auto read = istio::read_plugin_url(url);
    const bool file = read.transport == istio::Transport::file;
    if (file && fs::is_regular_file(read.path)) {
        return given_module(read.path);
    }
    const fs::path folder =
        manifest_file.has_parent_path() ? manifest_file.parent_path() : fs::path(".");
    if (const auto project = toolchain::project_at(folder)) {
        return built_module(*project);
    }
    const auto* at = object.payload()->find("url");
    const std::string place =
        object.file.where(at == nullptr ? object.range.begin : at->range().begin) + ": ";
    if (file || url.empty()) {
        throw Error(
            place + (url.empty() ? fmt::format("{} names no module", manifest::full_name(object))
                                 : fmt::format("there is no module at {}", read.path)),
            "name the module of this machine with --module FILE");
    }
    if (!supply_.fetch) {
        throw Error(place + fmt::format("the module of {} ({}) is not on this machine",
                                        manifest::full_name(object), url),
                    fmt::format("wasmplug pull {} plugin.wasm, then --module plugin.wasm", url));
    }
    return in_context(place.substr(0, place.size() - 2), [&] {
        return supply_.fetch(url, std::string(text_at(object.payload(), "sha256")));
    });
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

void Finder::manifests(const std::vector<std::string>& names) {
    std::vector<std::pair<manifest::Placement, envoy::Filter>> placed;
    FileTimes before;
    for (const auto& name : names) {
        note(before, name);
    }
    for (const auto& source :
         manifest::collect_sources({.names = names}, services_.spawn, services_.cancel)) {
        if (const auto known = before.find(source.name); known != before.end()) {
            chain_.times.insert(*known);
        }
        add_file(source.name);
        const auto file = manifest::parse_source(source).checked();
        for (const auto& object : manifest::objects_in(file)) {
            if (object.identity != manifest::Identity::ours || object.payload() == nullptr) {
                continue;
            }
            auto placement = manifest::place(object, placed.size());
            if (placement.network) {
                services_.out.warn(fmt::format("{} is left out: it filters connections, not HTTP",
                                               manifest::full_name(object)));
                continue;
            }
            auto filter = filter_from(object, module_of(object, source.name));
            placed.emplace_back(std::move(placement), std::move(filter));
        }
    }
    if (placed.empty()) {
        throw Error(names == std::vector<std::string>{"."}
                        ? "the current folder is no project and has no WasmPlugin"
                        : fmt::format("no WasmPlugin in {}", fmt::join(names, ", ")),
                    "`wasmplug init` makes a project; a module or manifests are named as WHAT");
    }
    if (!options_.module.empty() && placed.size() > 1) {
        throw usage_error("--module stands for one plugin, and there are several");
    }
    std::stable_sort(placed.begin(), placed.end(), [](const auto& a, const auto& b) {
        return manifest::stands_before(a.first, b.first, root_namespace);
    });
    for (auto& [place, filter] : placed) {
        chain_.filters.push_back(std::move(filter));
    }
}

bool is_module(const std::string& subject) {
    return subject.ends_with(".wasm");
}

}  // namespace

FileTimes times_of(const PluginChain& chain) {
    FileTimes times;
    for (const auto& file : chain.files) {
        note(times, file);
    }
    for (const auto& project : chain.projects) {
        note_sources(times, project);
    }
    return times;
}

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

void find_plugins(const ChainOptions& given, const ModuleSupply& supply, Services& services,
                  PluginChain& chain) {
    ChainOptions options = given;
    if (options.subjects.empty()) {
        options.subjects = {"."};
    }
    const auto& subjects = options.subjects;
    Finder finder(options, supply, services, chain);
    const auto modules = std::count_if(subjects.begin(), subjects.end(), is_module);
    if (modules > 0) {
        if (std::cmp_less(modules, subjects.size())) {
            throw usage_error("modules and manifests do not mix",
                              "name modules only, in the order that requests meet them");
        }
        if (!options.module.empty()) {
            throw usage_error("--module stands for a manifest's module, and modules are named");
        }
        finder.modules();
    } else if (const auto project = subjects.size() == 1 && fs::is_directory(subjects.front())
                                        ? toolchain::project_at(subjects.front())
                                        : std::nullopt) {
        finder.project(*project);
    } else {
        finder.manifests(subjects);
    }
    if (!options.config.empty()) {
        if (chain.filters.size() > 1) {
            throw usage_error("--config stands for one plugin, and there are several");
        }
        chain.filters.front().configuration = config_text(options.config);
    }
}

}  // namespace wasmplug
