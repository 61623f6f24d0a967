#pragma once

#include <set>

namespace wasmplug::test {

// The processes whose parent is `pid`.
std::set<int> children_of(int pid);

}  // namespace wasmplug::test
