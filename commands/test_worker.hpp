#pragma once

#include <string>

namespace wasmplug {

// Runs one job of plugintest::run_in_worker() and writes its messages to standard output.
void serve_test_worker(const std::string& job);

}  // namespace wasmplug
