#pragma once

#include <string>
#include <string_view>

namespace wasmplug::wasm {

// The module without what only a debugger reads: names, DWARF, source maps, relocations. The
// producers and target_features sections stay, since tools ask for them; every other byte too.
// Throws ModuleError for what read_module refuses.
std::string strip(std::string_view bytes);

}  // namespace wasmplug::wasm
