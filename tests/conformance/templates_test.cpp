// Every scaffold by its real toolchain: built, linted, unit-tested, and driven by its own test
// file in the embedded host and in a real Envoy.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/yaml.hpp"
#include "envoy/engine.hpp"
#include "plugintest/file.hpp"
#include "tests/conformance/both_engines.hpp"
#include "tests/support/envoy.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> patterns = {"response-headers", "transform", "ext-auth",
                                           "shared-cache"};

// The names in `text` that begin as the plugin's own metrics do.
std::set<std::string> own_metrics(const std::string& text) {
    std::set<std::string> names;
    const std::string prefix = "wasmplug_";
    for (auto at = text.find(prefix); at != std::string::npos; at = text.find(prefix, at + 1)) {
        const auto end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_", at);
        names.insert(text.substr(at, end - at));
    }
    return names;
}

// What a host may answer that refuses: there is no such thing, not at this time, and what
// capability_restriction_config answers. proxy-wasm for Rust reports only some of them and panics
// on any other: what it reports is what its user can look at.
std::vector<std::string> refusals(const std::string& language, const std::string& function) {
    if (!function.starts_with("proxy_") || function == "proxy_set_effective_context") {
        return {};  // WASI, and what says that the stream is gone: then nobody waits
    }
    if (language == "go") {
        return {"internal_failure"};  // every start of a Go plugin takes a third of a second
    }
    if (language != "rust") {
        return {"not_found", "bad_argument", "internal_failure"};
    }
    // src/hostcalls.rs of proxy-wasm 0.2.5
    static const std::map<std::string, std::vector<std::string>> reported{
        {"proxy_get_buffer_bytes", {"not_found"}},
        {"proxy_get_header_map_value", {"not_found"}},
        {"proxy_get_shared_data", {"not_found"}},
        {"proxy_set_shared_data", {"cas_mismatch"}},
        {"proxy_http_call", {"bad_argument", "internal_failure"}},
        {"proxy_increment_metric", {"not_found", "bad_argument"}},
    };
    const auto found = reported.find(function);
    return found == reported.end() ? std::vector<std::string>{} : found->second;
}

std::string refusal_test(const std::string& pattern, const std::string& rows) {
    static const std::map<std::string, std::string> configurations{
        {"response-headers", "{header_name: x-a, header_value: b, response_codes: [200]}"},
        {"transform",
         "{add_request_headers: {x-a: b}, remove_response_headers: [server], "
         "log_request_body: true, replace_response_text: {a: b}}"},
        {"ext-auth", "{auth_cluster: auth}"},
        {"shared-cache", "{}"}};
    // The cache has to do only with requests without a body or a person.
    const std::string personal =
        pattern == "shared-cache" ? "" : ", headers: {authorization: Bearer t}, body: hello";
    const std::string upstream =
        "        upstream: {headers: {server: x, content-type: text/plain}, body: aaa}\n";
    const std::string steps =
        "    calls:\n      - cluster: auth\n"
        "        reply: {status: 200, headers: {x-auth-user: ann}}\n"
        "    steps:\n      - request: {path: /a" +
        personal + "}\n" + upstream + "      - request: {path: /a}\n" + upstream +
        "      - request: {path: /a}\n" + upstream + "      - tick: 1\n";
    return "wasmplug: 1\nplugin: {wasm: build/plugin.wasm, config: " + configurations.at(pattern) +
           "}\ntests:\n  - name: nothing refuses\n" + steps +
           "    expect: {outcome: {one_of: [ok, local_reply]}}\n"
           "  - name: \"{function} = {status}\"\n    matrix:\n" +
           rows + "    refuse: {\"{function}\": \"{status}\"}\n" + steps +
           "    expect: {outcome: {one_of: [ok, local_reply, config_rejected]}}\n";
}

// The projects of one language lie in one workspace, so that what they share is built once.
class Templates : public testing::TestWithParam<std::string> {
  protected:
    void SetUp() override {
        if (!wants_language(GetParam())) {
            GTEST_SKIP() << "not among the languages asked for";
        }
        WASMPLUG_NEEDS(use_toolchain(sandbox_, GetParam()), GetParam().c_str());
        for (const auto& pattern : patterns) {
            const auto made = sandbox_.run(
                {"init", pattern, "--language", GetParam(), "--pattern", pattern, "-q"});
            ASSERT_EQ(made.exit_code, 0) << made.err;
        }
        if (GetParam() == "rust") {
            sandbox_.write("Cargo.toml",
                           "[workspace]\nmembers = [\"*-*\", \"transform\"]\nresolver = \"2\"\n"
                           "[profile.release]\nopt-level = \"s\"\nlto = true\n"
                           "codegen-units = 1\npanic = \"abort\"\nstrip = true\n");
            for (const auto& pattern : patterns) {  // a workspace has one profile: the root's
                std::string manifest = sandbox_.read(pattern + "/Cargo.toml");
                manifest.resize(manifest.find("[profile.release]"));
                sandbox_.write(pattern + "/Cargo.toml", manifest);
            }
        }
        if (GetParam() == "assemblyscript") {
            sandbox_.write("package.json",
                           R"({"private": true, "workspaces": ["response-headers", "transform",)"
                           R"( "ext-auth", "shared-cache"]})");
            passes("npm install --no-audit --no-fund --prefer-offline");
        }
    }

