#include "tests/conformance/both_engines.hpp"

#include <algorithm>
#include <iterator>
#include <regex>
#include <sstream>
#include <utility>

#include "base/http.hpp"
#include "base/output.hpp"
#include "base/parallel.hpp"
#include "envoy/engine.hpp"
#include "host/embedded.hpp"
#include "plugintest/expect.hpp"
#include "tests/support/envoy.hpp"

namespace wasmplug::test {
namespace {

using namespace plugintest;

// Envoys at a time: they mostly wait.
constexpr std::size_t at_a_time = 3;

// Lines that cannot be the same in two runs of one Envoy, let alone in two engines. All else that
// differs is a fault of the host.
struct Known {
    const char* line;         // regex over the whole line
    const char* replacement;  // what is compared instead; "" for nothing
    const char* reason;
};

constexpr Known known[] = {
    {"prop (request\\|(time|id|duration|total_size|size)|source\\|port|"
     "destination\\|address|upstream\\|address|connection\\|id|connection_id|source\\|address) .*",
     "", "times, ports and ids are a run's own"},
    {"  (x-request-id|date|server|x-envoy-upstream-service-time|x-envoy-expected-rq-timeout-ms|"
     "content-length|transfer-encoding): .*",
     "", "volatile headers, and framing that a proxy writes anew"},
    {"(.* pairs\\(map \\d+\\) rc=\\d+).*", "$1", "counts volatile headers and their bytes"},
    {"((request|response)_headers\\(\\d+,)n=\\d+(.*)", "$1n$3",
     "counts the codec's framing headers and Envoy's timing header"},
    {"prop request\\|headers .*", "", "Envoy's map has an order of its own"},
    {"prop xds\\|(route_name|virtual_host_name) .*", "",
     "the embedded host's are an Istio sidecar's, the local Envoy has others"},
    {"(http_call_response\\(.*,)h=\\d+(,.*)", "$1h$2", "counts framing and timing headers too"},
    {"prop xds\\|node .*", "", "60 KB of an Envoy's own build"},
    {"((request|response)_headers\\(\\d+,)\\d+(,\\d\\))", "$1n$3",
     "script.c: counts the codec's framing headers and Envoy's timing header"},
    {"((list|pairs) [02] = 0) \\d+", "$1", "script.c: likewise"},
};

// Headers of a request or response that are not compared, besides is_volatile_header()'s.
struct KnownHeader {
    const char* name;
    const char* reason;
};

constexpr KnownHeader known_headers[] = {
    {":scheme", "HTTP/1.1 does not carry it to an upstream"},
    {"age", "seconds of a real clock"},
};

bool is_known(const std::string& name) {
    return is_volatile_header(name) ||
           std::any_of(std::begin(known_headers), std::end(known_headers),
                       [&](const auto& each) { return name == each.name; });
}

std::string normal(std::string line) {
    static const auto rows = [] {
        std::vector<std::pair<std::regex, const char*>> compiled;
        for (const auto& each : known) {
            compiled.emplace_back(each.line, each.replacement);
        }
        return compiled;
    }();
    for (const auto& [pattern, replacement] : rows) {
        if (std::regex_match(line, pattern)) {
            line = std::regex_replace(line, pattern, replacement);
        }
    }
    return line;
}

std::string lines_of(const std::vector<Log>& logs) {
    std::string text;
    for (const auto& log : logs) {
        std::string line = log.text;
        std::replace(line.begin(), line.end(), '\n', '~');
        if (const auto kept = normal(line); !kept.empty()) {
            text += "  log " + std::string(log_level_name(log.level)) + ": " + kept + "\n";
        }
    }
    return text;
}

// Headers in any order: an HTTP/1.1 codec and a filter chain put their own in between.
std::string text_of(const std::optional<Message>& message) {
    if (!message) {
        return " none\n";
    }
    std::vector<std::string> lines;
    for (const auto& [name, value] : message->headers) {
        if (!is_known(name)) {
            lines.push_back(name + ": " + value);
        }
    }
    std::sort(lines.begin(), lines.end());
    std::string text = "\n";
    for (const auto& line : lines) {
        text += "    " + line + "\n";
    }
    text += "    body " + message->whole_body() + "\n";
    for (const auto& [name, value] : message->trailers) {
        text += "    trailer " + name + ": " + value + "\n";
    }
    return text;
}

// A service that nobody can reach does not see what it is asked.
bool arrives(const Case& test, const Call& call) {
    const auto& empty = test.envoy.clusters_without_hosts;
    return std::find(empty.begin(), empty.end(), call.cluster) == empty.end() &&
           std::none_of(test.calls.begin(), test.calls.end(), [&](const CallTarget& target) {
               return target.cluster == call.cluster &&
                      target.reply.kind == CallReply::Kind::refused;
           });
}

std::string text_of(const Case& test, const std::vector<Call>& calls) {
    std::string text;
    for (const auto& call : calls) {
        if (arrives(test, call)) {
            text += "  call " + call.cluster + " " + std::to_string(call.timeout.count()) + " " +
                    (call.grpc ? call.service + "/" + call.method
                               : first_header(call.request.headers, ":path")) +
                    " " + call.request.whole_body() + "\n";
        }
    }
    return text;
}

// Of a trap what V8 says of it; functions behind it are numbered by each engine in its own way.
std::string first_line(const std::string& message) {
    return message.substr(0, message.find('\n'));
}

std::string text_of(const Case& test, const Observed& seen) {
    std::string text = std::string("outcome ") + to_string(seen.outcome) + "\n";
    if (seen.outcome == Outcome::crash) {
        text += first_line(seen.message) + "\n";
    }
    text += lines_of(seen.start_logs);
    for (std::size_t i = 0; i < seen.steps.size(); ++i) {
        const auto& step = seen.steps[i];
        const auto& asked = test.steps[i].request;
        text += "step " + std::to_string(i + 1) + " " +
                (asked ? first_header(asked->headers, ":path") : "no request") + " " +
                to_string(step.outcome) + " " + step.response_details + "\n";
        text += "  upstream got" + text_of(step.upstream_request);
        text += "  client got" + text_of(step.response);
        text += text_of(test, step.calls) + lines_of(step.logs);
    }
    // An Envoy that refused the plugin has ended, and its statistics with it.
    const bool refused =
        seen.outcome == Outcome::config_rejected || seen.outcome == Outcome::load_failed;
    for (const auto& [name, metric] : refused ? decltype(seen.metrics){} : seen.metrics) {
        if (metric.kind != MetricValue::Kind::histogram) {  // Envoy gives quantiles of those
            text += "metric " + name + " " + std::to_string(metric.value) + "\n";
        }
    }
    return text;
}

// Of a diff, what changed, with the step that it belongs to.
std::string changed_lines(const std::string& diff) {
    std::istringstream lines(diff);
    std::string step;
    std::string text;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("  step ")) {
            step = line + "\n";
        } else if (!line.starts_with("  ")) {
            text += std::exchange(step, "") + line + "\n";
        }
    }
    return text;
}

}  // namespace

