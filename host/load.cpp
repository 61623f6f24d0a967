#include "host/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <sstream>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/output.hpp"
#include "base/terminal.hpp"

namespace wasmplug::host {
namespace {

using nlohmann::ordered_json;

struct Quantile {
    const char* name;
    double part;
};

constexpr std::array<Quantile, 3> quantiles{{{"p50", 0.50}, {"p90", 0.90}, {"p99", 0.99}}};
using Percentiles = std::array<double, quantiles.size()>;

bool answered(const LoadSample& sample) {
    return sample.status != 0;
}

std::vector<double> latencies_ms(const LoadRun& run) {
    std::vector<double> values;
    values.reserve(run.samples.size());
    for (const auto& sample : run.samples) {
        if (answered(sample)) {
            values.push_back(static_cast<double>(sample.latency.count()) / 1e6);
        }
    }
    return values;
}

// Where in `count` sorted values the smallest one is that at least `part` of all are not above
// (nearest rank).
std::size_t rank_of(double part, std::size_t count) {
    const auto rank = static_cast<std::size_t>(std::ceil(part * static_cast<double>(count)));
    return std::max<std::size_t>(rank, 1) - 1;
}

// Reorders.
Percentiles percentiles(std::vector<double>& values) {
    Percentiles result{};
    if (values.empty()) {
        return result;
    }
    auto from = values.begin();
    for (std::size_t i = 0; i < quantiles.size(); ++i) {
        const auto at =
            values.begin() + static_cast<std::ptrdiff_t>(rank_of(quantiles[i].part, values.size()));
        std::nth_element(from, at, values.end());
        result[i] = *at;
        from = at;
    }
    return result;
}

using Rounds = std::vector<std::vector<double>>;

Rounds rounds_of(const LoadRounds& rounds) {
    Rounds values;
    values.reserve(rounds.size());
    for (const auto& round : rounds) {
        values.push_back(latencies_ms(round));
    }
    return values;
}

Percentiles of_rounds(const Rounds& rounds, const std::vector<std::size_t>& drawn,
                      std::vector<double>& room) {
    room.clear();
    for (const std::size_t i : drawn) {
        room.insert(room.end(), rounds[i].begin(), rounds[i].end());
    }
    return percentiles(room);
}

double relative(double value, double whole) {
    return whole > 0 ? value / whole * 100 : 0;
}

// The middle 95 % of what was drawn.
std::pair<double, double> middle(std::vector<double>& values) {
    std::sort(values.begin(), values.end());
    const auto at = [&](double part) {
        return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))];
    };
    return {at(0.025), at(0.975)};
}

}  // namespace

const std::vector<double>& curve_parts() {
    static const std::vector<double> parts{0,    0.05, 0.1,  0.2,   0.3,   0.4,   0.5,  0.6,
                                           0.7,  0.75, 0.8,  0.85,  0.9,   0.92,  0.94, 0.96,
                                           0.97, 0.98, 0.99, 0.993, 0.995, 0.997, 0.999};
    return parts;
}

LoadFigures figures_of(const LoadRounds& rounds) {
    LoadFigures figures;
    std::vector<double> all;
    double seconds = 0;
    for (const auto& round : rounds) {
        figures.requests += round.samples.size();
        for (const auto& sample : round.samples) {
            ++figures.statuses[sample.status];
            if (!answered(sample) || sample.status >= 500) {
                ++figures.failed;
            }
        }
        if (figures.error.empty()) {
            figures.error = round.error;
        }
        auto values = latencies_ms(round);
        all.insert(all.end(), values.begin(), values.end());
        if (!values.empty()) {
            figures.round_p50_ms.push_back(percentiles(values)[0]);
        }
        seconds += std::chrono::duration<double>(round.elapsed).count();
    }
    figures.rate = seconds > 0 ? static_cast<double>(all.size()) / seconds : 0;
    const auto found = percentiles(all);
    figures.p50_ms = found[0];
    figures.p90_ms = found[1];
    figures.p99_ms = found[2];
    std::sort(all.begin(), all.end());
    for (const double part : curve_parts()) {
        if (!all.empty()) {
            figures.curve_ms.push_back(all[rank_of(part, all.size())]);
        }
    }
    return figures;
}

