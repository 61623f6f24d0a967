#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/services.hpp"

namespace wasmplug::release {

// What a gate asks. Texts may hold {{wave.name}} and the like; see render() in plan.hpp.
struct PrometheusCheck {
    std::string address;  // http://prometheus:9090
    std::string query;
    std::optional<double> min;
    std::optional<double> max;
    // The name of an environment variable that holds a bearer token, never the token.
    std::string token_variable;
};

struct CommandCheck {
    std::vector<std::string>
        argv;  // exit 0 passes, 75 (EX_TEMPFAIL) is inconclusive, the rest fails
};

struct HttpCheck {
    std::string url;
    int status = 200;
    std::string contains;
};

// `wasmplug test FILE… --url URL`.
struct TestCheck {
    std::vector<std::string> files;
    std::string url;
};

struct WaitCheck {
    std::chrono::nanoseconds time{};
};

struct ManualCheck {};

using Check =
    std::variant<PrometheusCheck, CommandCheck, HttpCheck, TestCheck, WaitCheck, ManualCheck>;

enum class NoData { inconclusive, fail, pass };

struct Gate {
    std::string name;
    Check check;
    std::chrono::nanoseconds interval = std::chrono::seconds(30);
    std::chrono::nanoseconds timeout = std::chrono::seconds(30);  // of one measurement
    unsigned count = 1;          // 0: measured until a person promotes
    unsigned failure_limit = 0;  // more failures than this and the gate says no
    unsigned error_limit = 4;    // more errors in a row and it cannot say
    unsigned no_data_limit = 0;  // more answers without a value in a row and `no_data` decides
    NoData no_data = NoData::inconclusive;
};

struct Measurement {
    enum class Outcome { pass, fail, error, no_data, inconclusive };
    Outcome outcome = Outcome::error;
    std::string value;  // "4.1", "exit 1", "503"; empty when there is none
    std::string why;    // "4.1 > 1", "the query answered no series"
};

struct Verdict {
    enum class Answer { passed, failed, inconclusive, waiting };
    Answer answer = Answer::inconclusive;
    std::string reason;  // "failed (2) > failureLimit (1): 4.1 > 1"; empty when passed
};

// Counts measurements until the gate's limits decide. Errors are tried again and are never
// counted as measurements, so that they cannot add up to a success.
class GateTally {
  public:
    explicit GateTally(const Gate& gate) : gate_(gate) {}

    std::optional<Verdict> add(const Measurement& measurement);

  private:
    std::optional<Verdict> count_one(const Measurement& measurement, bool failed);

    const Gate& gate_;
    unsigned measured_ = 0;
    unsigned failed_ = 0;
    unsigned errors_in_a_row_ = 0;
    unsigned no_data_in_a_row_ = 0;
};

// What the answer of Prometheus' /api/v1/query means for the bounds. Every sample of a vector
// has to keep them; NaN (0/0) is no data.
Measurement judge_prometheus(const PrometheusCheck& check, int status, std::string_view body);

// Asks once. Only interruption leaves it as an Error: everything else is a Measurement.
Measurement measure(const Gate& gate, Services& services);

// One line for people: what is asked, as it will be sent ("PromQL sum(…) <= 1").
std::string describe(const Gate& gate);

struct GateReport {
    std::string gate;
    std::string asked;
    std::vector<Measurement> measurements;
    Verdict verdict;
};

// Whether a person has promoted by now.
using Promoted = std::function<bool()>;

// Measures at the gate's interval until its limits decide; a manual gate answers `waiting`. A gate
// of count 0 goes on until `promoted`, and without one it measures once and answers `waiting`.
// Each measurement is told to `services.out` as it comes. A gate that would measure, or end its
// wait, past the deadline is inconclusive; one that waits for a person has none.
GateReport run_gate(const Gate& gate, Services& services, const Promoted& promoted = {},
                    std::optional<std::chrono::system_clock::time_point> deadline = {});

}  // namespace wasmplug::release
