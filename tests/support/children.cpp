#include "tests/support/children.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/file.hpp"

namespace wasmplug::test {

std::set<int> children_of(int pid) {
    std::set<int> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const std::string name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos) {
            continue;
        }
        // "PID (NAME) STATE PPID ..."; a process may be gone meanwhile.
        const auto stat = read_file_if_there(entry.path() / "stat").value_or("");
        const auto after_name = stat.rfind(')');
        if (after_name != std::string::npos && stat.size() > after_name + 4 &&
            std::atoi(stat.c_str() + after_name + 4) == pid) {
            found.insert(std::atoi(name.c_str()));
        }
    }
    return found;
}

}  // namespace wasmplug::test
