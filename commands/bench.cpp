#include "host/bench.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/json.hpp"
#include "base/report.hpp"
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
    bool interrupted = false;
};

std::string to_text(const LoadResult& result) {
    std::string text;
    for (const auto& each : result.comparisons) {
        text += (text.empty() ? "" : "\n") + host::to_text(each);
    }
    for (const auto& reason : result.over) {
        text += fmt::format("✗ {}\n", printable(reason));
    }
    if (result.interrupted) {
        text += "stopped before the end: this is what was measured by then\n";
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
            {"over", result.over},
            {"interrupted", result.interrupted}};
}

struct BenchResult {
    std::vector<BenchFigures> figures;
    std::vector<BenchVerdict> verdicts;
    std::vector<BenchFigures> baseline;
};

std::string growth(double bytes) {
    return (bytes < 0 ? "-" : "") + format_size(static_cast<std::uint64_t>(std::abs(bytes)));
}

std::string to_text(const BenchResult& result) {
    Table table{
        {"INSTRUCTIONS", "HOST CALLS", "BYTES", "MEMORY", "GROWTH/1K", "LOAD", "INTERPRETED"}, {}};
    std::vector<std::string> names;
    for (const auto& each : result.figures) {
        if (!each.failure.empty()) {
            continue;
        }
        names.push_back(printable(each.name));
        table.rows.push_back(
            {fmt::format("{:.0f}", each.instructions), fmt::format("{:.1f}", each.host_calls),
             fmt::format("{:.0f}", each.boundary_bytes), format_size(each.memory_peak),
             growth(each.memory_growth_per_1k), fmt::format("{:.1f} ms", each.load_ms),
             fmt::format("{:.1f} µs", each.interpreter_us)});
    }
    // A name has a line of its own: the figures take the width of a terminal.
    std::string text;
    std::istringstream lines(table.rows.empty() ? "" : to_text(table));
    std::size_t next = 0;
    for (std::string line; std::getline(lines, line); ++next) {
        text += fmt::format("{}  {}\n", next == 0 ? "" : names[next - 1] + "\n", line);
    }
    for (const auto& verdict : result.verdicts) {
        text += fmt::format("✗ {}: {}\n", printable(verdict.name), printable(verdict.text));
    }
    return text +
           "per request, but for MEMORY, GROWTH/1K and LOAD; LOAD and INTERPRETED are the\n"
           "embedded interpreter's times, not Envoy's\n";
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
                    "make one: wasmplug bench -o json > baseline.json");
    }
    std::vector<BenchFigures> figures;
    try {
        for (const auto& each : json.at("figures")) {
            figures.push_back(host::bench_figures_from_json(each));
        }
    } catch (const nlohmann::json::exception&) {
        throw Error(fmt::format("{} is no baseline: figure {} is none", path, figures.size() + 1));
    }
    return figures;
}

std::optional<double> percent_of(const std::string& text) {
    if (text.empty()) {
        return std::nullopt;
    }
    const char* const end = text.data() + text.size() - (text.ends_with('%') ? 1 : 0);
    double percent = 0;
    const auto read = std::from_chars(text.data(), end, percent, std::chars_format::fixed);
    if (read.ec != std::errc() || read.ptr != end || !std::isfinite(percent) || percent < 0) {
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

struct ReportFile {
    bool json = false;
    std::string path;
};

std::vector<ReportFile> report_files(const std::vector<std::string>& flags) {
    std::vector<ReportFile> files;
    for (const auto& flag : flags) {
        auto [format, path] = split_report_target(flag, {"html", "json"});
        files.push_back({format == "json", std::move(path)});
    }
    return files;
}

template <class Result>
void write_reports(const std::vector<ReportFile>& files, const Result& result,
                   const std::string& page) {
    for (const auto& file : files) {
        write_file(file.path, file.json ? pretty_json(to_json(result)) : page);
    }
}

// An exchange that the baseline does not know can never be over it.
void warn_of_new(const BenchOptions& options, const BenchResult& result, Services& services) {
    if (options.baseline.empty()) {
        return;
    }
    std::vector<std::string> names;
    for (const auto& each : result.figures) {
        if (each.failure.empty() && host::same_in(result.baseline, each) == nullptr) {
            names.push_back(each.name);
        }
    }
    if (!names.empty()) {
        services.out.warn(fmt::format(
            "{} has no figures of '{}'{}", options.baseline, names.front(),
            names.size() == 1 ? "" : fmt::format(" and {} more exchanges", names.size() - 1)));
    }
}

ExitCode run_load(const BenchOptions& options, Services& services) {
    if (!options.baseline.empty()) {
        throw usage_error("--baseline is for the embedded host: times of another day say nothing",
                          options.load.url.empty() ? "" : "add --baseline-url URL");
    }
    const auto reports = report_files(options.reports);
    const auto percent = percent_of(options.fail_on);
    LoadResult result;
    if (!options.load.url.empty()) {
        if (!options.subjects.empty() || !options.module.empty() || options.engine == "envoy") {
            throw usage_error("--url measures an endpoint, and no test file, module or Envoy");
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
            try {
                load_in_envoy(options.load, options.envoy, file, options.module, services,
                              result.comparisons);
            } catch (const Error&) {
                // What was measured before Ctrl-C is shown.
                if (!services.cancel.requested() || result.comparisons.empty()) {
                    throw;
                }
            }
            if (services.cancel.requested()) {
                break;
            }
        }
    }
    result.interrupted = services.cancel.requested();
    for (const auto& each : result.comparisons) {
        for (const auto& reason :
             percent ? host::worse(each, *percent) : std::vector<std::string>{}) {
            result.over.push_back(each.name.empty() ? reason : each.name + ": " + reason);
        }
    }
    services.out.show(result);
    write_reports(reports, result, host::load_page(result.comparisons, result.over));
    if (result.interrupted) {
        services.cancel.check();
    }
    return result.over.empty() ? ExitCode::ok : ExitCode::rejected;
}

ExitCode run_bench(const BenchOptions& given, Services& services) {
    BenchOptions options = given;
    const bool loads = !options.load.url.empty() || options.engine == "envoy";
    check_load_flags(options.load, loads);
    if (loads) {
        return run_load(options, services);
    }
    const auto reports = report_files(options.reports);
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
    warn_of_new(options, result, services);
    services.out.show(result);
    write_reports(reports, result,
                  host::bench_page(result.figures, result.baseline, result.verdicts));
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
    not_empty(command.add_option("--baseline", options->baseline,
                                 "Compare with what an earlier -o json printed"))
        ->type_name("FILE")
        ->allow_extra_args(false);
    not_empty(command.add_option("--fail-on", options->fail_on,
                                 "Exit with 3 when a figure is surely so much over the baseline's"))
        ->type_name("PERCENT")
        ->allow_extra_args(false);
    command
        .add_option("--report", options->reports,
                    "Also write a page with plots (html=FILE), or what -o json prints (json=FILE)")
        ->type_name("FORMAT=FILE")
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