Observed run_in_envoy(const Case& test) {
    HttpClient client("wasmplug-tests");
    std::ostringstream out;
    Output output(out, out);
    Services services{.out = output,
                      .send = [&client](const HttpRequest& request, const Cancel& cancel) {
                          return client.send(request, cancel);
                      }};
    return envoy::engine(*envoy_binary(), services)(test);
}

void expect_equal_results(const std::vector<NamedCase>& cases) {
    const auto theirs = parallel(
        cases.size(), [&](std::size_t i) { return run_in_envoy(cases[i].test); }, Cancel(),
        at_a_time);
    host::Embedded embedded;
    for (std::size_t i = 0; i < cases.size(); ++i) {
        const auto& [name, test, beyond_us] = cases[i];
        const Observed ours = embedded.run(test);
        const std::string where = "(- embedded, + Envoy) in " + name;
        ASSERT_FALSE(theirs[i].skipped) << where << ": " << *theirs[i].skipped;
        ASSERT_EQ(ours.skipped.has_value(), beyond_us)
            << where << ": " << ours.skipped.value_or("");
        if (beyond_us) {
            EXPECT_STREQ(to_string(theirs[i].outcome), "ok") << where;
            continue;
        }
        const std::string a = text_of(test, ours);
        std::string b = text_of(test, theirs[i]);
        if (a != b) {
            // A machine that is busy hands Envoy two chunks at once, or none for a while: what
            // differs is asked again, with nothing beside it.
            b = text_of(test, run_in_envoy(test));
        }
        if (a != b) {
            ADD_FAILURE() << where << "\n"
                          << changed_lines(line_diff(a, b)) << "embedded: " << ours.message
                          << "\nEnvoy: " << theirs[i].message;
        }
    }
}

Step get(const std::string& path, std::vector<std::string> body) {
    Step step;
    step.request = Message{.headers = {{":authority", "a.test"},
                                       {":path", path},
                                       {":method", body.empty() ? "GET" : "POST"},
                                       {":scheme", "http"},
                                       {"user-agent", "differential"}},
                           .body = std::move(body)};
    step.upstream =
        Message{.headers = {{":status", "200"}, {"x-from", "upstream"}}, .body = {"upstream\n"}};
    return step;
}

Case with(const std::filesystem::path& module, const std::string& config, std::vector<Step> steps) {
    Case test;
    test.plugins.push_back({.module = module, .name = "plugin", .config = config, .vm_id = "vm1"});
    test.steps = std::move(steps);
    return test;
}

}  // namespace wasmplug::test
