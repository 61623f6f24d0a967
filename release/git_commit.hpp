#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/services.hpp"

namespace wasmplug::release {

// Commits these files and nothing else that may be staged, with git and its hooks. Throws Error
// saying that the files are changed all the same.
void commit_files(const std::vector<std::filesystem::path>& files, const std::string& message,
                  Services& services);

// Throws Error when one of them has changes that a commit of ours would take along, or stands in
// no work tree.
void refuse_uncommitted(const std::vector<std::filesystem::path>& files, Services& services);

}  // namespace wasmplug::release
