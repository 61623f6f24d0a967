// The process that `wasmplug bench` measures a test file in.

#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/json.hpp"
#include "base/worker.hpp"
#include "commands/command.hpp"
#include "host/bench.hpp"
#include "host/embedded.hpp"

namespace wasmplug {
namespace {

using nlohmann::ordered_json;

struct BenchWorkerOptions {};

ordered_json measure_file(const std::string& name, const std::string& module) {
    plugintest::ReadOptions options;
    if (!module.empty()) {
        options.module = module;
    }
    auto file = plugintest::read_test_file(name, options);
    file.path = name;
    host::Embedded embedded;
    auto figures = ordered_json::array();
    auto verdicts = ordered_json::array();
    for (const auto& bench : host::bench_cases(file)) {
        const auto measured = host::measure(
            file, bench, [&](const plugintest::Case& test) { return embedded.run(test); });
        auto json = host::to_json(measured);
        if (bench.regress) {
            json["regress"] = *bench.regress;
        }
        figures.push_back(std::move(json));
        for (const auto& verdict : host::over_budget(bench, measured)) {
            verdicts.push_back({{"name", verdict.name}, {"text", verdict.text}});
        }
    }
    return {{"figures", std::move(figures)}, {"verdicts", std::move(verdicts)}};
}

ExitCode run_bench_worker(const BenchWorkerOptions&, Services& services) {
    end_on_signals();
    ordered_json answer;
    try {
        const auto job = parse_json(read_stdin(), "the job");
        answer =
            measure_file(job.at("file").get<std::string>(), job.at("module").get<std::string>());
    } catch (const Error& error) {
        answer = {{"error", error.full_message()}, {"hint", error.hint()}};
    }
    services.out.print(compact_json(answer) + "\n");
    return ExitCode::ok;
}

void add_bench_worker(CLI::App& command, Run& selected) {
    selects(command, selected, std::make_shared<BenchWorkerOptions>(), run_bench_worker);
}

}  // namespace

extern const Command bench_worker_command;
const Command bench_worker_command = {.name = "__bench-worker",
                                      .summary = "Measure one test file, as `wasmplug bench` asks",
                                      .group = Group::other,
                                      .add = add_bench_worker,
                                      .hidden = true};

}  // namespace wasmplug
