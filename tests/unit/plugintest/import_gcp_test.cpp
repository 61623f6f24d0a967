#include "plugintest/import_gcp.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "base/file.hpp"
#include "plugintest/file.hpp"
#include "plugintest/text_format.hpp"

namespace wasmplug::plugintest {
namespace {

std::string refusal(std::string_view text) {
    try {
        parse_proto_text(text, "t.textpb");
    } catch (const Error& error) {
        return error.what();
    }
    return "none";
}

TEST(ProtoText, ReadsFieldsMessagesListsAndComments) {
    const auto root = parse_proto_text(
        "a: 1 # one\nb { c: true; d: -2.5, } b < c: WARN >\nlist: [1, 2]\nm: [{x: 1}, {x: 2}] ",
        "t");
    EXPECT_EQ(root.text("a"), "1");
    ASSERT_EQ(root.all("b").size(), 2U);
    EXPECT_EQ(root.all("b")[0]->text("d"), "-2.5");
    EXPECT_EQ(root.all("b")[1]->text("c"), "WARN");
    EXPECT_EQ(root.all("b")[1]->line, 2U);
    EXPECT_EQ(root.all("list").size(), 2U);
    EXPECT_EQ(root.all("m")[1]->text("x"), "2");
    EXPECT_EQ(root.find("none"), nullptr);
}

TEST(ProtoText, UndoesEscapesAndJoinsStringsBesideEachOther) {
    const auto root = parse_proto_text(R"(a: "x\n\t\"\\" 'y\'' "\x41\102\u00e9\0z")", "t");
    EXPECT_EQ(root.text("a"), std::string("x\n\t\"\\y'AB\xC3\xA9\0z", 13));
}

TEST(ProtoText, SaysWhereItIsNone) {
    EXPECT_EQ(refusal("a: 1\nb }"), "t.textpb:2:3: ':' or '{' is missing");
    EXPECT_EQ(refusal("a {\n b: 1\n"), "t.textpb:3:1: '}' is missing");
    EXPECT_EQ(refusal("a: \"x\n"), "t.textpb:1:6: a string is not closed");
    EXPECT_EQ(refusal("a: \"\\q\""), "t.textpb:1:6: '\\q' is no escape");
    EXPECT_EQ(refusal("a: [1, 2"), "t.textpb:1:9: ']' is missing");
    EXPECT_EQ(refusal("a:"), "t.textpb:1:3: it ends too early");
    EXPECT_EQ(refusal("!"), "t.textpb:1:1: '!' is not expected");
    std::string deep;
    for (int i = 0; i < 1000; ++i) {
        deep += "a{";
    }
    EXPECT_NE(refusal(deep).find("nested too deep"), std::string::npos);
}

class ImportGcp : public testing::Test {
  protected:
    // The one test of `text`, through the reader of test files.
    TestCase one(const std::string& text, const std::string& name = "t.textpb") {
        write_file(folder_.path() / name, text);
        imported_ = import_gcp(folder_.path() / name, "p.wasm");
        write_file(folder_.path() / "p.wasm", "");
        const auto file = parse_test_file(yaml::File::parse(imported_.yaml, "t.test.yaml"),
                                          folder_.path() / "t.test.yaml");
        EXPECT_EQ(file.tests.size(), 1U) << imported_.yaml;
        return file.tests.at(0);
    }

    bool wrote(const std::string& text) const {
        return imported_.yaml.find(text) != std::string::npos;
    }

