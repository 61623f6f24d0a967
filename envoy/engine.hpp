#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/services.hpp"
#include "plugintest/case.hpp"

namespace wasmplug::envoy {

// Runs test cases in real Envoys, one a case: the client, the upstream and the services that
// plugins call are ours, on loopback. Time is real, so nothing can advance it; what an Envoy
// cannot be told is Observed::skipped with the reason.
plugintest::Engine engine(std::filesystem::path envoy, Services& services);

// Why a real Envoy cannot run this case, or nothing.
std::optional<std::string> cannot_run(const plugintest::Case& test);

}  // namespace wasmplug::envoy
