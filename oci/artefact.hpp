#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "istio/artefact.hpp"
#include "oci/session.hpp"

namespace wasmplug::oci {

// One url of a manifest, as the agent would be given it.
struct ArtefactQuery {
    std::string url;
    std::set<std::string> expected;  // 64 digits that manifests compare it with
    std::vector<std::string> hosts;  // "istio-1.28": whether they load the module
    // Gets the module that the agent would hand to Envoy, when there is one.
    std::function<void(std::string_view module)> on_module = {};
};

// "HOST[:PORT]" of the cluster's name to the one under which we reach the same registry.
using HostNames = std::map<std::string, std::string, std::less<>>;

// Asks the registry or server that the url names, as Istio's agent would (pkg/wasm), but with our
// own credentials. Throws only when stopped: what goes wrong is in the facts.
istio::ArtefactFacts look_up(const ArtefactQuery& query, const HostNames& via,
                             const RegistryOptions& options, Services& services);

// Whether each host ("istio-1.28") loads the module.
std::vector<istio::Loading> judge_module(std::string_view module,
                                         const std::vector<std::string>& hosts);

}  // namespace wasmplug::oci
