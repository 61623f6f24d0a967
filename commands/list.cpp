#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "commands/command.hpp"
#include "commands/manifest_options.hpp"

namespace wasmplug {
namespace {

using manifest::Placement;
using nlohmann::ordered_json;

struct ListOptions {
    manifest::SourceOptions sources;
    bool same = false;
};

struct Plugin {
    std::string kind;
    std::string name;
    bool drift = false;
    std::vector<std::pair<std::string, Placement>> places;  // environment and what stands there
};

struct ListResult {
    std::vector<Plugin> plugins;
};

// What runs: the digest where there is one, since a tag can move.
std::string bytes_of(const Placement& placement) {
    if (!placement.sha256.empty()) {
        return placement.sha256;
    }
    const auto at = placement.url.find("@sha256:");
    return at == std::string::npos ? placement.url : placement.url.substr(at + 8);
}

// The folder that tells the environments apart: the first part of the paths that differs, or the
// file's own name when all are in one folder.
std::vector<std::string> environments_of(const std::vector<Placement>& placements) {
    std::vector<std::vector<std::string>> paths;
    for (const auto& placement : placements) {
        std::vector<std::string> parts;
        for (const auto& part : std::filesystem::path(placement.file).lexically_normal()) {
            parts.push_back(part.string());
        }
        paths.push_back(std::move(parts));
    }
    std::size_t differs = 0;
    const auto all_have = [&](std::size_t i) {
        return std::all_of(paths.begin(), paths.end(), [&](const auto& parts) {
            return i + 1 < parts.size() && parts[i] == paths.front()[i];
        });
    };
    while (all_have(differs)) {
        ++differs;
    }
    std::vector<std::string> names;
    for (const auto& parts : paths) {
        names.push_back(differs + 1 < parts.size()
                            ? parts[differs]
                            : std::filesystem::path(parts.back()).stem().string());
    }
    return names;
}

ListResult list_of(const std::vector<Placement>& placements) {
    ListResult result;
    std::map<std::pair<std::string, std::string>, std::size_t> index;
    const auto environments =
        placements.empty() ? std::vector<std::string>{} : environments_of(placements);
    for (std::size_t i = 0; i < placements.size(); ++i) {
        const std::string kind(to_string(placements[i].kind));
        const auto [found, fresh] =
            index.try_emplace({placements[i].name, kind}, result.plugins.size());
        if (fresh) {
            result.plugins.push_back(
                {.kind = kind, .name = placements[i].name, .drift = false, .places = {}});
        }
        result.plugins[found->second].places.emplace_back(environments[i], placements[i]);
    }
    for (auto& plugin : result.plugins) {
        std::set<std::string> versions;
        for (const auto& [environment, placement] : plugin.places) {
            versions.insert(bytes_of(placement));
        }
        plugin.drift = versions.size() > 1;
    }
    return result;
}

std::string to_text(const ListResult& result) {
    Table table{.header = {"PLUGIN", "ENVIRONMENT", "NAMESPACE", "VERSION", "DIGEST", "FILE", ""},
                .rows = {}};
    for (const auto& plugin : result.plugins) {
        for (const auto& [environment, placement] : plugin.places) {
            const auto bytes = bytes_of(placement);
            table.rows.push_back({plugin.name, environment, placement.ns, placement.version,
                                  bytes == placement.url ? "-" : bytes.substr(0, 12),
                                  fmt::format("{}:{}", placement.file, placement.at.line),
                                  plugin.drift ? "differs" : ""});
        }
    }
    return to_text(table);
}

ordered_json to_json(const ListResult& result) {
    auto plugins = ordered_json::array();
    for (const auto& plugin : result.plugins) {
        auto places = ordered_json::array();
        for (const auto& [environment, placement] : plugin.places) {
            places.push_back({{"environment", environment},
                              {"namespace", placement.ns},
                              {"url", placement.url},
                              {"sha256", placement.sha256},
                              {"tag", placement.version},
                              {"file", placement.file},
                              {"line", placement.at.line}});
        }
        plugins.push_back({{"kind", plugin.kind},
                           {"name", plugin.name},
                           {"drift", plugin.drift},
                           {"places", std::move(places)}});
    }
    return {{"version", 1}, {"plugins", std::move(plugins)}};
}

ExitCode run_list(const ListOptions& options, Services& services) {
    auto sources = options.sources;
    if (sources.names.empty() && sources.files_from.empty() && sources.changed_since.empty()) {
        sources.names = {"."};
    }
    const auto result = list_of(read_placements(sources, services));
    services.out.show(result);
    const bool drift = std::any_of(result.plugins.begin(), result.plugins.end(),
                                   [](const Plugin& plugin) { return plugin.drift; });
    return options.same && drift ? ExitCode::rejected : ExitCode::ok;
}

void add_list(CLI::App& command, Run& selected) {
    auto options = std::make_shared<ListOptions>();
    add_sources(command, options->sources);
    command.add_flag("--same", options->same,
                     "Exit with 3 when a plugin is not the same in every environment");
    command.footer("wasmplug list environments/\nwasmplug list --same staging/ prod/");
    selects(command, selected, options, run_list);
}

}  // namespace

extern const Command list_command;
const Command list_command = {.name = "list",
                              .summary = "Show which version of a plugin is where",
                              .group = Group::observe,
                              .add = add_list};

}  // namespace wasmplug
