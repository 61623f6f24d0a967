#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "plugintest/file.hpp"

namespace wasmplug::host {

// What one exchange costs in the embedded host. Instructions, calls, bytes and memory are exact
// and the same on every machine; the times are the interpreter's and not Envoy's.
struct BenchFigures {
    std::string file;
    std::string name;
    std::string failure;      // it could not be measured, and why
    double instructions = 0;  // a request, as are the next two
    double host_calls = 0;
    double boundary_bytes = 0;
    std::uint64_t memory_peak = 0;    // bytes
    double memory_growth_per_1k = 0;  // bytes
    double load_ms = 0;               // reading, compiling, starting, configuring
    double interpreter_us = 0;        // a request
};

// A figure by its name in test files and JSON; nothing for an unknown one.
std::optional<double> figure(const BenchFigures& figures, const std::string& name);

// What the file's `bench` entries ask for; without any, each test with a single request.
std::vector<plugintest::BenchCase> bench_cases(const plugintest::TestFile& file);

// The exchange that `bench` repeats, `times` in a row, with the body it asks for; nothing when the
// file has no such test or that one sends no request: `why` says which.
std::optional<plugintest::Case> bench_exchange(const plugintest::TestFile& file,
                                               const plugintest::BenchCase& bench, int times,
                                               std::string& why);

// Runs the exchange of one test `warmup` times and then `requests` times more, and divides.
BenchFigures measure(const plugintest::TestFile& file, const plugintest::BenchCase& bench,
                     const plugintest::Engine& engine);

// The measured figures of the same exchange, or null.
const BenchFigures* same_in(const std::vector<BenchFigures>& baseline, const BenchFigures& now);

struct BenchVerdict {
    std::string file;
    std::string name;
    std::string text;  // "instructions 5120 is not under the budget (at least 5000)"
};

// Budgets of the file that are not kept.
std::vector<BenchVerdict> over_budget(const plugintest::BenchCase& bench,
                                      const BenchFigures& figures);

// Figures that are more than `percent` over those of the same name in `baseline`. Times are not
// compared: they are the machine's as much as the plugin's.
std::vector<BenchVerdict> regressions(const std::vector<BenchFigures>& baseline,
                                      const std::vector<BenchFigures>& figures, double percent);

nlohmann::ordered_json to_json(const BenchFigures& figures);
BenchFigures bench_figures_from_json(const nlohmann::ordered_json& json);

// One page without anything from elsewhere: a table, and bars for each figure beside those of
// the baseline.
std::string bench_page(const std::vector<BenchFigures>& figures,
                       const std::vector<BenchFigures>& baseline,
                       const std::vector<BenchVerdict>& verdicts);

}  // namespace wasmplug::host
