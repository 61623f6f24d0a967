#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "manifest/placement.hpp"
#include "manifest/result.hpp"

namespace wasmplug::manifest {

// Compares the plugins that are applied together, which are those of one folder.
class Overlaps {
  public:
    explicit Overlaps(std::string_view root_namespace) : root_namespace_(root_namespace) {}

    // Adds WP201, WP202 and WP205 to `result`, the plugin's document, for each plugin that was
    // given before and that it meets; from the fourth of a rule on as a number.
    void check(const Placement& plugin, DocumentResult& result);

    // No further plugin stands in a folder that neither is `folder` nor has it below.
    void leave_all_but(std::string_view folder);

  private:
    // By namespace. Only plugins of one namespace, or of it and the root's, can meet.
    using Folder = std::map<std::string, std::vector<Placement>, std::less<>>;

    std::string root_namespace_;
    std::map<std::string, Folder, std::less<>> folders_;
};

}  // namespace wasmplug::manifest
