#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "base/file.hpp"

namespace wasmplug::host {
namespace {

namespace fs = std::filesystem;

std::set<std::string> tests_of(const fs::path& folder) {
    static const std::regex declared(R"(TEST(?:_F|_P)?\((\w+),\s*(\w+)\))");
    std::set<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.path().extension() == ".cpp") {
            const std::string text = read_file(entry.path());
            for (std::sregex_iterator at(text.begin(), text.end(), declared), end; at != end;
                 ++at) {
                names.insert((*at)[1].str() + "." + (*at)[2].str());
            }
        }
    }
    return names;
}

// Every point of the two documents has tests, and they are there under these names.
TEST(HostPoints, AreEachShownByATestOfThatName) {
    const fs::path tests = fs::path(WASMPLUG_SOURCE_DIR) / "tests";
    const auto all = tests_of(tests);
    std::istringstream table(read_file(tests / "data/host-points.txt"));
    std::set<std::string> sections;
    for (std::string line; std::getline(table, line);) {
        if (line.empty() || line.starts_with('#')) {
            continue;
        }
        const auto point = line.find(" | ");
        const auto names = line.rfind(" | ");
        ASSERT_NE(point, names) << line;
        sections.insert(line.substr(0, point));
        std::istringstream list(line.substr(names + 3));
        for (std::string name; std::getline(list >> std::ws, name, ',');) {
            EXPECT_TRUE(all.contains(name)) << name << " in " << line;
        }
    }
    for (int number = 1; number <= 22; ++number) {
        EXPECT_TRUE(sections.contains("host " + std::to_string(number))) << number;
    }
    for (int number = 2; number <= 6; ++number) {
        EXPECT_TRUE(sections.contains("envoy " + std::to_string(number))) << number;
    }
}

}  // namespace
}  // namespace wasmplug::host
