#include "commands/test_files.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/file.hpp"

namespace wasmplug {

bool is_test_file(const std::filesystem::path& path) {
    return path.filename().string().ends_with(".test.yaml") ||
           path.filename().string().ends_with(".test.yml");
}

std::vector<std::string> test_files_of(const std::vector<std::string>& subjects) {
    std::vector<std::string> files;
    for (const auto& subject : subjects) {
        if (subject.ends_with(".wasm")) {
            throw usage_error(fmt::format("{} is a module, and no test file", subject),
                              fmt::format("run the tests with it: --module {}", subject));
        }
        if (!std::filesystem::is_directory(subject)) {
            files.push_back(subject);
            continue;
        }
        for (const auto& path : find_files(subject, is_test_file)) {
            files.push_back(path.lexically_normal().string());
        }
    }
    if (files.empty()) {
        throw Error(fmt::format("no *.test.yaml below {}", fmt::join(subjects, ", ")),
                    "see docs/test-format.md for how one is written");
    }
    return files;
}

}  // namespace wasmplug