    TemporaryDirectory folder_;
    Imported imported_;
};

TEST_F(ImportGcp, MakesOneExchangeOfThePhases) {
    const auto test = one(R"(test {
      name: "Both"
      request_headers {
        input { header { key: ":path" value: "/a" } header { key: "X-B" value: "c" } }
        result { has_header { key: ":path" value: "/z" } no_header { key: "x-b" } }
      }
      request_body { input { content: "hello" } result { body { exact: "HELLO" } } }
      response_headers {
        input { header { key: ":status" value: "404" } }
        result { has_header { key: "X-Class" value: "client" } log { exact: "done" } }
      }
    })");
    EXPECT_EQ(test.test.name, "Both");
    const auto& request = *test.test.steps.at(0).request;
    EXPECT_EQ(first_header(request.headers, ":path"), "/a");
    EXPECT_EQ(first_header(request.headers, ":method"), "POST");
    EXPECT_EQ(first_header(request.headers, "x-b"), "c");
    EXPECT_EQ(request.whole_body(), "hello");
    EXPECT_EQ(first_header(test.test.steps[0].upstream.headers, ":status"), "404");
    EXPECT_TRUE(wrote("path: /z")) << imported_.yaml;
    EXPECT_TRUE(wrote("body: HELLO"));
    EXPECT_TRUE(wrote("x-class: client"));
    EXPECT_TRUE(wrote("local_reply: false"));
    EXPECT_TRUE(wrote("- equals: done"));
    EXPECT_TRUE(imported_.notes.empty());
}

TEST_F(ImportGcp, ExpectsAReplyOfThePlugin) {
    one(R"(test { name: "No" request_headers { result {
        immediate { http_status: 403 details: "no token" grpc_status: 7 }
        body { regex: "denied.*" } has_header { key: "Why" value: "x" } } } })");
    EXPECT_TRUE(wrote("status: \"403\"")) << imported_.yaml;
    EXPECT_TRUE(wrote("details: no_token"));
    EXPECT_TRUE(wrote("grpc_status: \"7\""));
    EXPECT_TRUE(wrote("prefix: denied"));
    EXPECT_TRUE(wrote("why: x"));
    EXPECT_FALSE(wrote("upstream_request"));
}

TEST_F(ImportGcp, CutsABodyAsTheTesterDoes) {
    write_file(folder_.path() / "body.data", "1234567890");
    const auto test = one(R"(test { name: "Cut" num_chunks: 4
        request_body { input { file: "body.data" } result { body { file: "body.data" } } }
        response_body { input { content: "abc" } } response_body { input { content: "de" } } })");
    EXPECT_EQ(test.test.steps.at(0).request->body,
              (std::vector<std::string>{"12", "34", "56", "7890"}));
    EXPECT_EQ(test.test.steps[0].upstream.whole_body(), "abcde");
    EXPECT_TRUE(wrote("body: \"1234567890\"")) << imported_.yaml;
}

TEST_F(ImportGcp, ReadsHeadersThatAreWrittenAsHttp) {
    const auto test = one(
        "test { name: \"Raw\" request_headers { input { content: \"GET https://a.test:8080/p?q "
        "HTTP/1.1\\r\\nHost: other\\r\\nTwo: 1\\r\\nTwo: 2\\r\\n\" } result { has_header { key: "
        "\"Two\" value: \"1, 2\" } no_header { key: \"Host\" } } } }");
    const auto& headers = test.test.steps.at(0).request->headers;
    EXPECT_EQ(first_header(headers, ":authority"), "a.test:8080");
    EXPECT_EQ(first_header(headers, ":path"), "/p?q");
    EXPECT_EQ(first_header(headers, ":scheme"), "https");
    EXPECT_TRUE(wrote("- \"2\"")) << imported_.yaml;
}

TEST_F(ImportGcp, MatchesHeadersAndLinesByRegex) {
    one(R"(test { name: "Match" response_headers { result {
        headers { regex: "Set-Cookie: id=\\d+; Path=/" }
        headers { regex: "x-a: no.*" invert: true }
        log { regex: ".*hello" } log { regex: "a|b" } log { regex: ".*boom.*" invert: true } } } })");
    EXPECT_TRUE(wrote(R"(^id=\d+; Path=/$)")) << imported_.yaml;
    EXPECT_TRUE(wrote("not:"));
    EXPECT_TRUE(wrote("suffix: hello"));
    EXPECT_TRUE(wrote("contains: boom"));
    EXPECT_TRUE(wrote("^(?:a|b)$"));
    EXPECT_TRUE(wrote("none:"));
}

