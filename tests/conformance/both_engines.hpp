#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "plugintest/case.hpp"

namespace wasmplug::test {

// A case by a name for the reader of a failure.
struct NamedCase {
    std::string name;
    plugintest::Case test;
    bool beyond_us = false;  // the embedded host says that it cannot run it, and Envoy does
};

// Runs each case in the embedded host and in a real Envoy, several at a time, and fails the test
// for everything that differs: outcome, start-up log, and of each step outcome, requests,
// responses, details, calls and log lines; the metrics. What is left out stands as a row with its
// reason in both_engines.cpp.
void expect_equal_results(const std::vector<NamedCase>& cases);

// In an Envoy with a client of its own, so that threads can do it side by side.
plugintest::Observed run_in_envoy(const plugintest::Case& test);

// A client's GET (with a body: POST) and an upstream that answers it with 200.
plugintest::Step get(const std::string& path, std::vector<std::string> body = {});

// `steps` with one plugin.
plugintest::Case with(const std::filesystem::path& module, const std::string& config,
                      std::vector<plugintest::Step> steps);

}  // namespace wasmplug::test
