// `wasmplug test`: what it prints for programs, and in which order it runs.
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <sstream>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "tests/support/fault_server.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"
#include "tests/support/script_plugin.hpp"

namespace wasmplug::test {
namespace {

class TestCommand : public testing::Test {
  protected:
    void SetUp() override {
        const auto plugin = built_plugin("script");
        WASMPLUG_NEEDS(plugin.has_value(), "clang");
        sandbox.write("plugin.wasm", read_file(*plugin));
    }

    void write_tests(const std::string& tests) {
        sandbox.write("a.test.yaml",
                      "wasmplug: 1\nplugin: {wasm: plugin.wasm, vm: {id: vm}}\n"
                      "tests:\n" +
                          tests);
    }

    // One that passes, one that fails in two places, one that is skipped.
    void write_three() {
        write_tests(
            "- name: passes & <through>\n  request: {path: /}\n"
            "- name: fails\n  request: {path: /}\n"
            "  expect: {response: {status: 418, headers: {x-a: \"]]>\"}}}\n"
            "- name: is left out\n  skip: another day\n  request: {path: /}\n");
    }

    std::vector<std::string> order(const std::vector<std::string>& flags) {
        std::vector<std::string> args{"test", "a.test.yaml"};
        args.insert(args.end(), flags.begin(), flags.end());
        std::vector<std::string> names;
        const auto document = sandbox.json(args);
        for (const auto& test : document["files"][0]["tests"]) {
            names.push_back(test["name"].get<std::string>());
        }
        return names;
    }

