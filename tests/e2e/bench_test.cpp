// `wasmplug bench`: baselines, budgets, and endpoints under load.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "tests/support/envoy.hpp"
#include "tests/support/fault_server.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"
#include "tests/support/script_plugin.hpp"

namespace wasmplug::test {
namespace {

class BenchCommand : public testing::Test {
  protected:
    void write_test() {
        const auto plugin = built_plugin("script");
        ASSERT_TRUE(plugin.has_value());
        sandbox.write("plugin.wasm", read_file(*plugin));
        sandbox.write("a.test.yaml",
                      "wasmplug: 1\nplugin: {wasm: plugin.wasm, config: \"\"}\ntests:\n"
                      "- name: passes through\n  request: {path: /}\n"
                      "  expect: {response: {status: 200}}\n");
    }

    // One that answers at once, and one that lets each byte of its head wait.
    const FaultServer quick{[](const SeenRequest&) {
        return Answer{.body = "ok"};
    }};
    const FaultServer slow{[](const SeenRequest&) {
        return Answer{.body = "ok", .trickle = std::chrono::milliseconds(1)};
    }};
    Sandbox sandbox;
};

TEST_F(BenchCommand, HoldsAPluginToItsBaseline) {
    WASMPLUG_NEEDS_PROGRAM("clang");
    write_test();
    auto baseline = sandbox.json({"bench", "a.test.yaml"});
    EXPECT_GT(baseline["figures"][0]["instructions"], 100);
    sandbox.write("baseline.json", baseline.dump());
    const std::vector<std::string> again{"bench",         "a.test.yaml", "--baseline",
                                         "baseline.json", "--fail-on",   "5%"};
    EXPECT_TRUE(sandbox.json(again)["over"].empty());
    auto& instructions = baseline["figures"][0]["instructions"];
    instructions = instructions.get<double>() * 0.9;
    sandbox.write("baseline.json", baseline.dump());
    const auto worse = sandbox.json(again, 3);
    ASSERT_EQ(worse["over"].size(), 1U);
    EXPECT_NE(worse["over"][0]["text"].get<std::string>().find("instructions went from"),
              std::string::npos);
}

TEST_F(BenchCommand, SaysNoWhenAnEndpointIsSurelySlower) {
    const std::vector<std::string> load{"--requests", "24", "--concurrency", "2",
                                        "--rounds",   "6",  "--fail-on",     "10%"};
    const auto compare = [&](const FaultServer& subject, const FaultServer& baseline, int code) {
        std::vector<std::string> args{"bench", "--url", subject.url("/a"), "--baseline-url",
                                      baseline.url("/b")};
        args.insert(args.end(), load.begin(), load.end());
        return sandbox.json(args, code);
    };
    const auto worse = compare(slow, quick, 3);
    EXPECT_EQ(worse["comparisons"][0]["subject"]["requests"], 24);
    EXPECT_EQ(worse["comparisons"][0]["baseline"]["statuses"]["200"], 24);
    EXPECT_GT(worse["comparisons"][0]["differences"][0]["low_ms"], 5);
    EXPECT_FALSE(worse["over"].empty());
    const auto better = compare(quick, slow, 0);
    EXPECT_LT(better["comparisons"][0]["differences"][0]["high_ms"], -5);
    EXPECT_TRUE(better["over"].empty());
}

TEST_F(BenchCommand, TakesTurnsAndRunsACommandBetween) {
    sandbox.add_script("note", "echo $WASMPLUG_NEXT $1 >> turns");
    const auto ran = sandbox.run({"bench", "--url", quick.url("/a"), "--baseline-url",
                                  quick.url("/b"), "--requests", "4", "--rounds", "2",
                                  "--concurrency", "1", "--between", "note now"});
    ASSERT_EQ(ran.exit_code, 0) << ran.err;
    // The first two make the connections; then who goes first changes every round.
    EXPECT_EQ(sandbox.read("turns"),
              "url now\nbaseline-url now\nurl now\nbaseline-url now\nbaseline-url now\nurl now\n");
    std::vector<std::string> paths;
    for (const auto& request : quick.seen()) {
        paths.push_back(request.path());
    }
    EXPECT_EQ(paths, (std::vector<std::string>{"/a", "/a", "/b", "/b", "/a", "/a", "/b", "/b", "/b",
                                               "/b", "/a", "/a"}));
    EXPECT_NE(ran.out.find("95 % INTERVAL"), std::string::npos) << ran.out;
    sandbox.add_script("note", "exit 4");
    EXPECT_EQ(sandbox.run({"bench", "--url", quick.url(), "--between", "note"}).exit_code, 1);
}

TEST_F(BenchCommand, SaysNoWhenMoreRequestsFail) {
    const FaultServer broken([](const SeenRequest&) { return Answer{.status = 503}; });
    const auto document =
        sandbox.json({"bench", "--url", broken.url(), "--baseline-url", quick.url(), "--requests",
                      "8", "--rounds", "2", "--fail-on", "100000%", "--header", "x-a: b"},
                     3);
    EXPECT_EQ(document["comparisons"][0]["subject"]["failed"], 8);
    EXPECT_EQ(header(broken.seen().at(0).headers, "x-a"), "b");
}

TEST_F(BenchCommand, WritesAPageAndADocumentBesideTheText) {
    const auto ran = sandbox.run({"bench", "--url", quick.url("/a"), "--requests", "8", "--rounds",
                                  "2", "--report", "html=load.html", "--report", "json=load.json"});
    ASSERT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_NE(sandbox.read("load.html").find("<svg"), std::string::npos);
    const auto document = nlohmann::json::parse(sandbox.read("load.json"));
    EXPECT_EQ(document["comparisons"][0]["subject"]["requests"], 8);
    EXPECT_EQ(document["interrupted"], false);
}

TEST_F(BenchCommand, ShowsWhatWasMeasuredBeforeItWasInterrupted) {
    WASMPLUG_NEEDS_PROGRAM("clang");
    WASMPLUG_NEEDS(envoy_binary().has_value(), "Envoy");
    write_test();
    sandbox.write("a.test.yaml", sandbox.read("a.test.yaml") +
                                     "- name: again\n  request: {path: /}\n"
                                     "  expect: {response: {status: 200}}\n");
    // The third is the first of the second exchange.
    const std::string starts = (sandbox.work() / "starts").string();
    sandbox.add_script("counting-envoy", "echo >>" + starts + "\n[ $(wc -l <" + starts +
                                             ") -ne 3 ] || kill -INT $PPID\nexec " +
                                             envoy_binary()->string() + " \"$@\"\n");
    const auto ran =
        sandbox.run({"bench", "a.test.yaml", "--engine", "envoy", "--envoy", "counting-envoy",
                     "--requests", "4", "--rounds", "2", "--concurrency", "1", "-o", "json"});
    EXPECT_EQ(ran.exit_code, 130) << ran.err;
    const auto document = nlohmann::json::parse(ran.out, nullptr, false);
    ASSERT_TRUE(document.is_object()) << ran.out << ran.err;
    EXPECT_EQ(document["interrupted"], true);
    ASSERT_EQ(document["comparisons"].size(), 1U);
    EXPECT_EQ(document["comparisons"][0]["name"], "passes through");
}

TEST_F(BenchCommand, WantsAFormatAndAFileForAReport) {
    for (const std::string wrong : {"svg=a", "html=", "html"}) {
        const auto refused = sandbox.run({"bench", "--url", quick.url(), "--report", wrong});
        EXPECT_EQ(refused.exit_code, 2) << wrong;
        EXPECT_NE(refused.err.find("hint: "), std::string::npos) << refused.err;
    }
}

// A browser lays each page out in a frame of some width and names what is wider than its place.
TEST_F(BenchCommand, WritesPagesThatFitAPhoneAndADesk) {
    WASMPLUG_NEEDS_PROGRAM("chromium");
    WASMPLUG_NEEDS_PROGRAM("clang");
    write_test();
    const std::string name(70, 'n');
    sandbox.write("a.test.yaml",
                  sandbox.read("a.test.yaml") + "- name: " + name +
                      "\n  config: \"request_headers trap\\n\"\n  request: {path: /" + name +
                      "}\n");
    sandbox.run({"bench", "--report", "html=cost.html"});
    sandbox.run({"bench", "--url", quick.url("/" + name), "--baseline-url", quick.url("/b"),
                 "--requests", "40", "--rounds", "4", "--report", "html=load.html"});
    sandbox.write("frame.html", R"(<!DOCTYPE html><html><body><script>
let left = 6;
for (const file of ['cost', 'load']) for (const width of [320, 400, 1280]) {
  const frame = document.createElement('iframe');
  frame.style = `width:${width}px;height:900px;border:0`;
  frame.src = file + '.html';
  frame.onload = () => {
    const seen = frame.contentDocument;
    const wide = [...seen.querySelectorAll('*')].filter(e => e.scrollWidth > e.clientWidth + 1 &&
                 getComputedStyle(e).display !== 'inline' && e.clientWidth > 0);
    const say = document.createElement('p');
    say.textContent = `${file} ${width} ${seen.body.clientWidth > 0 ? 'laid out' : 'empty'} ` +
      (wide.length ? 'wide: ' + wide.map(e => e.tagName + '.' + e.className) : 'fits');
    document.body.append(say);
    if (--left === 0) document.body.append('done');
  };
  document.body.append(frame);
}
</script></body></html>)");
    const auto seen =
        sandbox.run_program({"chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
                             "--allow-file-access-from-files", "--virtual-time-budget=20000",
                             "--dump-dom", "file://" + (sandbox.work() / "frame.html").string()});
    for (const std::string page : {"cost", "load"}) {
        for (const std::string width : {"320", "400", "1280"}) {
            EXPECT_NE(seen.out.find(page + " " + width + " laid out fits"), std::string::npos)
                << page << " " << width << "\n"
                << seen.out << seen.err;
        }
    }
}

TEST_F(BenchCommand, SaysWhichExchangesABaselineDoesNotKnow) {
    WASMPLUG_NEEDS_PROGRAM("clang");
    write_test();
    auto baseline = sandbox.json({"bench", "a.test.yaml"});
    baseline["figures"][0]["name"] = "another";
    sandbox.write("baseline.json", baseline.dump());
    const auto ran = sandbox.run({"bench", "a.test.yaml", "--baseline", "baseline.json"});
    EXPECT_EQ(ran.exit_code, 0);
    EXPECT_NE(ran.err.find("baseline.json has no figures of 'passes through'"), std::string::npos)
        << ran.err;
    for (const char* text :
         {"{\"figures\": [1]}", "{\"figures\": [{\"file\": 2}]}", "[]", "{\"comparisons\": []}"}) {
        sandbox.write("baseline.json", text);
        const auto refused = sandbox.run({"bench", "a.test.yaml", "--baseline", "baseline.json"});
        EXPECT_EQ(refused.exit_code, 1) << text;
        EXPECT_NE(refused.err.find("baseline.json is no baseline"), std::string::npos)
            << refused.err;
    }
}

TEST_F(BenchCommand, RefusesFlagsThatMeanNothingTogether) {
    for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
             {"bench", "--baseline-url", "http://127.0.0.1:1/"},
             {"bench", "--url", "nonsense"},
             {"bench", "--url", ""},
             {"bench", "--url", "http://127.0.0.1:1/", "--baseline-url", ""},
             {"bench", "--baseline", ""},
             {"bench", "--baseline", "a.json", "--fail-on", ""},
             {"bench", "--url", "http://127.0.0.1:1/", "--fail-on", "5%"},
             {"bench", "--url", "http://127.0.0.1:1/", "a.test.yaml"},
             {"bench", "--url", "http://127.0.0.1:1/", "--report", "pdf=a.pdf"},
             {"bench", "--url", "http://127.0.0.1:1/", "--report", "html="},
             {"bench", "--url", "http://127.0.0.1:1/", "--baseline", "a.json"},
             {"bench", "--url", "http://127.0.0.1:1/", "--engine", "envoy"},
             {"bench", "--url", "http://127.0.0.1:1/", "--module", "a.wasm"},
             {"bench", "--url", "http://127.0.0.1:1/", "--rate", "nan"},
             {"bench", "--url", "http://127.0.0.1:1/", "--rate", "0"},
             {"bench", "--url", "http://127.0.0.1:1/", "--concurrency", "0"},
             {"bench", "--url", "http://127.0.0.1:1/", "--requests", "0"},
             {"bench", "--url", "http://127.0.0.1:1/", "--between", " "},
             {"bench", "--requests", "10"},
             {"bench", "--baseline", "a.json", "--fail-on", "nan"},
             {"bench", "--baseline", "a.json", "--fail-on", "-5%"},
             {"bench", "--baseline", "a.json", "--fail-on", "5%%"},
             {"bench", "--baseline", "a.json", "--fail-on", "0x5"},
             {"bench", "--header", "a: b"},
             {"bench", "--fail-on", "5%"}}) {
        EXPECT_EQ(sandbox.run(args).exit_code, 2) << testing::PrintToString(args);
    }
    const auto nobody = sandbox.run({"bench", "--url", "http://127.0.0.1:1/"});
    EXPECT_EQ(nobody.exit_code, 1);
    EXPECT_NE(nobody.err.find("cannot connect to 127.0.0.1:1"), std::string::npos) << nobody.err;
}

}  // namespace
}  // namespace wasmplug::test
