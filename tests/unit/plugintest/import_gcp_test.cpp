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
    EXPECT_TRUE(wrote("regex: ^denied"));
    EXPECT_TRUE(wrote("why: x"));
    EXPECT_FALSE(wrote("upstream_request"));
}

TEST_F(ImportGcp, CutsABodyAsTheTesterDoes) {
    write_file(folder_.path() / "body.data", "1234567890");
    const auto test = one(R"(test { name: "Cut" num_chunks: 4
        request_body { input { file: "body.data" } result { body { file: "body.data" } } }
        response_body { input { content: "abc" } } response_body { input { content: "de" } } })");
    EXPECT_EQ(test.test.steps.at(0).request->body,
              (std::vector<std::string>{"123", "456", "789", "0"}));
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
    EXPECT_TRUE(wrote("hello$"));
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
        headers { regex: ".*: x" } log { regex: "(?i)a" } } }
        request_body { input { content: "a" } result { body { regex: "a" } } }
        request_body { input { content: "b" } result { body { exact: "b" } } } })");
    EXPECT_EQ(imported_.notes.size(), 5U);
}

TEST_F(ImportGcp, ReadsTheSameFieldsAsYaml) {
    const auto test =
        one("test:\n- name: Y\n  benchmark: 'true'\n  request_headers:\n    input:\n      header:\n"
            "      - {key: ':path', value: /y}\n    result: {has_header: [{key: a, value: b}]}\n",
            "t.yaml");
    EXPECT_EQ(first_header(test.test.steps.at(0).request->headers, ":path"), "/y");
    EXPECT_TRUE(wrote("a: b"));
}

TEST_F(ImportGcp, RefusesAFileWithoutTests) {
    write_file(folder_.path() / "t.textpb", "name: \"x\"");
    EXPECT_THROW(import_gcp(folder_.path() / "t.textpb", "p.wasm"), Error);
}

}  // namespace
}  // namespace wasmplug::plugintest
