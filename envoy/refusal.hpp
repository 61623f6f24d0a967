#pragma once

#include <optional>
#include <string>
#include <vector>

#include "envoy/log.hpp"

namespace wasmplug::envoy {

// The line that says why, out of the log of an Envoy that ended. "" when there is none.
std::string reason_of(const std::vector<LogEntry>& log);

// Why an Envoy did not start, for a person.
struct Refusal {
    std::string what;  // names the plugin and what it did, as far as the log does
    std::string hint;  // what to do, and Envoy's own words
};

Refusal explain(const std::vector<LogEntry>& log);

// "127.0.0.1:8080" when the Envoy ended because it could not listen there.
std::optional<std::string> taken_address(const std::vector<LogEntry>& log);

}  // namespace wasmplug::envoy
