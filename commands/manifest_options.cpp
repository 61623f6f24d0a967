#include "commands/manifest_options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "base/parallel.hpp"

namespace wasmplug {

void add_sources(CLI::App& command, manifest::SourceOptions& sources) {
    command.add_option("FILE", sources.names, "Files, folders, globs, or - for standard input")
        ->type_name("FILE");
    command
        .add_option("--files-from", sources.files_from,
                    "Read the names from this file, one a line, or from standard input (-)")
        ->type_name("FILE");
    command
        .add_option("--changed-since", sources.changed_since,
                    "Only files that differ from this git revision, or are new")
        ->type_name("REV");
    command
        .add_option("--stdin-filename", sources.stdin_name,
                    "What to call standard input in messages")
        ->type_name("NAME");
}

std::vector<manifest::Placement> read_placements(const manifest::SourceOptions& options,
                                                 Services& services) {
    const auto sources = manifest::collect_sources(options, services.spawn, services.cancel);
    const auto files = parallel(
        sources.size(),
        [&](std::size_t i) {
            std::vector<manifest::Placement> found;
            for (const auto& object : manifest::objects_in(manifest::parse_source(sources[i]))) {
                if (object.identity == manifest::Identity::ours) {
                    found.push_back(manifest::place(object, object.index));
                } else if (object.identity == manifest::Identity::broken && object.mentions_ours) {
                    services.out.warn(fmt::format("{} cannot be read and is left out",
                                                  object.file.where(object.range.begin)),
                                      "wasmplug validate says why");
                }
            }
            return found;
        },
        services.cancel);
    std::vector<manifest::Placement> placements;
    for (const auto& found : files) {
        placements.insert(placements.end(), found.begin(), found.end());
    }
    return placements;
}

void add_policy_flags(CLI::App& command, manifest::PolicyChoice& choice) {
    command
        .add_option("--policy", choice.file,
                    "What the team wants; else .wasmplug/policy.yaml of the nearest folder")
        ->type_name("FILE");
    command.add_flag("--no-policy", choice.none, "Look for no policy");
}

}  // namespace wasmplug