    Sandbox sandbox;
};

TEST_F(TestCommand, WritesJunitThatAParserReads) {
    WASMPLUG_NEEDS_PROGRAM("python3");
    write_three();
    EXPECT_EQ(sandbox.run({"test", "--report", "junit=r.xml"}).exit_code, 3);
    sandbox.write("read.py",
                  "import xml.etree.ElementTree as E\n"
                  "cases = [c for c in E.parse('r.xml').getroot().iter('testcase')]\n"
                  "print(len(cases), sum(c.find('failure') is not None for c in cases),\n"
                  "      sum(c.find('skipped') is not None for c in cases))\n"
                  "print([c.get('name') for c in cases][0])\n");
    const auto read = sandbox.run_program({"python3", "read.py"});
    EXPECT_EQ(read.out, "3 1 1\npasses & <through>\n") << read.err;
}

TEST_F(TestCommand, WritesTapWithAPlanAndALineForEachTest) {
    write_three();
    EXPECT_EQ(sandbox.run({"test", "--report", "tap=r.tap"}).exit_code, 3);
    std::istringstream lines(sandbox.read("r.tap"));
    int ok = 0;
    int not_ok = 0;
    int skipped = 0;
    int plan = -1;
    const std::regex point("(not )?ok ([0-9]+)( - .*)?");
    for (std::string line; std::getline(lines, line);) {
        std::smatch parts;
        if (line.starts_with("1..")) {
            plan = std::stoi(line.substr(3));
        } else if (std::regex_match(line, parts, point)) {
            (parts[1].matched ? not_ok : ok)++;
            EXPECT_EQ(std::stoi(parts[2]), ok + not_ok) << line;
            skipped += line.find("# SKIP") != std::string::npos ? 1 : 0;
        }
    }
    EXPECT_EQ(plan, 3);
    EXPECT_EQ(ok, 2);
    EXPECT_EQ(not_ok, 1);
    EXPECT_EQ(skipped, 1);
}

TEST_F(TestCommand, WritesAnnotationsForGithubWithTheirPlaces) {
    write_three();
    EXPECT_EQ(sandbox.run({"test", "--report", "github=r.txt"}).exit_code, 3);
    std::istringstream lines(sandbox.read("r.txt"));
    const std::regex annotation(
        "::error file=a\\.test\\.yaml,line=([0-9]+),col=[0-9]+(,[a-zA-Z]+=[^,:]*)*::.+");
    int errors = 0;
    for (std::string line; std::getline(lines, line);) {
        std::smatch parts;
        if (std::regex_match(line, parts, annotation)) {
            EXPECT_EQ(parts[1], "8") << line;
            ++errors;
        }
    }
    EXPECT_EQ(errors, 2) << sandbox.read("r.txt");
    EXPECT_NE(sandbox.read("r.txt").find(",title=fails::response.status"), std::string::npos);
}

TEST_F(TestCommand, WritesEveryReportOnStdoutToo) {
    write_three();
    for (const std::string format : {"junit", "tap", "github"}) {
        const auto run = sandbox.run({"test", "-o", format, "--report", format + "=beside"});
        EXPECT_EQ(run.exit_code, 3);
        EXPECT_EQ(run.out, sandbox.read("beside")) << format;
        EXPECT_NE(run.out.find("418"), std::string::npos) << format;
    }
    const auto text = sandbox.run({"test", "-o", "text"});
    EXPECT_NE(text.out.find("1 passed, 1 failed, 1 skipped\n"), std::string::npos) << text.out;
    const auto none = sandbox.run({"test", "--filter", "no such"});
    EXPECT_EQ(none.out, "");
    EXPECT_NE(none.err.find("no test fits --filter 'no such'"), std::string::npos) << none.err;
}

TEST_F(TestCommand, RefusesFlagsThatWouldDoNothing) {
    write_three();
    for (const std::vector<std::string>& flags : std::vector<std::vector<std::string>>{
             {"--header", "a: b"},
             {"--resolve", "a:80:127.0.0.1"},
             {"--envoy", "envoy"},
             {"--watch", "--record", "http://127.0.0.1:1/"},
             {"--import-gcp", "a", "--url", "http://127.0.0.1:1/"},
             {"--record", "http://127.0.0.1:1/", "--url", "http://127.0.0.1:1/"},
             {"--engine", "envoy", "--url", "http://127.0.0.1:1/"},
             {"plugin.wasm"}}) {
        std::vector<std::string> args{"test"};
        args.insert(args.end(), flags.begin(), flags.end());
        const auto run = sandbox.run(args);
        EXPECT_EQ(run.exit_code, 2) << flags.front() << run.err;
        EXPECT_EQ(run.out, "");
    }
}

TEST_F(TestCommand, LinesUpABacktraceBelowTheTrap) {
    write_tests("- name: traps\n  config: \"request_headers trap\\n\"\n  request: {path: /}\n");
    const auto run = sandbox.run({"test"});
    EXPECT_EQ(run.exit_code, 3);
    const auto actual = run.out.find("\n      actual   ");
    ASSERT_NE(actual, std::string::npos) << run.out;
    const auto next = run.out.find('\n', actual + 1);
    EXPECT_EQ(run.out.substr(next + 1, 15), std::string(15, ' ')) << run.out;
}

TEST_F(TestCommand, ShufflesTheSameWayForTheSameSeed) {
    std::string tests;
    for (const char name : std::string("abcdefgh")) {
        tests += std::string("- {name: ") + name + ", request: {path: /}}\n";
    }
    write_tests(tests);
    const auto plain = order({});
    const auto shuffled = order({"--shuffle=7"});
    EXPECT_EQ(shuffled, order({"--shuffle=7"}));
    EXPECT_NE(shuffled, plain);
    EXPECT_NE(shuffled, order({"--shuffle=8"}));
    auto sorted = shuffled;
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(sorted, plain);
    const auto repeated = order({"--repeat", "3", "--filter", "b"});
    EXPECT_EQ(repeated, (std::vector<std::string>{"b", "b", "b"}));
    EXPECT_EQ(sandbox.run({"test", "--shuffle=x"}).exit_code, 2);
    EXPECT_NE(sandbox.run({"test", "--shuffle"}).err.find("--shuffle="), std::string::npos);
}

TEST_F(TestCommand, AsksAnEndpointForOneTestAtLeast) {
    const FaultServer server([](const SeenRequest&) { return Answer{}; });
    const std::string elsewhere =
        "- name: upstream\n  request: {path: /}\n  upstream: {status: 404}\n"
        "  expect: {response: {status: 404}}\n"
        "- name: config\n  config: other\n  request: {path: /}\n"
        "  expect: {response: {status: 200}}\n";
    write_tests(elsewhere);
    const auto nothing = sandbox.run({"test", "--url", server.url()});
    EXPECT_EQ(nothing.exit_code, 1);
    EXPECT_NE(nothing.err.find("was not asked: every test was skipped"), std::string::npos)
        << nothing.err;
    EXPECT_NE(nothing.out.find("0 passed, 0 failed, 2 skipped"), std::string::npos) << nothing.out;
    EXPECT_TRUE(server.seen().empty());
    write_tests(elsewhere +
                "- name: asked\n  request: {path: /}\n  expect: {response: {status: 200}}\n");
    const auto one = sandbox.run({"test", "--url", server.url()});
    EXPECT_EQ(one.exit_code, 0) << one.out << one.err;
    EXPECT_EQ(server.seen().size(), 1U);
}

TEST_F(TestCommand, NamesTheFailureThatNoTestShowed) {
    const std::string answered =
        "- name: answered\n  config: \"request_headers call auth "
        ":method=GET,:path=/c,:authority=a b 500\\n\"\n  request: {path: /}\n"
        "  calls: [{cluster: auth, reply: {status: 200}}]\n";
    const auto missing = [&] {
        return sandbox.json({"test"})["files"][0]["never_exercised"].dump();
    };
    write_tests(answered);
    EXPECT_NE(missing().find("failure of an http call"), std::string::npos) << missing();
    std::string failed = answered;
    failed.replace(failed.find("{status: 200}"), 13, "{fail: reset_after_headers}");
    write_tests(answered + failed);
    EXPECT_EQ(missing().find("failure of an http call"), std::string::npos) << missing();
}

TEST_F(TestCommand, RunsWhatItImported) {
    sandbox.write("tests.textpb", R"(env { wasm_path: "plugin.wasm" }
        test { name: "Passes" request_headers { input { header { key: ":path" value: "/a" } }
            result { has_header { key: ":path" value: "/a" } } } }
        test { name: "Differs" request_headers { result { no_header { key: ":scheme" }
            has_header { key: "x-b" value: "c" } } } })");
    const auto imported = sandbox.run({"test", "--import-gcp", "tests.textpb"});
    ASSERT_EQ(imported.exit_code, 0) << imported.err;
    EXPECT_NE(imported.err.find("tests.textpb:4:59: :scheme"), std::string::npos) << imported.err;
    sandbox.write("b.test.yaml", imported.out);
    const auto tests = sandbox.json({"test", "b.test.yaml"}, 3)["files"][0]["tests"];
    EXPECT_EQ(tests[0]["verdict"], "passed");
    EXPECT_EQ(tests[1]["verdict"], "failed");
}

// The shapes of the tester's own samples, over a plugin that does what they expect.
TEST_F(TestCommand, RunsTheShapesOfTheTestersSamples) {
    sandbox.write("script.txt",
                  "request_headers add 0 greeting hello\n"
                  "request_headers replace 0 x-sum a,b\n"
                  "response_headers replace 2 :status 404\n"
                  "response_headers add 2 set-cookie \"id=7; Path=/\"\n"
                  "log get 0 :path\nlog now\n");
    sandbox.write("deny.txt", "request_headers reply 403 no~token denied why=none\n");
    sandbox.write("sent.data", "1234567890");
    sandbox.write("tests.textpb", R"(# samples
env{log_path: "/dev/stdout"
wasm_path: "plugin.wasm" config_path: "script.txt" log_level: DEBUG time_secs: 1704067200}
test {
  name: "extends <and> {rewrites}"
  benchmark: true
  num_chunks:3
  request_headers {
    input { content: "POST /a HTTP/1.1\r\n" "Host: shop.test\r\n"

                     "Greeting: hey\r\n\r\n" }
    result {
      has_header [ { key: "Greeting" value: "hey, hello" }, { key: ":authority" value: "shop.test" } ]
      headers { regex: "X-Sum: a.*" } headers { regex: "X-Sum: .*b" }
      headers { regex: "X-Sum: .*c.*" invert: true }
      log { regex: "(?i).*GREETING.*" }
      log { regex: ".*boom.*" invert: true }
    }
  }
  request_body { input { file: "sent.data" } result { body { file: "sent.data" } body { regex: "\\d+" } } }
  response_headers {
    input { header { key: ":status" value: "500" } }
    result { has_header { key: ":status" value: "404" }
             headers { regex: "Set-Cookie: id=\\d+; Path=/" } }
  }
  stream_destroy { log { regex: ".*now = 0 1704067200000000000$" } }
}
test { name: "NoPath" request_headers {} }
)");
    sandbox.write("deny.textpb", R"(env { wasm_path: "plugin.wasm" config_path: "deny.txt" }
test { name: "Denied" request_headers { result {
  immediate { http_status: 403 details: "no~token" }
  body { regex: "(?s)den.*" } has_header { key: "Why" value: "none" } no_header { key: "Allowed" } } } }
test { name: "Denied" request_headers { result {
  immediate { http_status: 403 body { exact: "denied" } has_header { key: "Why" value: "none" }
              headers { no_header { key: "Allowed" } } } } } }
)");
    for (const std::string name : {"tests", "deny"}) {
        const auto imported = sandbox.run({"test", "--import-gcp", name + ".textpb"});
        ASSERT_EQ(imported.exit_code, 0) << imported.err;
        sandbox.write(name + ".test.yaml", imported.out);
        const auto tests = sandbox.json({"test", name + ".test.yaml"})["files"][0]["tests"];
        ASSERT_EQ(tests.size(), 2U) << name;
        for (const auto& test : tests) {
            EXPECT_EQ(test["verdict"], "passed") << test.dump(2) << imported.out;
        }
    }
    EXPECT_EQ(sandbox.run({"bench", "tests.test.yaml"}).exit_code, 0);
}

// What a plugin does to the worker is a result, in a fork as in a program.
TEST_F(TestCommand, SurvivesAPluginThatEndsItsWorker) {
    write_tests(
        "- name: spins\n  config: \"request_headers spin\\n\"\n  request: {path: /}\n"
        "  limits: {instructions: 100000}\n  expect: {outcome: out_of_fuel}\n"
        "- name: grows\n  config: \"request_headers grow\\n\"\n  request: {path: /}\n"
        "- name: traps\n  config: \"request_headers trap\\n\"\n  request: {path: /}\n"
        "  expect: {outcome: crash}\n"
        "- name: goes on\n  config: \"\"\n  request: {path: /}\n");
    const auto tests = sandbox.json({"test"})["files"][0]["tests"];
    ASSERT_EQ(tests.size(), 4U);
    EXPECT_EQ(tests[3]["verdict"], "passed");
}

// Several files run in forks of their own: in the order of the names, whatever they do.
TEST_F(TestCommand, RunsManyFilesEachInAWorkerOfItsOwn) {
    for (int i = 0; i < 12; ++i) {
        const auto name = std::string(1, static_cast<char>('a' + i));
        sandbox.write(name + ".test.yaml",
                      "wasmplug: 1\nplugin: {wasm: plugin.wasm}\ntests:\n"
                      "- name: ends\n  config: \"request_headers " +
                          std::string(i % 3 == 0 ? "trap" : "get 0 :path") +
                          "\\n\"\n  request: {path: /}\n");
    }
    sandbox.write("m.test.yaml", "wasmplug: 2\n");
    const auto files = sandbox.json({"test"}, 1)["files"];
    ASSERT_EQ(files.size(), 13U);
    for (std::size_t i = 0; i < 12; ++i) {
        EXPECT_EQ(files[i]["file"], std::string(1, static_cast<char>('a' + i)) + ".test.yaml");
        EXPECT_EQ(files[i]["tests"][0]["verdict"], i % 3 == 0 ? "failed" : "passed");
    }
    EXPECT_NE(files[12]["error"].get<std::string>().find("m.test.yaml:1:11"), std::string::npos);
}

// The page that people look at: one file, well-formed, and not blank in a browser.
TEST_F(TestCommand, ShowsItsBenchPageInABrowser) {
    WASMPLUG_NEEDS_PROGRAM("python3");
    WASMPLUG_NEEDS_PROGRAM("chromium");
    write_tests(
        "- name: one & <two>\n  request: {path: /}\n"
        "- name: crashes\n  config: \"request_headers trap\\n\"\n  request: {path: /}\n");
    sandbox.write("old.json", sandbox.json({"bench"}, 3).dump());
    sandbox.run({"bench", "--baseline", "old.json", "--report", "html=page.html"});
    const auto page = sandbox.read("page.html");
    EXPECT_EQ(page.find("http"), std::string::npos) << "something from elsewhere";
    EXPECT_EQ(page.find("url("), std::string::npos);
    EXPECT_EQ(page.find("<script"), std::string::npos);
    const auto parsed = sandbox.run_program(
        {"python3", "-c", "import xml.etree.ElementTree as E; E.parse('page.html')"});
    EXPECT_EQ(parsed.exit_code, 0) << parsed.err;
    sandbox.write("blank.html", "<!DOCTYPE html><html><body></body></html>");
    const auto picture = [&](const std::string& name, const std::string& width) {
        const auto shot = sandbox.run_program(
            {"chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--window-size=" + width + ",1200", "--screenshot=" + name + width + ".png",
             "file://" + (sandbox.work() / (name + ".html")).string()});
        EXPECT_TRUE(sandbox.exists(name + width + ".png")) << shot.err;
        return sandbox.read(name + width + ".png").size();
    };
    const auto nothing = picture("blank", "1200");
    for (const auto* width : {"1200", "400"}) {
        EXPECT_GT(picture("page", width), 3 * nothing) << width;
    }
}

}  // namespace
}  // namespace wasmplug::test