    void passes(const std::string& script) {
        const auto result = sandbox_.shell(script);
        EXPECT_EQ(result.exit_code, 0) << script << "\n" << result.out << result.err;
    }

    // As the README of the project says, plus the language's own linter.
    void check_natively() {
        if (GetParam() == "rust") {
            // The tests run here, not in a host: with the compiler's own standard library.
            const std::string native = "unset CARGO_UNSTABLE_BUILD_STD; ";
            passes(native + "/usr/bin/cargo test -q");
            if (fs::exists("/usr/bin/cargo-clippy")) {
                passes(native + "/usr/bin/cargo clippy -q --all-targets -- -D warnings");
            } else {
                EXPECT_FALSE(fails_without("clippy"));
            }
        }
        for (const auto& pattern : patterns) {
            const std::string there = "cd " + pattern + " && ";
            if (GetParam() == "go") {
                passes(there + "test -z \"$(gofmt -l .)\" && go vet . && go test .");
            } else if (GetParam() == "cpp") {
                passes(there +
                       "cmake -B native >/dev/null && cmake --build native && "
                       "ctest --test-dir native --output-on-failure && rm -r native");
            } else if (GetParam() == "assemblyscript") {
                passes(there + "npm test");
            }
        }
    }

    // What the README says to type where there is no wasmplug leaves the module that the Dockerfile
    // copies. Lines that fetch what is here already are left out.
    void follow_readme(const std::string& pattern) {
        if (GetParam() == "rust") {
            // Without our flags the standard library would be built once more: cargo has left
            // the module where the README fetches it from.
            EXPECT_TRUE(fs::exists(cache_folder() / "cargo-target/wasm32-unknown-unknown/release" /
                                   "response_headers.wasm"));
            return;
        }
        const std::string readme = sandbox_.read(pattern + "/README.md");
        const auto begin = readme.find("```sh\n", readme.find("Without wasmplug:")) + 6;
        std::string script = "set -e\ncd " + pattern + "\nrm -rf build\n";
        std::istringstream lines(readme.substr(begin, readme.find("```", begin) - begin));
        for (std::string line; std::getline(lines, line);) {
            if (line.starts_with("rustup ") || line.starts_with("npm install")) {
                continue;
            }
            script += line + "\n";
        }
        passes(script);
        EXPECT_TRUE(sandbox_.exists(pattern + "/build/plugin.wasm")) << script;
    }

    // Every key of the schema is one of the plugin, with the same bounds: what the schema says of
    // some hundred configurations is what the plugin does with them.
    void check_configuration(const std::string& pattern) {
        if (sandbox_.run_program({"python3", "-c", "import jsonschema"}).exit_code != 0) {
            EXPECT_FALSE(fails_without("python3-jsonschema"));
            return;
        }
        const auto cases =
            sandbox_.run_program({"python3", WASMPLUG_SOURCE_DIR "/tests/support/config_cases.py",
                                  pattern + "/config.schema.json"});
        ASSERT_EQ(cases.exit_code, 0) << cases.err;
        const std::string file = pattern + "/configuration.test.yaml";
        sandbox_.write(file, cases.out);
        const auto result = sandbox_.run({"test", file});
        EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
        EXPECT_EQ(result.out.find("\n0 passed"), std::string::npos) << result.out;
        fs::remove(sandbox_.work() / file);
    }

    // Each host function that the module imports refuses in turn, all else works: the plugin still
    // answers every request, or refuses its configuration.
    void check_refusals(const std::string& pattern) {
        const auto inspected = sandbox_.json({"inspect", pattern + "/build/plugin.wasm"});
        std::string rows;
        for (const auto& import : inspected["imports"]) {
            const std::string name = import["name"];
            for (const auto& status : refusals(GetParam(), name)) {
                rows += "      - {function: " + name + ", status: " + status + "}\n";
            }
        }
        ASSERT_NE(rows, "");
        const std::string file = pattern + "/refusals.test.yaml";
        sandbox_.write(file, refusal_test(pattern, rows));
        const auto result = sandbox_.run({"test", file});
        EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
        fs::remove(sandbox_.work() / file);
    }

