#include "plugintest/runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.hpp"

namespace wasmplug::plugintest {
namespace {

using nlohmann::ordered_json;

// An outcome that nobody asked for is a failure by itself: a crash must not hide behind a 503
// that the test happens to expect.
bool is_alarming(Outcome outcome) {
    return outcome != Outcome::ok && outcome != Outcome::local_reply && outcome != Outcome::reset;
}

void check_outcome(const TestCase& test, const Observed& seen, std::vector<Failure>& failures) {
    const bool whole = test.whole.outcome.has_value();
    if (whole && !test.whole.outcome->matcher.matches(std::string_view(to_string(seen.outcome)))) {
        failures.push_back(
            {"outcome",
             test.whole.outcome->matcher.describe(),
             to_string(seen.outcome) + (seen.message.empty() ? "" : ": " + seen.message),
             {},
             test.whole.outcome->place});
    }
    bool named = whole;
    for (std::size_t i = 0; i < seen.steps.size() && i < test.steps.size(); ++i) {
        const auto& expected = test.steps[i].outcome;
        if (!expected) {
            continue;
        }
        named = true;
        const auto* actual = to_string(seen.steps[i].outcome);
        if (!expected->matcher.matches(std::string_view(actual))) {
            failures.push_back({fmt::format("step {}: outcome", i + 1),
                                expected->matcher.describe(),
                                actual,
                                {},
                                expected->place});
        }
    }
    if (!named && is_alarming(seen.outcome)) {
        failures.push_back(
            {"outcome",
             "ok or local_reply",
             to_string(seen.outcome) + (seen.message.empty() ? "" : ": " + seen.message),
             {},
             test.place});
    }
}

void check_limits(const TestCase& test, const Observed& seen, std::vector<Failure>& failures) {
    const auto& limits = test.test.limits;
    if (limits.memory && seen.cost.memory_peak > *limits.memory) {
        failures.push_back({"limits.memory",
                            fmt::format("at most {} bytes", *limits.memory),
                            std::to_string(seen.cost.memory_peak),
                            {},
                            test.place});
    }
    if (limits.host_calls && seen.cost.host_calls > *limits.host_calls) {
        failures.push_back({"limits.host_calls",
                            fmt::format("at most {}", *limits.host_calls),
                            std::to_string(seen.cost.host_calls),
                            {},
                            test.place});
    }
}

bool names_scheme(const ExpectedMessage& message) {
    return std::any_of(message.pseudo.begin(), message.pseudo.end(),
                       [](const auto& each) { return each.first == ":scheme"; });
}

// The first thing that the test expects something of and the engine cannot look at, or nothing.
const std::string* blind_spot(const TestCase& test, const Observed& seen) {
    std::set<std::string, std::less<>> asked;
    const auto& limits = test.test.limits;
    if (limits.memory || limits.host_calls || limits.instructions_given) {
        asked.insert("limits");
    }
    const auto ask = [&](const Expect& expect) {
        if (!expect.shared_data.empty()) {
            asked.insert("shared_data");
        }
        if (!expect.queues.empty()) {
            asked.insert("queues");
        }
        for (const auto& metric : expect.metrics) {
            asked.insert("metrics." + metric.first);
        }
        if (expect.upstream_request && names_scheme(*expect.upstream_request)) {
            asked.insert("upstream_request.scheme");
        }
        for (const auto& call : expect.calls.value_or(std::vector<ExpectedCall>{})) {
            if (names_scheme(call.message)) {
                asked.insert("calls.scheme");
            }
        }
        if (expect.calls) {
            asked.insert("calls");
        }
    };
    ask(test.whole);
    std::for_each(test.steps.begin(), test.steps.end(), ask);
    const auto blind = std::find_if(seen.unseen.begin(), seen.unseen.end(),
                                    [&](const auto& name) { return asked.contains(name); });
    return blind == seen.unseen.end() ? nullptr : &*blind;
}

std::vector<Failure> judge(const TestCase& test, const Observed& seen) {
    std::vector<Failure> failures;
    check_outcome(test, seen, failures);
    std::vector<Log> logs = seen.start_logs;
    const bool several = test.test.steps.size() > 1;
    for (std::size_t i = 0; i < seen.steps.size() && i < test.steps.size(); ++i) {
        const auto& step = seen.steps[i];
        logs.insert(logs.end(), step.logs.begin(), step.logs.end());
        if (test.steps[i].given) {
            check_step(test.steps[i], step, step.logs,
                       several ? fmt::format("step {}: ", i + 1) : "", failures);
        }
    }
    // What stands beside `steps` speaks of the last exchange and of all log lines.
    StepObserved last;
    if (!seen.steps.empty()) {
        last = seen.steps.back();
    }
    if (several) {
        last.calls.clear();
        for (const auto& step : seen.steps) {
            last.calls.insert(last.calls.end(), step.calls.begin(), step.calls.end());
        }
    }
    if (test.whole.given) {
        check_step(test.whole, last, logs, "", failures);
        check_whole(test.whole, seen, failures);
    }
    check_limits(test, seen, failures);
    return failures;
}

bool fits(std::string_view name, std::string_view pattern) {
    std::size_t n = 0;
    std::size_t p = 0;
    std::size_t star = std::string_view::npos;
    std::size_t mark = 0;
    while (n < name.size()) {
        if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n]) &&
            pattern[p] != '*') {
            ++n;
            ++p;
        } else if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            mark = n;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            n = ++mark;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

}  // namespace

