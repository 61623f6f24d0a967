#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/yaml.hpp"
#include "plugintest/case.hpp"
#include "plugintest/expect.hpp"

namespace wasmplug::plugintest {

struct TestCase {
    Case test;
    std::vector<Expect> steps;  // of test.steps, same order
    Expect whole;
    std::optional<std::string> skip;  // the file says so, and why
    bool own_config = false;          // it does not run with the file's configuration
    Place place;
};

// What a `bench` entry asks for.
struct BenchCase {
    std::string name;
    std::string use;                  // the test whose message it repeats
    std::optional<std::string> body;  // instead of the test's
    int requests = 1000;
    int warmup = 50;

    struct Budget {
        std::string figure;  // "instructions", "host_calls" …
        Expected limit;
    };

    std::vector<Budget> budgets;
    std::optional<double> regress;  // percent over the baseline
    Place place;
};

struct TestFile {
    std::filesystem::path path;
    std::vector<TestCase> tests;  // a matrix is written out
    std::vector<BenchCase> bench;
};

struct ReadOptions {
    std::optional<std::filesystem::path> module;  // instead of plugin.wasm
};

// Reads NAME.test.yaml. Throws Error, at file:line:col, for what is no test file: an unknown key
// (with the one it may have been), a value of the wrong kind, a matcher that is none.
TestFile read_test_file(const std::filesystem::path& path, const ReadOptions& options = {});
TestFile parse_test_file(const yaml::File& file, const std::filesystem::path& path,
                         const ReadOptions& options = {});

}  // namespace wasmplug::plugintest
