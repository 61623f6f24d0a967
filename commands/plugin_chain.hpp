#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/services.hpp"
#include "envoy/bootstrap.hpp"
#include "toolchain/project.hpp"

namespace CLI {
class App;
}

namespace wasmplug {

// Which plugins a local Envoy gets: what `run` and `generate envoy` share.
struct ChainOptions {
    std::vector<std::string> subjects;  // a project, a module, or manifests
    std::string module;                 // instead of what a manifest's url names
    std::string config;                 // text, or @FILE
};

// When each file was last written.
using FileTimes = std::map<std::filesystem::path, std::filesystem::file_time_type>;

struct PluginChain {
    std::vector<envoy::Filter> filters;        // in the order that requests meet them
    std::vector<std::filesystem::path> files;  // modules and manifests it was made from
    std::vector<toolchain::Project> projects;  // whose modules they are
    FileTimes times;  // of files and sources, from before they were read or built
};

// The same of now: another answer means that a person has changed something.
FileTimes times_of(const PluginChain& chain);

// Where a module comes from that is not on this machine, or is older than its sources.
struct ModuleSupply {
    std::function<void(const toolchain::Project&)> build;  // none: an Error says how
    // Likewise; `sha256` is the manifest's, "" when it has none.
    std::function<std::filesystem::path(const std::string& url, const std::string& sha256)> fetch;
};

void add_chain_options(CLI::App& command, ChainOptions& options);

// Throws Error when a module is missing; its hint says how to build or name it. What it has put
// into `chain` by then are the files and projects whose change may mend that.
void find_plugins(const ChainOptions& options, const ModuleSupply& supply, Services& services,
                  PluginChain& chain);

}  // namespace wasmplug
