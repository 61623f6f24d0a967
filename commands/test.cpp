#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/forks.hpp"
#include "base/parallel.hpp"
#include "base/report.hpp"
#include "base/text.hpp"
#include "commands/command.hpp"
#include "commands/endpoint_flags.hpp"
#include "commands/show_as.hpp"
#include "commands/test_files.hpp"
#include "commands/test_worker.hpp"
#include "envoy/engine.hpp"
#include "envoy/server.hpp"
#include "plugintest/import_gcp.hpp"
#include "plugintest/live.hpp"
#include "plugintest/workers.hpp"

namespace wasmplug {
namespace {

using plugintest::CaseResult;
using plugintest::FileResult;
using plugintest::Verdict;

struct TestOptions {
    std::vector<std::string> subjects;
    std::string output;
    std::string module;
    std::string engine = "embedded";
    std::string envoy;
    std::string filter;
    int repeat = 1;
    std::string shuffle;
    bool trace = false;
    bool watch = false;
    std::vector<std::string> reports;
    std::string url;
    EndpointFlags endpoint;
    std::string record;
    std::string import_gcp;
};

struct TestResult {
    std::string engine;
    std::vector<FileResult> files;
    bool trace = false;

    std::size_t count(Verdict verdict) const {
        std::size_t number = 0;
        for (const auto& file : files) {
            number += static_cast<std::size_t>(
                std::count_if(file.cases.begin(), file.cases.end(),
                              [&](const auto& each) { return each.verdict == verdict; }));
        }
        return number;
    }

    std::size_t total() const {
        return count(Verdict::passed) + count(Verdict::failed) + count(Verdict::skipped);
    }

