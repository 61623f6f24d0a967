#include "commands/plugin_log.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace wasmplug {
namespace {

class PluginLogTest : public testing::Test {
  protected:
    static envoy::LogEntry line(const std::string& text, bool by_worker,
                                const std::string& level = "info") {
        return {.by_worker = by_worker, .level = level, .component = "wasm", .text = text};
    }

    std::ostringstream out_;
    std::ostringstream err_;
    Output output_{out_, err_};
    PluginLog log_{output_, {"auth"}};
};

TEST_F(PluginLogTest, ShowsOnceWhatThreeVmsSay) {
    log_.take(line("wasm log: configured", false), false);
    log_.take(line("wasm log: configured", false), false);
    log_.started();
    log_.take(line("wasm log: configured", true), false);
    EXPECT_EQ(err_.str(), "info: configured\n");
    EXPECT_EQ(log_.lines(), std::vector<std::string>{"info: configured"});
}

TEST_F(PluginLogTest, ShowsWhatTheWorkerSaysAsOftenAsItDoes) {
    log_.started();
    log_.take(line("wasm log auth: tick", true), false);
    log_.take(line("wasm log auth: tick", false), false);
    log_.take(line("wasm log auth: tick", true), false);
    EXPECT_EQ(err_.str(), "info: tick\ninfo: tick\n");
}

TEST_F(PluginLogTest, ShowsTheCanarysWordsWhenNoWorkerStarts) {
    log_.take(line("wasm log: reading", false), false);
    log_.take(line("wasm log: no header", false, "error"), false);
    log_.take(line("Wasm VM failed Failed to configure base Wasm plugin", false, "error"), false);
    EXPECT_EQ(err_.str(), "");
    log_.refused();
    EXPECT_EQ(err_.str(), "info: reading\nerror: no header\n");
}

TEST_F(PluginLogTest, ShowsACrashWithItsBacktrace) {
    log_.take(
        line("Function: proxy_on_log failed: Uncaught RuntimeError: unreachable", true, "error"),
        false);
    log_.take(line("  0:  0x1b5f - on_log", true, "error"), true);
    EXPECT_EQ(err_.str(),
              "error: crashed in proxy_on_log: RuntimeError: unreachable\n"
              "    0:  0x1b5f - on_log\n");
}

TEST_F(PluginLogTest, ShowsAWorkerThatRefusesWhatTheOthersTook) {
    log_.take(line("Wasm VM failed Failed to configure thread-local Wasm plugin", true, "error"),
              false);
    EXPECT_EQ(err_.str(), "envoy: Wasm VM failed Failed to configure thread-local Wasm plugin\n");
}

TEST_F(PluginLogTest, ShowsTheMainThreadsWordsOnRequest) {
    output_.set_style({.verbosity = 1});
    log_.started();
    log_.take(line("wasm log auth: tick", false), false);
    EXPECT_EQ(err_.str(), "debug: on Envoy's main thread: info: tick\n");
    EXPECT_TRUE(log_.lines().empty());
}

TEST_F(PluginLogTest, NamesWhoOfSeveralSpoke) {
    PluginLog several(output_, {"auth", "brand"});
    several.take(line("wasm log brand root: hello", true), false);
    EXPECT_EQ(err_.str(), "info: brand: hello\n");
}

}  // namespace
}  // namespace wasmplug
