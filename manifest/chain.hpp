#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "manifest/placement.hpp"

namespace wasmplug::manifest {

struct ChainLink {
    Placement plugin;
    std::string why;        // why it stands here and not before
    std::string condition;  // "" or what a pod needs besides the scope's labels
};

// The plugins that run together: on the pods of a namespace with some labels, or at a target.
struct Chain {
    std::string ns;      // "" when the manifests do not say
    std::string labels;  // "app=shop", "" for every pod
    std::string target;  // "Gateway/web", "" for pods
    bool network = false;
    std::vector<ChainLink> links;  // in the order of a request
};

// One chain for every scope that a manifest names, and one for the rest of the mesh when plugins
// of the root namespace reach it.
std::vector<Chain> build_chains(const std::vector<Placement>& placements,
                                std::string_view root_namespace);

std::string chains_text(const std::vector<Chain>& chains);
std::string chains_mermaid(const std::vector<Chain>& chains);
std::string chains_dot(const std::vector<Chain>& chains);
nlohmann::ordered_json chains_json(const std::vector<Chain>& chains);

}  // namespace wasmplug::manifest
