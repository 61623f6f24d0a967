#include "plugintest/runner.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "plugintest/workers.hpp"

namespace wasmplug::plugintest {
namespace {

TestCase parsed(const std::string& test) {
    const std::string text = "wasmplug: 1\nplugin: {wasm: p.wasm}\ntests:\n- name: t\n  " + test;
    return parse_test_file(yaml::File::parse(text, "t.test.yaml"), "/t.test.yaml").tests.at(0);
}

Observed answered(const std::string& status, Headers more = {}) {
    Observed seen;
    StepObserved step;
    Message response;
    response.headers = {{":status", status}};
    response.headers.insert(response.headers.end(), more.begin(), more.end());
    response.body = {"one\ntwo\n"};
    step.response = response;
    step.upstream_request = Message{{{":path", "/x"}}, {}, {}};
    seen.steps = {step};
    return seen;
}

CaseResult run(const std::string& test, const Observed& seen) {
    return run_case(
        parsed(test), [&](const Case&) { return seen; }, false);
}

TEST(Runner, PassesWhatIsAsExpected) {
    const auto result =
        run("request: {path: /x}\n  expect: {response: {status: 200, headers: {X-A: "
            "{prefix: v}}}, upstream_request: {path: /x}}\n",
            answered("200", {{"x-a", "value"}}));
    EXPECT_EQ(result.verdict, Verdict::passed);
}

TEST(Runner, NamesPlaceExpectationAndActualValue) {
    const auto result =
        run("request: {path: /x}\n  expect: {response: {status: 201}}\n", answered("200"));
    ASSERT_EQ(result.failures.size(), 1U);
    EXPECT_EQ(result.failures[0].what, "response.status");
    EXPECT_EQ(result.failures[0].expected, "\"201\"");
    EXPECT_EQ(result.failures[0].actual, "\"200\"");
    EXPECT_EQ(result.failures[0].place.line, 6U);
    EXPECT_EQ(result.failures[0].place.column, 31U);
}

// RFC 9110 5.3: lines of one name are the list that commas make of them.
TEST(Runner, TakesLinesOfOneNameForTheirList) {
    const auto verdict = [](const std::string& name, const std::string& expected) {
        return run("request: {}\n  expect: {response: {headers: {" + name + ": " + expected +
                       "}}}\n",
                   answered("200", {{name, "one"}, {name, "two"}}))
            .verdict;
    };
    EXPECT_EQ(verdict("x-a", "\"one, two\""), Verdict::passed);
    EXPECT_EQ(verdict("x-a", "[one, two]"), Verdict::passed);
    EXPECT_EQ(verdict("x-a", "\"two, one\""), Verdict::failed);
    EXPECT_EQ(verdict("x-a", "one"), Verdict::failed);
    EXPECT_EQ(verdict("x-a", "{not: {equals: one}}"), Verdict::failed) << "of each value";
    EXPECT_EQ(verdict("set-cookie", "\"one, two\""), Verdict::failed) << "6265 3: not folded";
}

TEST(Runner, ShowsADiffOfTextWithSeveralLines) {
    const auto result =
        run("request: {}\n  expect: {response: {body: \"one\\nthree\\n\"}}\n", answered("200"));
    ASSERT_EQ(result.failures.size(), 1U);
    EXPECT_EQ(result.failures[0].diff, "  one\n- three\n+ two\n");
}

TEST(Runner, StrictRefusesHeadersThatAreNotNamedButForVolatileOnes) {
    const auto result =
        run("request: {}\n  expect: {response: {strict: true, headers: {x-a: \"1\"}}}\n",
            answered("200", {{"x-a", "1"}, {"x-b", "2"}, {"date", "now"}}));
    ASSERT_EQ(result.failures.size(), 1U);
    EXPECT_EQ(result.failures[0].what, "response.headers.x-b");
}

TEST(Runner, AListOfValuesIsAllOfThemInOrder) {
    const auto seen = answered("200", {{"set-cookie", "a"}, {"set-cookie", "b"}});
    EXPECT_EQ(
        run("request: {}\n  expect: {response: {headers: {set-cookie: [a, b]}}}\n", seen).verdict,
        Verdict::passed);
    EXPECT_EQ(run("request: {}\n  expect: {response: {headers: {set-cookie: [b, a]}}}\n", seen)
                  .failures.size(),
              2U);
}

TEST(Runner, ACrashThatNobodyAskedForFailsTheTest) {
    auto seen = answered("503");
    seen.outcome = seen.steps[0].outcome = Outcome::crash;
    seen.message = "Function: x failed";
    const auto result = run("request: {}\n  expect: {response: {status: 503}}\n", seen);
    ASSERT_EQ(result.failures.size(), 1U);
    EXPECT_EQ(result.failures[0].what, "outcome");
    EXPECT_EQ(run("request: {}\n  expect: {outcome: crash}\n", seen).verdict, Verdict::passed);
}

TEST(Runner, LogsAreFoundCountedAndForbidden) {
    auto seen = answered("200");
    seen.start_logs = {{2, "configured"}};
    seen.steps[0].logs = {{2, "hit"}, {2, "hit"}, {4, "bad"}};
    EXPECT_EQ(
        run("request: {}\n  expect: {logs: [configured, {level: info, equals: hit, times: 2}]}\n",
            seen)
            .verdict,
        Verdict::passed);
    EXPECT_EQ(
        run("request: {}\n  expect: {logs: {none: {level: {gte: error}}}}\n", seen).failures.size(),
        1U);
    EXPECT_EQ(run("request: {}\n  expect: {logs: [missing]}\n", seen).failures.size(), 1U);
}

TEST(Runner, LimitsAreExpectationsToo) {
    auto seen = answered("200");
    seen.cost.memory_peak = 1 << 20;
    seen.cost.host_calls = 7;
    const auto result = run("request: {}\n  limits: {memory: 512KiB, host_calls: 5}\n", seen);
    ASSERT_EQ(result.failures.size(), 2U);
    EXPECT_EQ(result.failures[0].what, "limits.memory");
}

TEST(Runner, AFailedTestIsRunAgainForItsTrace) {
    int runs = 0;
    const auto result = run_case(
        parsed("request: {}\n  expect: {response: {status: 201}}\n"),
        [&](const Case& test) {
            ++runs;
            auto seen = answered("200");
            if (test.trace) {
                seen.trace = {"proxy_on_request_headers(2, 6, 1)"};
            }
            return seen;
        },
        false);
    EXPECT_EQ(runs, 2);
    EXPECT_EQ(result.trace.size(), 1U);
}

TEST(Runner, SkipsWhatTheFileOrTheEngineSays) {
    EXPECT_EQ(run("skip: not yet\n", {}).verdict, Verdict::skipped);
    Observed cannot;
    cannot.skipped = "Envoy cannot set the clock";
    EXPECT_EQ(run("request: {}\n", cannot).reason, "Envoy cannot set the clock");
}

TEST(Filter, IsAPartOfTheNameOrAPattern) {
    EXPECT_TRUE(matches_filter("auth denied", "denied"));
    EXPECT_FALSE(matches_filter("auth denied", "allowed"));
    EXPECT_TRUE(matches_filter("auth denied", "auth*"));
    EXPECT_FALSE(matches_filter("auth denied", "denied*"));
    EXPECT_TRUE(matches_filter("auth denied", "*d?nied"));
}

TEST(Selection, RepeatsAndShufflesTheSameWayForOneSeed) {
    TestFile file;
    for (const char* name : {"a", "b", "c"}) {
        file.tests.emplace_back().test.name = name;
    }
    RunOptions options;
    options.repeat = 4;
    EXPECT_EQ(selection(file, options).size(), 12U);
    options.shuffle = 7;
    const auto once = selection(file, options);
    EXPECT_EQ(selection(file, options), once);
    options.shuffle = 8;
    EXPECT_NE(selection(file, options), once);
}

TEST(Coverage, NamesTheFailureOfACallThatNoTestShowed) {
    CaseResult result;
    result.situations["http_call.answered"] = 1;
    const auto missing = never_exercised({result});
    ASSERT_EQ(missing.size(), 1U);
    EXPECT_EQ(missing[0], "failure of an http call (reply: {fail: reset_after_headers})");
}

TEST(CaseResults, SurviveTheWayFromTheWorker) {
    CaseResult result;
    result.name = "n";
    result.verdict = Verdict::failed;
    result.outcome = "crash";
    result.failures = {{"a", "b", "c", "d", {1, 2}}};
    result.trace = {"line"};
    result.cost.instructions = 5;
    result.situations["trap"] = 1;
    const auto back = case_result_from_json(to_json(result));
    EXPECT_EQ(to_json(back), to_json(result));
}

// A worker that dies takes one test with it, and the next process goes on behind that.
TEST(Workers, DeathIsTheResultOfTheTestThatRan) {
    std::vector<std::string> inputs;
    const Spawn spawn = [&](const ProcessSpec& spec, const Cancel&) {
        inputs.push_back(spec.input);
        ProcessResult ended;
        if (inputs.size() == 1) {
            spec.on_stdout(R"({"start":"first","line":4,"column":3})"
                           "\n");
            ended.exit_code = 128 + 24;
        } else {
            spec.on_stdout("{\"done\":true}\n");
        }
        return ended;
    };
    WorkerJob job;
    job.file = "t.test.yaml";
    const auto result = run_in_worker({"wasmplug"}, job, {}, spawn, Cancel());
    ASSERT_EQ(result.cases.size(), 1U);
    EXPECT_EQ(result.cases[0].outcome, "worker_died");
    EXPECT_NE(result.cases[0].reason.find("processor time"), std::string::npos);
    EXPECT_NE(inputs.at(1).find("\"first\":1"), std::string::npos);
}

TEST(Workers, DeathBeforeTheFirstTestIsAnErrorOfTheFile) {
    const Spawn spawn = [](const ProcessSpec&, const Cancel&) {
        ProcessResult ended;
        ended.exit_code = 128 + 6;
        return ended;
    };
    const auto result = run_in_worker({"wasmplug"}, {}, {}, spawn, Cancel());
    EXPECT_EQ(result.error, "the worker ended: the interpreter gave up (SIGABRT)");
}

}  // namespace
}  // namespace wasmplug::plugintest
