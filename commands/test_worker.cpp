// The process that `wasmplug test` runs a test file in: a plugin may do to it what it likes.

#include "commands/test_worker.hpp"

#include <memory>
#include <string>

#include "base/file.hpp"
#include "base/worker.hpp"
#include "commands/command.hpp"
#include "host/embedded.hpp"
#include "plugintest/workers.hpp"

namespace wasmplug {

void serve_test_worker(const std::string& job) {
    host::Embedded embedded;
    plugintest::serve_worker(
        job, [&](const plugintest::Case& test) { return embedded.run(test); },
        [](const std::string& line) { write_stdout(line + "\n"); });
}

namespace {

struct TestWorkerOptions {};

ExitCode run_test_worker(const TestWorkerOptions&, Services&) {
    end_on_signals();
    serve_test_worker(read_stdin());
    return ExitCode::ok;
}

void add_test_worker(CLI::App& command, Run& selected) {
    selects(command, selected, std::make_shared<TestWorkerOptions>(), run_test_worker);
}

}  // namespace

extern const Command test_worker_command;
const Command test_worker_command = {.name = plugintest::worker_command,
                                     .summary = "Run one test file, as `wasmplug test` asks",
                                     .group = Group::other,
                                     .add = add_test_worker,
                                     .hidden = true};

}  // namespace wasmplug
