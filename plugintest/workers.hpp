#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "base/cancel.hpp"
#include "base/process.hpp"
#include "plugintest/runner.hpp"

namespace wasmplug::plugintest {

// What a worker process may use. Its death is a result like any other.
struct WorkerLimits {
    std::size_t memory = std::size_t{4} << 30;
    std::chrono::seconds processor{60};
    std::chrono::milliseconds time{180'000};
};

struct WorkerJob {
    std::string file;    // as the user named it
    std::string module;  // instead of the file's; empty: the file's
    RunOptions options;
};

// The hidden command that serve_worker() is behind.
inline constexpr const char* worker_command = "__test-worker";

// What runs a worker: a fork of this process that calls `serve` with the job where that can be
// (ProcessSpec::in_fork), else `program`, whose hidden command does the same.
struct WorkerProgram {
    std::string program;
    std::function<void(const std::string& job)> serve = {};
};

// Runs one test file in a process of its own. A test that ends the process fails with what
// ended it, and another process goes on behind it.
FileResult run_in_worker(const WorkerProgram& program, const WorkerJob& job,
                         const WorkerLimits& limits, const Spawn& spawn, const Cancel& cancel);

// A result on its way from another process.
std::string file_result_text(const FileResult& result);
FileResult parse_file_result(const std::string& text);

// The same in this very process, for engines that keep plugins out of it (a real Envoy).
// `adapt` changes each test first. Only what Cancel::check throws leaves it.
FileResult run_here(const WorkerJob& job, const Engine& engine,
                    const std::function<TestCase(TestCase)>& adapt = {});

// The other side: reads the job from `input`, hands every message to `send` as one line.
// Never throws.
void serve_worker(const std::string& input, const Engine& engine,
                  const std::function<void(const std::string&)>& send);

}  // namespace wasmplug::plugintest
