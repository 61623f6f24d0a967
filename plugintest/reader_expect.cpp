#include <fmt/format.h>

#include <utility>

#include "base/text.hpp"
#include "plugintest/reader.hpp"

namespace wasmplug::plugintest {
namespace {

std::vector<ExpectedHeader> read_headers(const Values& values, const Value& value,
                                         std::string_view what) {
    std::vector<ExpectedHeader> headers;
    for (const auto& member : values.members(value, what)) {
        ExpectedHeader header;
        header.name = lower_case(member.name);
        header.place = values.place(member.value);
        if (member.value.is_sequence()) {
            for (const auto& item : values.items(member.value, header.name)) {
                header.values.push_back(values.expected(item, header.name));
            }
            if (header.values.empty()) {
                values.fail(member.value, "an empty list names no value",
                            "write {absent: true} for a header that must not be there");
            }
        } else {
            header.values.push_back(values.expected(member.value, header.name));
        }
        headers.push_back(std::move(header));
    }
    return headers;
}

// "500ms" is compared as milliseconds, so that "0.5s" is the same.
Expected read_timeout(const Values& values, const Value& value) {
    if (!value.is_scalar()) {
        return values.expected(value, "timeout");
    }
    const auto time = values.duration(value, "timeout");
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
    return {Matcher::equal_to(std::to_string(milliseconds)), values.place(value)};
}

// Reads a member that messages of every kind have; false when it is another.
bool read_common(const Values& values, const Member& member, ExpectedMessage& message) {
    if (member.name == "headers") {
        message.headers = read_headers(values, member.value, "headers");
    } else if (member.name == "trailers") {
        message.trailers = read_headers(values, member.value, "trailers");
    } else if (member.name == "body") {
        message.body = values.expected(member.value, "body");
    } else if (member.name == "strict") {
        message.strict = values.boolean(member.value, "strict");
    } else if (member.name == "status" || member.name == "method" || member.name == "path" ||
               member.name == "authority" || member.name == "scheme") {
        message.pseudo.emplace_back(":" + member.name, values.expected(member.value, member.name));
    } else {
        return false;
    }
    return true;
}

ExpectedMessage read_response(const Values& values, const Value& value, std::string_view what) {
    ExpectedMessage message;
    message.place = values.place(value);
    for (const auto& member : values.members(
             value, what,
             {"status", "headers", "trailers", "body", "details", "grpc_status", "strict"})) {
        if (member.name == "details") {
            message.details = values.expected(member.value, "details");
        } else if (member.name == "grpc_status") {
            message.grpc_status = values.expected(member.value, "grpc_status");
        } else {
            read_common(values, member, message);
        }
    }
    return message;
}

std::vector<ExpectedCall> read_expected_calls(const Values& values, const Value& value) {
    std::vector<ExpectedCall> calls;
    for (const auto& item : values.items(value, "calls")) {
        ExpectedCall call;
        call.place = values.place(item);
        for (const auto& member :
             values.members(item, "a call",
                            {"cluster", "timeout", "service", "grpc_method", "method", "path",
                             "authority", "scheme", "headers", "trailers", "body", "strict"})) {
            if (member.name == "cluster") {
                call.cluster = values.expected(member.value, "cluster");
            } else if (member.name == "timeout") {
                call.timeout = read_timeout(values, member.value);
            } else if (member.name == "service") {
                call.service = values.expected(member.value, "service");
            } else if (member.name == "grpc_method") {
                call.method = values.expected(member.value, "grpc_method");
            } else {
                read_common(values, member, call.message);
            }
        }
        calls.push_back(std::move(call));
    }
    return calls;
}

int read_level(const Values& values, const Value& value) {
    const auto level = parse_log_level(values.text(value, "level"));
    if (!level) {
        values.fail(value, "level has to be one of trace, debug, info, warn, error, critical");
    }
    return *level;
}

ExpectedLog read_log(const Values& values, const Value& value) {
    ExpectedLog log;
    log.place = values.place(value);
    if (value.is_scalar()) {
        Matcher::Condition contains;
        contains.kind = Matcher::Kind::contains;
        contains.text = values.text(value, "a log line");
        log.text = Matcher({std::move(contains)});
        return log;
    }
    std::vector<Matcher::Condition> conditions;
    for (const auto& member : values.members(
             value, "a log line",
             {"level", "text", "contains", "prefix", "suffix", "regex", "equals", "times"})) {
        if (member.name == "times") {
            log.times = static_cast<int>(values.integer(member.value, "times", 0, 1'000'000));
        } else if (member.name == "text") {
            Matcher::Condition whole;
            whole.kind = Matcher::Kind::one_of;
            whole.matchers.push_back(values.matcher(member.value, "text"));
            conditions.push_back(std::move(whole));
        } else if (member.name == "level" && member.value.is_mapping()) {
            for (const auto& bound : values.members(member.value, "level", {"gte", "lte"})) {
                (bound.name == "gte" ? log.at_least : log.at_most) =
                    read_level(values, bound.value);
            }
        } else if (member.name == "level") {
            log.level = read_level(values, member.value);
        } else {
            Matcher::Condition condition;
            condition.kind = *parse_matcher_kind(member.name);
            condition.text = values.text(member.value, member.name);
            if (condition.kind == Matcher::Kind::regex) {
                try {
                    check_regex(condition.text);
                } catch (const Error& error) {
                    values.fail(member.value, error.what());
                }
            }
            conditions.push_back(std::move(condition));
        }
    }
    log.text = Matcher(std::move(conditions));
    return log;
}

void read_logs(const Values& values, const Value& value, Expect& expect) {
    const auto read_list = [&](const Value& list, std::vector<ExpectedLog>& into) {
        if (list.is_sequence()) {
            for (const auto& item : values.items(list, "logs")) {
                into.push_back(read_log(values, item));
            }
        } else {
            into.push_back(read_log(values, list));
        }
    };
    if (value.is_sequence()) {
        read_list(value, expect.logs);
        return;
    }
    for (const auto& member : values.members(value, "logs", {"some", "none"})) {
        read_list(member.value, member.name == "some" ? expect.logs : expect.no_logs);
    }
}

void read_local_reply(const Values& values, const Value& value, Expect& expect) {
    const Place place = values.place(value);
    if (value.is_mapping()) {
        expect.local_reply = read_response(values, value, "local_reply");
        expect.has_local_reply = {true, place};
    } else {
        expect.has_local_reply = {values.boolean(value, "local_reply"), place};
    }
}

// Matchers may name any outcome; a plain word must be one.
Expected read_outcome(const Values& values, const Value& value) {
    if (value.is_scalar() && !parse_outcome(values.text(value, "outcome"))) {
        values.word(value, "outcome",
                    {"ok", "local_reply", "stuck", "reset", "crash", "out_of_fuel",
                     "config_rejected", "load_failed"});
    }
    return values.expected(value, "outcome");
}

}  // namespace

ExpectedMessage read_expected_message(const Reading& reading, const Value& value,
                                      std::string_view what) {
    const auto& values = reading.values;
    ExpectedMessage message;
    message.place = values.place(value);
    for (const auto& member : values.members(value, what,
                                             {"method", "path", "authority", "scheme", "headers",
                                              "trailers", "body", "strict", "reached"})) {
        if (member.name == "reached") {
            message.reached = values.boolean(member.value, "reached");
        } else {
            read_common(values, member, message);
        }
    }
    return message;
}

Expect read_expect(const Reading& reading, const Value& value) {
    const auto& values = reading.values;
    Expect expect;
    expect.given = true;
    expect.place = values.place(value);
    const auto each = [&](const Member& member, auto& into) {
        for (const auto& item : values.members(member.value, member.name)) {
            into.emplace_back(item.name, values.expected(item.value, item.name));
        }
    };
    for (const auto& member :
         values.members(value, "expect",
                        {"response", "upstream_request", "local_reply", "calls", "logs", "outcome",
                         "message", "metrics", "shared_data", "queues"})) {
        if (member.name == "response") {
            expect.response = read_response(values, member.value, "response");
        } else if (member.name == "upstream_request") {
            expect.upstream_request =
                read_expected_message(reading, member.value, "upstream_request");
        } else if (member.name == "local_reply") {
            read_local_reply(values, member.value, expect);
        } else if (member.name == "calls") {
            expect.calls = read_expected_calls(values, member.value);
            expect.calls_place = values.place(member.value);
        } else if (member.name == "logs") {
            read_logs(values, member.value, expect);
        } else if (member.name == "outcome") {
            expect.outcome = read_outcome(values, member.value);
        } else if (member.name == "message") {
            expect.message = values.expected(member.value, "message");
        } else if (member.name == "metrics") {
            each(member, expect.metrics);
        } else if (member.name == "shared_data") {
            each(member, expect.shared_data);
        } else {
            for (const auto& queue : values.members(member.value, "queues")) {
                std::vector<Expected> items;
                for (const auto& item : values.items(queue.value, queue.name)) {
                    items.push_back(values.expected(item, queue.name));
                }
                expect.queues.emplace_back(queue.name, std::move(items));
            }
        }
    }
    return expect;
}

}  // namespace wasmplug::plugintest
