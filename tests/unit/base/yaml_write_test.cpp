#include "base/yaml_write.hpp"

#include <gtest/gtest.h>

#include <string>

#include <nlohmann/json.hpp>

namespace wasmplug::yaml {
namespace {

using Json = nlohmann::ordered_json;

Json sample() {
    return Json::parse(R"({"apiVersion":"v1","spec":{"match":[{"mode":"CLIENT","ports":
        [{"number":80}]},"x",[1,[2,3]],{}],"on":"on","n":null,"f":1.5,"lit":"a\n b: c\n",
        "bare":"x\ny","kept":"x\n\n","lead":"  x\ny","ctl":"a\u0001\u0085\u2028\ufeff\u007fb",
        "e":{},"el":[],"é":"ü","big":18446744073709551615,"12":"12:30","":"","~":"#x"}})");
}

TEST(YamlWrite, ReadsBackAsTheSameValue) {
    for (const std::size_t indent : {2U, 4U}) {
        for (const Style layout : {Style::block, Style::flow}) {
            const std::string text = write(sample(), {.layout = layout, .indent = indent});
            EXPECT_EQ(to_json(File::parse(text, "t").single()), sample()) << text;
        }
    }
}

TEST(YamlWrite, LooksAsAPersonWouldWriteIt) {
    const Json value = Json::parse(
        R"({"a":{"list":[{"k":1,"l":[2]},[3,4]],"text":"x\ny\n","t":"1.10"},"b":[],"c":"d e"})");
    EXPECT_EQ(write(value),
              "a:\n  list:\n    - k: 1\n      l:\n        - 2\n    - - 3\n      - 4\n  text: |\n"
              "    x\n    y\n  t: \"1.10\"\nb: []\nc: d e\n");
    EXPECT_EQ(
        write(value, {.layout = Style::flow}),
        "{a: {list: [{k: 1, l: [2]}, [3, 4]], text: \"x\\ny\\n\", t: \"1.10\"}, b: [], c: d e}");
}

TEST(YamlWrite, PutsCommentsAboveWhatTheySpeakOf) {
    EXPECT_EQ(write(Json::parse(R"({"a":{"b":1},"l":[{"k":1}]})"),
                    {.comments = {{Path{"a", "b"}, "one\n\ntwo"},
                                  {Path::parse("l[0]").value(), "item"},
                                  {Path::parse("l[0].k").value(), "key"}}}),
              "a:\n  # one\n  #\n  # two\n  b: 1\nl:\n  # item\n  -\n    # key\n    k: 1\n");
}

TEST(YamlWrite, QuotesWhatAnyReaderCouldTakeForAnotherType) {
    for (
        const char* text :
        {"",      "yes",      "No",
         "y",     "on",       "true",
         "null",  "~",        "1",
         "1.10",  "1.2.3",    "0x1F",
         "0o17",  "010",      "1e3",
         ".inf",  ".5",       "+1",
         "1_000", "12:30:45", "2001-01-01",
         "=",     "<<",       "- a",
         "-",     "?",        ": x",
         "a: b",  "a #b",     "#a",
         "&a",    "*a",       "!a",
         "|",     ">",        "'a",
         "\"a",   "%a",       "@a",
         "`a",    "[a",       "{a",
         "]",     ",a",       " a",
         "a ",    "a:",       "--- a",
         "...",   "{{ .V }}", "123e45678901234567890123456789012345678901234567890123456789abcd"}) {
        EXPECT_TRUE(needs_quotes(text)) << text;
    }
    for (const char* text : {"oci://h:5000/r:1.2.3@sha256:0", "a#b", "v1.2", "sha256:12", "a,b",
                             "ü", "a-b", "key.with/slash"}) {
        EXPECT_FALSE(needs_quotes(text)) << text;
    }
}

TEST(YamlWrite, KeepsTheStyleThatIsAskedForWhenItCan) {
    EXPECT_EQ(write_scalar("it's", Style::single_quoted), "'it''s'");
    EXPECT_EQ(write_scalar("a\tb", Style::single_quoted), "\"a\\tb\"");
    EXPECT_EQ(write_scalar("a", Style::double_quoted), "\"a\"");
    EXPECT_EQ(write_scalar("a, b"), "a, b");
    EXPECT_EQ(write_scalar("a, b", Style::plain, Context::flow), "\"a, b\"");
    EXPECT_EQ(write_scalar("a", Style::plain, Context::json), "\"a\"");
    EXPECT_EQ(write_scalar(5, Style::single_quoted), "5");
}

TEST(YamlWrite, WritesKeysThatAreTooLongForASimpleKey) {
    const Json value{{std::string(1500, 'k'), {{"a", 1}}}};
    EXPECT_EQ(to_json(File::parse(write(value), "t").single()), value);
}

}  // namespace
}  // namespace wasmplug::yaml
