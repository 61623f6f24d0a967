#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/report.hpp"

namespace wasmplug::manifest {

// Who would object, and when. `strict` is the API server as kubectl asks it (fieldValidation
// Strict): unknown fields and duplicate keys, which other clients lose silently.
enum class Layer { api_server, strict, webhook, runtime, policy };

// "api-server", as JSON has it.
std::string_view to_string(Layer layer);

// "the API server", for sentences.
std::string_view name_of(Layer layer);

// What `validate --fix` may do about a rule's findings, where the text leaves one right answer
// (Finding::right): write another value, give the key another name, take the entry away, leave one
// of several that are equal.
enum class Mending { none, value, key, removal, merging };

struct Rule {
    std::string_view id;
    Level level;
    Layer layer;              // where it is seen first
    std::string_view text;    // what is wrong, one line
    std::string_view reason;  // why that matters, with what Istio does
    std::string_view fix;     // what to write instead
    std::string_view source;  // where the behaviour is decided
    Mending mending = Mending::none;
};

// In the order of their ids.
std::span<const Rule> rules();

// Nullptr when there is no such rule; "wp12" and "WP012" are the same.
const Rule* find_rule(std::string_view id);

// docs/rules.md: every rule in a table and each field, from the tables.
std::string rules_markdown();

}  // namespace wasmplug::manifest
