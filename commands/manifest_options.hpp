#pragma once

#include "manifest/sources.hpp"

namespace CLI {
class App;
}

namespace wasmplug {

// FILE..., --files-from, --changed-since, --stdin-filename: the same for every command that
// reads many manifests.
void add_sources(CLI::App& command, manifest::SourceOptions& sources);

}  // namespace wasmplug
