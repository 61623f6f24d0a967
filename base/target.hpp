#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace wasmplug {

// What TARGET names on a command line: a file, a folder, or an object in a cluster
// ("wasmplugin/auth"; a path that looks like that is written with "./").
struct Target {
    enum class Kind { file, folder, live };

    Kind kind = Kind::file;
    std::filesystem::path path;
    std::string resource;  // of a live one: "wasmplugin", "trafficextension"
    std::string name;
};

// Looks at the file system only to tell a file from a folder. Throws usage_error when there is
// neither, guessing at what was meant.
Target parse_target(std::string_view text);

}  // namespace wasmplug
