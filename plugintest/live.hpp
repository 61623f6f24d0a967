#pragma once

#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "base/http.hpp"
#include "plugintest/file.hpp"

namespace wasmplug::plugintest {

// A running endpoint that the client-visible part of a test file is checked against.
struct LiveTarget {
    std::string url;                   // its origin; a path is put before each test's
    Headers headers;                   // sent with every request
    std::vector<std::string> resolve;  // HOST:PORT:ADDRESS
    TlsOptions tls;
};

// Throws usage_error when `target.url` is no http or https URL, or holds a password.
void check_target(const LiveTarget& target);

// The request of a test as `target` gets it: framing headers are left to the client.
HttpRequest live_request(const LiveTarget& target, const Message& message);

// Sends each request of a case and shows what came back; all else stays unknown.
Engine live_engine(const LiveTarget& target, const Send& send, const Cancel& cancel);

// The test with nothing but what a client can see. A test is skipped, with the reason, when the
// endpoint's own upstream, configuration or clock decides what it expects.
TestCase client_visible(TestCase test);

// A test file with one exchange with `target`, as it was answered: a start that a person edits.
std::string recorded_test(const LiveTarget& target, const std::string& method,
                          const std::string& path, const Send& send, const Cancel& cancel);

}  // namespace wasmplug::plugintest
