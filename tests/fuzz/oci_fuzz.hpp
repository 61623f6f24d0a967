#pragma once

#include <vector>

#include "tests/support/fuzz.hpp"

namespace wasmplug::test {

// What a registry, a layout or an archive sends us.
std::vector<FuzzTarget> oci_targets();

}  // namespace wasmplug::test
