#pragma once

#include <string>
#include <vector>

#include "base/yaml.hpp"
#include "manifest/fields.hpp"

namespace wasmplug::manifest {

struct Converted {
    std::string text;
    std::size_t count = 0;           // objects that became the other kind
    std::vector<std::string> notes;  // what a person should know
};

// Every object of the other kind in `file` becomes one of `to`; all else keeps its bytes. Fields
// move with their comments, the names of phase change. The result is read again and proved to say
// the same. Throws Error for what the other kind cannot say (a Lua script).
Converted convert(const yaml::File& file, Kind to);

}  // namespace wasmplug::manifest
