#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/services.hpp"
#include "oci/artefact.hpp"

namespace wasmplug::release {

// By url.
using Artefacts = std::map<std::string, istio::ArtefactFacts, std::less<>>;

struct LookupSettings {
    oci::RegistryOptions registry;
    oci::HostNames via;
    std::size_t parallel = 8;  // lookups wait for the network, not for a processor
};

// Side by side, each url once. Throws only when stopped.
Artefacts look_up_all(const std::vector<oci::ArtefactQuery>& queries,
                      const LookupSettings& settings, Services& services);

// "HOST=HOST" of --via. Throws usage_error.
oci::HostNames parse_via(const std::vector<std::string>& texts);

}  // namespace wasmplug::release
