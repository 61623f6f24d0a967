#include "tests/support/require.hpp"

#include <unistd.h>

#include <cstdlib>
#include <sstream>

namespace wasmplug::test {
namespace {

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

bool has_word(const std::string& words, std::string_view word) {
    std::istringstream in(words);
    for (std::string each; in >> each;) {
        if (each == word) {
            return true;
        }
    }
    return false;
}

}  // namespace

bool fails_without(std::string_view part) {
    return variable("WASMPLUG_REQUIRE_ALL") == "1" &&
           !has_word(variable("WASMPLUG_NOT_FETCHED"), part);
}

std::optional<std::filesystem::path> find_program(const std::string& name) {
    std::istringstream folders(variable("PATH"));
    for (std::string folder; std::getline(folders, folder, ':');) {
        const auto path = std::filesystem::path(folder) / name;
        if (::access(path.c_str(), X_OK) == 0 && std::filesystem::is_regular_file(path)) {
            return path;
        }
    }
    return std::nullopt;
}

std::filesystem::path cache_folder() {
    if (const auto cache = variable("WASMPLUG_CACHE"); !cache.empty()) {
        return cache;
    }
    if (const auto cache = variable("XDG_CACHE_HOME"); !cache.empty()) {
        return std::filesystem::path(cache) / "wasmplug";
    }
    return std::filesystem::path(variable("HOME")) / ".cache" / "wasmplug";
}

bool wants_language(std::string_view language) {
    const auto wanted = variable("WASMPLUG_LANGUAGES");
    return wanted.empty() || has_word(wanted, language);
}

}  // namespace wasmplug::test
