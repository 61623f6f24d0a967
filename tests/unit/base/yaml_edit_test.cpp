#include "base/yaml_edit.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace wasmplug::yaml {
namespace {

using Json = nlohmann::ordered_json;

Editor editor(const std::string& text) {
    return Editor(File::parse(text, "t.yaml"));
}

Path path(const char* text) {
    return Path::parse(text).value();
}

std::string set(const std::string& text, const char* where, const Json& value,
                std::initializer_list<std::string_view> after = {}) {
    try {
        Editor edited = editor(text);
        edited.set(0, path(where), value, after);
        return std::string(edited.text());
    } catch (const Error& error) {
        return std::string("error: ") + error.what();
    }
}

std::string remove(const std::string& text, const char* where) {
    try {
        Editor edited = editor(text);
        edited.remove(0, path(where));
        return std::string(edited.text());
    } catch (const Error& error) {
        return std::string("error: ") + error.what();
    }
}

struct Case {
    const char* before;
    const char* path;
    Json value;
    const char* after;
};

void check(const std::vector<Case>& cases) {
    for (const auto& [before, where, value, after] : cases) {
        EXPECT_EQ(set(before, where, value), after) << before;
    }
}

TEST(YamlEdit, ReplacesAScalarInItsOwnStyle) {
    check({
        {"spec:\n  url: a # c\n  b: 1\n", "spec.url", "x", "spec:\n  url: x # c\n  b: 1\n"},
        {"url: 'a' # c\n", "url", "it's", "url: 'it''s' # c\n"},
        {"url: \"a\"\n", "url", "b\"c", "url: \"b\\\"c\"\n"},
        {"url: a\n", "url", "12", "url: \"12\"\n"},
        {"url: a\n", "url", "x: y", "url: \"x: y\"\n"},
        {"m: 1 # c\n", "m", 2, "m: 2 # c\n"},
        {"m: '1'\n", "m", 2, "m: 2\n"},
        {"m: yes\n", "m", false, "m: false\n"},
        {"{\"url\":\"a\",\"b\":null}", "url", "x", "{\"url\":\"x\",\"b\":null}"},
        {"{\"url\":\"a\",\"b\":null}", "b", "x", "{\"url\":\"a\",\"b\":\"x\"}"},
        {"s: {url: é, b: [ü, x ]}\n", "s.b[1]", "y, z", "s: {url: é, b: [ü, \"y, z\" ]}\n"},
        {"\xEF\xBB\xBFurl: x\r\nb: 1\r\n", "url", "w", "\xEF\xBB\xBFurl: w\r\nb: 1\r\n"},
        {"url:\tx\t# c", "url", "w", "url:\tw\t# c"},
        {"url: a\n  b\n  c # z\n", "url", "w", "url: w # z\n"},
        {"a: &u x\nb: 1\n", "a", "w", "a: &u w\nb: 1\n"},
        {"a: &u x\nurl: *u # c\n", "url", "w", "a: &u x\nurl: w # c\n"},
        {"a: !!str 5\n", "a", "w", "a: !!str w\n"},
        {"'url': a\n", "url", "b", "'url': b\n"},
        {"? url\n: a\n", "url", "b", "error: t.yaml:1:3: a key written with '?'"},
        {"x", "", "w", "w"},
    });
}

TEST(YamlEdit, ReplacesABlockScalar) {
    check({
        {"url: |-\n  abc\n\n# c\nb: 1\n", "url", "x", "url: x\n\n# c\nb: 1\n"},
        {"url: >\n  abc\n  def", "url", "x", "url: x"},
        {"url: |\r\n  abc\r\nb: 1\r\n", "url", "x", "url: x\r\nb: 1\r\n"},
        {"a:\n  url: |\n    abc\n  b: 1\n", "a.url", "x\ny\n",
         "a:\n  url: |\n    x\n    y\n  b: 1\n"},
        {"a:\n  url: x\n  b: 1\n", "a.url", "x\ny", "a:\n  url: |-\n    x\n    y\n  b: 1\n"},
        {"url: x # c\n", "url", "x\ny", "url: \"x\\ny\" # c\n"},
        {"- k: x \n  l: 1\n", "[0].k", "x\ny", "- k: |-\n    x\n    y\n  l: 1\n"},
    });
}

TEST(YamlEdit, FillsInANull) {
    check({
        {"url:\nb: 1\n", "url", "x", "url: x\nb: 1\n"},
        {"url: # note\nb: 1\n", "url", "x", "url: x # note\nb: 1\n"},
        {"a:\n  url:   \n  # c\n", "a.url", "x", "a:\n  url: x   \n  # c\n"},
        {"url: ~\n", "url", "x", "url: x\n"},
        {"m:\n-\n- \n", "m[1]", "x", "m:\n-\n- x \n"},
        {"{a: , b: 1}\n", "a", "x", "{a: x , b: 1}\n"},
        {"{\"a\":\n}", "a", "x", "{\"a\": \"x\"\n}"},
        {"url: &u # c\n", "url", "x", "url: &u x # c\n"},
        {"spec:\n", "spec.url", "x", "spec:\n  url: x\n"},
        {"spec: # c\nb: 1\n", "spec.url", "x", "spec: # c\n  url: x\nb: 1\n"},
        {"spec: null\nb: 1\n", "spec.a.b", 1, "spec:\n  a:\n    b: 1\nb: 1\n"},
        {"spec: {}", "spec.url", "x", "spec:\n  url: x"},
    });
}

TEST(YamlEdit, AddsAKey) {
    EXPECT_EQ(set("spec:\n  url: a # c\n  # of b\n  b: 1\n", "spec.sha256", "x", {"url"}),
              "spec:\n  url: a # c\n  sha256: x\n  # of b\n  b: 1\n");
    EXPECT_EQ(set("spec:\n  url: |\n    a\n  b: 1\n", "spec.sha256", "x", {"url"}),
              "spec:\n  url: |\n    a\n  sha256: x\n  b: 1\n");
    check({
        {"a:\n    b: 1\nspec:\n    url: a", "spec.x.y", "z",
         "a:\n    b: 1\nspec:\n    url: a\n    x:\n        \"y\": z"},
        {"spec:\r\n  url: a\r\n", "spec.x", 1, "spec:\r\n  url: a\r\n  x: 1\r\n"},
        {"items:\n- kind: A\n  spec:\n    url: a\n- kind: B\n", "items[0].spec.x", 1,
         "items:\n- kind: A\n  spec:\n    url: a\n    x: 1\n- kind: B\n"},
        {"items:\n- kind: A\n- kind: B # b\n", "items[1].x", 1,
         "items:\n- kind: A\n- kind: B # b\n  x: 1\n"},
        {"spec: {url: a}\n", "spec.x", "b,c", "spec: {url: a, x: \"b,c\"}\n"},
        {"spec: {url: a,}\n", "spec.x", 1, "spec: {url: a, x: 1}\n"},
        {"spec: {\n  url: a, # c\n  b: 1 # d\n}\n", "spec.x", 1,
         "spec: {\n  url: a, # c\n  b: 1, # d\n  x: 1\n}\n"},
        {"spec: {\n  url: a,\n}\n", "spec.x", 1, "spec: {\n  url: a,\n  x: 1,\n}\n"},
        {"{\"a\":{}}", "a.b", "c", "{\"a\":{\"b\": \"c\"}}"},
        {"{\n  \"a\": 1\n}\n", "b", Json::parse(R"({"c":[1]})"),
         "{\n  \"a\": 1,\n  \"b\": {\n    \"c\": [\n      1\n    ]\n  }\n}\n"},
        {"{\"a\":1}", "b", 2, "{\"a\":1,\"b\":2}"},
        // Behind "|" at the end a line break would be one more in the text.
        {"a: 1\n# of t\nt: |\n  x", "b", 1, "a: 1\nb: 1\n# of t\nt: |\n  x"},
        {"- t: |\n    x", "[0].b", 1, "- b: 1\n  t: |\n    x"},
        {"a: 1", "t", "x\ny\n", "t: |\n  x\n  y\na: 1"},
        {"t: |-\n  x", "b", 1, "t: |-\n  x\nb: 1"},
        {"l: [a]\n", "l[1]", "b", "l: [a, b]\n"},
        {"l:\n- a # c\n", "l[1]", Json::parse(R"({"k":1,"m":[2]})"),
         "l:\n- a # c\n- k: 1\n  m:\n    - 2\n"},
        {"a: 1\n", "b.c[0].d", 1, "a: 1\nb:\n  c:\n    - d: 1\n"},
        {"b: &b {x: 1}\nu:\n  <<: *b\n", "u.x", 2, "b: &b {x: 1}\nu:\n  <<: *b\n  x: 2\n"},
        {"a: 1\n# end\n", "b", 1, "a: 1\nb: 1\n# end\n"},
        {"metadata:\n  name: x\n", "metadata.annotations[\"wasmplug.dev/revision\"]", "1",
         "metadata:\n  name: x\n  annotations:\n    wasmplug.dev/revision: \"1\"\n"},
    });
    EXPECT_EQ(set("{\n  \"a\": 1, \"z\": 2,\n  \"c\": 3\n}\n", "b", 2, {"a"}),
              "{\n  \"a\": 1, \"b\": 2, \"z\": 2,\n  \"c\": 3\n}\n");
    EXPECT_EQ(set("{\n  \"a\": 1,\n  \"c\": 3\n}\n", "b", 2, {"a"}),
              "{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}\n");
}

TEST(YamlEdit, ReplacesATree) {
    const Json tree = Json::parse(R"({"k":[1,{"l":2}]})");
    check({
        {"a:\n  b: 1 # c\n  d: 2\ne: 1\n", "a", tree, "a:\n  k:\n    - 1\n    - l: 2\ne: 1\n"},
        {"a: # why\n    # more\n    b: 1\ne: 1\n", "a", tree,
         "a: # why\n    # more\n    k:\n        - 1\n        - l: 2\ne: 1\n"},
        {"a: x # c\ne: 1\n", "a", tree, "a: # c\n  k:\n    - 1\n    - l: 2\ne: 1\n"},
        {"a: {x: 1}\n", "a", tree, "a:\n  k:\n    - 1\n    - l: 2\n"},
        {"- x # c\n- y\n", "[0]", Json::parse(R"({"k":1,"m":2})"), "- k: 1\n  m: 2 # c\n- y\n"},
        {"- a: 1\n  b: 2\n- y\n", "[0]", Json::parse(R"({"k":1,"m":2})"), "- k: 1\n  m: 2\n- y\n"},
        {"a:\n- 1\n- 2\nb: 1\n", "a", Json::parse(R"({"k":1})"), "a:\n  k: 1\nb: 1\n"},
        {"a:\n- 1\n- 2\nb: 1\n", "a", Json::parse("[3]"), "a:\n- 3\nb: 1\n"},
        {"a: # why\n  # more\n  b: 1\ne: 1\n", "a", "x", "a: x # why\n  # more\ne: 1\n"},
        {"a:\n  b: 1", "a", Json::object(), "a: {}"},
        {"e: 1\na: &x\n  b: 1\n", "a", 5, "e: 1\na: &x 5\n"},
        {"a: |\n  text\ne: 1\n", "a", tree, "a:\n  k:\n    - 1\n    - l: 2\ne: 1\n"},
        {"- # a-b\n  - # c-d\n    x: 1\n", "[0][0]", "w", "- # a-b\n  - w # c-d\n"},
        {"- &a x\n- 1\n", "[0]", Json::parse(R"({"k":1})"), "- &a\n  k: 1\n- 1\n"},
        {"a: !!str 5\n", "a", 7, "a: 7\n"},
        {"a: !!set {x: 1} # c\n", "a", Json::parse(R"({"k":1})"), "a:  # c\n  k: 1\n"},
        {"---\n", "", tree, "---\nk:\n  - 1\n  - l: 2\n"},
        {"s: {a: 1}\n", "s.a", tree, "s: {a: {k: [1, {l: 2}]}}\n"},
    });
}

TEST(YamlEdit, RemovesAnEntryWithItsLine) {
    const std::vector<std::vector<const char*>> cases{
        {"a: 1\n# of b\nb: 2 # c\nc: 3\n", "b", "a: 1\n# of b\nc: 3\n"},
        {"a: 1\nb: |\n  x\n  y\nc: 3\n", "b", "a: 1\nc: 3\n"},
        {"a: 1\nb: 2", "b", "a: 1"},
        {"a: 1\r\nb: 2", "b", "a: 1"},
        {"a: |\n  t\nb: 2", "b", "a: |\n  t\n"},
        {"a: 1\nb:\n  c: 1\n  d: 2\n", "b", "a: 1\n"},
        {"- k: 1 # c\n  l: 2\n", "[0].k", "- l: 2\n"},
        {"- k: 1\n- l: 2\n", "[0]", "- l: 2\n"},
        {"a:\n  b: 1 # c\nc: 1\n", "a.b", "a: {}\nc: 1\n"},
        {"a:\n- 1\nc: 1\n", "a[0]", "a: []\nc: 1\n"},
        {"{a: 1, b: 2, c: 3}\n", "b", "{a: 1, c: 3}\n"},
        {"{a: 1, b: 2}\n", "b", "{a: 1}\n"},
        {"{a: 1}\n", "a", "{}\n"},
        {"{\n  \"a\": 1,\n  \"b\": 2\n}\n", "b", "{\n  \"a\": 1\n}\n"},
        {"{\n  \"a\": 1,\n  \"b\": 2\n}\n", "a", "{\n  \"b\": 2\n}\n"},
        {"{\n  a: 1, # c\n  b: 2\n}\n", "b", "{\n  a: 1 # c\n}\n"},
        {"[a, b]", "[0]", "[b]"},
    };
    for (const auto& one : cases) {
        EXPECT_EQ(remove(one[0], one[1]), one[2]) << one[0];
    }
}

TEST(YamlEdit, RefusesWhatWouldNotBeRight) {
    const auto refused = [](const std::string& result) {
        return result.starts_with("error: ");
    };
    EXPECT_EQ(set("a: 1\na: 2\n", "a", 3),
              "error: t.yaml:2:1: the key 'a' stands here a second time");
    EXPECT_EQ(set("a: &x {k: 1}\nb: *x\n", "b.k", 3),
              "error: t.yaml:2:4: the value of 'b.k' lies behind an alias");
    EXPECT_EQ(set("a: &x 1\nb: *x\n", "a", 3),
              "error: t.yaml:1:7: cannot edit 'a' here: 'b' would not read as it should");
    EXPECT_EQ(set("a: {{ .V }}\n", "b", 1), "error: t.yaml:1:4: a template, not a manifest");
    EXPECT_EQ(set("a: text\n", "a.b", 1),
              "error: t.yaml:1:4: a string, where a mapping was expected");
    EXPECT_TRUE(refused(set("a: [1]\n", "a[5]", 1)));
    EXPECT_TRUE(refused(set("a: [1\n", "a", 1)));
    EXPECT_TRUE(refused(remove("b: &b {x: 1}\nu: {<<: *b, x: 2}\n", "u.x")));
    EXPECT_TRUE(refused(remove("a: 1\n", "b")));
    EXPECT_TRUE(refused(remove("- k: 1\n  # about l\n  l: 2\n", "[0].k")));
}

TEST(YamlEdit, LeavesTheBytesAloneWhenTheValueIsThere) {
    Editor edited = editor("a:   0x10   # sixteen\n");
    edited.set(0, path("a"), 16);
    EXPECT_FALSE(edited.changed());
    edited.set(0, path("a"), 17);
    EXPECT_TRUE(edited.changed());
}

TEST(YamlEdit, EditsTheDocumentAskedFor) {
    Editor edited = editor("# one\na: 1\n---\n# two\na: 1 # c\n...\n---\na: 1\n");
    edited.set(1, path("a"), 2);
    edited.set(1, path("b"), 3);
    EXPECT_EQ(edited.text(), "# one\na: 1\n---\n# two\na: 2 # c\nb: 3\n...\n---\na: 1\n");
}

TEST(YamlEdit, RenamesAKeyInPlace) {
    Editor edited = editor("a:\n  old: 1 # c\n  'q': 2\n");
    edited.rename(0, path("a.old"), "new");
    edited.rename(0, path("a.q"), "it's");
    EXPECT_EQ(edited.text(), "a:\n  new: 1 # c\n  'it''s': 2\n");
    EXPECT_THROW(edited.rename(0, path("a.new"), "it's"), Error);
}

TEST(YamlEdit, AppliesEditsInAnyOrder) {
    EXPECT_EQ(apply("abc", {{{2, 3}, "C"}, {{0, 0}, "x"}, {{0, 0}, "y"}, {{1, 2}, ""}}), "xyaC");
    EXPECT_THROW(apply("abc", {{{0, 2}, ""}, {{1, 3}, ""}}), std::logic_error);
}

}  // namespace
}  // namespace wasmplug::yaml
