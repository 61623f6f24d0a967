#include "plugintest/expect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/terminal.hpp"

namespace wasmplug::plugintest {
namespace {

using Texts = std::optional<std::string_view>;

std::string shown(const Texts& actual) {
    return actual ? fmt::format("\"{}\"", printable(*actual)) : "absent";
}

class Checker {
  public:
    Checker(std::string prefix, std::vector<Failure>& failures)
        : prefix_(std::move(prefix)), failures_(failures) {}

    void fail(const std::string& what, std::string expected, std::string actual, Place place,
              std::string diff = {}) {
        failures_.push_back(
            {prefix_ + what, std::move(expected), std::move(actual), std::move(diff), place});
    }

    void check(const std::string& what, const Expected& expected, const Texts& actual) {
        if (expected.matcher.matches(actual)) {
            return;
        }
        std::string diff;
        const auto* text = expected.matcher.only_text();
        if (text != nullptr && actual &&
            (text->find('\n') != std::string::npos ||
             actual->find('\n') != std::string_view::npos)) {
            diff = line_diff(*text, *actual);
        }
        fail(what, expected.matcher.describe(), shown(actual), expected.place, std::move(diff));
    }

    void check_headers(const std::string& what, const std::vector<ExpectedHeader>& expected,
                       const Headers& actual) {
        for (const auto& header : expected) {
            std::vector<std::string_view> values;
            for (const auto& [name, value] : actual) {
                if (name == header.name) {
                    values.emplace_back(value);
                }
            }
            check_values(what + "." + header.name, header, values);
        }
    }

    void check_message(const std::string& what, const ExpectedMessage& expected,
                       const Message& actual) {
        for (const auto& [name, value] : expected.pseudo) {
            const bool there =
                std::any_of(actual.headers.begin(), actual.headers.end(),
                            [&, &key = name](const auto& h) { return h.first == key; });
            const std::string text = first_header(actual.headers, name);
            check(what + "." + name.substr(1), value, there ? Texts(text) : std::nullopt);
        }
        check_headers(what + ".headers", expected.headers, actual.headers);
        check_headers(what + ".trailers", expected.trailers, actual.trailers);
        if (expected.body) {
            const std::string body = actual.whole_body();
            check(what + ".body", *expected.body, body);
        }
        if (expected.strict) {
            check_strict(what, expected, actual);
        }
    }

  private:
    void check_values(const std::string& what, const ExpectedHeader& expected,
                      const std::vector<std::string_view>& values) {
        if (expected.values.size() == 1) {
            const auto& only = expected.values.front();
            // One matcher speaks for each value of a header that repeats.
            if (values.empty()) {
                check(what, only, std::nullopt);
            }
            // Lines of one name are the list that commas make of them (RFC 9110 5.3), but for
            // cookies, whose values hold commas of their own.
            const auto* text = only.matcher.only_text();
            if (text != nullptr && values.size() > 1 && expected.name != "set-cookie" &&
                *text == fmt::format("{}", fmt::join(values, ", "))) {
                return;
            }
            for (const auto value : values) {
                check(what, only, value);
            }
            return;
        }
        if (values.size() != expected.values.size()) {
            fail(what, fmt::format("{} values", expected.values.size()),
                 fmt::format("{} ({})", values.size(), fmt::join(values, ", ")), expected.place);
            return;
        }
        for (std::size_t i = 0; i < values.size(); ++i) {
            check(fmt::format("{}[{}]", what, i), expected.values[i], values[i]);
        }
    }

    void check_strict(const std::string& what, const ExpectedMessage& expected,
                      const Message& actual) {
        for (const auto& [name, value] : actual.headers) {
            const bool named =
                name.starts_with(':') || is_volatile_header(name) ||
                std::any_of(expected.headers.begin(), expected.headers.end(),
                            [&, &key = name](const auto& header) { return header.name == key; });
            if (!named) {
                fail(what + ".headers." + name, "absent (strict)", shown(value), expected.place);
            }
        }
    }