TEST_F(ImportGcp, TakesTheEnvironmentAndBenchmarks) {
    const auto test = one(R"(env { wasm_path: "q.wasm" time_secs: 60 num_additional_streams: 3 }
        test { name: "T" benchmark: true properties { path: "source.address" value: "1.2.3.4" } })");
    EXPECT_EQ(test.test.clock.time_since_epoch(), std::chrono::seconds(60));
    EXPECT_EQ(test.test.properties.at("source.address"), "1.2.3.4");
    EXPECT_TRUE(wrote("wasm: q.wasm"));
    EXPECT_TRUE(wrote("bench:"));
    ASSERT_EQ(imported_.notes.size(), 1U);
    EXPECT_NE(imported_.notes[0].find("num_additional_streams"), std::string::npos);
}

TEST_F(ImportGcp, SaysWhatItLeavesOut) {
    one(R"(test { name: "T" request_headers { result { no_header { key: ":scheme" }
        headers { regex: ".*: x" } log { regex: "\\pL" } } }
        request_body { input { content: "a" } result { body { regex: "a" } } }
        request_body { input { content: "b" } result { body { exact: "b" } } } })");
    EXPECT_EQ(imported_.notes.size(), 5U);
}

// What older files of the tester look like.
TEST_F(ImportGcp, ReadsExpectationsOfOlderFiles) {
    one(R"(runtime { wasm_path: "q.wasm" min_log_level: DEBUG }
      test { name: "Old"
        request_headers { result { headers {
            has_header { key: "X-A" value: "1" } no_header { key: "X-B" }
            headers_serialized { exact: "x-c: 2" } } } }
        response_headers { result { immediate { http_status: 500
            body { exact: "sorry" } has_header { key: "X-D" value: "3" }
            headers { has_header { key: "X-E" value: "4" } no_header { key: "X-F" } } } } } })");
    EXPECT_TRUE(wrote("wasm: q.wasm")) << imported_.yaml;
    EXPECT_TRUE(wrote("x-a: \"1\""));
    EXPECT_TRUE(wrote("x-b:\n            absent: true"));
    EXPECT_TRUE(wrote("x-c: \"2\""));
    EXPECT_TRUE(wrote("body: sorry"));
    EXPECT_TRUE(wrote("x-d: \"3\""));
    EXPECT_TRUE(wrote("x-e: \"4\""));
    EXPECT_TRUE(wrote("x-f:\n            absent: true"));
    EXPECT_TRUE(imported_.notes.empty()) << imported_.notes[0];
}

TEST_F(ImportGcp, KeepsEveryMatcherOfOneHeaderAndOneBody) {
    one(R"(test { name: "All" request_headers { result {
        headers { regex: "auth: A.*" } headers { regex: "auth: .*;b,.*" }
        headers { regex: "auth: .*[0-9]{8}" } headers { regex: "auth: .*east.*" invert: true }
        headers { regex: "auth: .*west.*" invert: true } } }
      response_body { input { content: "x" }
        result { body { regex: ".*a.*" } body { regex: ".*b.*" } body { exact: "c" invert: true } } }
      })");
    const auto& expect = imported_.yaml;
    for (const std::string part :
         {"prefix: A", "contains: ;b,", "regex: \"[0-9]{8}$\"", "contains: east", "contains: west",
          "contains: a", "contains: b", "not: c", "all_of:"}) {
        EXPECT_TRUE(wrote(part)) << part << " in\n" << expect;
    }
    EXPECT_TRUE(imported_.notes.empty());
}

TEST_F(ImportGcp, LooksAtLinesOfTheLogFromItsLevelOn) {
    const std::string rest =
        "test { name: \"L\" request_headers { result { log { regex: \"a\" invert: true } } } }";
    one(rest);
    EXPECT_TRUE(wrote("gte: info")) << imported_.yaml;
    one("env { log_level: TRACE } " + rest);
    EXPECT_FALSE(wrote("gte:")) << imported_.yaml;
    one("env { log_level: 5 } " + rest);
    EXPECT_TRUE(wrote("gte: error")) << imported_.yaml;
}

