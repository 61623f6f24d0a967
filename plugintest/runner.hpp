#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "plugintest/file.hpp"

namespace wasmplug::plugintest {

enum class Verdict { passed, failed, skipped };

struct CaseResult {
    std::string name;
    Verdict verdict = Verdict::passed;
    std::string outcome;  // as observed; "" when it was not run
    std::string reason;   // why it was skipped; what a crash said
    std::vector<Failure> failures;
    std::vector<std::string> trace;
    Place place;
    Cost cost;
    std::map<std::string, std::uint64_t> callbacks;
    std::map<std::string, std::uint64_t> situations;
    std::vector<std::string> exports;
};

struct FileResult {
    std::string file;   // as the user named it
    std::string error;  // the file could not be run at all
    std::string hint;
    std::vector<CaseResult> cases;
};

struct RunOptions {
    std::string filter;  // glob over names; empty: all
    int repeat = 1;
    std::optional<std::uint64_t> shuffle;  // seed
    bool trace = false;
    std::size_t first = 0;  // skip so many of the selected tests: one of them ended a worker
};

// Whether `name` fits a pattern with * and ?; a pattern without either fits anywhere in it.
bool matches_filter(const std::string& name, const std::string& filter);

// The tests to run, in their order: filtered, repeated, shuffled.
std::vector<std::size_t> selection(const TestFile& file, const RunOptions& options);

// Runs one test and judges it; a failed one is run again for its trace.
CaseResult run_case(const TestCase& test, const Engine& engine, bool trace);

// Calls `on_start` before and `on_result` after each selected test.
void run_file(const TestFile& file, const Engine& engine, const RunOptions& options,
              const std::function<void(const TestCase&)>& on_start,
              const std::function<void(CaseResult)>& on_result);

// Callbacks and situations of a plugin that no test reached.
std::vector<std::string> never_exercised(const std::vector<CaseResult>& cases);

nlohmann::ordered_json to_json(const CaseResult& result);
CaseResult case_result_from_json(const nlohmann::ordered_json& json);

}  // namespace wasmplug::plugintest
