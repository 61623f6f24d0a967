#pragma once

#include <string>

namespace CLI {
class App;
}

namespace wasmplug {

// The man page of `command` ("wasmplug-push(1)"), or of the whole program, in roff. The same
// bytes on every run: no date but the one of the release.
std::string man_page(const CLI::App& command);

}  // namespace wasmplug