TEST_F(ImportGcp, StopsTheClockAtTheEpoch) {
    const auto test = one("test { name: \"T\" }");
    EXPECT_EQ(test.test.clock.time_since_epoch(), std::chrono::seconds(0));
}

TEST_F(ImportGcp, TakesPropertiesAsTheirBytes) {
    const auto test = one(
        R"(test { name: "P" properties { path: "a" value: "" } properties { path: "b" value: "12" }
           properties { path: "c" value: "\x2A\0\0\0\0\0\0\0" } properties { path: "d" value: "\1" } })");
    const auto& properties = test.test.properties;
    EXPECT_EQ(properties.at("a"), "");
    EXPECT_EQ(properties.at("b"), "12");
    EXPECT_EQ(properties.at("c"), std::string("\x2A\0\0\0\0\0\0\0", 8));
    EXPECT_EQ(properties.at("d"), "\1");
    EXPECT_FALSE(test.skip);
}

TEST_F(ImportGcp, SkipsTestsThatNoProxyLetsHappen) {
    for (const std::string input :
         {R"(request_headers { input { header { key: ":host" value: "a" } } })",
          R"(request_headers { input { header { key: ":status" value: "200" } } })",
          R"(response_headers { input { header { key: ":path" value: "/" } } })",
          R"(request_headers { input { header { key: "a" value: "\xff" } } })",
          R"(properties { path: "p" value: "\1\2\3" })"}) {
        const auto test = one("test { name: \"S\" " + input + " }");
        EXPECT_TRUE(test.skip) << input;
        ASSERT_EQ(imported_.notes.size(), 1U) << input;
        EXPECT_NE(imported_.notes[0].find("the test is skipped"), std::string::npos);
    }
}

struct Case {
    std::string text;
    std::string message;
    std::string hint = {};
};

