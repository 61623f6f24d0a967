#include "release/gate.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/time.hpp"

namespace wasmplug::release {
namespace {

using Outcome = Measurement::Outcome;
using Answer = Verdict::Answer;

constexpr int exit_inconclusive = 75;  // EX_TEMPFAIL, as Argo's and Flagger's job hooks use it

// Prometheus writes a sample as "4.1", "NaN", "+Inf".
std::optional<double> sample_value(const nlohmann::ordered_json& pair) {
    if (!pair.is_array() || pair.size() != 2 || !pair[1].is_string()) {
        return std::nullopt;
    }
    std::string text = pair[1].get<std::string>();
    const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
    double value = 0;
    const auto [end, failure] = std::from_chars(begin, text.data() + text.size(), value);
    if (failure != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

Measurement judge_value(const PrometheusCheck& check, double value) {
    const std::string text = fmt::format("{:.6g}", value);
    if (check.max && value > *check.max) {
        return {Outcome::fail, text, fmt::format("{} > {:.6g}", text, *check.max)};
    }
    if (check.min && value < *check.min) {
        return {Outcome::fail, text, fmt::format("{} < {:.6g}", text, *check.min)};
    }
    return {Outcome::pass, text, {}};
}

Measurement judge_samples(const PrometheusCheck& check, const std::vector<double>& values) {
    std::optional<Measurement> worst;
    for (const double value : values) {
        if (std::isnan(value)) {
            continue;
        }
        Measurement one = judge_value(check, value);
        if (!worst || (worst->outcome == Outcome::pass && one.outcome == Outcome::fail)) {
            worst = std::move(one);
        }
    }
    if (worst) {
        return *worst;
    }
    return {Outcome::no_data,
            {},
            values.empty() ? "the query answered no series" : "the query answered NaN"};
}

Measurement measure_prometheus(const Gate& gate, const PrometheusCheck& check, Services& services) {
    HttpRequest request;
    request.method = "POST";
    request.url = check.address;
    while (request.url.ends_with('/')) {
        request.url.pop_back();
    }
    request.url += "/api/v1/query";
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"},
                       {"Accept", "application/json"}};
    if (!check.token_variable.empty()) {
        const auto token = services.environment(check.token_variable);
        if (!token || token->empty()) {
            return {Outcome::error, {}, fmt::format("{} is not set", check.token_variable)};
        }
        request.authorization = Secret("Bearer " + *token);
    }
    request.body = body_of("query=" + percent_encoded(check.query));
    const auto response = services.send(
        request,
        services.cancel.within(std::chrono::duration_cast<Cancel::Clock::duration>(gate.timeout),
                               "timeout " + format_duration(gate.timeout)));
    return judge_prometheus(check, response.status, response.body);
}

Measurement measure_http(const Gate& gate, const HttpCheck& check, Services& services) {
    HttpRequest request;
    request.url = check.url;
    request.max_redirects = check.status >= 300 && check.status < 400 ? 0 : 10;
    const auto response = services.send(
        request,
        services.cancel.within(std::chrono::duration_cast<Cancel::Clock::duration>(gate.timeout),
                               "timeout " + format_duration(gate.timeout)));
    const std::string status = std::to_string(response.status);
    if (response.status != check.status) {
        return {Outcome::fail, status, fmt::format("{} is not {}", status, check.status)};
    }
    if (!check.contains.empty() && response.body.find(check.contains) == std::string::npos) {
        return {Outcome::fail, status,
                fmt::format("the body does not contain '{}'", check.contains)};
    }
    return {Outcome::pass, status, {}};
}

Measurement measure_command(const Gate& gate, std::vector<std::string> argv, Services& services) {
    ProcessSpec spec;
    spec.argv = std::move(argv);
    spec.timeout = std::chrono::duration_cast<std::chrono::milliseconds>(gate.timeout);
    spec.on_stdout = [&](std::string_view text) {
        services.out.stream(text);
    };
    spec.on_stderr = spec.on_stdout;
    const ProcessResult result = services.spawn(spec, services.cancel);
    if (result.timed_out) {
        return {Outcome::error,
                {},
                fmt::format("{} took longer than {}", spec.argv.front(),
                            format_duration(gate.timeout))};
    }
    const std::string value = fmt::format("exit {}", result.exit_code);
    if (result.exit_code == 0) {
        return {Outcome::pass, value, {}};
    }
    const std::string why = fmt::format("{} ended with {}", spec.argv.front(), result.exit_code);
    return {result.exit_code == exit_inconclusive ? Outcome::inconclusive : Outcome::fail, value,
            why};
}

Measurement measure_test(const Gate& gate, const TestCheck& check, Services& services) {
    std::vector<std::string> argv{services.program, "test"};
    argv.insert(argv.end(), check.files.begin(), check.files.end());
    argv.insert(argv.end(), {"--url", check.url});
    Measurement measurement = measure_command(gate, std::move(argv), services);
    // wasmplug test: 3 is a test that failed, anything else that it could not be run.
    if (measurement.outcome == Outcome::fail && measurement.value != "exit 3") {
        measurement.outcome = Outcome::error;
    }
    return measurement;
}

std::string join(const std::vector<std::string>& words) {
    return fmt::format("{}", fmt::join(words, " "));
}

}  // namespace

std::optional<Verdict> GateTally::count_one(const Measurement& measurement, bool failed) {
    errors_in_a_row_ = 0;
    ++measured_;
    failed_ += failed ? 1 : 0;
    if (failed_ > gate_.failure_limit) {
        return Verdict{Answer::failed, fmt::format("failed ({}) > failureLimit ({}): {}", failed_,
                                                   gate_.failure_limit, measurement.why)};
    }
    if (gate_.count != 0 && measured_ >= gate_.count) {
        return Verdict{Answer::passed, {}};
    }
    return std::nullopt;
}

std::optional<Verdict> GateTally::add(const Measurement& measurement) {
    if (measurement.outcome != Outcome::no_data) {
        no_data_in_a_row_ = 0;
    }
    switch (measurement.outcome) {
        case Outcome::pass:
            return count_one(measurement, false);
        case Outcome::fail:
            return count_one(measurement, true);
        case Outcome::inconclusive:
            return Verdict{Answer::inconclusive, measurement.why};
        case Outcome::error:
            if (++errors_in_a_row_ > gate_.error_limit) {
                return Verdict{Answer::inconclusive,
                               fmt::format("errors in a row ({}) > errorLimit ({}): {}",
                                           errors_in_a_row_, gate_.error_limit, measurement.why)};
            }
            return std::nullopt;
        case Outcome::no_data:
            break;
    }
    errors_in_a_row_ = 0;
    if (++no_data_in_a_row_ <= gate_.no_data_limit) {
        return std::nullopt;
    }
    if (gate_.no_data == NoData::inconclusive) {
        return Verdict{Answer::inconclusive, measurement.why};
    }
    return count_one(measurement, gate_.no_data == NoData::fail);
}

Measurement judge_prometheus(const PrometheusCheck& check, int status, std::string_view body) {
    const auto broken = [&](const std::string& why) {
        return Measurement{Outcome::error, {}, why};
    };
    nlohmann::ordered_json answer;
    try {
        answer = parse_json(body, "the answer");
    } catch (const Error& error) {
        return broken(status == 200 ? error.full_message()
                                    : fmt::format("Prometheus answered {}", status));
    }
    if (!answer.is_object() || answer.value("status", nlohmann::ordered_json()) != "success") {
        const auto reason = answer.is_object() ? answer.value("error", nlohmann::ordered_json())
                                               : nlohmann::ordered_json();
        return broken(reason.is_string() ? fmt::format("Prometheus answered {}: {}", status,
                                                       reason.get<std::string>())
                                         : fmt::format("Prometheus answered {}", status));
    }
    const auto data = answer.value("data", nlohmann::ordered_json::object());
    const auto type = data.is_object() ? data.value("resultType", nlohmann::ordered_json())
                                       : nlohmann::ordered_json();
    const auto result = data.is_object() ? data.value("result", nlohmann::ordered_json())
                                         : nlohmann::ordered_json();
    std::vector<double> values;
    if (type == "scalar") {
        if (const auto value = sample_value(result)) {
            values.push_back(*value);
        }
    } else if (type == "vector" && result.is_array()) {
        for (const auto& sample : result) {
            const auto value = sample.is_object()
                                   ? sample_value(sample.value("value", nlohmann::ordered_json()))
                                   : std::nullopt;
            if (!value) {
                return broken("a sample of the answer has no value");
            }
            values.push_back(*value);
        }
    } else {
        return broken("the query answers neither a vector nor a scalar");
    }
    return judge_samples(check, values);
}

Measurement measure(const Gate& gate, Services& services) {
    try {
        return std::visit(
            [&](const auto& check) -> Measurement {
                using T = std::decay_t<decltype(check)>;
                if constexpr (std::is_same_v<T, PrometheusCheck>) {
                    return measure_prometheus(gate, check, services);
                } else if constexpr (std::is_same_v<T, HttpCheck>) {
                    return measure_http(gate, check, services);
                } else if constexpr (std::is_same_v<T, CommandCheck>) {
                    return measure_command(gate, check.argv, services);
                } else if constexpr (std::is_same_v<T, TestCheck>) {
                    return measure_test(gate, check, services);
                } else if constexpr (std::is_same_v<T, WaitCheck>) {
                    services.sleep(check.time, services.cancel);
                    return {Outcome::pass, format_duration(check.time), {}};
                } else {
                    return {Outcome::inconclusive, {}, "a person has to promote"};
                }
            },
            gate.check);
    } catch (const Error& error) {
        if (error.code() == ExitCode::interrupted) {
            throw;
        }
        services.cancel.check();
        return {Outcome::error, {}, error.full_message()};
    }
}

std::string describe(const Gate& gate) {
    return std::visit(
        [&](const auto& check) -> std::string {
            using T = std::decay_t<decltype(check)>;
            if constexpr (std::is_same_v<T, PrometheusCheck>) {
                std::string text = "PromQL " + check.query;
                text += check.min ? fmt::format(" >= {:.6g}", *check.min) : "";
                text += check.max ? fmt::format(" <= {:.6g}", *check.max) : "";
                return text;
            } else if constexpr (std::is_same_v<T, CommandCheck>) {
                return "command " + join(check.argv);
            } else if constexpr (std::is_same_v<T, HttpCheck>) {
                return fmt::format("GET {} answers {}", display_url(check.url), check.status);
            } else if constexpr (std::is_same_v<T, TestCheck>) {
                return fmt::format("test {} --url {}", join(check.files), display_url(check.url));
            } else if constexpr (std::is_same_v<T, WaitCheck>) {
                return "wait " + format_duration(check.time);
            } else {
                return "a person promotes";
            }
        },
        gate.check);
}

GateReport run_gate(const Gate& gate, Services& services, const Promoted& promoted,
                    std::optional<std::chrono::system_clock::time_point> deadline) {
    GateReport report{gate.name, describe(gate), {}, {}};
    if (std::holds_alternative<ManualCheck>(gate.check)) {
        report.verdict = {Answer::waiting, "a person has to promote"};
        return report;
    }
    const auto* wait = std::get_if<WaitCheck>(&gate.check);
    const auto is_over = [&](std::chrono::nanoseconds from_now) {
        return gate.count != 0 && deadline &&
               services.now() +
                       std::chrono::duration_cast<std::chrono::system_clock::duration>(from_now) >
                   *deadline;
    };
    const auto inconclusive = [&](std::string why) {
        report.verdict = {Answer::inconclusive, std::move(why)};
        services.out.progress({});
        return report;
    };
    if (is_over(wait == nullptr ? std::chrono::nanoseconds(0) : wait->time)) {
        return inconclusive(wait == nullptr ? "the plan's timeout is over"
                                            : "the plan's timeout is over before that");
    }
    GateTally tally(gate);
    while (true) {
        services.cancel.check();
        services.out.progress(fmt::format("gate {}: {}", gate.name, report.asked));
        report.measurements.push_back(measure(gate, services));
        const Measurement& last = report.measurements.back();
        services.out.verbose(fmt::format("gate {}: {}{}{}", gate.name, last.value,
                                         last.value.empty() || last.why.empty() ? "" : ", ",
                                         last.why));
        if (const auto verdict = tally.add(last)) {
            report.verdict = *verdict;
            services.out.progress({});
            return report;
        }
        if (gate.count == 0 && !promoted) {
            report.verdict = {Answer::waiting,
                              "nothing speaks against it; a person has to promote"};
            return report;
        }
        if (gate.count == 0 && promoted()) {
            report.verdict = {Answer::passed, {}};
            return report;
        }
        if (is_over(gate.interval)) {
            return inconclusive("the plan's timeout is over" +
                                (last.why.empty() ? std::string() : ": " + last.why));
        }
        services.sleep(gate.interval, services.cancel);
    }
}

}  // namespace wasmplug::release
