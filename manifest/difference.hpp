#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace wasmplug::manifest {

// One value that is not the same on both sides; null where there is none.
struct Change {
    std::string path;  // "spec.pluginConfig.limit"
    nlohmann::ordered_json before;
    nlohmann::ordered_json after;
};

// What differs below two mappings, in the order of the first and then of the second. Lists are
// compared item by item.
std::vector<Change> differences(const nlohmann::ordered_json& before,
                                const nlohmann::ordered_json& after);

}  // namespace wasmplug::manifest