    bool broken() const {
        return std::any_of(files.begin(), files.end(),
                           [](const auto& file) { return !file.error.empty(); });
    }
};

std::string indented(const std::string& text, std::size_t columns) {
    std::string result;
    std::size_t begin = 0;
    while (begin < text.size()) {
        const auto end = text.find('\n', begin);
        const auto line = text.substr(begin, end - begin);
        result += std::string(columns, ' ') + line + '\n';
        begin = end == std::string::npos ? text.size() : end + 1;
    }
    return result;
}

std::string failure_text(const std::string& file, const plugintest::Failure& failure) {
    std::string text =
        fmt::format("    {}:{}:{}: {}\n      expected {}\n", file, failure.place.line,
                    failure.place.column, printable(failure.what), failure.expected);
    // What ended with a trap carries its backtrace below its first line.
    const auto first = first_line(failure.actual);
    text += fmt::format("      actual   {}\n", first);
    if (first.size() < failure.actual.size()) {
        text += indented(failure.actual.substr(first.size() + 1), 15);
    }
    if (!failure.diff.empty()) {
        text += "      difference (- expected, + actual)\n" + indented(failure.diff, 8);
    }
    return text;
}

// The beginning and the end, unless `whole`: what lies between fills screens and says little.
std::string trace_text(const CaseResult& result, bool whole) {
    constexpr std::size_t most = 200;
    const auto& lines = result.trace;
    const bool cut = !whole && lines.size() > most;
    std::string text = "    trace\n";
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (cut && i == most / 2) {
            text += fmt::format("      … {} more lines: --trace shows them\n", lines.size() - most);
            i = lines.size() - most / 2;
        }
        text += indented(lines[i], 6);
    }
    return text;
}

std::string case_text(const std::string& file, const CaseResult& result, bool trace,
                      const Output::Style& style) {
    const char* mark = result.verdict == Verdict::passed   ? "✓"
                       : result.verdict == Verdict::failed ? "✗"
                                                           : "-";
    const char* colour = result.verdict == Verdict::passed   ? "32"
                         : result.verdict == Verdict::failed ? "31"
                                                             : "33";
    std::string text = fmt::format(
        "  {} {}{}\n", paint(colour, mark, style.result_colour), printable(result.name),
        result.verdict == Verdict::skipped ? fmt::format(" (skipped: {})", printable(result.reason))
                                           : "");
    for (const auto& failure : result.failures) {
        text += failure_text(file, failure);
    }
    if (!result.trace.empty() && (trace || result.verdict == Verdict::failed)) {
        text += trace_text(result, trace);
    }
    return text;
}

std::string to_text(const TestResult& result, const Output::Style& style) {
    std::string text;
    for (const auto& file : result.files) {
        text += file.file + '\n';
        if (!file.error.empty()) {
            text += fmt::format("  {} {}\n", paint("31", "✗", style.result_colour), file.error);
            text += indented(file.hint, 4);
        }
        for (const auto& each : file.cases) {
            if (each.verdict != Verdict::passed || !style.quiet) {
                text += case_text(file.file, each, result.trace, style);
            }
        }
        const auto missing = plugintest::never_exercised(file.cases);
        if (file.error.empty() && !missing.empty() && !style.quiet) {
            text += fmt::format("  never exercised: {}\n", fmt::join(missing, ", "));
        }
    }
    text += fmt::format("{} passed, {} failed, {} skipped\n", result.count(Verdict::passed),
                        result.count(Verdict::failed), result.count(Verdict::skipped));
    return text;
}

nlohmann::ordered_json to_json(const TestResult& result) {
    auto files = nlohmann::ordered_json::array();
    for (const auto& file : result.files) {
        auto tests = nlohmann::ordered_json::array();
        for (const auto& each : file.cases) {
            tests.push_back(plugintest::to_json(each));
        }
        nlohmann::ordered_json item{{"file", file.file},
                                    {"tests", std::move(tests)},
                                    {"never_exercised", plugintest::never_exercised(file.cases)}};
        if (!file.error.empty()) {
            item["error"] = file.error;
        }
        files.push_back(std::move(item));
    }
    return {{"version", 1},
            {"engine", result.engine},
            {"files", std::move(files)},
            {"summary",
             {{"passed", result.count(Verdict::passed)},
              {"failed", result.count(Verdict::failed)},
              {"skipped", result.count(Verdict::skipped)}}}};
}

Report report_of(const TestResult& result) {
    Report report;
    report.tool_version = WASMPLUG_VERSION;
    for (const auto& file : result.files) {
        const auto add = [&](const std::string& name, ReportCase::Outcome outcome,
                             std::string detail) -> ReportCase& {
            ReportCase& each = report.cases.emplace_back();
            each.suite = file.file;
            each.type = result.engine;
            each.name = name;
            each.outcome = outcome;
            each.detail = std::move(detail);
            return each;
        };
        if (!file.error.empty()) {
            ReportFinding finding;
            finding.rule = "test-file";
            finding.message = file.error;
            finding.place.file = file.file;
            add("(the file)", ReportCase::Outcome::failed, file.hint)
                .findings.push_back(std::move(finding));
        }
        for (const auto& each : file.cases) {
            std::string detail = each.reason;
            if (each.verdict == Verdict::failed && !each.trace.empty()) {
                detail += trace_text(each, result.trace);
            }
            auto& item = add(each.name,
                             each.verdict == Verdict::passed    ? ReportCase::Outcome::passed
                             : each.verdict == Verdict::skipped ? ReportCase::Outcome::skipped
                                                                : ReportCase::Outcome::failed,
                             std::move(detail));
            item.time = each.cost.load + each.cost.run;
            for (const auto& failure : each.failures) {
                ReportFinding finding;
                finding.rule = "test";
                finding.title = each.name;
                finding.message = fmt::format("{}: expected {}, got {}", failure.what,
                                              failure.expected, failure.actual);
                finding.place = {file.file, failure.place.line, failure.place.column, 0, 0};
                item.findings.push_back(std::move(finding));
            }
        }
    }
    return report;
}

std::optional<std::uint64_t> seed_of(const std::string& text, Services& services) {
    if (text.empty()) {
        return std::nullopt;
    }
    std::uint64_t seed = 0;
    if (text == "random") {
        seed = static_cast<std::uint64_t>(services.now().time_since_epoch().count()) % 1'000'000;
    } else {
        for (const char c : text) {
            if (c < '0' || c > '9' || seed > 1'000'000'000'000) {
                throw usage_error(fmt::format("--shuffle {} is not a number", text),
                                  "--shuffle alone picks one");
            }
            seed = seed * 10 + static_cast<std::uint64_t>(c - '0');
        }
    }
    services.out.note(fmt::format("shuffled; the same order again: --shuffle={}", seed));
    return seed;
}

plugintest::LiveTarget target_of(const TestOptions& options) {
    plugintest::LiveTarget target;
    target.url = options.url;
    target.headers = parse_header_flags(options.endpoint.headers);
    target.resolve = options.endpoint.resolve;
    target.tls.ca_file = options.endpoint.ca_file;
    plugintest::check_target(target);
    return target;
}

// Asks the endpoint once and prints the answer as a test.
ExitCode record(const TestOptions& options, Services& services) {
    auto target = target_of(options);
    const auto url = *parse_url(options.url);
    target.url = url.origin();
    services.out.print(plugintest::recorded_test(
        target, "GET", url.query.empty() ? url.path : url.path + "?" + url.query, services.send,
        services.cancel));
    return ExitCode::ok;
}

// Prints another tester's file as ours.
ExitCode import(const TestOptions& options, Services& services) {
    const auto imported = plugintest::import_gcp(
        options.import_gcp, options.module.empty() ? "build/plugin.wasm" : options.module);
    for (const auto& note : imported.notes) {
        services.out.warn(note);
    }
    services.out.print(imported.yaml);
    return ExitCode::ok;
}

TestResult run_all(const TestOptions& options, Services& services) {
    plugintest::WorkerJob job;
    job.module = options.module;
    job.options.filter = options.filter;
    job.options.repeat = options.repeat;
    job.options.trace = options.trace;
    job.options.shuffle = seed_of(options.shuffle, services);
    const auto files = test_files_of(options.subjects);
    TestResult result;
    result.engine = options.engine;
    result.trace = options.trace;
    if (!options.url.empty()) {
        const auto engine =
            plugintest::live_engine(target_of(options), services.send, services.cancel);
        result.engine = display_url(options.url);
        for (const auto& file : files) {
            job.file = file;
            result.files.push_back(plugintest::run_here(job, engine, plugintest::client_visible));
        }
        return result;
    }
    if (options.engine == "envoy") {
        const auto engine =
            envoy::engine(envoy::find_envoy(options.envoy, services.environment), services);
        for (const auto& file : files) {
            services.out.progress(fmt::format("{} in Envoy", file));
            job.file = file;
            result.files.push_back(plugintest::run_here(job, engine));
        }
        return result;
    }
    const auto run = [&](std::size_t i, const Cancel& cancel) {
        auto each = job;
        each.file = files[i];
        return plugintest::run_in_worker({services.program, serve_test_worker}, each, {},
                                         services.spawn, cancel);
    };
    // Each file has a worker of its own, which a thread could not fork.
    const auto texts = in_forks(
        files.size(), [&](std::size_t i) { return plugintest::file_result_text(run(i, Cancel())); },
        services.cancel);
    if (texts) {
        for (const auto& text : *texts) {
            result.files.push_back(plugintest::parse_file_result(text));
        }
        return result;
    }
    result.files = parallel(
        files.size(), [&](std::size_t i) { return run(i, services.cancel); }, services.cancel);
    return result;
}

void write_reports(const TestOptions& options, const TestResult& result) {
    for (const auto& text : options.reports) {
        const auto [format, path] = parse_report_target(text);
        write_file(path, write_report(format, report_of(result)));
    }
}

ExitCode run_once(const TestOptions& options, Services& services) {
    for (const auto& text : options.reports) {
        parse_report_target(text);  // a wrong one is told before anything runs
    }
    const auto result = run_all(options, services);
    if (result.files.empty() || result.broken() || result.total() > 0) {
        if (!show_as(options.output, result, services.out)) {
            services.out.print(
                write_report(parse_report_format(options.output), report_of(result)));
        }
    }
    write_reports(options, result);
    if (result.broken()) {
        return ExitCode::failure;
    }
    if (result.total() == 0) {
        throw Error(fmt::format("no test fits --filter '{}'", options.filter));
    }
    // A gate that asked nothing must not open.
    if (!options.url.empty() && result.count(Verdict::skipped) == result.total()) {
        throw Error(fmt::format("{} was not asked: every test was skipped", result.engine),
                    "a test that has no 'config' and no 'upstream' of its own can be asked");
    }
    return result.count(Verdict::failed) > 0 ? ExitCode::rejected : ExitCode::ok;
}

// Newest change of the test files and of the modules beside them.
std::filesystem::file_time_type newest_change(const TestOptions& options) {
    auto newest = std::filesystem::file_time_type::min();
    const auto look = [&](const std::filesystem::path& path) {
        std::error_code none;
        const auto time = std::filesystem::last_write_time(path, none);
        newest = none ? newest : std::max(newest, time);
    };
    for (const auto& subject : options.subjects) {
        const auto root = std::filesystem::is_directory(subject)
                              ? std::filesystem::path(subject)
                              : std::filesystem::absolute(subject).parent_path();
        for (const auto& path : find_files(root, [](const auto& each) {
                 return is_test_file(each) || each.extension() == ".wasm" ||
                        each.extension() == ".json";
             })) {
            look(path);
        }
    }
    if (!options.module.empty()) {
        look(options.module);
    }
    return newest;
}

// A flag that would do nothing is a mistake.
void check_combination(const TestOptions& options) {
    const bool asks = !options.url.empty() || !options.record.empty();
    if (!options.record.empty() && !options.url.empty()) {
        throw usage_error("--record and --url name two endpoints");
    }
    if (!options.import_gcp.empty() && asks) {
        throw usage_error("--import-gcp reads a file, and asks no endpoint");
    }
    if (options.watch && (!options.record.empty() || !options.import_gcp.empty())) {
        throw usage_error("--watch runs tests again: there are none to run");
    }
    if (options.endpoint.given() && !asks) {
        throw usage_error("--header, --resolve and --ca-file are for an endpoint",
                          "name it: --url URL or --record URL");
    }
    if (options.engine == "envoy" && asks) {
        throw usage_error("--engine envoy starts an Envoy, and asks no endpoint");
    }
    if (!options.envoy.empty() && options.engine != "envoy") {
        throw usage_error("--envoy names an Envoy that nothing starts", "add --engine envoy");
    }
}

ExitCode run_test(const TestOptions& given, Services& services) {
    TestOptions options = given;
    if (options.subjects.empty()) {
        options.subjects = {"."};
    }
    check_combination(options);
    if (!options.import_gcp.empty()) {
        return import(options, services);
    }
    if (!options.record.empty()) {
        options.url = std::exchange(options.record, {});
        return record(options, services);
    }
    if (!options.watch) {
        return run_once(options, services);
    }
    for (;;) {
        const auto before = newest_change(options);
        try {
            run_once(options, services);
        } catch (const Error& error) {
            if (error.code() == ExitCode::interrupted) {
                throw;
            }
            services.out.error(error);
        }
        services.out.note("waiting for a change");
        while (newest_change(options) == before) {
            services.sleep(std::chrono::milliseconds(200), services.cancel);
        }
    }
}

void add_test(CLI::App& command, Run& selected) {
    auto options = std::make_shared<TestOptions>();
    command
        .add_option("FILE", options->subjects, "Test files, or folders to search for *.test.yaml")
        ->type_name("FILE|DIR");
    command.add_option("--module", options->module, "Test this module instead of the file's own")
        ->type_name("FILE")
        ->allow_extra_args(false);
    choices(command.add_option("-o,--output", options->output, "Format of the result on stdout"),
            {"text", "json", "yaml", "junit", "tap", "github"});
    choices(command.add_option("--engine", options->engine, "What runs the plugin"),
            {"embedded", "envoy"});
    command.add_option("--envoy", options->envoy, "The Envoy to run, instead of the one on PATH")
        ->type_name("FILE")
        ->allow_extra_args(false);
    command
        .add_option("--filter", options->filter,
                    "Run only the tests whose name has this in it (* and ? match anything)")
        ->type_name("NAME")
        ->allow_extra_args(false);
    command.add_option("--repeat", options->repeat, "Run every test so often")
        ->type_name("N")
        ->check(CLI::Range(1, 100'000).description(""));
    command.add_option("--shuffle", options->shuffle, "In another order, which SEED gives again")
        ->type_name("SEED")
        ->expected(0, 1)
        ->default_str("random");
    command.add_flag("--trace", options->trace, "Show every callback and host call of every test");
    command.add_flag("--watch", options->watch, "Run again whenever a test or module changes");
    command.add_option("--report", options->reports, "Also write a report: junit, tap, github, …")
        ->type_name("FORMAT=FILE")
        ->allow_extra_args(false);
    command
        .add_option("--url", options->url,
                    "Check what a client sees against this running endpoint instead")
        ->type_name("URL")
        ->allow_extra_args(false);
    add_endpoint_flags(command, options->endpoint);
    command
        .add_option("--record", options->record,
                    "Ask URL once, and print what it answered as a test file")
        ->type_name("URL")
        ->allow_extra_args(false);
    command
        .add_option("--import-gcp", options->import_gcp,
                    "Print the tests of this file of the Service Extensions tester as a test file")
        ->type_name("FILE")
        ->allow_extra_args(false);
    command.footer(
        "wasmplug test\n"
        "wasmplug test auth.test.yaml --filter 'denied*' --trace\n"
        "wasmplug test --engine envoy\n"
        "wasmplug test --url https://shop.example.com --header 'x-canary: 1'\n"
        "wasmplug test --record https://shop.example.com/ > shop.test.yaml\n"
        "wasmplug test --import-gcp tests.textpb > plugin.test.yaml\n"
        "wasmplug test -o tap\n"
        "wasmplug test --report junit=report.xml");
    selects(command, selected, options, run_test);
}

}  // namespace

extern const Command test_command;
const Command test_command = {
    .name = "test",
    .summary = "Run a plugin's tests in the embedded host or a real Envoy",
    .group = Group::create,
    .add = add_test};

}  // namespace wasmplug
