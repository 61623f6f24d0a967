// How every command treats its streams: one document on stdout, talk on stderr, colour only on a
// terminal, and the documented exit code when the world goes away.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <sstream>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/cancel.hpp"
#include "tests/support/fault_server.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

std::vector<std::string> words(const std::string& text) {
    std::istringstream in(text);
    std::vector<std::string> found;
    for (std::string word; in >> word;) {
        found.push_back(word);
    }
    return found;
}

TEST(Streams, AnUnknownFlagIsAWrongCommandLineForEveryCommand) {
    Sandbox sandbox;
    const auto commands = words(sandbox.run({"__commands"}).out);
    ASSERT_FALSE(commands.empty());
    for (const auto& command : commands) {
        const auto result = sandbox.run({command, "--no-such-flag"});
        EXPECT_EQ(result.exit_code, 2) << command;
        EXPECT_EQ(result.out, "") << command;
        EXPECT_NE(result.err.find("--no-such-flag"), std::string::npos) << result.err;
    }
}

TEST(Streams, JsonIsOneDocumentOnStdout) {
    Sandbox sandbox;
    const auto document = sandbox.json({"version"});
    EXPECT_TRUE(document.contains("wasmplug"));
    // A package is reproducible with the same deflate: so it has to be told.
    EXPECT_TRUE(document.contains("libdeflate"));
    EXPECT_EQ(sandbox.run({"version", "-o", "json"}).err, "");
}

TEST(Streams, YamlIsYamlOrRefused) {
    Sandbox sandbox;
    sandbox.write("plugin.yaml",
                  "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n"
                  "metadata: {name: a, namespace: b}\nspec:\n  url: oci://ghcr.io/acme/a:1\n"
                  "  match: [{ports: [{number: 8080}]}]\n");
    for (const auto& command : {std::vector<std::string>{"-o", "yaml", "chain", "plugin.yaml"},
                                {"chain", "-o", "yaml", "plugin.yaml"},
                                {"-o", "yaml", "list", "plugin.yaml"}}) {
        const auto shown = sandbox.run(command);
        EXPECT_TRUE(shown.out.starts_with("version: 1\n")) << shown.out;
    }
    EXPECT_NE(sandbox.run({"-o", "yaml", "chain", "plugin.yaml"}).out.find("UNDEFINED:8080"),
              std::string::npos);
    const auto converted = sandbox.run({"-o", "yaml", "convert", "plugin.yaml"});
    EXPECT_TRUE(converted.out.starts_with("apiVersion: ")) << converted.out;
    EXPECT_EQ(sandbox.run({"-o", "yaml", "validate", "plugin.yaml"}).exit_code, 2);
}

TEST(Streams, NothingIsColouredInAPipeOrWithNoColor) {
    Sandbox sandbox;
    const auto wrong = sandbox.run({"versoin"});
    EXPECT_EQ(wrong.err.find('\x1b'), std::string::npos) << wrong.err;
    WASMPLUG_NEEDS_PROGRAM("script");
    EXPECT_NE(sandbox.run_on_terminal({"versoin"}).out.find('\x1b'), std::string::npos);
    sandbox.set("NO_COLOR", "1");
    EXPECT_EQ(sandbox.run_on_terminal({"versoin"}).out.find('\x1b'), std::string::npos);
}

TEST(Streams, AFullOrClosedStdoutIsAFailureAndNotASilence) {
    Sandbox sandbox;
    EXPECT_EQ(sandbox.shell("wasmplug version >/dev/full").exit_code, 1);
    EXPECT_EQ(sandbox.shell("wasmplug version >&-").exit_code, 1);
}

TEST(Streams, AReaderThatLeavesEarlyEndsTheCommandWithoutASignal) {
    Sandbox sandbox;
    // The pipe is closed before the first byte is written.
    const auto result = sandbox.shell(
        "mkfifo p; head -c0 p & wait_for=$!; exec 3>p; wait $wait_for; wasmplug version >&3; "
        "echo $? >code");
    EXPECT_EQ(sandbox.read("code"), "1\n") << result.err;
}

TEST(Streams, StdinMayBeClosed) {
    Sandbox sandbox;
    EXPECT_EQ(sandbox.shell("wasmplug version <&-").exit_code, 0);
}

}  // namespace
}  // namespace wasmplug::test