bool matches_filter(const std::string& name, const std::string& filter) {
    if (filter.empty()) {
        return true;
    }
    return filter.find_first_of("*?") == std::string::npos ? name.find(filter) != std::string::npos
                                                           : fits(name, filter);
}

std::vector<std::size_t> selection(const TestFile& file, const RunOptions& options) {
    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < file.tests.size(); ++i) {
        if (matches_filter(file.tests[i].test.name, options.filter)) {
            chosen.push_back(i);
        }
    }
    std::vector<std::size_t> all;
    for (int i = 0; i < options.repeat; ++i) {
        all.insert(all.end(), chosen.begin(), chosen.end());
    }
    if (options.shuffle) {
        // Fisher-Yates by hand: std::shuffle may differ between libraries, and a seed must not.
        std::mt19937_64 random(*options.shuffle);
        for (std::size_t i = all.size(); i > 1; --i) {
            std::swap(all[i - 1], all[random() % i]);
        }
    }
    return all;
}

CaseResult run_case(const TestCase& test, const Engine& engine, bool trace) {
    CaseResult result;
    result.name = test.test.name;
    result.place = test.place;
    if (test.skip) {
        result.verdict = Verdict::skipped;
        result.reason = *test.skip;
        return result;
    }
    Case run = test.test;
    run.trace = trace;
    Observed seen = engine(run);
    if (seen.skipped) {
        result.verdict = Verdict::skipped;
        result.reason = *seen.skipped;
        return result;
    }
    if (const auto* blind = blind_spot(test, seen)) {
        result.verdict = Verdict::skipped;
        result.reason =
            fmt::format("expects something of {}, which this engine cannot see", *blind);
        return result;
    }
    result.failures = judge(test, seen);
    result.verdict = result.failures.empty() ? Verdict::passed : Verdict::failed;
    if (result.verdict == Verdict::failed && !trace && seen.trace.empty()) {
        run.trace = true;
        seen.trace = engine(run).trace;
    }
    result.outcome = to_string(seen.outcome);
    result.reason = seen.message;
    result.trace = std::move(seen.trace);
    result.cost = seen.cost;
    result.callbacks = std::move(seen.callbacks);
    result.situations = std::move(seen.situations);
    result.exports = std::move(seen.exports);
    return result;
}

void run_file(const TestFile& file, const Engine& engine, const RunOptions& options,
              const std::function<void(const TestCase&)>& on_start,
              const std::function<void(CaseResult)>& on_result) {
    const auto chosen = selection(file, options);
    for (std::size_t i = options.first; i < chosen.size(); ++i) {
        const auto& test = file.tests[chosen[i]];
        on_start(test);
        try {
            on_result(run_case(test, engine, options.trace));
        } catch (Error& error) {
            if (error.code() != ExitCode::interrupted) {
                error.add_context(fmt::format("{}:{}:{}", file.path.string(), test.place.line,
                                              test.place.column));
            }
            throw;
        }
    }
}

