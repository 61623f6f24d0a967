#include "host/bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

namespace wasmplug::host {
namespace {

using plugintest::BenchCase;
using plugintest::Case;
using plugintest::Engine;
using plugintest::Observed;
using plugintest::Outcome;
using plugintest::TestFile;

double nanoseconds(std::chrono::nanoseconds time) {
    return static_cast<double>(time.count());
}

void replace_body(plugintest::Message& message, const std::string& body) {
    message.body = body.empty() ? std::vector<std::string>{} : std::vector{body};
    for (auto& [name, value] : message.headers) {
        if (name == "content-length") {
            value = std::to_string(body.size());
        }
    }
}

// The bodies that the exchange has: both directions of a transformation cost the same bytes.
Case repeated(const Case& test, const BenchCase& bench, int times) {
    Case run = test;
    run.exact = true;
    auto step = test.steps.front();
    if (bench.body) {
        if (!step.request->body.empty()) {
            replace_body(*step.request, *bench.body);
        }
        if (!step.upstream.body.empty()) {
            replace_body(step.upstream, *bench.body);
        }
    }
    for (auto& target : run.calls) {
        target.times.reset();
    }
    run.steps.assign(static_cast<std::size_t>(times), step);
    return run;
}

double difference(std::uint64_t more, std::uint64_t less) {
    return static_cast<double>(more) - static_cast<double>(less);
}

// Memory comes in pages of 64 KiB, and a leak of a few bytes shows in it late or too large; so what
// counts is how far up there is anything. Memory that a plugin took and left untouched counts too.
double growth(const plugintest::Cost& warm, const plugintest::Cost& full) {
    constexpr double page = 65'536;
    const double used = difference(full.memory_used, warm.memory_used);
    const double taken = difference(full.memory_peak, warm.memory_peak);
    return std::max(0.0, used > 0 ? std::max(used, taken - page) : taken);
}

const std::vector<std::string>& figure_names() {
    static const std::vector<std::string> names{
        "instructions",         "host_calls", "boundary_bytes", "memory_peak",
        "memory_growth_per_1k", "load_ms",    "interpreter_us"};
    return names;
}

}  // namespace

std::optional<double> figure(const BenchFigures& figures, const std::string& name) {
    const double values[] = {figures.instructions,         figures.host_calls,
                             figures.boundary_bytes,       static_cast<double>(figures.memory_peak),
                             figures.memory_growth_per_1k, figures.load_ms,
                             figures.interpreter_us};
    const auto& names = figure_names();
    const auto found = std::find(names.begin(), names.end(), name);
    return found == names.end() ? std::nullopt : std::optional(values[found - names.begin()]);
}

std::vector<BenchCase> bench_cases(const TestFile& file) {
    if (!file.bench.empty()) {
        return file.bench;
    }
    std::vector<BenchCase> cases;
    for (const auto& test : file.tests) {
        if (test.test.steps.size() == 1 && test.test.steps.front().request && !test.skip &&
            !test.whole.outcome) {
            BenchCase bench;
            bench.name = bench.use = test.test.name;
            bench.place = test.place;
            cases.push_back(std::move(bench));
        }
    }
    return cases;
}

std::optional<Case> bench_exchange(const TestFile& file, const BenchCase& bench, int times,
                                   std::string& why) {
    const auto test = std::find_if(file.tests.begin(), file.tests.end(),
                                   [&](const auto& each) { return each.test.name == bench.use; });
    if (test == file.tests.end()) {
        why = fmt::format("no test is called '{}'", bench.use);
        return std::nullopt;
    }
    if (test->test.steps.empty() || !test->test.steps.front().request) {
        why = fmt::format("the test '{}' sends no request", bench.use);
        return std::nullopt;
    }
    return repeated(test->test, bench, times);
}

BenchFigures measure(const TestFile& file, const BenchCase& bench, const Engine& engine) {
    BenchFigures figures;
    figures.file = file.path.string();
    figures.name = bench.name;
    const auto exchanges = [&](int times) {
        return bench_exchange(file, bench, times, figures.failure);
    };
    const auto none = exchanges(0);
    if (!none) {
        return figures;
    }
    // A first run reads and compiles the module, so that the load that is shown has all of it.
    const Observed first = engine(*none);
    const Observed warm = engine(*exchanges(bench.warmup));
    const Observed full = engine(*exchanges(bench.warmup + bench.requests));
    if (full.outcome != Outcome::ok && full.outcome != Outcome::local_reply) {
        figures.failure = fmt::format("{}{}{}", plugintest::to_string(full.outcome),
                                      full.message.empty() ? "" : ": ", full.message);
        return figures;
    }
    const auto requests = static_cast<double>(bench.requests);
    figures.instructions = difference(full.cost.instructions, warm.cost.instructions) / requests;
    figures.host_calls = difference(full.cost.host_calls, warm.cost.host_calls) / requests;
    figures.boundary_bytes =
        difference(full.cost.boundary_bytes, warm.cost.boundary_bytes) / requests;
    figures.memory_peak = full.cost.memory_peak;
    figures.memory_growth_per_1k = growth(warm.cost, full.cost) * 1000 / requests;
    figures.load_ms = nanoseconds(first.cost.load) / 1e6;
    figures.interpreter_us =
        std::max(0.0, nanoseconds(full.cost.run) - nanoseconds(warm.cost.run)) / requests / 1e3;
    return figures;
}

std::vector<BenchVerdict> over_budget(const BenchCase& bench, const BenchFigures& figures) {
    std::vector<BenchVerdict> verdicts;
    if (!figures.failure.empty()) {
        verdicts.push_back({figures.file, figures.name, figures.failure});
        return verdicts;
    }
    for (const auto& budget : bench.budgets) {
        const auto value = figure(figures, budget.figure);
        const std::string text = fmt::format("{:.0f}", value.value_or(0));
        if (value && budget.limit.matcher.matches(text)) {
            verdicts.push_back({figures.file, figures.name,
                                fmt::format("{} is {}, and fails if {}", budget.figure, text,
                                            budget.limit.matcher.describe())});
        }
    }
    return verdicts;
}

const BenchFigures* same_in(const std::vector<BenchFigures>& baseline, const BenchFigures& now) {
    const auto found = std::find_if(baseline.begin(), baseline.end(), [&](const auto& each) {
        return each.file == now.file && each.name == now.name && each.failure.empty();
    });
    return found == baseline.end() ? nullptr : &*found;
}

std::vector<BenchVerdict> regressions(const std::vector<BenchFigures>& baseline,
                                      const std::vector<BenchFigures>& figures, double percent) {
    std::vector<BenchVerdict> verdicts;
    for (const auto& now : figures) {
        const auto* before = same_in(baseline, now);
        if (before == nullptr || !now.failure.empty()) {
            continue;
        }
        for (const auto& name : figure_names()) {
            if (name == "load_ms" || name == "interpreter_us") {
                continue;
            }
            const double was = *figure(*before, name);
            const double is = *figure(now, name);
            if (is > was * (1 + percent / 100) + 1e-9 && is - was >= 1) {
                verdicts.push_back(
                    {now.file, now.name,
                     was > 0 ? fmt::format("{} went from {:.0f} to {:.0f} ({:+.1f} %)", name, was,
                                           is, (is / was - 1) * 100)
                             : fmt::format("{} went from {:.0f} to {:.0f}", name, was, is)});
            }
        }
    }
    return verdicts;
}

nlohmann::ordered_json to_json(const BenchFigures& figures) {
    nlohmann::ordered_json json{{"file", figures.file}, {"name", figures.name}};
    if (!figures.failure.empty()) {
        json["failure"] = figures.failure;
        return json;
    }
    for (const auto& name : figure_names()) {
        json[name] = *figure(figures, name);
    }
    return json;
}

BenchFigures bench_figures_from_json(const nlohmann::ordered_json& json) {
    BenchFigures figures;
    const auto number = [&](const char* name) {
        return json.value(name, 0.0);
    };
    figures.file = json.at("file").get<std::string>();
    figures.name = json.at("name").get<std::string>();
    figures.failure = json.value("failure", std::string());
    figures.instructions = number("instructions");
    figures.host_calls = number("host_calls");
    figures.boundary_bytes = number("boundary_bytes");
    figures.memory_peak = static_cast<std::uint64_t>(std::max(0.0, number("memory_peak")));
    figures.memory_growth_per_1k = number("memory_growth_per_1k");
    figures.load_ms = number("load_ms");
    figures.interpreter_us = number("interpreter_us");
    return figures;
}

}  // namespace wasmplug::host