// Every way to refuse a file, with the place.
TEST_F(ImportGcp, SaysWhereAFileIsWrong) {
    const std::string no_text_format = "it is read as protobuf's text format";
    const std::string unclosed = "it ends on its own line; several beside each other are one";
    const std::string messages = "plugins/test/runner.proto has the tester's messages";
    const std::string no_suite = "it is read as the Service Extensions tester's TestSuite";
    const std::string relative = "a relative path starts at the file that names it";
    const auto in_test = [](const std::string& fields) {
        return "test {\n  " + fields + "\n}\n";
    };
    const std::vector<Case> cases{
        {"", "t.textpb has no test", no_suite},
        {"key_name: \"a\"\n", "t.textpb has no test", no_suite},
        {"https://a.test/pull/1 test {}", "t.textpb:1:7: '/' is not expected", no_text_format},
        {"test {\n", "t.textpb:2:1: '}' is missing", no_text_format},
        {"test\n", "t.textpb:2:1: ':' or '{' is missing", no_text_format},
        {"test {} }", "t.textpb:1:9: '}' is not expected", no_text_format},
        {"test { \xC3\xBC: 1 }", "t.textpb:1:8: '\xC3\xBC' is not expected", no_text_format},
        {in_test("name:"), "t.textpb:3:1: '}' is not expected", no_text_format},
        {in_test("name: \"a"), "t.textpb:2:11: a string is not closed", unclosed},
        {in_test("name: \"\"\"\n x \"\"\""), "t.textpb:2:12: a string is not closed", unclosed},
        {in_test("name: \"\\"), "t.textpb:2:11: '\\\n' is no escape", no_text_format},
        {in_test("name: \"\\y\""), "t.textpb:2:11: '\\y' is no escape", no_text_format},
        {in_test("name: \"\\x\""), "t.textpb:2:11: an escape without digits", no_text_format},
        {in_test("name: \"\\U00110000\""), "t.textpb:2:19: no such character", no_text_format},
        {in_test("properties: [ { path: \"a\" }"), "t.textpb:3:1: '}' is not expected",
         no_text_format},
        {in_test("name { }"), "t.textpb:2:3: name has to be one value", messages},
        {in_test("request_headers: \"GET /\""), "t.textpb:2:3: request_headers has to be a message",
         messages},
        {in_test("request_headers { input { header: \"a: b\" } }"),
         "t.textpb:2:29: header has to be a message", messages},
        {in_test("num_chunks: 0"), "", ""},  // no body: nothing is cut
        {in_test("num_chunks: 0 request_body { input { content: \"a\" } }"),
         "t.textpb:2:3: num_chunks has to be a whole number from 1 to 2147483647"},
        {in_test("chunk_size: -2 request_body { input { content: \"a\" } }"),
         "t.textpb:2:3: chunk_size has to be a whole number from 1 to 2147483647"},
        {"env { time_secs: 1.5 } test {}",
         "t.textpb:1:7: time_secs has to be a whole number from 0 to 253402300799"},
        {"env { log_level: LOUD } test {}",
         "t.textpb:1:7: log_level has to be one of UNDEFINED, TRACE, DEBUG, INFO, WARN, ERROR, "
         "CRITICAL"},
        {in_test("request_headers { input { file: \"none.data\" } }"),
         "t.textpb:2:29: cannot read ", relative},
        {in_test("request_body { input { file: \"none.data\" } }"), "t.textpb:2:26: cannot read ",
         relative},
        {in_test("request_body { result { body { file: \"none.data\" } } }"),
         "t.textpb:2:34: cannot read ", relative},
        {in_test("request_headers { input { content: \"hello\" } }"),
         "t.textpb:2:29: 'hello' is no request line",
         "headers as text begin with GET /path HTTP/1.1"},
        {in_test("response_headers { input { content: \"GET / HTTP/1.1\" } }"),
         "t.textpb:2:30: 'GET / HTTP/1.1' is no status line",
         "headers as text begin with HTTP/1.1 200 OK"},
        {in_test("request_headers { input { content: \"GET / HTTP/1.1\\nno colon\\n\" } }"),
         "t.textpb:2:29: 'no colon' is no header line", "write name: value"},
        {in_test("response_headers { input { header { key: \":status\" value: \"OK\" } } }"),
         "t.textpb:2:30: 'OK' is no status"},
        {in_test("request_headers { result { immediate { http_status: -1 } } }"),
         "t.textpb:2:42: http_status has to be a whole number from 0 to 4294967295"},
        {in_test("request_headers { result { immediate { grpc_status: x } } }"),
         "t.textpb:2:42: grpc_status has to be a whole number from 0 to 4294967295"}};
    for (const auto& each : cases) {
        write_file(folder_.path() / "t.textpb", each.text);
        std::string message;
        std::string hint;
        try {
            import_gcp(folder_.path() / "t.textpb", "p.wasm");
        } catch (const Error& error) {
            message = error.what();
            hint = error.hint();
        }
        const auto folder = folder_.path().string() + "/";
        for (auto at = message.find(folder); at == 0; at = std::string::npos) {
            message.erase(0, folder.size());
        }
        EXPECT_EQ(message.substr(
                      0, each.message.ends_with(' ') ? each.message.size() : std::string::npos),
                  each.message)
            << each.text;
        EXPECT_EQ(hint, each.hint) << each.text;
    }
}

