#pragma once

// The parts of a test file, each read by one function; file.cpp puts them together.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "plugintest/case.hpp"
#include "plugintest/file.hpp"
#include "plugintest/values.hpp"

namespace wasmplug::plugintest {

// What is read with: the matrix row's values and the folder that paths start from.
struct Reading {
    const Values& values;
    const std::filesystem::path& folder;
};

// What stands under `plugin:`; the module is made absolute.
Plugin read_plugin(const Reading& reading, const Value& value,
                   const std::optional<std::filesystem::path>& module);
std::string read_config(const Reading& reading, const Value& value);
void read_envoy(const Reading& reading, const Value& value, EnvoySettings& settings);
void read_limits(const Reading& reading, const Value& value, Limits& limits);

// `message` holds the defaults, and what the value names replaces them.
void read_request(const Reading& reading, const Value& value, Step& step);
void read_upstream(const Reading& reading, const Value& value, Step& step);
std::vector<CallTarget> read_calls(const Reading& reading, const Value& value);
std::vector<std::string> read_body(const Reading& reading, const Value& value);

// Attribute path -> bytes as proxy_get_property gives them: a number has 8, a boolean 1.
std::map<std::string, std::string> read_properties(const Reading& reading, const Value& value);
// Host functions and the status that each answers.
std::map<std::string, std::uint32_t> read_refusals(const Reading& reading, const Value& value);
std::map<std::string, std::string> read_texts(const Reading& reading, const Value& value,
                                              std::string_view what);
Expect read_expect(const Reading& reading, const Value& value);
ExpectedMessage read_expected_message(const Reading& reading, const Value& value,
                                      std::string_view what);

// A test's request is one a client could send: the pseudo headers that are missing, and the
// length of its body.
void complete_request(Message& message);
void complete_response(Message& message);

}  // namespace wasmplug::plugintest