std::vector<LoadDifference> differences(const LoadRounds& subject, const LoadRounds& baseline) {
    const std::size_t count = std::min(subject.size(), baseline.size());
    const Rounds ours = rounds_of(subject);
    const Rounds theirs = rounds_of(baseline);
    const auto empty = [](const Rounds& rounds) {
        return std::all_of(rounds.begin(), rounds.end(),
                           [](const auto& round) { return round.empty(); });
    };
    if (count == 0 || empty(ours) || empty(theirs)) {
        return {};
    }
    std::vector<std::size_t> drawn(count);
    for (std::size_t i = 0; i < count; ++i) {
        drawn[i] = i;
    }
    std::vector<double> room;
    const auto is = of_rounds(ours, drawn, room);
    const auto was = of_rounds(theirs, drawn, room);
    std::size_t samples = 1;
    for (std::size_t i = 0; i < count; ++i) {
        samples += ours[i].size() + theirs[i].size();
    }
    // Enough for the tails of the interval; fewer when each costs a second's part.
    const std::size_t draws = std::clamp<std::size_t>(40'000'000 / samples, 200, 1000);
    std::mt19937_64 random(20260101);
    std::array<std::vector<double>, quantiles.size()> over;
    std::array<std::vector<double>, quantiles.size()> over_percent;
    for (std::size_t draw = 0; draw < draws; ++draw) {
        for (auto& i : drawn) {
            i = random() % count;
        }
        const auto a = of_rounds(ours, drawn, room);
        const auto b = of_rounds(theirs, drawn, room);
        for (std::size_t i = 0; i < quantiles.size(); ++i) {
            over[i].push_back(a[i] - b[i]);
            over_percent[i].push_back(relative(a[i] - b[i], b[i]));
        }
    }
    std::vector<LoadDifference> result;
    for (std::size_t i = 0; i < quantiles.size(); ++i) {
        const auto [low, high] = middle(over[i]);
        const auto [low_percent, high_percent] = middle(over_percent[i]);
        result.push_back({.figure = quantiles[i].name,
                          .ms = is[i] - was[i],
                          .low_ms = low,
                          .high_ms = high,
                          .percent = relative(is[i] - was[i], was[i]),
                          .low_percent = low_percent,
                          .high_percent = high_percent});
    }
    return result;
}

LoadComparison compare(const LoadRounds& subject, const LoadRounds& baseline) {
    LoadComparison comparison;
    comparison.subject = figures_of(subject);
    comparison.baseline = figures_of(baseline);
    comparison.differences = differences(subject, baseline);
    return comparison;
}

std::vector<std::string> worse(const LoadComparison& comparison, double percent) {
    std::vector<std::string> reasons;
    const auto& baseline = comparison.baseline;
    if (baseline && baseline->failed == baseline->requests &&
        comparison.subject.failed < comparison.subject.requests) {
        reasons.emplace_back(
            "every request of the baseline failed: there is nothing to compare with");
    }
    for (const auto& each : comparison.differences) {
        if (each.low_percent > percent) {
            reasons.push_back(
                fmt::format("{} is {:+.1f} % over the baseline ({:+.1f} to {:+.1f} %)", each.figure,
                            each.percent, each.low_percent, each.high_percent));
        }
    }
    if (comparison.baseline && comparison.subject.failed > comparison.baseline->failed) {
        reasons.push_back(fmt::format("{} requests failed, and {} of the baseline's",
                                      comparison.subject.failed, comparison.baseline->failed));
    }
    return reasons;
}

namespace {

ordered_json figures_json(const std::string& name, const LoadFigures& figures,
                          const std::optional<double>& cpu_us) {
    ordered_json statuses = ordered_json::object();
    for (const auto& [status, count] : figures.statuses) {
        statuses[status == 0 ? "none" : std::to_string(status)] = count;
    }
    ordered_json json{{"endpoint", name},         {"requests", figures.requests},
                      {"failed", figures.failed}, {"statuses", std::move(statuses)},
                      {"p50_ms", figures.p50_ms}, {"p90_ms", figures.p90_ms},
                      {"p99_ms", figures.p99_ms}, {"rate", figures.rate}};
    if (cpu_us) {
        json["cpu_us"] = *cpu_us;
    }
    if (!figures.error.empty()) {
        json["error"] = figures.error;
    }
    return json;
}

bool fits(const std::string& text) {
    constexpr std::size_t terminal_width = 80;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (display_width(line) > terminal_width) {
            return false;
        }
    }
    return true;
}

