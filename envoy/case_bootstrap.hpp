#pragma once

#include <string>

#include "envoy/bootstrap.hpp"
#include "plugintest/case.hpp"

namespace wasmplug::envoy {

// The plugins of a case as Envoy's filters.
std::vector<Filter> filters_of(const plugintest::Case& test);

// An Envoy that by itself gives every answer of the case, as fast as it can: what its upstream
// says to the first request, and what each service says (the first answer of each). `socket` is
// the beginning of its abstract sockets' names; unique a process. Throws Error for a case whose
// services fail or speak gRPC: there is no cost to measure there.
Bootstrap canned_bootstrap(const plugintest::Case& test, const std::string& socket);

}  // namespace wasmplug::envoy
