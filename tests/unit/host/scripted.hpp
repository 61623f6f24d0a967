#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "host/embedded.hpp"
#include "tests/support/require.hpp"
#include "tests/support/script_plugin.hpp"

namespace wasmplug::host {

// A test whose plugin follows tests/data/wasm/script.c's little language.
class Scripted : public testing::Test {
  protected:
    void SetUp() override {
        const auto module = test::built_plugin("script");
        WASMPLUG_NEEDS(module.has_value(), "clang with wasm-ld");
        plugintest::Plugin plugin;
        plugin.module = *module;
        plugin.name = "script";
        plugin.vm_id = "vm";
        given.plugins = {plugin};
        given.clock = WallClock::time_point(std::chrono::seconds(1'767'225'600));
        given.limits.instructions = 20'000'000;
        given.steps.resize(1);
        request({});
        response({});
    }

    plugintest::Step& step() { return given.steps.front(); }

    void request(std::vector<std::string> body, Headers more = {}, Headers trailers = {}) {
        Headers headers{{":authority", "example.com"},
                        {":path", "/x?a=1"},
                        {":method", body.empty() ? "GET" : "POST"},
                        {":scheme", "http"}};
        headers.insert(headers.end(), more.begin(), more.end());
        step().request = plugintest::Message{headers, std::move(body), std::move(trailers)};
    }

    void response(std::vector<std::string> body, Headers more = {}, Headers trailers = {}) {
        Headers headers{{":status", "200"}};
        headers.insert(headers.end(), more.begin(), more.end());
        step().upstream = plugintest::Message{headers, std::move(body), std::move(trailers)};
    }

    void call_target(plugintest::CallReply reply, bool grpc = false) {
        plugintest::CallTarget target;
        target.cluster = "auth";
        target.grpc = grpc;
        target.reply = std::move(reply);
        given.calls.push_back(std::move(target));
    }

    static plugintest::CallReply fails(plugintest::CallReply::Kind kind) {
        plugintest::CallReply reply;
        reply.kind = kind;
        return reply;
    }

    static plugintest::CallReply answers(int status, const std::string& body = {}) {
        plugintest::CallReply reply;
        reply.message.headers = {{":status", std::to_string(status)}};
        if (!body.empty()) {
            reply.message.body = {body};
        }
        return reply;
    }

    // Runs the script and keeps what it logged.
    const plugintest::Observed& run(const std::string& script) {
        given.plugins.front().config = script;
        seen = engine.run(given);
        lines.clear();
        for (const auto& log : seen.start_logs) {
            lines.push_back(log.text);
        }
        for (const auto& each : seen.steps) {
            for (const auto& log : each.logs) {
                lines.push_back(log.text);
            }
        }
        return seen;
    }

    // Whether the plugin logged that line.
    testing::AssertionResult logged(const std::string& line) const {
        if (std::find(lines.begin(), lines.end(), line) != lines.end()) {
            return testing::AssertionSuccess();
        }
        auto result = testing::AssertionFailure();
        result << "no line is \"" << line << "\" among";
        for (const auto& each : lines) {
            result << "\n  " << each;
        }
        return result;
    }

    const plugintest::StepObserved& first() const { return seen.steps.at(0); }

    std::string status() const {
        return first().response ? plugintest::first_header(first().response->headers, ":status")
                                : "none";
    }

    Embedded engine;
    plugintest::Case given;
    plugintest::Observed seen;
    std::vector<std::string> lines;
};

inline constexpr const char* call_auth =
    "request_headers call auth :method=GET,:path=/check,:authority=a \"\" 500\n";

}  // namespace wasmplug::host