std::string signed_ms(double ms) {
    return (ms < 0 ? "-" : "+") + shown_ms(std::abs(ms));
}

void add_row(Table& table, const std::string& name, const LoadFigures& figures,
             const std::optional<double>& cpu_us) {
    table.rows.push_back({printable(name), std::to_string(figures.requests),
                          std::to_string(figures.failed), shown_ms(figures.p50_ms),
                          shown_ms(figures.p90_ms), shown_ms(figures.p99_ms),
                          fmt::format("{:.0f}/s", figures.rate)});
    if (cpu_us) {
        table.rows.back().push_back(fmt::format("{:.1f} µs", *cpu_us));
    }
}

std::string figures_text(const LoadComparison& comparison, const std::string& subject,
                         const std::string& baseline) {
    Table table{{"ENDPOINT", "REQUESTS", "FAILED", "P50", "P90", "P99", "RATE"}, {}};
    if (comparison.subject_cpu_us) {
        table.header.emplace_back("CPU");
    }
    add_row(table, subject, comparison.subject, comparison.subject_cpu_us);
    if (comparison.baseline) {
        add_row(table, baseline, *comparison.baseline, comparison.baseline_cpu_us);
    }
    return to_text(table);
}

}  // namespace

std::string shown_ms(double ms) {
    return std::abs(ms) < 10 ? fmt::format("{:.3f} ms", ms) : fmt::format("{:.1f} ms", ms);
}

ordered_json to_json(const LoadComparison& comparison) {
    ordered_json json;
    if (!comparison.file.empty()) {
        json["file"] = comparison.file;
        json["name"] = comparison.name;
    }
    json["subject"] =
        figures_json(comparison.subject_name, comparison.subject, comparison.subject_cpu_us);
    if (comparison.baseline) {
        json["baseline"] = figures_json(comparison.baseline_name, *comparison.baseline,
                                        comparison.baseline_cpu_us);
    }
    auto list = ordered_json::array();
    for (const auto& each : comparison.differences) {
        list.push_back({{"figure", each.figure},
                        {"ms", each.ms},
                        {"low_ms", each.low_ms},
                        {"high_ms", each.high_ms},
                        {"percent", each.percent},
                        {"low_percent", each.low_percent},
                        {"high_percent", each.high_percent}});
    }
    json["differences"] = std::move(list);
    return json;
}

std::string to_text(const LoadComparison& comparison) {
    std::string text;
    if (!comparison.file.empty()) {
        text += fmt::format("{}: {}\n", printable(comparison.file), printable(comparison.name));
    }
    const std::string table =
        figures_text(comparison, comparison.subject_name, comparison.baseline_name);
    if (fits(table)) {
        text += table;
    } else {
        Table names{{}, {{"url", printable(comparison.subject_name)}}};
        if (comparison.baseline) {
            names.rows.push_back({"baseline-url", printable(comparison.baseline_name)});
        }
        text += to_text(names) + "\n" + figures_text(comparison, "url", "baseline-url");
    }
    for (const auto* figures :
         {&comparison.subject, comparison.baseline ? &*comparison.baseline : nullptr}) {
        if (figures != nullptr && !figures->error.empty()) {
            text += fmt::format("✗ {}\n", printable(figures->error));
        }
    }
    if (comparison.differences.empty()) {
        return text;
    }
    Table change{{"DIFFERENCE", "", "", "95 % INTERVAL"}, {}};
    for (const auto& each : comparison.differences) {
        change.rows.push_back(
            {each.figure, signed_ms(each.ms), fmt::format("{:+.1f} %", each.percent),
             fmt::format("{} to {}", signed_ms(each.low_ms), signed_ms(each.high_ms))});
    }
    return text + "\n" + to_text(change);
}

}  // namespace wasmplug::host
