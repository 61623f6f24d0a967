#include "plugintest/file.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace wasmplug::plugintest {
namespace {

const std::string head = "wasmplug: 1\nplugin: {wasm: build/p.wasm, config: {a: 1}, name: p}\n";

TestFile parse(const std::string& text) {
    return parse_test_file(yaml::File::parse(text, "t.test.yaml"), "/project/t.test.yaml");
}

std::string error_of(const std::string& text) {
    try {
        parse(text);
    } catch (const Error& error) {
        const auto hint = error.hint();
        return std::string(error.what()) + "|" + hint.substr(hint.rfind('\n') + 1);
    }
    return "no error";
}

TEST(TestFile, FindsTheModuleBesideItself) {
    const auto file = parse(head + "tests:\n- {name: a, request: {path: /}}\n");
    ASSERT_EQ(file.tests.size(), 1U);
    EXPECT_EQ(file.tests[0].test.plugins[0].module, "/project/build/p.wasm");
    EXPECT_EQ(file.tests[0].test.plugins[0].config, R"({"a":1})");
}

TEST(TestFile, CompletesARequestAsAClientWould) {
    const auto file =
        parse(head + "tests:\n- {name: a, request: {body: hello, headers: {X-A: 1}}}\n");
    const auto& message = *file.tests[0].test.steps[0].request;
    const Headers headers{{":authority", "example.com"}, {":path", "/"}, {":method", "POST"},
                          {":scheme", "http"},           {"x-a", "1"},   {"content-length", "5"}};
    EXPECT_EQ(message.headers, headers);
}

TEST(TestFile, ChunksAreSentWithoutALength) {
    const auto file = parse(head + "tests:\n- {name: a, request: {body: {chunks: [ab, c]}}}\n");
    const auto& message = *file.tests[0].test.steps[0].request;
    EXPECT_EQ(message.body, (std::vector<std::string>{"ab", "c"}));
    EXPECT_EQ(first_header(message.headers, "transfer-encoding"), "chunked");
    EXPECT_EQ(first_header(message.headers, "content-length"), "");
}

TEST(TestFile, FillsAMatrixIntoTextValuesAndWholeMappings) {
    const auto file = parse(head +
                            "tests:\n"
                            "- name: auth {case}\n"
                            "  matrix:\n"
                            "  - {case: ok, reply: {status: 204}, code: 200}\n"
                            "  - {case: no, reply: {fail: timeout}, code: 503}\n"
                            "  request: {path: \"/{case}/x\"}\n"
                            "  calls: [{cluster: auth, reply: \"{reply}\"}]\n"
                            "  expect: {response: {status: \"{code}\"}}\n");
    ASSERT_EQ(file.tests.size(), 2U);
    EXPECT_EQ(file.tests[0].test.name, "auth ok");
    EXPECT_EQ(first_header(file.tests[1].test.steps[0].request->headers, ":path"), "/no/x");
    EXPECT_EQ(first_header(file.tests[0].test.calls[0].reply.message.headers, ":status"), "204");
    EXPECT_EQ(file.tests[1].test.calls[0].reply.kind, CallReply::Kind::timeout);
    EXPECT_TRUE(file.tests[1].whole.response->pseudo[0].second.matcher.matches("503"));
}

TEST(TestFile, NumbersTheRowsOfAMatrixThatItsNameDoesNotTellApart) {
    const auto file = parse(head + "tests: [{name: a, matrix: [{x: 1}, {x: 2}]}]\n");
    EXPECT_EQ(file.tests[0].test.name, "a [1]");
    EXPECT_EQ(file.tests[1].test.name, "a [2]");
}

TEST(TestFile, DefaultsStandBelowWhatATestSays) {
    const auto file = parse(head +
                            "defaults:\n"
                            "  clock: 2026-02-03T04:05:06Z\n"
                            "  request: {authority: a.example, headers: {x-a: d, x-b: d}}\n"
                            "  limits: {instructions: 5_000_000, memory: 4MiB}\n"
                            "tests:\n"
                            "- {name: a, request: {headers: {x-a: t}}, limits: {host_calls: 5}}\n");
    const auto& test = file.tests[0].test;
    EXPECT_EQ(first_header(test.steps[0].request->headers, ":authority"), "a.example");
    EXPECT_EQ(first_header(test.steps[0].request->headers, "x-a"), "t");
    EXPECT_EQ(first_header(test.steps[0].request->headers, "x-b"), "d");
    EXPECT_EQ(test.limits.instructions, 5'000'000U);
    EXPECT_EQ(test.limits.memory, 4U << 20);
    EXPECT_EQ(test.limits.host_calls, 5U);
    EXPECT_TRUE(test.clock_given);
}

TEST(TestFile, EncodesPropertiesAsTheHostDoes) {
    const auto file =
        parse(head + "tests: [{name: a, properties: {t: text, i: 258, b: true, d: 0.5}}]\n");
    const auto& properties = file.tests[0].test.properties;
    EXPECT_EQ(properties.at("t"), "text");
    EXPECT_EQ(properties.at("i"), std::string("\x02\x01\0\0\0\0\0\0", 8));
    EXPECT_EQ(properties.at("b"), "\x01");
    EXPECT_EQ(properties.at("d").size(), 8U);
}

TEST(TestFile, ReadsWhichHostFunctionsRefuse) {
    const auto file = parse(head +
                            "defaults: {refuse: {proxy_log: empty, proxy_http_call: empty}}\n"
                            "tests: [{name: a, refuse: {proxy_http_call: internal_failure}}]\n");
    const std::map<std::string, std::uint32_t> expected{{"proxy_http_call", 10}, {"proxy_log", 7}};
    EXPECT_EQ(file.tests[0].test.refuse, expected);
}

TEST(TestFile, ReadsStepsInOrder) {
    const auto file = parse(head +
                            "tests:\n"
                            "- name: a\n"
                            "  steps:\n"
                            "  - {request: {path: /a}, upstream: {status: 204}}\n"
                            "  - {tick: 2}\n"
                            "  - {advance: 5s}\n"
                            "  - {queue: {push: {name: jobs, data: x}}}\n");
    const auto& steps = file.tests[0].test.steps;
    ASSERT_EQ(steps.size(), 4U);
    EXPECT_EQ(first_header(steps[0].upstream.headers, ":status"), "204");
    EXPECT_EQ(steps[1].ticks, 2);
    EXPECT_EQ(steps[2].advance, std::chrono::seconds(5));
    EXPECT_EQ(steps[3].push->queue, "jobs");
}

TEST(TestFile, SaysWhereAndWhatIsWrong) {
    const std::string test = head + "tests:\n- name: a\n  ";
    const std::vector<std::pair<std::string, std::string>> faults{
        {"tests: []\n", "t.test.yaml:1:1: a test file begins with wasmplug: 1"},
        {"wasmplug: 2\n", "t.test.yaml:1:11: wasmplug has to be a whole number from 1 to 1"},
        {"wasmplug: 1\ntests: []\n", "t.test.yaml:1:1: the test file names no plugin"},
        {head, "t.test.yaml:1:1: the test file has no tests"},
        {"wasmplug: 1\nplugin: {config: x}\ntests: [{name: a}]\n",
         "t.test.yaml:2:9: plugin does not say which module to run"},
        {"wasmplug: 1\nplugin: {wasm: 'oci://a/b:1'}\ntests: [{name: a}]\n",
         "t.test.yaml:2:16: a test runs a file|fetch it first: wasmplug pull oci://a/b:1"},
        {head + "tests: [{request: {path: /}}]\n", "t.test.yaml:3:9: a test has to have a name"},
        {head + "test: []\n",
         "t.test.yaml:3:1: a test file has no key 'test'|did you mean 'tests'?"},
        {test + "requst: {}\n",
         "t.test.yaml:5:3: a test has no key 'requst'|did you mean 'request'?"},
        {test + "request: {path: /, pth: 1}\n", "t.test.yaml:5:22: request has no key 'pth'"},
        {test + "request: [1]\n", "t.test.yaml:5:12: request has to be a mapping"},
        {test + "request: {path: [1]}\n", "t.test.yaml:5:19: path has to be text"},
        {test + "expect: {outcome: okay}\n", "t.test.yaml:5:21: outcome has to be one of ok,"},
        {test + "expect: {outcome: {like: ok}}\n", "t.test.yaml:5:22: 'like' is no matcher"},
        {test + "expect: {message: {regex: 'a('}}\n",
         "t.test.yaml:5:29: 'a(' is not a regular expression"},
        {test + "expect: {message: {absent: maybe}}\n",
         "t.test.yaml:5:30: absent has to be true or false"},
        {test + "expect: {message: {}}\n", "t.test.yaml:5:21: message is an empty matcher"},
        {test + "expect: {message: {gte: many}}\n", "t.test.yaml:5:27: gte has to be a number"},
        {test + "expect: {message: [a]}\n",
         "t.test.yaml:5:21: message has to be a value or a matcher|for one of several"},
        {test + "expect: {response: {status: 200}}\n",
         "t.test.yaml:4:3: the test expects an exchange, and sends no request"},
        {test + "upstream: {status: 200}\n",
         "t.test.yaml:5:13: an upstream answers a request: there is none"},
        {test + "request: {}\n  steps: [{tick: 1}]\n",
         "t.test.yaml:6:10: a test has either a request or steps"},
        {test + "steps: [{tick: 0}]\n", "t.test.yaml:5:18: tick has to be a whole number"},
        {test + "steps: [{advance: soon}]\n", "t.test.yaml:5:21: advance has to be a duration"},
        {test + "steps: [{queue: {push: {data: x}}}]\n",
         "t.test.yaml:5:19: push has to name the queue"},
        {test + "calls: [{reply: {}}]\n", "t.test.yaml:5:11: a call has to name its cluster"},
        {test + "calls: [{cluster: a, reply: {fail: slow}}]\n",
         "t.test.yaml:5:38: fail has to be one of refused"},
        {test + "request: {}\n  upstream: {status: 2000}\n",
         "t.test.yaml:6:22: status has to be a whole number from 100 to 999"},
        {test + "clock: today\n", "t.test.yaml:5:10: clock has to be a time"},
        {test + "limits: {memory: lots}\n", "t.test.yaml:5:20: memory has to be a size"},
        {test + "refuse: {http_call: empty}\n",
         "t.test.yaml:5:12: 'http_call' is no host function|name one of the ABI"},
        {test + "refuse: {proxy_log: ok}\n",
         "t.test.yaml:5:23: proxy_log has to be one of not_found"},
        {test + "matrix: []\n", "t.test.yaml:5:11: the matrix has no row"},
        {test + "matrix: [1]\n", "t.test.yaml:5:12: a row of a matrix has to be a mapping"},
        {test + "properties: {a: [1]}\n", "t.test.yaml:5:19: a property has to be text"},
        {test + "name: b\n", "t.test.yaml:5:3: 'name' is given twice"},
        {test + "envoy: {failure_policy: open}\n",
         "t.test.yaml:5:27: failure_policy has to be one of fail_closed"},
        {test + "request: {body: {random: 1TiB}}\n", "t.test.yaml:5:28: random has to be a size"},
        {test + "expect: {logs: [{level: loud}]}\n",
         "t.test.yaml:5:27: level has to be one of trace"},
        {test + "request: {body: {random: 65MiB}}\n",
         "t.test.yaml:5:28: a random body has at most 64MiB"},
        {test + "request: {body: {file: none.bin}}\n", "t.test.yaml:5:26: "},
        {test + "request: {body: {base64: '#'}}\n", "t.test.yaml:5:28: not valid base64"},
        {test + "config: {file: none.json}\n", "t.test.yaml:5:18: "},
        {test + "request: {}\n  expect: {response: {headers: {x-a: []}}}\n",
         "t.test.yaml:6:38: an empty list names no value|{absent: true}"},
        {test + "expect: {logs: [{regex: '['}]}\n",
         "t.test.yaml:5:27: '[' is not a regular expression"},
        {test + "calls: {}\n", "t.test.yaml:5:10: calls has to be a list"},
        {test + "envoy: {allow_on_headers_stop_iteration: maybe}\n",
         "t.test.yaml:5:44: allow_on_headers_stop_iteration has to be true or false"},
        {test + "expect: {message: {one_of: a}}\n", "t.test.yaml:5:30: one_of has to be a list"},
        {test + "expect: {message: {not: [a]}}\n",
         "t.test.yaml:5:27: not has to be a value or a matcher"},
        {head + "tests: [{name: a}]\nbench: [{use: a, fail_if: {regress: much}}]\n",
         "t.test.yaml:4:37: regress has to be a percentage|write 5%"},
        {head + "tests: [{name: a}\n", "t.test.yaml:4:1: "},
        {head + "tests: [{name: a}]\nbench: [{name: b}]\n",
         "t.test.yaml:4:9: a bench entry has to name the test it repeats"},
    };
    std::string many = test + "matrix:\n";
    for (int i = 0; i < 10'001; ++i) {
        many += "  - {n: 1}\n";
    }
    EXPECT_TRUE(error_of(many).starts_with("t.test.yaml:4:3: more than 10000 tests"))
        << error_of(many);
    for (const auto& [text, expected] : faults) {
        const auto bar = expected.find('|');
        const auto actual = error_of(text);
        EXPECT_TRUE(actual.starts_with(expected.substr(0, bar))) << actual << "\n" << expected;
        if (bar != std::string::npos) {
            EXPECT_NE(actual.find(expected.substr(bar + 1)), std::string::npos) << actual;
        }
    }
}

}  // namespace
}  // namespace wasmplug::plugintest