// Every way to leave something out, with the place.
TEST_F(ImportGcp, SaysWhereItLeavesSomethingOut) {
    const auto result = [](const std::string& fields) {
        return "test {\n  name: \"a\" request_headers { result { " + fields + " } }\n}\n";
    };
    const std::vector<Case> cases{
        {"tests {} test { name: \"a\" }",
         "1:1: TestSuite has no field 'tests' ('test'?), and is left out"},
        {"test { name: \"a\" description: \"b\" }",
         "1:18: Test has no field 'description', and is left out"},
        {result("header { key: \"a\" value: \"b\" }"),
         "2:40: Expectation has no field 'header' ('headers'?), and is left out"},
        {"env { additional_stream_advance_rate: 1 } test { name: \"a\" }",
         "1:7: additional_stream_advance_rate: no further streams run beside a test"},
        {result("has_header { value: \"b\" }"),
         "2:40: has_header names no header, and is left out"},
        {result("no_header { value: \"b\" }"), "2:40: no_header names no header, and is left out"},
        {result("no_header { key: \":path\" }"),
         "2:40: :path is always there, and nothing is expected of it"},
        {result("headers { regex: \":path:.*\" invert: true }"),
         "2:40: :path is always there, and nothing is expected of it"},
        {result("has_header { key: \":host\" value: \"b\" }"),
         "2:40: no proxy lets ':host' pass: it is left out"},
        {result("has_header { key: \"a\" value: \"\\xff\" }"),
         "2:40: has_header holds bytes that are no text, and is left out"},
        {result("headers { exact: \"nothing\" }"),
         "2:40: 'nothing' is not taken over: no header is named"},
        {result("headers { regex: \"(a|b): c\" }"),
         "2:40: '(a|b): c' is not taken over: no header is named"},
        {result("headers { regex: \"a: b|c: d\" }"),
         "2:40: 'a: b|c: d' is not taken over: no header is named"},
        {result("headers { exact: \"a:b\" }"),
         "2:40: 'a:b' fits no line: a space comes behind the colon"},
        {result("headers { regex: \"a: \\\\pL\" }"),
         "2:50: '\\pL' is not taken over: ECMAScript cannot say it"},
        {result("log { regex: \"[asd\" }"),
         "2:46: '[asd' is not taken over: ECMAScript cannot say it"},
        {result("log { invert: true }"),
         "2:40: log names neither exact nor regex, and is left out"},
        {result("log { exact: \"a\" invert: true }"),
         "2:40: here no line of the whole exchange may match, not only of this phase"},
        {result("body { exact: \"a\" }"), "2:40: headers have no body: it is left out"},
        {"test { name: \"a\" request_body { input { content: \"a\" } result { "
         "has_header { key: \"a\" } } } }",
         "1:65: a body has no headers: it is left out"},
        {"test { name: \"a\" request_body { input { content: \"a\" } result { "
         "body { exact: \"\\xff\" } } } }",
         "1:72: exact holds bytes that are no text, and is left out"},
        {"test { name: \"a\" response_headers { input { header { key: \"Content-Length\" value: "
         "\"9\" } } } response_body { input { content: \"a\" } } }",
         "1:45: content-length 9 is not the body's 1: Envoy cuts the body there, or waits for the "
         "rest"}};
    for (const auto& each : cases) {
        one(each.text);
        ASSERT_EQ(imported_.notes.size(), 1U) << each.text;
        EXPECT_EQ(imported_.notes[0].substr((folder_.path() / "t.textpb:").string().size()),
                  each.message)
            << each.text;
    }
}

TEST_F(ImportGcp, ReadsTheSameFieldsAsYaml) {
    const auto test =
        one("test:\n- name: Y\n  benchmark: 'true'\n  request_headers:\n    input:\n      header:\n"
            "      - {key: ':path', value: /y}\n    result: {has_header: [{key: a, value: b}]}\n"
            "  responseHeaders: {result: {noHeader: {key: c}}}\n  response_body:\n",
            "t.yaml");
    EXPECT_EQ(first_header(test.test.steps.at(0).request->headers, ":path"), "/y");
    EXPECT_TRUE(wrote("a: b"));
    EXPECT_TRUE(wrote("c:\n            absent: true"));
    EXPECT_TRUE(imported_.notes.empty());
}

TEST_F(ImportGcp, RefusesAFileWithoutTests) {
    write_file(folder_.path() / "t.textpb", "name: \"x\"");
    EXPECT_THROW(import_gcp(folder_.path() / "t.textpb", "p.wasm"), Error);
}

}  // namespace
}  // namespace wasmplug::plugintest
