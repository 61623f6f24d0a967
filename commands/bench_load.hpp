#pragma once

#include <string>
#include <vector>

#include "base/services.hpp"
#include "commands/endpoint_flags.hpp"
#include "host/load.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace wasmplug {

// The flags of `bench` that say how much load, and on what.
struct LoadFlags {
    std::string url;
    std::string baseline_url;
    std::size_t requests = 2000;
    std::size_t concurrency = 8;
    double rate = 0;
    std::size_t rounds = 20;
    std::string between;
    EndpointFlags endpoint;
};

// An option that an empty text ("$UNSET" in a script) does not switch off in silence.
CLI::Option* not_empty(CLI::Option* option);

void add_load_flags(CLI::App& command, LoadFlags& flags);

// Throws usage_error for flags that contradict each other; `loads` says whether anything is put
// under load.
void check_load_flags(const LoadFlags& flags, bool loads);

// --url, and --baseline-url when there is one. When stopped midway this and the next return what
// was measured by then, and throw as Cancel::check when that is nothing.
host::LoadComparison load_urls(const LoadFlags& flags, Services& services);

// Adds the file's exchanges through real Envoys, one with its plugins and one without: what was
// measured stays when the next one is interrupted and this throws.
void load_in_envoy(const LoadFlags& flags, const std::string& envoy, const std::string& file,
                   const std::string& module, Services& services,
                   std::vector<host::LoadComparison>& comparisons);

}  // namespace wasmplug