    // What the generated alerts watch is what Envoy exports, and what the README says of it.
    void check_alerts(const std::string& pattern) {
        const auto rule = sandbox_.run({"generate", "prometheusrule", pattern + "/plugin.yaml"});
        EXPECT_EQ(rule.exit_code, 0) << rule.err;
        EXPECT_EQ(rule.err, "");
        const auto parsed =
            yaml::File::parse(sandbox_.read(pattern + "/plugin.yaml"), "plugin.yaml");
        const auto* config = parsed.documents().front().root->find("spec")->find("pluginConfig");
        const Envoy envoy(envoy_bootstrap(sandbox_.work() / pattern / "build/plugin.wasm",
                                          yaml::to_json(*config).dump()));
        const auto stats =
            sandbox_.run_program({"curl", "-s", envoy.admin_url("/stats/prometheus")});
        const auto watched = own_metrics(rule.out);
        const auto exported = own_metrics(stats.out);
        EXPECT_EQ(watched.size(), 1U) << rule.out;
        for (const auto& name : watched) {
            EXPECT_TRUE(exported.contains(name)) << name;
        }
        EXPECT_EQ(own_metrics(sandbox_.read(pattern + "/README.md")), exported) << pattern;
    }

    // Every case of the project's test file that a real Envoy can run, with equal results. Each
    // starts an Envoy, which compiles Go's 3 MB four times over: for Go, those with the file's own
    // configuration are the steps of one.
    void compare_engines(const std::string& pattern) {
        const auto file =
            plugintest::read_test_file(sandbox_.work() / pattern / (pattern + ".test.yaml"));
        std::vector<NamedCase> cases;
        for (const auto& each : file.tests) {
            if (!envoy::cannot_run(each.test) && (GetParam() != "go" || !each.own_config)) {
                cases.push_back({GetParam() + ", " + pattern + ": " + each.test.name, each.test});
            }
        }
        EXPECT_GE(cases.size(), 3U) << pattern;
        expect_equal_results(GetParam() == "go" ? std::vector{joined(cases)} : cases);
    }

    static NamedCase joined(const std::vector<NamedCase>& cases) {
        NamedCase all{cases.front().name + " and all others", cases.front().test};
        all.test.steps.clear();
        all.test.calls.clear();
        for (const auto& each : cases) {
            all.test.steps.insert(all.test.steps.end(), each.test.steps.begin(),
                                  each.test.steps.end());
            for (auto target : each.test.calls) {
                if (target.reply.kind != plugintest::CallReply::Kind::refused) {
                    target.times = target.times.value_or(1);  // and the next has the next answer
                    all.test.calls.push_back(std::move(target));
                }
            }
        }
        return all;
    }

    void run_tests(const std::string& pattern) {
        const auto result = sandbox_.run({"test", pattern});
        EXPECT_EQ(result.exit_code, 0) << pattern << "\n" << result.out << result.err;
        EXPECT_NE(result.out.find(" 0 failed"), std::string::npos) << result.out;
        EXPECT_EQ(result.out.find("\n0 passed"), std::string::npos) << result.out;
    }

    Sandbox sandbox_;
};

TEST_P(Templates, BuildTestAndRunInBothHosts) {
    for (const auto& pattern : patterns) {
        // Optimising Go's modules takes half a minute each and gains a tenth.
        std::vector<std::string> build = {"build", pattern, "-q"};
        if (GetParam() == "go") {
            build.emplace_back("--no-optimize");
        }
        const auto built = sandbox_.run(build);
        ASSERT_EQ(built.exit_code, 0) << built.err;
        run_tests(pattern);
        check_configuration(pattern);
        check_refusals(pattern);
        const auto judged = sandbox_.run({"validate", pattern + "/plugin.yaml"});
        EXPECT_EQ(judged.exit_code, 0) << judged.out << judged.err;
    }
    check_natively();
    follow_readme(patterns.front());
    ASSERT_EQ(sandbox_.run({"build", patterns.front(), "-q"}).exit_code, 0);
    WASMPLUG_NEEDS(envoy_binary().has_value(), "envoy");
    for (const auto& pattern : patterns) {
        compare_engines(pattern);
        check_alerts(pattern);
    }
}

// What all languages of a pattern have in common is the same file: its behaviour, its manifest,
// the description of its configuration.
TEST(SharedTemplateFiles, BehaveAlikeInEveryLanguage) {
    const fs::path root = fs::path(WASMPLUG_SOURCE_DIR) / "toolchain/templates";
    for (const auto& pattern : patterns) {
        for (const auto* file : {"my-plugin.test.yaml", "plugin.yaml", "config.schema.json"}) {
            std::set<fs::path> sources;
            for (const auto* language : {"rust", "go", "cpp", "assemblyscript"}) {
                sources.insert(fs::canonical(root / language / pattern / file));
            }
            EXPECT_EQ(sources.size(), 1U) << pattern << " " << file;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Languages, Templates,
                         testing::Values("cpp", "rust", "go", "assemblyscript"),
                         [](const auto& one) { return one.param; });

}  // namespace
}  // namespace wasmplug::test
