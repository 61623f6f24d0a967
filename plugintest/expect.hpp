#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plugintest/case.hpp"
#include "plugintest/matcher.hpp"

namespace wasmplug::plugintest {

// Where in the test file something stands; 1-based.
struct Place {
    std::size_t line = 0;
    std::size_t column = 0;
};

struct Expected {
    Matcher matcher;
    Place place;
};

struct ExpectedHeader {
    std::string name;              // lower case
    std::vector<Expected> values;  // several: as many values, in this order
    Place place;
};

// Of a request or response. What is not named is not checked, unless `strict`.
struct ExpectedMessage {
    std::vector<std::pair<std::string, Expected>> pseudo;  // ":status", ":path" …
    std::vector<ExpectedHeader> headers;
    std::vector<ExpectedHeader> trailers;
    std::optional<Expected> body;
    std::optional<Expected> details;      // of a response or local reply
    std::optional<Expected> grpc_status;  // of a local reply
    std::optional<bool> reached;          // of upstream_request
    bool strict = false;                  // no header that is not named, volatile ones aside
    Place place;
};

struct ExpectedCall {
    std::optional<Expected> cluster;
    std::optional<Expected> timeout;  // milliseconds
    std::optional<Expected> service;
    std::optional<Expected> method;  // of gRPC
    ExpectedMessage message;
    Place place;
};

struct ExpectedLog {
    std::optional<int> level;
    std::optional<int> at_least;  // level: {gte: warn}
    std::optional<int> at_most;
    Matcher text;
    std::optional<int> times;
    Place place;

    bool matches(const Log& log) const;
    std::string describe() const;
};

struct Expect {
    std::optional<ExpectedMessage> response;
    std::optional<ExpectedMessage> upstream_request;
    std::optional<ExpectedMessage> local_reply;
    std::optional<std::pair<bool, Place>> has_local_reply;
    std::optional<std::vector<ExpectedCall>> calls;
    Place calls_place;
    std::vector<ExpectedLog> logs;     // each is found
    std::vector<ExpectedLog> no_logs;  // none is found
    std::optional<Expected> outcome;
    std::optional<Expected> message;  // of a failed load or a crash
    std::vector<std::pair<std::string, Expected>> metrics;
    std::vector<std::pair<std::string, Expected>> shared_data;
    std::vector<std::pair<std::string, std::vector<Expected>>> queues;
    Place place;
    bool given = false;
};

// One thing that is not as expected.
struct Failure {
    std::string what;  // "response.headers.x-a", "step 2: calls[0].timeout"
    std::string expected;
    std::string actual;
    std::string diff;  // when both have several lines
    Place place;
};

// Judges one step; `prefix` is put before what each failure names.
void check_step(const Expect& expect, const StepObserved& seen, const std::vector<Log>& logs,
                const std::string& prefix, std::vector<Failure>& failures);

// What belongs to the whole test: outcome, message, metrics, shared data, queues.
void check_whole(const Expect& expect, const Observed& seen, std::vector<Failure>& failures);

// Headers that differ from run to run or from engine to engine: never compared by `strict`.
bool is_volatile_header(std::string_view name);

}  // namespace wasmplug::plugintest
