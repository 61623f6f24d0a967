#pragma once

#include <vector>

#include "base/services.hpp"
#include "manifest/placement.hpp"
#include "manifest/policy.hpp"
#include "manifest/sources.hpp"

namespace CLI {
class App;
}

namespace wasmplug {

// FILE..., --files-from, --changed-since, --stdin-filename: the same for every command that
// reads many manifests.
void add_sources(CLI::App& command, manifest::SourceOptions& sources);

// Every plugin in the sources; what is none of ours or cannot be read is passed over, with a note
// for what cannot be read.
std::vector<manifest::Placement> read_placements(const manifest::SourceOptions& sources,
                                                 Services& services);

// --policy and --no-policy.
void add_policy_flags(CLI::App& command, manifest::PolicyChoice& choice);

}  // namespace wasmplug