    std::string prefix_;
    std::vector<Failure>& failures_;
};

void check_call(Checker& checker, const std::string& what, const ExpectedCall& expected,
                const Call& actual) {
    if (expected.cluster) {
        checker.check(what + ".cluster", *expected.cluster, actual.cluster);
    }
    if (expected.timeout) {
        const std::string milliseconds = std::to_string(actual.timeout.count());
        checker.check(what + ".timeout", *expected.timeout, milliseconds);
    }
    if (expected.service) {
        checker.check(what + ".service", *expected.service, actual.service);
    }
    if (expected.method) {
        checker.check(what + ".method", *expected.method, actual.method);
    }
    checker.check_message(what, expected.message, actual.request);
}

void check_calls(Checker& checker, const Expect& expect, const std::vector<Call>& actual) {
    if (expect.calls->size() != actual.size()) {
        std::string names;
        for (const auto& call : actual) {
            names += (names.empty() ? "" : ", ") + call.cluster + " " +
                     first_header(call.request.headers, ":path");
        }
        checker.fail("calls", fmt::format("{} calls", expect.calls->size()),
                     fmt::format("{}{}", actual.size(), names.empty() ? "" : " (" + names + ")"),
                     expect.calls_place);
        return;
    }
    for (std::size_t i = 0; i < actual.size(); ++i) {
        check_call(checker, fmt::format("calls[{}]", i), (*expect.calls)[i], actual[i]);
    }
}

std::string shown_logs(const std::vector<Log>& logs) {
    std::string text;
    constexpr std::size_t most = 20;
    for (std::size_t i = 0; i < logs.size() && i < most; ++i) {
        text += fmt::format("{}{}: {}", i == 0 ? "" : "\n", log_level_name(logs[i].level),
                            printable(logs[i].text));
    }
    return text.empty()         ? "no line at all"
           : logs.size() > most ? fmt::format("{}\nand {} more", text, logs.size() - most)
                                : text;
}

void check_logs(Checker& checker, const Expect& expect, const std::vector<Log>& logs) {
    for (const auto& expected : expect.logs) {
        const auto found = std::count_if(logs.begin(), logs.end(),
                                         [&](const auto& log) { return expected.matches(log); });
        if (expected.times ? found != *expected.times : found == 0) {
            checker.fail("logs",
                         expected.describe() +
                             (expected.times ? fmt::format(", {} times", *expected.times) : ""),
                         (expected.times ? fmt::format("{} times in\n", found) : std::string()) +
                             shown_logs(logs),
                         expected.place);
        }
    }
    for (const auto& unwanted : expect.no_logs) {
        for (const auto& log : logs) {
            if (unwanted.matches(log)) {
                checker.fail("logs.none", "no line with " + unwanted.describe(),
                             fmt::format("{}: {}", log_level_name(log.level), printable(log.text)),
                             unwanted.place);
                break;
            }
        }
    }
}

}  // namespace

bool ExpectedLog::matches(const Log& log) const {
    return (!level || log.level == *level) && (!at_least || log.level >= *at_least) &&
           (!at_most || log.level <= *at_most) && text.matches(log.text);
}

std::string ExpectedLog::describe() const {
    std::string what = level      ? fmt::format("{}: ", log_level_name(*level))
                       : at_least ? fmt::format("{} or worse: ", log_level_name(*at_least))
                       : at_most  ? fmt::format("{} or less: ", log_level_name(*at_most))
                                  : "";
    return what + text.describe();
}

bool is_volatile_header(std::string_view name) {
    static constexpr std::array names{"date",
                                      "server",
                                      "x-request-id",
                                      "x-forwarded-proto",
                                      "x-envoy-upstream-service-time",
                                      "x-envoy-expected-rq-timeout-ms",
                                      "transfer-encoding",
                                      "connection",
                                      "content-length"};
    return std::find(names.begin(), names.end(), name) != names.end();
}

void check_step(const Expect& expect, const StepObserved& seen, const std::vector<Log>& logs,
                const std::string& prefix, std::vector<Failure>& failures) {
    Checker checker(prefix, failures);
    if (expect.response) {
        if (!seen.response) {
            checker.fail(
                "response", "a response",
                fmt::format("none ({}{})", to_string(seen.outcome),
                            seen.response_details.empty() ? "" : ", " + seen.response_details),
                expect.response->place);
        } else {
            checker.check_message("response", *expect.response, *seen.response);
        }
        if (expect.response->details) {
            checker.check("response.details", *expect.response->details, seen.response_details);
        }
    }
    if (expect.upstream_request) {
        const bool wanted = expect.upstream_request->reached.value_or(true);
        if (wanted != seen.upstream_request.has_value()) {
            checker.fail("upstream_request", wanted ? "a request at the upstream" : "none",
                         wanted ? fmt::format("none ({})", to_string(seen.outcome)) : "one came",
                         expect.upstream_request->place);
        } else if (seen.upstream_request) {
            checker.check_message("upstream_request", *expect.upstream_request,
                                  *seen.upstream_request);
        }
    }
    const bool replied = seen.local_reply.has_value();
    if (expect.has_local_reply && expect.has_local_reply->first != replied) {
        checker.fail("local_reply", expect.has_local_reply->first ? "one" : "none",
                     replied
                         ? fmt::format("{} {}", seen.local_reply->status, seen.local_reply->details)
                         : "none",
                     expect.has_local_reply->second);
    } else if (expect.local_reply && replied) {
        const auto& reply = *seen.local_reply;
        Message message;
        message.headers = reply.headers;
        message.headers.insert(message.headers.begin(), {":status", std::to_string(reply.status)});
        message.body = {reply.body};
        checker.check_message("local_reply", *expect.local_reply, message);
        if (expect.local_reply->details) {
            checker.check("local_reply.details", *expect.local_reply->details, reply.details);
        }
        if (expect.local_reply->grpc_status) {
            const std::string status = reply.grpc_status ? std::to_string(*reply.grpc_status) : "";
            checker.check("local_reply.grpc_status", *expect.local_reply->grpc_status, status);
        }
    }
    if (expect.calls) {
        check_calls(checker, expect, seen.calls);
    }
    check_logs(checker, expect, logs);
}

void check_whole(const Expect& expect, const Observed& seen, std::vector<Failure>& failures) {
    Checker checker("", failures);
    if (expect.message) {
        checker.check("message", *expect.message, seen.message);
    }
    for (const auto& [name, expected] : expect.metrics) {
        const auto found = seen.metrics.find(name);
        const std::string value =
            found == seen.metrics.end() ? "" : std::to_string(found->second.value);
        checker.check("metrics." + name, expected,
                      found == seen.metrics.end() ? std::nullopt : Texts(value));
    }
    for (const auto& [key, expected] : expect.shared_data) {
        const auto found = seen.shared_data.find(key);
        checker.check("shared_data." + key, expected,
                      found == seen.shared_data.end() ? std::nullopt : Texts(found->second));
    }
    for (const auto& [name, expected] : expect.queues) {
        const auto found = seen.queues.find(name);
        const std::size_t count = found == seen.queues.end() ? 0 : found->second.size();
        if (count != expected.size()) {
            checker.fail("queues." + name, fmt::format("{} items", expected.size()),
                         std::to_string(count),
                         expected.empty() ? expect.place : expected[0].place);
            continue;
        }
        for (std::size_t i = 0; i < count; ++i) {
            checker.check(fmt::format("queues.{}[{}]", name, i), expected[i], found->second[i]);
        }
    }
}

}  // namespace wasmplug::plugintest
