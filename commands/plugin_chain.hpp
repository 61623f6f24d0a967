#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/services.hpp"
#include "envoy/bootstrap.hpp"

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

struct PluginChain {
    std::vector<envoy::Filter> filters;        // in the order that requests meet them
    std::vector<std::filesystem::path> files;  // modules and manifests it was made from
};

void add_chain_options(CLI::App& command, ChainOptions& options);

// Throws Error when a module is missing; its hint says how to build or name it.
PluginChain plugin_chain(const ChainOptions& options, Services& services);

}  // namespace wasmplug
