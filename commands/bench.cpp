#include "host/bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/json.hpp"
#include "commands/bench_load.hpp"
#include "commands/command.hpp"
#include "commands/test_files.hpp"

namespace wasmplug {
namespace {

using host::BenchFigures;
using host::BenchVerdict;

struct BenchOptions {
    std::vector<std::string> subjects;
    std::string module;
    std::string baseline;
    std::string fail_on;
    std::vector<std::string> reports;
    std::string engine = "embedded";
    std::string envoy;
    LoadFlags load;
};

// Endpoints under load: the times are real ones.
struct LoadResult {
    std::string engine;
    std::vector<host::LoadComparison> comparisons;
    std::vector<std::string> over;
};

std::string to_text(const LoadResult& result) {
    std::string text;
    for (const auto& each : result.comparisons) {
        text += (text.empty() ? "" : "\n") + host::to_text(each);
    }
    for (const auto& reason : result.over) {
        text += fmt::format("✗ {}\n", printable(reason));
    }
    return text;
}

nlohmann::ordered_json to_json(const LoadResult& result) {
    auto comparisons = nlohmann::ordered_json::array();
    for (const auto& each : result.comparisons) {
        comparisons.push_back(host::to_json(each));
    }
    return {{"version", 1},
            {"engine", result.engine},
            {"comparisons", std::move(comparisons)},
            {"over", result.over}};
}

struct BenchResult {
    std::vector<BenchFigures> figures;
    std::vector<BenchVerdict> verdicts;
    std::vector<BenchFigures> baseline;
};

std::string to_text(const BenchResult& result) {
    Table table{{"EXCHANGE", "INSTRUCTIONS", "HOST CALLS", "BYTES", "MEMORY", "GROWTH/1K", "LOAD",
                 "INTERPRETED"},
                {}};
    for (const auto& each : result.figures) {
        if (!each.failure.empty()) {
            continue;
        }
        table.rows.push_back(
            {printable(each.name), fmt::format("{:.0f}", each.instructions),
             fmt::format("{:.1f}", each.host_calls), fmt::format("{:.0f}", each.boundary_bytes),
             format_size(each.memory_peak), fmt::format("{:.0f} B", each.memory_growth_per_1k),
             fmt::format("{:.1f} ms", each.load_ms),
             fmt::format("{:.1f} µs", each.interpreter_us)});
    }
    std::string text = table.rows.empty() ? "" : to_text(table);
    for (const auto& verdict : result.verdicts) {
        text += fmt::format("✗ {}: {}\n", printable(verdict.name), printable(verdict.text));
    }
    return text + "per request; interpreted times are not Envoy's\n";
}

nlohmann::ordered_json to_json(const BenchResult& result) {
    auto figures = nlohmann::ordered_json::array();
    for (const auto& each : result.figures) {
        figures.push_back(host::to_json(each));
    }
    auto verdicts = nlohmann::ordered_json::array();
    for (const auto& each : result.verdicts) {
        verdicts.push_back({{"file", each.file}, {"name", each.name}, {"text", each.text}});
    }
    return {{"version", 1},
            {"engine", "embedded"},
            {"time_is", "the interpreter's, not Envoy's"},
            {"figures", std::move(figures)},
            {"over", std::move(verdicts)}};
}

std::vector<BenchFigures> read_baseline(const std::string& path) {
    if (path.empty()) {
        return {};
    }
    const auto json = parse_json(read_file(path), path);
    if (!json.is_object() || !json.contains("figures") || !json.at("figures").is_array()) {
        throw Error(fmt::format("{} is no baseline", path),
                    fmt::format("make one: wasmplug bench -o json > {}", path));
    }
    std::vector<BenchFigures> figures;
    for (const auto& each : json.at("figures")) {
        figures.push_back(host::bench_figures_from_json(each));
    }
    return figures;
}

std::optional<double> percent_of(const std::string& text) {
    if (text.empty()) {
        return std::nullopt;
    }
    char* end = nullptr;
    const double percent = std::strtod(text.c_str(), &end);
    if (end == text.c_str() || (*end != '\0' && std::string(end) != "%") || percent < 0) {
        throw usage_error(fmt::format("--fail-on {} is no percentage", text), "write --fail-on 5%");
    }
    return percent;
}

// One file, in a process that may end as it likes.
void measure_file(const BenchOptions& options, const std::string& file, Services& services,
                  BenchResult& result) {
    ProcessSpec spec;
    spec.argv = {services.program, "__bench-worker"};
    spec.input = compact_json({{"file", file}, {"module", options.module}});
    spec.memory_limit = std::size_t{4} << 30;
    spec.processor_limit = std::chrono::seconds(600);
    const auto ended = services.spawn(spec, services.cancel);
    if (ended.exit_code != 0) {
        throw Error(fmt::format("measuring {} ended with {}", file, ended.exit_code),
                    "wasmplug test shows which exchange does that");
    }
    const auto answer = parse_json(ended.out, "the worker's answer");
    if (answer.contains("error")) {
        throw Error(answer.at("error").get<std::string>(), answer.at("hint").get<std::string>());
    }
    for (const auto& each : answer.at("figures")) {
        result.figures.push_back(host::bench_figures_from_json(each));
        if (each.contains("regress")) {
            const auto own = host::regressions(result.baseline, {result.figures.back()},
                                               each.at("regress").get<double>());
            result.verdicts.insert(result.verdicts.end(), own.begin(), own.end());
        }
    }
    for (const auto& each : answer.at("verdicts")) {
        result.verdicts.push_back(
            {file, each.at("name").get<std::string>(), each.at("text").get<std::string>()});
    }
}

std::string html_report(const std::string& text) {
    constexpr std::string_view prefix = "html=";
    if (!text.starts_with(prefix) || text.size() == prefix.size()) {
        throw usage_error(fmt::format("--report {} is not html=FILE", text));
    }
    return text.substr(prefix.size());
}

ExitCode run_load(const BenchOptions& options, Services& services) {
    if (!options.baseline.empty() || !options.reports.empty()) {
        throw usage_error("--baseline and --report are for the embedded host");
    }
    const auto percent = percent_of(options.fail_on);
    LoadResult result;
    if (!options.load.url.empty()) {
        if (!options.subjects.empty()) {
            throw usage_error("--url measures an endpoint, and no test file");
        }
        if (percent && options.load.baseline_url.empty()) {
            throw usage_error("--fail-on compares with a baseline, and there is none",
                              "add --baseline-url URL");
        }
        result.engine = "url";
        result.comparisons.push_back(load_urls(options.load, services));
    } else {
        result.engine = "envoy";
        const auto subjects =
            options.subjects.empty() ? std::vector<std::string>{"."} : options.subjects;
        for (const auto& file : test_files_of(subjects)) {
            auto each = load_in_envoy(options.load, options.envoy, file, options.module, services);
            std::move(each.begin(), each.end(), std::back_inserter(result.comparisons));
        }
    }
    for (const auto& each : result.comparisons) {
        for (const auto& reason :
             percent ? host::worse(each, *percent) : std::vector<std::string>{}) {
            result.over.push_back(each.name.empty() ? reason : each.name + ": " + reason);
        }
    }
    services.out.show(result);
    return result.over.empty() ? ExitCode::ok : ExitCode::rejected;
}

ExitCode run_bench(const BenchOptions& given, Services& services) {
    BenchOptions options = given;
    check_load_flags(options.load);
    for (const auto& report : options.reports) {
        html_report(report);
    }
    if (!options.load.url.empty() || options.engine == "envoy") {
        return run_load(options, services);
    }
    if (options.subjects.empty()) {
        options.subjects = {"."};
    }
    const auto percent = percent_of(options.fail_on);
    if (percent && options.baseline.empty()) {
        throw usage_error("--fail-on compares with a baseline, and there is none",
                          "add --baseline FILE");
    }
    BenchResult result;
    result.baseline = read_baseline(options.baseline);
    for (const auto& file : test_files_of(options.subjects)) {
        services.out.progress(fmt::format("measuring {}", file));
        measure_file(options, file, services, result);
    }
    if (result.figures.empty()) {
        throw Error("no test sends a single request that could be measured",
                    "add a bench entry: docs/test-format.md");
    }
    if (percent) {
        const auto worse = host::regressions(result.baseline, result.figures, *percent);
        result.verdicts.insert(result.verdicts.end(), worse.begin(), worse.end());
    }
    services.out.show(result);
    for (const auto& report : options.reports) {
        write_file(html_report(report),
                   host::bench_page(result.figures, result.baseline, result.verdicts));
    }
    return result.verdicts.empty() ? ExitCode::ok : ExitCode::rejected;
}

void add_bench(CLI::App& command, Run& selected) {
    auto options = std::make_shared<BenchOptions>();
    command
        .add_option("FILE", options->subjects, "Test files, or folders to search for *.test.yaml")
        ->type_name("FILE|DIR");
    command
        .add_option("--module", options->module, "Measure this module instead of the file's own")
        ->type_name("FILE")
        ->allow_extra_args(false);
    command
        .add_option("--baseline", options->baseline, "Compare with what an earlier -o json printed")
        ->type_name("FILE")
        ->allow_extra_args(false);
    command
        .add_option("--fail-on", options->fail_on,
                    "Exit with 3 when a figure is surely so much over the baseline's")
        ->type_name("PERCENT")
        ->allow_extra_args(false);
    command.add_option("--report", options->reports, "Also write a page with plots")
        ->type_name("html=FILE")
        ->allow_extra_args(false);
    choices(command.add_option("--engine", options->engine, "What runs the plugin"),
            {"embedded", "envoy"});
    command.add_option("--envoy", options->envoy, "The Envoy to run, instead of the one on PATH")
        ->type_name("FILE")
        ->allow_extra_args(false);
    add_load_flags(command, options->load);
    command.footer(
        "wasmplug bench\n"
        "wasmplug bench -o json > baseline.json\n"
        "wasmplug bench --baseline baseline.json --fail-on 5% --report html=bench.html\n"
        "wasmplug bench --engine envoy\n"
        "wasmplug bench --url https://b.example.com --baseline-url https://example.com");
    selects(command, selected, options, run_bench);
}

}  // namespace

extern const Command bench_command;
const Command bench_command = {
    .name = "bench",
    .summary = "Measure what a request costs: embedded, in Envoy, or at an endpoint",
    .group = Group::create,
    .add = add_bench};

}  // namespace wasmplug
