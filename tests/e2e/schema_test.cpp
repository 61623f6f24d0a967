// The document that each command prints with -o json, on real input, against docs/schema.
#include <gtest/gtest.h>
#include <signal.h>

#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/process.hpp"
#include "tests/support/becomes.hpp"
#include "tests/support/envoy.hpp"
#include "tests/support/fake_registry.hpp"
#include "tests/support/fault_server.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"
#include "tests/support/script_plugin.hpp"

namespace wasmplug::test {
namespace {

namespace fs = std::filesystem;

const fs::path schemas = fs::path(WASMPLUG_SOURCE_DIR) / "docs/schema";
const std::string digest_a = "sha256:" + std::string(64, 'a');
const std::string digest_b = "sha256:" + std::string(64, 'b');

constexpr const char* manifest =
    "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n  name: auth\n"
    "  namespace: shop\nspec:\n  selector: {matchLabels: {app: shop}}\n"
    "  url: oci://r.example/auth:1.0.0\n  pluginConfig: {mode: strict}\n";

// More plugins: before that one, at a gateway for connections, and a script.
constexpr const char* others =
    "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n  name: limit\n"
    "  namespace: shop\nspec:\n  selector: {matchLabels: {app: shop, version: v2}}\n"
    "  url: oci://r.example/limit:2\n  phase: AUTHN\n  priority: 10\n"
    "  match: [{mode: SERVER, ports: [{number: 8080}]}]\n"
    "---\napiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: gate}\n"
    "spec:\n  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: web}]\n"
    "  url: oci://r.example/gate:2\n  type: NETWORK\n"
    "---\napiVersion: extensions.istio.io/v1alpha1\nkind: TrafficExtension\n"
    "metadata: {name: script}\nspec:\n  lua: {inlineCode: \"function envoy_on_request(h) end\"}\n";

// A sandbox, an empty registry, and the documents printed so far.
struct Bench {
    Sandbox sandbox;
    FakeRegistry registry;
    std::vector<std::string> documents;  // files below the sandbox's work()

    // Keeps the document of one more run.
    void take(std::vector<std::string> args, std::set<int> exit_codes = {0},
              std::string input = {}) {
        args.insert(args.end(), {"-o", "json"});
        const auto ran = sandbox.run(args, std::move(input));
        EXPECT_TRUE(exit_codes.contains(ran.exit_code))
            << args[0] << " ended with " << ran.exit_code << ": " << ran.err;
        documents.push_back("document" + std::to_string(documents.size()) + ".json");
        sandbox.write(documents.back(), ran.out);
    }

    // The document of a command that serves until it is interrupted.
    void take_from_server(std::vector<std::string> args) {
        args.insert(args.end(), {"-o", "json"});
        auto spec = sandbox.spec(args);
        std::mutex mutex;
        std::string out;
        spec.on_stdout = [&](std::string_view text) {
            const std::scoped_lock lock(mutex);
            out += text;
        };
        Child child = start_process(spec);
        const auto printed = [&] {
            const std::scoped_lock lock(mutex);
            return out.ends_with("}\n");
        };
        EXPECT_TRUE(becomes([&] { return printed() || child.ended(); }));
        ::kill(child.pid(), SIGINT);
        EXPECT_TRUE(becomes([&] { return child.ended().has_value(); }));
        EXPECT_EQ(child.ended(), 0);
        documents.push_back("document" + std::to_string(documents.size()) + ".json");
        sandbox.write(documents.back(), out);
    }

    void module(const fs::path& plugin) const { sandbox.write("plugin.wasm", read_file(plugin)); }

