#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace wasmplug {

bool is_test_file(const std::filesystem::path& path);

// The files that the words of a command line mean: folders are searched for *.test.yaml.
// Throws Error when there is none.
std::vector<std::string> test_files_of(const std::vector<std::string>& subjects);

}  // namespace wasmplug
