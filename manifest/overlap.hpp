#pragma once

#include <vector>

#include "manifest/placement.hpp"
#include "manifest/result.hpp"

namespace wasmplug::manifest {

// Compares the plugins that are applied together, which are those of one folder: adds WP201,
// WP202 and WP205 to the document of the second of a pair (Placement::document is the index).
void check_overlap(const std::vector<Placement>& placements, std::string_view root_namespace,
                   std::vector<DocumentResult>& documents);

}  // namespace wasmplug::manifest
