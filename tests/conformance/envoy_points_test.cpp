// What a real Envoy does around a plugin that no test file can ask of it: listeners that change,
// settings that the format has no word for, its own statistics. tests/data/host-points.txt names
// the points.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/http.hpp"
#include "base/yaml.hpp"
#include "host/embedded.hpp"
#include "tests/conformance/both_engines.hpp"
#include "tests/support/becomes.hpp"
#include "tests/support/envoy.hpp"
#include "tests/support/require.hpp"
#include "tests/support/script_plugin.hpp"

namespace wasmplug::test {
namespace {

using nlohmann::ordered_json;

// A listener that Envoy reads from a file and reads again when the file is replaced.
class Listeners {
  public:
    explicit Listeners(ordered_json config) : config_(std::move(config)) {
        main_ = config_["static_resources"]["listeners"][0];
        main_["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener";
        config_.erase("static_resources");
        config_["node"] = {{"id", "tests"}, {"cluster", "tests"}};
        config_["dynamic_resources"] = {
            {"lds_config", {{"path_config_source", {{"path", file()}}}}}};
        update();
    }

    std::string bootstrap() const { return config_.dump(); }

    std::string file() const { return (folder_.path() / "listeners.json").string(); }

    ordered_json& main() { return main_; }

    void update() const { write_file(file(), ordered_json{{"resources", {main_}}}.dump()); }

  private:
    TemporaryDirectory folder_;
    ordered_json config_;
    ordered_json main_;
};

class EnvoyPoints : public testing::Test {
  protected:
    void SetUp() override {
        script_ = built_plugin("script");
        WASMPLUG_NEEDS(script_.has_value(), "clang with wasm-ld");
        WASMPLUG_NEEDS(envoy_binary().has_value(), "envoy");
    }

    // One listener with the script plugin, which answers 200 by itself behind it.
    ordered_json bootstrap(const std::string& script) const {
        const auto file = yaml::File::parse(envoy_bootstrap(*script_, script), "bootstrap");
        return yaml::to_json(*file.documents().front().root);
    }

    static ordered_json& listener(ordered_json& config) {
        return config["static_resources"]["listeners"][0];
    }

    static ordered_json& plugin(ordered_json& listener) {
        return listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"][0]
                       ["typed_config"]["config"];
    }

    // On a connection of its own: one that is kept stays with the listener that took it.
    int status(const Envoy& envoy) {
        return client_.send({.url = envoy.url(), .headers = {{"connection", "close"}}}, {}).status;
    }

    // All statistics of whose names `filter` is a part of.
    std::map<std::string, std::int64_t> stats(const Envoy& envoy, const std::string& filter) {
        const auto answer =
            client_.send({.url = envoy.admin_url("/stats?format=json&filter=" + filter)}, {});
        std::map<std::string, std::int64_t> all;
        const auto document = ordered_json::parse(answer.body);
        for (const auto& one : document.at("stats")) {
            if (one.contains("value") && one["value"].is_number()) {
                all[one.at("name").get<std::string>()] = one["value"];
            }
        }
        return all;
    }

    std::int64_t stat(const Envoy& envoy, const std::string& name) {
        const auto all = stats(envoy, name);
        const auto found = all.find(name);
        return found == all.end() ? -1 : found->second;
    }

    static std::size_t times(const std::string& text, const std::string& part) {
        std::size_t count = 0;
        for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
            ++count;
        }
        return count;
    }

    static std::size_t crashes(const Envoy& envoy) {
        return times(envoy.log(), "proxy_on_request_headers failed");
    }

    // The numbers of those that logged lines with `part`: "[TIME][THREAD][LEVEL]…".
    static std::set<std::string> threads_of(const std::string& log, const std::string& part) {
        std::set<std::string> threads;
        std::istringstream lines(log);
        for (std::string line; std::getline(lines, line);) {
            if (const auto at = line.find("]["); line.find(part) != std::string::npos) {
                threads.insert(line.substr(at + 2, line.find(']', at + 2) - at - 2));
            }
        }
        return threads;
    }

