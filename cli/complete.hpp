#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace wasmplug {

// Candidates for the last of `words`, one a line: "word<TAB>description"; a single "<file>" or
// "<dir>" line asks the shell to complete paths itself.
std::string complete(const CLI::App& app, const std::vector<std::string>& words);

}  // namespace wasmplug