    std::string image(const std::string& tag) const { return registry.host() + "/auth:" + tag; }
};

// What is known of a command: the parts that its runs need beside the binary, and the runs.
struct Scenario {
    enum class Needs { nothing, plugin, compiler, envoy } needs;
    std::function<void(Bench&)> run;
};

void run_tests(Bench& bench, const char* command) {
    bench.sandbox.write("a.test.yaml",
                        "wasmplug: 1\nplugin: {wasm: plugin.wasm, config: \"\"}\ntests:\n"
                        "- name: passes through\n  request: {path: /}\n"
                        "  expect: {response: {status: 200}}\n"
                        "- name: is left out\n  skip: another day\n  request: {path: /}\n");
    bench.take({command, "a.test.yaml"});
}

void run_rollout(Bench& bench) {
    bench.sandbox.write("m.yaml", manifest);
    bench.take({"rollout", "init", "plan.yaml", "--image", "r.example/auth:1.1.0", "--wave",
                "all=m.yaml"});
    auto plan = bench.sandbox.read("plan.yaml");
    const std::string version = "  to: \"1.1.0\"\n";
    const auto at = plan.find(version);
    ASSERT_NE(at, std::string::npos) << plan;
    plan.insert(at + version.size(), "  sha256: " + std::string(64, 'a') + "\n");
    // Its gate would wait for minutes.
    plan.replace(plan.find("wait: 5m"), 8, "command: [\"true\"]");
    bench.sandbox.write("plan.yaml", plan);
    bench.take({"rollout", "plan", "plan.yaml", "--offline"});
    bench.take({"rollout", "next", "plan.yaml", "--dry-run"});
    bench.take({"rollout", "next", "plan.yaml"});
    bench.take({"rollout", "gate", "plan.yaml"}, {0, 4});
    bench.take({"rollout", "pause", "plan.yaml"});
    bench.take({"rollout", "resume", "plan.yaml"});
    bench.take({"rollout", "promote", "plan.yaml"});
    bench.take({"rollout", "status", "plan.yaml"});
    bench.take({"rollout", "run", "plan.yaml"});
    bench.take({"rollout", "abort", "plan.yaml"});
}

void run_releases(Bench& bench) {
    bench.sandbox.write("m.yaml", manifest);
    bench.sandbox.write("n.yaml", manifest);
    bench.take({"update", "m.yaml", "r.example/auth:1.1.0", "--sha256", digest_a, "--dry-run",
                "--offline"});
    bench.take({"update", "m.yaml", "r.example/auth:1.1.0", "--sha256", digest_a, "--offline"});
    bench.take({"update", ".", "r.example/auth:1.2.0", "--sha256", digest_b, "--set",
                "pluginConfig.mode=lax", "--offline"});
}

const std::map<std::string, Scenario>& scenarios() {
    using enum Scenario::Needs;
    static const std::map<std::string, Scenario> all{
        {"bench",
         {envoy,
          [](Bench& b) {
              run_tests(b, "bench");
              b.take({"bench", "a.test.yaml", "--engine", "envoy", "--envoy",
                      envoy_binary()->string(), "--requests", "40", "--rounds", "2"});
              const FaultServer server([](const SeenRequest&) { return Answer{}; });
              b.take({"bench", "--url", server.url(), "--requests", "20"});
              b.take({"bench", "--url", server.url(), "--baseline-url", server.url("/b"),
                      "--requests", "40", "--rounds", "4", "--fail-on", "100000%"});
          }}},
        {"build",
         {compiler,
          [](Bench& b) {
              b.sandbox.write("tiny/CMakeLists.txt",
                              "project(tiny VERSION 1.2.3)\n# clang++ --target=wasm32\n");
              b.sandbox.write(
                  "tiny/src/plugin.cc",
                  "extern \"C\" {\n"
                  "__attribute__((export_name(\"proxy_abi_version_0_2_1\"))) void abi() {}\n"
                  "__attribute__((export_name(\"malloc\"))) void* allocate(unsigned) "
                  "{ return nullptr; }\n}\n");
              b.take({"build", "tiny"});
          }}},
        {"chain",
         {nothing,
          [](Bench& b) {
              b.sandbox.write("m.yaml", manifest);
              b.sandbox.write("n.yaml", others);
              b.take({"chain", "m.yaml", "n.yaml"});
          }}},
        {"completion",
         {nothing,
          [](Bench& b) {
              b.take({"completion", "bash"});
          }}},
        {"convert",
         {nothing,
          [](Bench& b) {
              b.sandbox.write("m.yaml", manifest);
              b.take({"convert", "m.yaml"});
              b.take({"convert", "m.yaml", "--dry-run"});
              b.take({"convert", "m.yaml", "--to", "wasmplugin", "--write"});
              b.take({"convert", "m.yaml", "--write"});
              b.take({"convert", "-"}, {0}, b.sandbox.read("m.yaml"));
          }}},
        {"copy",
         {plugin,
          [](Bench& b) {
              b.take({"push", "plugin.wasm", b.image("1.0.0")});
              b.documents.clear();
              b.take({"copy", b.image("1.0.0"), "oci:mirror"});
              b.sandbox.write("deploy/m.yaml",
                              "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n"
                              "metadata: {name: a}\nspec: {url: \"oci://" +
                                  b.image("1.0.0") + "\"}\n");
              const std::vector<std::string> mirror{
                  "copy",      "--from-manifests", "deploy", b.registry.host() + "/mirror",
                  "--rewrite", "deploy",           "--as",   "mirror.example.com"};
              auto dry = mirror;
              dry.emplace_back("--dry-run");
              b.take(dry);
              b.take(mirror);
              b.take({"copy", b.image("1.0.0"), b.image("1.0.1"), "oci:mirror"}, {1});
          }}},
        {"diff",
         {nothing,
          [](Bench& b) {
              b.sandbox.write("m.yaml", manifest);
              b.sandbox.write("n.yaml", others);
              b.sandbox.write("lax.yaml", std::string(manifest) + "  priority: 3\n");
              b.take({"diff", "m.yaml", "m.yaml"});
              b.take({"diff", "m.yaml", "lax.yaml"}, {3});
              b.take({"diff", "m.yaml", "n.yaml"}, {3});
          }}},
        {"disable",
         {nothing,
          [](Bench& b) {
              b.sandbox.write("m.yaml", manifest);
              b.take({"disable", "m.yaml", "--dry-run"});
              b.take({"disable", "m.yaml"});
              b.sandbox.write("n.yaml", manifest);
              b.take({"disable", ".", "--image", "r.example/auth"});
          }}},
        {"doctor",
         {nothing,
          [](Bench& b) {
              b.take({"doctor"}, {0, 3});
              b.sandbox.write("p/go.mod", "module example.com/p\n");
              b.sandbox.write("p/main.go", "package main\n");
              b.take({"doctor", "p"}, {0, 3});
          }}},
        {"enable",
         {nothing,
          [](Bench& b) {
              b.sandbox.write("m.yaml", manifest);
              EXPECT_EQ(b.sandbox.run({"disable", "m.yaml"}).exit_code, 0);
              b.take({"enable", "m.yaml"});
          }}},
        {"explain",
         {nothing,
          [](Bench& b) {
              b.take({"explain"});
              b.take({"explain", "WP030"});
              for (const auto* field :
                   {"spec", "spec.match.mode", "spec.priority", "spec.url", "spec.pluginConfig",
                    "spec.selector.matchLabels", "spec.wasm", "spec.lua.inlineCode"}) {
                  b.take({"explain", field});
              }
          }}},
        {"generate",
         {nothing,
          [](Bench& b) {
              for (const auto* kind : {"wasmplugin", "trafficextension", "envoyfilter"}) {
                  b.take({"generate", kind, "r.example/auth:1", "--sha256", digest_a});
              }
              b.take({"generate", "envoyextensionpolicy", "r.example/auth:1", "--unpinned",
                      "--target", "Gateway/web"});
              b.take({"generate", "prometheusrule"});
              b.take({"generate", "ci"});
              b.take({"generate", "ci", "--ci", "gitlab"});
          }}},
        {"hash",
         {plugin,
          [](Bench& b) {
              b.take({"hash", "plugin.wasm"});
              EXPECT_EQ(b.sandbox.run({"package", "plugin.wasm", "oci:dist:1"}).exit_code, 0);
              b.take({"hash", "oci:dist:1"});
          }}},
        {"history",
         {nothing,
          [](Bench& b) {
              run_releases(b);
              b.documents.clear();
              b.take({"history", "m.yaml"});
              b.take({"history", ".", "--image", "r.example/auth"});
              b.take({"history", "m.yaml", "--diff", "1..2"});
          }}},
        {"init",
         {nothing,
          [](Bench& b) {
              b.take({"init", "p", "--language", "rust", "--pattern", "response-headers"});
              b.take({"init", "q", "--template", "p"});
          }}},
        {"inspect",
         {plugin,
          [](Bench& b) {
              b.take({"inspect", "plugin.wasm"});
              b.take({"inspect", "plugin.wasm", "--for", "istio-1.28"});
              b.sandbox.write("broken.wasm", std::string_view("\0asm\1\0\0\0\1", 9));
              b.take({"inspect", "broken.wasm", "--for", "envoy-1.40"}, {3});
              b.take({"push", "plugin.wasm", b.image("1")});
              b.documents.pop_back();
              b.take({"inspect", b.image("1"), "--referrers"});
          }}},
        {"list",
         {nothing,
          [](Bench& b) {
              b.sandbox.write("staging/m.yaml", manifest);
              b.sandbox.write("prod/m.yaml", manifest);
              b.take({"list", ".", "--same"});
              b.sandbox.write("prod/n.yaml", others);
              EXPECT_EQ(b.sandbox
                            .run({"update", "staging/m.yaml", "r.example/auth:1.1.0", "--sha256",
                                  digest_a, "--offline"})
                            .exit_code,
                        0);
              b.take({"list", ".", "--same"}, {3});
          }}},
        {"login",
         {nothing,
          [](Bench& b) {
              b.take({"login", b.registry.host(), "-u", "tester", "--password-stdin"}, {0},
                     "sesame\n");
          }}},
        {"logout",
         {nothing,
          [](Bench& b) {
              b.take({"logout", b.registry.host()});
          }}},
        {"package",
         {plugin,
          [](Bench& b) {
              for (const auto* layout : {"compat", "solo", "docker", "cncf", "higress"}) {
                  b.take({"package", "plugin.wasm", std::string("oci:dist:") + layout, "--layout",
                          layout});
              }
          }}},
        {"pull",
         {plugin,
          [](Bench& b) {
              b.take({"push", "plugin.wasm", b.image("1.0.0")});
              b.documents.clear();
              b.take({"pull", b.image("1.0.0"), "back.wasm"});
              b.take({"pull", b.image("1.0.0"), "oci:mirror"});
          }}},
        {"push",
         {plugin,
          [](Bench& b) {
              b.take({"push", "plugin.wasm", b.image("1.0.0")});
              b.take({"push", "plugin.wasm", "oci:layout:1.0.0"});
              for (const std::string name : {"one", "two"}) {
                  b.sandbox.write(name + "/CMakeLists.txt",
                                  "project(" + name + " VERSION 1.2.3)\n# --target=wasm32\n");
                  b.sandbox.write(name + "/src/plugin.cc", "");
                  b.sandbox.write(name + "/plugin.yaml",
                                  "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n"
                                  "metadata: {name: a}\nspec: {url: \"oci://" +
                                      b.registry.host() + "/" + name + ":1\"}\n");
                  b.sandbox.write(name + "/build/plugin.wasm", b.sandbox.read("plugin.wasm"));
              }
              b.take({"push", "one", "two"});
              EXPECT_EQ(b.sandbox.run_program({"rm", "two/build/plugin.wasm"}).exit_code, 0);
              b.take({"push", "one", "two"}, {1});
          }}},
        {"rollback",
         {nothing,
          [](Bench& b) {
              run_releases(b);
              b.documents.clear();
              b.take({"rollback", "m.yaml"});
              b.take({"rollback", ".", "--image", "r.example/auth", "--dry-run"});
          }}},
        {"rollout", {nothing, run_rollout}},
        {"run",
         {envoy,
          [](Bench& b) {
              b.sandbox.set("WASMPLUG_ENVOY", envoy_binary()->string());
              b.take({"run", "plugin.wasm", "--request", "GET /"});
              b.take_from_server({"run", "plugin.wasm"});
          }}},
        {"tags",
         {plugin,
          [](Bench& b) {
              for (const auto* tag : {"1.0.0", "1.1.0"}) {
                  EXPECT_EQ(
                      b.sandbox.run({"package", "plugin.wasm", std::string("oci:dist:") + tag})
                          .exit_code,
                      0);
              }
              b.take({"tags", "oci:dist"});
              b.take({"tags", "oci:dist", "--digests"});
          }}},
        {"test",
         {plugin,
          [](Bench& b) {
              run_tests(b, "test");
          }}},
        {"update", {nothing, run_releases}},
        {"validate",
         {nothing,
          [](Bench& b) {
              b.sandbox.write("m.yaml", manifest);
              b.sandbox.write("bad.yaml",
                              "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n"
                              "metadata: {name: a}\nspec:\n  url: oci://r.example/a:latest\n"
                              "  match: [{mode: NONE}]\n  phase: UNSPECIFIED\n  nosuch: 1\n"
                              "---\nkind: Pod\napiVersion: v1\nmetadata: {name: b}\n");
              b.sandbox.write("list.yaml",
                              "apiVersion: v1\nkind: List\nitems:\n"
                              "- {apiVersion: extensions.istio.io/v1alpha1, kind: WasmPlugin, "
                              "metadata: {name: a}, spec: {url: \"oci://r.example/a:1\"}}\n");
              b.take({"validate", "m.yaml", "bad.yaml", "list.yaml"}, {3});
              b.take({"validate", "--fix", "--dry-run", "bad.yaml"}, {3});
              b.take({"validate", "--fix", "bad.yaml"}, {3});
          }}},
        {"version",
         {nothing,
          [](Bench& b) {
              b.take({"version"});
          }}},
    };
    return all;
}

std::set<std::string> commands() {
    Sandbox sandbox;
    std::istringstream words(sandbox.run({"__commands"}).out);
    return {std::istream_iterator<std::string>(words), {}};
}

bool can_judge() {
    Sandbox sandbox;
    return sandbox.run_program({"python3", "-c", "import jsonschema"}).exit_code == 0;
}

ProcessResult judge(Sandbox& sandbox, const std::string& command,
                    const std::vector<std::string>& documents) {
    std::vector<std::string> argv{"python3", WASMPLUG_SOURCE_DIR "/tests/support/json_schema.py",
                                  schemas / (command + ".json")};
    argv.insert(argv.end(), documents.begin(), documents.end());
    return sandbox.run_program(std::move(argv));
}

TEST(Schema, IsThereForEveryCommandAndForNothingElse) {
    std::set<std::string> named;
    for (const auto& entry : fs::directory_iterator(schemas)) {
        named.insert(entry.path().stem().string());
    }
    EXPECT_EQ(named.erase("common"), 1U);
    EXPECT_EQ(named, commands());
}

TEST(Schema, OfEveryCommandIsTriedBelow) {
    std::set<std::string> tried;
    for (const auto& [name, scenario] : scenarios()) {
        tried.insert(name);
    }
    EXPECT_EQ(tried, commands());
}

TEST(Schema, RefusesWhatItDoesNotName) {
    WASMPLUG_NEEDS(can_judge(), "python3-jsonschema");
    Sandbox sandbox;
    auto document = sandbox.json({"version"});
    sandbox.write("right.json", document.dump());
    EXPECT_EQ(judge(sandbox, "version", {"right.json"}).exit_code, 0);
    document["news"] = 1;
    sandbox.write("more.json", document.dump());
    document.erase("news");
    document.erase("wasmplug");
    sandbox.write("less.json", document.dump());
    for (const auto* wrong : {"more.json", "less.json"}) {
        EXPECT_EQ(judge(sandbox, "version", {"right.json", wrong}).exit_code, 1) << wrong;
    }
    // Through a reference, an if and the other file, too.
    sandbox.write("m.yaml", manifest);
    auto update =
        sandbox.json({"update", "m.yaml", "r.example/auth:2", "--sha256", digest_a, "--offline"});
    sandbox.write("right.json", update.dump());
    EXPECT_EQ(judge(sandbox, "update", {"right.json"}).exit_code, 0);
    update["changes"][0]["news"] = 1;
    sandbox.write("more.json", update.dump());
    EXPECT_EQ(judge(sandbox, "update", {"more.json"}).exit_code, 1);
    update["changes"][0].erase("news");
    update.erase("file");
    sandbox.write("less.json", update.dump());
    EXPECT_EQ(judge(sandbox, "update", {"less.json"}).exit_code, 1);
}

class SchemaOf : public testing::TestWithParam<std::string> {};

TEST_P(SchemaOf, FitsWhatTheCommandPrints) {
    WASMPLUG_NEEDS(can_judge(), "python3-jsonschema");
    const auto& scenario = scenarios().at(GetParam());
    Bench bench;
    if (scenario.needs == Scenario::Needs::plugin || scenario.needs == Scenario::Needs::envoy) {
        const auto plugin = built_plugin("script");
        WASMPLUG_NEEDS(plugin.has_value(), "clang");
        bench.module(*plugin);
    }
    if (scenario.needs == Scenario::Needs::compiler) {
        WASMPLUG_NEEDS(use_toolchain(bench.sandbox, "cpp"), "clang");
    }
    if (scenario.needs == Scenario::Needs::envoy) {
        WASMPLUG_NEEDS(envoy_binary().has_value(), "envoy");
    }
    scenario.run(bench);
    ASSERT_FALSE(bench.documents.empty());
    const auto judged = judge(bench.sandbox, GetParam(), bench.documents);
    EXPECT_EQ(judged.exit_code, 0) << judged.out << judged.err;
}

std::vector<std::string> names() {
    std::vector<std::string> all;
    for (const auto& [name, scenario] : scenarios()) {
        all.push_back(name);
    }
    return all;
}

INSTANTIATE_TEST_SUITE_P(Commands, SchemaOf, testing::ValuesIn(names()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace wasmplug::test