    std::optional<std::filesystem::path> script_;
    HttpClient client_{"wasmplug-tests"};
};

// The embedded host ticks one VM, the worker's: a test says how often. Both are right for what they
// are asked, and a figure that ticks count differs.
TEST_F(EnvoyPoints, TicksComeOnTheMainThreadAndOnEachWorker) {
    // Each VM ticks once and then never again; the canary is gone by then.
    const std::string script =
        "configure metric 0 ticks\nconfigure tick 20\ntick inc 1\ntick tick 0\ntick log 2 ticked\n";
    const Envoy envoy(bootstrap(script).dump());
    EXPECT_TRUE(becomes([&] { return times(envoy.log(), ": ticked") >= 2; })) << envoy.log();
    EXPECT_EQ(stat(envoy, "wasmcustom.ticks"), 2) << envoy.log();
    EXPECT_EQ(times(envoy.log(), ": ticked"), 2U) << envoy.log();
    EXPECT_EQ(threads_of(envoy.log(), ": ticked").size(), 2U) << envoy.log();

    plugintest::Step tick;
    tick.ticks = 1;
    host::Embedded embedded;
    EXPECT_EQ(embedded.run(with(*script_, script, {tick})).metrics.at("ticks").value, 1);
}

TEST_F(EnvoyPoints, AnotherConfigurationMakesARootContextInTheSameVm) {
    Listeners listeners(bootstrap("configure log 2 one\nconfigure metric 0 kept\nlog inc 1\n"));
    const Envoy envoy(listeners.bootstrap());
    EXPECT_EQ(status(envoy), 200);
    const auto created = stat(envoy, "wasm.envoy.wasm.runtime.v8.created");
    plugin(listeners.main())["configuration"]["value"] = "trace\nconfigure log 2 two\n";
    listeners.update();
    EXPECT_TRUE(becomes([&] { return times(envoy.log(), ": two") == 3; })) << envoy.log();
    EXPECT_EQ(stat(envoy, "listener_manager.listener_in_place_updated"), 1);
    EXPECT_EQ(stat(envoy, "wasm.envoy.wasm.runtime.v8.created"), created + 1) << "the canary only";
    EXPECT_EQ(stat(envoy, "wasm.envoy.wasm.runtime.v8.active"), 3);
    EXPECT_EQ(status(envoy), 200);
    // Root 1 and stream 2 were the first configuration's; the numbers go on.
    EXPECT_TRUE(becomes([&] { return times(envoy.log(), "request_headers(4,") == 1; }))
        << envoy.log();
}

TEST_F(EnvoyPoints, AnotherVmConfigurationMakesNewVms) {
    Listeners listeners(bootstrap("trace\n"));
    const Envoy envoy(listeners.bootstrap());
    EXPECT_EQ(status(envoy), 200);
    const auto created = stat(envoy, "wasm.envoy.wasm.runtime.v8.created");
    plugin(listeners.main())["vm_config"]["vm_id"] = "another";
    listeners.update();
    EXPECT_TRUE(becomes([&] {
        return stat(envoy, "wasm.envoy.wasm.runtime.v8.created") == created + 4;
    })) << "base, canary, main thread, worker: "
        << stat(envoy, "wasm.envoy.wasm.runtime.v8.created");
    EXPECT_TRUE(becomes([&] {
        EXPECT_EQ(status(envoy), 200);
        return times(envoy.log(), "request_headers(2,") == 2;
    })) << "numbers begin anew: "
        << envoy.log();
}

TEST_F(EnvoyPoints, AListenerWithABadModuleIsRejectedAndTheOldOneServes) {
    Listeners listeners(bootstrap("response_headers add 2 x-old yes\n"));
    const Envoy envoy(listeners.bootstrap());
    plugin(listeners.main())["vm_config"]["code"]["local"]["filename"] = listeners.file();
    listeners.update();
    EXPECT_TRUE(becomes([&] { return stat(envoy, "listener_manager.lds.update_rejected") == 1; }));
    const auto answer = client_.send({.url = envoy.url()}, {});
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(header(answer.headers, "x-old"), "yes");
    EXPECT_EQ(stat(envoy, "listener_manager.lds.update_success"), 1);
}

TEST_F(EnvoyPoints, TheOldFailOpenLetsTheCrashingRequestPassToo) {
    auto config = bootstrap("request_headers trap\n");
    auto& filter = plugin(listener(config));
    filter.erase("failure_policy");
    filter["fail_open"] = true;
    const Envoy envoy(config.dump());
    EXPECT_EQ(status(envoy), 200);
    EXPECT_EQ(status(envoy), 200);
    EXPECT_TRUE(becomes([&] { return crashes(envoy) == 1; })) << envoy.log();

    filter.erase("fail_open");
    filter["failure_policy"] = "FAIL_OPEN";
    const Envoy today(config.dump());
    EXPECT_EQ(status(today), 503) << "FAIL_OPEN does not";
    EXPECT_EQ(status(today), 200);
}

TEST_F(EnvoyPoints, ReloadConfigSetsTheBackOffOfFailReload) {
    auto config = bootstrap("request_headers trap\n");
    auto& filter = plugin(listener(config));
    filter["failure_policy"] = "FAIL_RELOAD";
    filter["reload_config"] = {{"backoff", {{"base_interval", "3600s"}}}};
    {
        const Envoy envoy(config.dump());
        EXPECT_EQ(status(envoy), 503);
        EXPECT_EQ(status(envoy), 503);
        EXPECT_EQ(stat(envoy, "wasm.plugin.vm_reload_backoff"), 1);
        EXPECT_EQ(stat(envoy, "wasm.plugin.vm_reload_success"), 0);
        EXPECT_TRUE(becomes([&] { return crashes(envoy) == 1; })) << envoy.log();
    }
    // Of 1 ms, Envoy 1.40 itself crashes at the reload.
    filter["reload_config"] = {{"backoff", {{"base_interval", "0.1s"}}}};
    const Envoy envoy(config.dump());
    EXPECT_EQ(status(envoy), 503);
    EXPECT_TRUE(becomes([&] {
        status(envoy);
        return stat(envoy, "wasm.plugin.vm_reload_success") > 0;
    }));
    EXPECT_TRUE(becomes([&] { return crashes(envoy) > 1; })) << envoy.log();
    EXPECT_EQ(stat(envoy, "wasm.plugin.vm_reload"), 0) << "which Envoy has and never counts";
}

TEST_F(EnvoyPoints, StatisticsCountVmsReloadsAndWhatThePluginCounts) {
    const Envoy envoy(bootstrap("configure metric 0 seen\nlog inc 1\n").dump());
    EXPECT_EQ(status(envoy), 200);
    EXPECT_TRUE(becomes([&] { return stat(envoy, "wasmcustom.seen") == 1; }));
    auto all = stats(envoy, "wasm");
    EXPECT_EQ(all.at("wasm.envoy.wasm.runtime.v8.created"), 4);
    EXPECT_EQ(all.at("wasm.envoy.wasm.runtime.v8.active"), 3);
    EXPECT_EQ(all.at("wasm.wasm_vm_count"), 3);
    std::set<std::string> names;
    for (const auto& [name, value] : all) {
        names.insert(name);
    }
    EXPECT_EQ(names, (std::set<std::string>{
                         "wasm.envoy.wasm.runtime.v8.active", "wasm.envoy.wasm.runtime.v8.created",
                         "wasm.plugin.vm_reload", "wasm.plugin.vm_reload_backoff",
                         "wasm.plugin.vm_reload_failure", "wasm.plugin.vm_reload_success",
                         "wasm.remote_load_cache_entries", "wasm.remote_load_cache_hits",
                         "wasm.remote_load_cache_misses", "wasm.remote_load_cache_negative_hits",
                         "wasm.remote_load_fetch_failures", "wasm.remote_load_fetch_successes",
                         "wasm.wasm_vm_count", "wasmcustom.seen"}));
    const auto prometheus = client_.send({.url = envoy.admin_url("/stats/prometheus")}, {}).body;
    EXPECT_NE(prometheus.find("\nseen{} 1\n"), std::string::npos);
}

}  // namespace
}  // namespace wasmplug::test
