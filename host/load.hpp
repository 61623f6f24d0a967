#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/http_load.hpp"

namespace wasmplug::host {

// One endpoint's samples, a block a round.
using LoadRounds = std::vector<LoadRun>;

// What a block of load showed. Latencies are of requests with an answer.
struct LoadFigures {
    std::size_t requests = 0;
    std::size_t failed = 0;  // no answer, or a 5xx
    std::map<int, std::size_t> statuses;
    double p50_ms = 0;
    double p90_ms = 0;
    double p99_ms = 0;
    double rate = 0;                   // answers a second
    std::vector<double> curve_ms;      // the latency at each of curve_parts()
    std::vector<double> round_p50_ms;  // of the rounds in turn
    std::string error;
};

// The parts of all answers that LoadFigures::curve_ms has a point for: 0 to 0.999.
const std::vector<double>& curve_parts();

// Percentiles are over all rounds together.
LoadFigures figures_of(const LoadRounds& rounds);

// By how much the subject is over the baseline.
struct LoadDifference {
    std::string figure;  // "p50", "p90", "p99"
    double ms = 0;
    double low_ms = 0;  // 95 % interval
    double high_ms = 0;
    double percent = 0;  // of the baseline; 0 when that is 0
    double low_percent = 0;
    double high_percent = 0;
};

// The interval is a bootstrap over whole rounds: a round's requests share what happened to the
// machine meanwhile, and the two endpoints of a round share it too, so rounds are drawn in pairs.
// The same samples give the same interval. Nothing when an endpoint never answered.
std::vector<LoadDifference> differences(const LoadRounds& subject, const LoadRounds& baseline);

// Two endpoints under the same load, in turns.
struct LoadComparison {
    std::string file;  // and test, with `--engine envoy`; empty for endpoints named by URL
    std::string name;
    std::string subject_name;
    std::string baseline_name;
    LoadFigures subject;
    std::optional<LoadFigures> baseline;
    std::vector<LoadDifference> differences;
    // Processor time of the server, microseconds a request.
    std::optional<double> subject_cpu_us;
    std::optional<double> baseline_cpu_us;
};

LoadComparison compare(const LoadRounds& subject, const LoadRounds& baseline);

// Why the subject is worse than allowed: a percentile whose whole interval lies more than
// `percent` above the baseline, or more failed requests, or a baseline of which all failed and
// not the subject's too. Empty when it is not.
std::vector<std::string> worse(const LoadComparison& comparison, double percent);

nlohmann::ordered_json to_json(const LoadComparison& comparison);
std::string to_text(const LoadComparison& comparison);

// One page without anything from elsewhere: tables, the latency at each percentile, and the median
// of each round, so that one sees whether the machine was at rest. `over` is why it is too slow.
std::string load_page(const std::vector<LoadComparison>& comparisons,
                      const std::vector<std::string>& over);

// "0.123 ms", "12.3 ms".
std::string shown_ms(double ms);

}  // namespace wasmplug::host
