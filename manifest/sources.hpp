#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/process.hpp"
#include "base/yaml.hpp"

namespace wasmplug::manifest {

// How the command line names manifests.
struct SourceOptions {
    std::vector<std::string> names;  // files, folders, globs, "-"
    std::string files_from;          // a file with one name a line, "-" for standard input
    std::string changed_since;       // a git revision
    std::string stdin_name = "<stdin>";
};

// A file to read, or text that was read from standard input.
struct Source {
    std::string name;
    std::optional<std::string> text;
    bool found = false;  // by walking, a glob or git: nobody said that this one is a manifest
};

// In the order named, folders sorted, each file once. Folders give .yaml, .yml and .json; "**"
// in a glob stands for any number of folders.
// Throws Error for a name that does not exist and usage_error when nothing is named.
std::vector<Source> collect_sources(const SourceOptions& options, const Spawn& spawn,
                                    const Cancel& cancel);

yaml::File parse_source(const Source& source);

}  // namespace wasmplug::manifest