std::vector<std::string> never_exercised(const std::vector<CaseResult>& cases) {
    std::set<std::string> offered;
    std::set<std::string> called;
    std::set<std::string> happened;
    for (const auto& result : cases) {
        offered.insert(result.exports.begin(), result.exports.end());
        for (const auto& [name, count] : result.callbacks) {
            called.insert(name);
        }
        for (const auto& [name, count] : result.situations) {
            happened.insert(name);
        }
    }
    std::vector<std::string> missing;
    // SDKs export every callback there is, so only those count that the plugin's own acts make
    // possible, and the situations that plugins are known to die of.
    const bool calls_http = happened.contains("http_call.answered") ||
                            happened.contains("http_call.failed") ||
                            happened.contains("http_call.rejected");
    if (calls_http && !happened.contains("http_call.failed")) {
        missing.emplace_back("failure of an http call (reply: {fail: reset_after_headers})");
    }
    if (calls_http && !happened.contains("http_call.answered")) {
        missing.emplace_back("answer of an http call");
    }
    if ((happened.contains("grpc.answered") || happened.contains("grpc.failed")) &&
        !happened.contains("grpc.failed")) {
        missing.emplace_back("failure of a gRPC call");
    }
    for (const auto* name : {"proxy_on_request_headers", "proxy_on_request_body",
                             "proxy_on_response_headers", "proxy_on_response_body"}) {
        if (offered.contains(name) && !called.contains(name)) {
            missing.emplace_back(name);
        }
    }
    return missing;
}

ordered_json to_json(const CaseResult& result) {
    static constexpr const char* verdicts[] = {"passed", "failed", "skipped"};
    ordered_json failures = ordered_json::array();
    for (const auto& failure : result.failures) {
        ordered_json item{{"what", failure.what},
                          {"expected", failure.expected},
                          {"actual", failure.actual},
                          {"line", failure.place.line},
                          {"column", failure.place.column}};
        if (!failure.diff.empty()) {
            item["diff"] = failure.diff;
        }
        failures.push_back(std::move(item));
    }
    return {{"name", result.name},
            {"verdict", verdicts[static_cast<std::size_t>(result.verdict)]},
            {"outcome", result.outcome},
            {"reason", result.reason},
            {"line", result.place.line},
            {"column", result.place.column},
            {"failures", std::move(failures)},
            {"trace", result.trace},
            {"cost",
             {{"instructions", result.cost.instructions},
              {"host_calls", result.cost.host_calls},
              {"boundary_bytes", result.cost.boundary_bytes},
              {"memory_used", result.cost.memory_used},
              {"memory_peak", result.cost.memory_peak},
              {"load_ns", result.cost.load.count()},
              {"run_ns", result.cost.run.count()}}},
            {"callbacks", result.callbacks},
            {"situations", result.situations},
            {"exports", result.exports}};
}

CaseResult case_result_from_json(const ordered_json& json) {
    CaseResult result;
    result.name = json.at("name").get<std::string>();
    const auto verdict = json.at("verdict").get<std::string>();
    result.verdict = verdict == "passed"   ? Verdict::passed
                     : verdict == "failed" ? Verdict::failed
                                           : Verdict::skipped;
    result.outcome = json.at("outcome").get<std::string>();
    result.reason = json.at("reason").get<std::string>();
    result.place = {json.at("line").get<std::size_t>(), json.at("column").get<std::size_t>()};
    for (const auto& item : json.at("failures")) {
        result.failures.push_back(
            {item.at("what").get<std::string>(),
             item.at("expected").get<std::string>(),
             item.at("actual").get<std::string>(),
             item.value("diff", std::string()),
             {item.at("line").get<std::size_t>(), item.at("column").get<std::size_t>()}});
    }
    result.trace = json.at("trace").get<std::vector<std::string>>();
    const auto& cost = json.at("cost");
    result.cost.instructions = cost.at("instructions").get<std::uint64_t>();
    result.cost.host_calls = cost.at("host_calls").get<std::uint64_t>();
    result.cost.boundary_bytes = cost.at("boundary_bytes").get<std::uint64_t>();
    result.cost.memory_used = cost.at("memory_used").get<std::uint64_t>();
    result.cost.memory_peak = cost.at("memory_peak").get<std::uint64_t>();
    result.cost.load = std::chrono::nanoseconds(cost.at("load_ns").get<std::int64_t>());
    result.cost.run = std::chrono::nanoseconds(cost.at("run_ns").get<std::int64_t>());
    result.callbacks = json.at("callbacks").get<std::map<std::string, std::uint64_t>>();
    result.situations = json.at("situations").get<std::map<std::string, std::uint64_t>>();
    result.exports = json.at("exports").get<std::vector<std::string>>();
    return result;
}

}  // namespace wasmplug::plugintest
