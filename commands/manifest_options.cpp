#include "commands/manifest_options.hpp"

#include <CLI/CLI.hpp>

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

}  // namespace wasmplug
