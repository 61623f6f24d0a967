#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/fuzz.hpp"

namespace wasmplug::test {

// What a plugin does to the embedded host: any host call, in any callback, with any pointer and
// size, from within the allocator too, with memory that grows meanwhile. Nothing without
// wat2wasm.
std::vector<FuzzTarget> host_targets();

// Every import that the plugin of the host's fuzzer can call.
std::vector<std::string> fuzzed_host_functions();

// The host functions that an input of that target gets to.
std::set<std::string> host_functions_reached(std::string_view input);

}  // namespace wasmplug::test
