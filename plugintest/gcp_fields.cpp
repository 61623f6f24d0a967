#include "plugintest/gcp_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/terminal.hpp"

namespace wasmplug::plugintest {
namespace {

struct Field {
    std::string_view message;
    std::string_view name;
    std::string_view type = {};  // the message that it holds; empty: one value
};

// plugins/test/runner.proto of GoogleCloudPlatform/service-extensions, all of its versions.
constexpr std::array fields{
    Field{"TestSuite", "env", "Env"},
    Field{"TestSuite", "runtime", "Env"},
    Field{"TestSuite", "test", "Test"},
    Field{"Env", "test_path"},
    Field{"Env", "wasm_path"},
    Field{"Env", "config_path"},
    Field{"Env", "log_level"},
    Field{"Env", "min_log_level"},
    Field{"Env", "log_path"},
    Field{"Env", "time_secs"},
    Field{"Env", "num_additional_streams"},
    Field{"Env", "additional_stream_advance_rate"},
    Field{"Test", "name"},
    Field{"Test", "benchmark"},
    Field{"Test", "num_chunks"},
    Field{"Test", "chunk_size"},
    Field{"Test", "properties", "Property"},
    Field{"Test", "request_headers", "Invocation"},
    Field{"Test", "request_body", "Invocation"},
    Field{"Test", "response_headers", "Invocation"},
    Field{"Test", "response_body", "Invocation"},
    Field{"Test", "plugin_init", "Expectation"},
    Field{"Test", "stream_init", "Expectation"},
    Field{"Test", "stream_destroy", "Expectation"},
    Field{"Property", "path"},
    Field{"Property", "value"},
    Field{"Invocation", "input", "Input"},
    Field{"Invocation", "result", "Expectation"},
    Field{"Input", "header", "Header"},
    Field{"Input", "content"},
    Field{"Input", "file"},
    Field{"Header", "key"},
    Field{"Header", "value"},
    Field{"Expectation", "has_header", "Header"},
    Field{"Expectation", "no_header", "Header"},
    Field{"Expectation", "headers", "StringMatcher"},  // or HeaderExpectation
    Field{"Expectation", "body", "StringMatcher"},
    Field{"Expectation", "immediate", "Immediate"},
    Field{"Expectation", "log", "StringMatcher"},
    Field{"HeaderExpectation", "has_header", "Header"},
    Field{"HeaderExpectation", "no_header", "Header"},
    Field{"HeaderExpectation", "headers_serialized", "StringMatcher"},
    Field{"Immediate", "http_status"},
    Field{"Immediate", "grpc_status"},
    Field{"Immediate", "details"},
    Field{"Immediate", "has_header", "Header"},
    Field{"Immediate", "no_header", "Header"},
    Field{"Immediate", "headers", "HeaderExpectation"},
    Field{"Immediate", "body", "StringMatcher"},
    Field{"StringMatcher", "invert"},
    Field{"StringMatcher", "exact"},
    Field{"StringMatcher", "regex"},
    Field{"StringMatcher", "file"},
};

bool is_header_expectation(const ProtoText& message) {
    return message.find("has_header") != nullptr || message.find("no_header") != nullptr ||
           message.find("headers_serialized") != nullptr;
}

using Report = std::function<void(const ProtoText&, const std::string&)>;

void check(const ProtoText& message, std::string_view type, const Report& report,
           const Report& refuse) {
    for (const auto& given : message.fields) {
        const auto known = std::find_if(fields.begin(), fields.end(), [&](const Field& field) {
            return field.message == type && field.name == given.name;
        });
        if (known == fields.end()) {
            std::vector<std::string> names;
            for (const auto& field : fields) {
                if (field.message == type) {
                    names.emplace_back(field.name);
                }
            }
            const auto guess = closest(given.name, names);
            report(given, fmt::format("{} has no field '{}'{}", type, printable(given.name),
                                      guess.empty() ? "" : fmt::format(" ('{}'?)", guess)));
            continue;
        }
        const bool is_nothing = !given.is_message && given.value.empty();  // null, in YAML
        if (known->type.empty() && given.is_message) {
            refuse(given, fmt::format("{} has to be one value", given.name));
        } else if (!known->type.empty() && !given.is_message && !is_nothing) {
            refuse(given, fmt::format("{} has to be a message", given.name));
        } else if (!known->type.empty()) {
            check(given,
                  known->name == "headers" && is_header_expectation(given) ? "HeaderExpectation"
                                                                           : known->type,
                  report, refuse);
        }
    }
}

void append(std::vector<const ProtoText*>& to, const std::vector<const ProtoText*>& more) {
    to.insert(to.end(), more.begin(), more.end());
}

void take_headers(const ProtoText& message, GcpResult& result) {
    append(result.has_header, message.all("has_header"));
    append(result.no_header, message.all("no_header"));
    append(result.lines, message.all("headers_serialized"));
    for (const auto* headers : message.all("headers")) {
        if (is_header_expectation(*headers)) {
            take_headers(*headers, result);
        } else {
            result.lines.push_back(headers);
        }
    }
}

}  // namespace

void check_gcp_fields(const ProtoText& suite, const Report& report, const Report& refuse) {
    check(suite, "TestSuite", report, refuse);
}

GcpResult gcp_result_of(const ProtoText* result) {
    GcpResult all;
    if (result == nullptr) {
        return all;
    }
    take_headers(*result, all);
    append(all.body, result->all("body"));
    append(all.log, result->all("log"));
    all.immediate = result->find("immediate");
    if (all.immediate != nullptr) {
        take_headers(*all.immediate, all);
        append(all.body, all.immediate->all("body"));
    }
    return all;
}

}  // namespace wasmplug::plugintest
