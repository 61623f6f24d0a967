#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/yaml.hpp"

namespace wasmplug::yaml {
namespace {

File parse(std::string text, const Limits& limits = {}) {
    return File::parse(std::move(text), "t.yaml", limits);
}

// The bytes of the value at `path` in the first document.
std::string bytes(const File& file, std::string_view path) {
    const Node* node = file.documents().at(0).root->at(Path::parse(path).value());
    if (node == nullptr) {
        return "(none)";
    }
    return std::string(file.text().substr(node->range().begin, node->range().size()));
}

// Where the value begins, as the text before it.
std::string before(const File& file, std::string_view path) {
    const Node* node = file.documents().at(0).root->at(Path::parse(path).value());
    return std::string(file.text().substr(0, node->range().begin));
}

std::string json(const std::string& text) {
    const File file = parse(text);
    if (!file.problems().empty()) {
        return "problem: " + file.problems().front().message;
    }
    return file.documents().empty() ? "(no document)"
                                    : to_json(*file.documents().at(0).root).dump();
}

Problem first_problem(std::string text, const Limits& limits = {}) {
    const File file = parse(std::move(text), limits);
    return file.problems().empty() ? Problem{.message = "(none)"} : file.problems().front();
}

struct Placed {
    const char* text;
    const char* path;
    const char* bytes;
};

TEST(YamlReader, KnowsTheBytesOfEveryKindOfValue) {
    const std::vector<Placed> cases{
        {"spec:\n  url: a # c\n  b: 1\n", "spec.url", "a"},
        {"k: \"é€😀\" # ü\nurl: x # c\n", "url", "x"},
        {"k: \"é€😀\" # ü\nurl: x # c\n", "k", "\"é€😀\""},
        {"\xEF\xBB\xBFurl: x\n", "url", "x"},
        {"a: é\r\nurl: x\r\nb: 1\r\n", "url", "x"},
        {"s: {url: é, b: [ü, x ]}\n", "s.b[1]", "x"},
        {"s: {url: é, b: [ü, x ]}\n", "s.b", "[ü, x ]"},
        {"url: |-\n  é\n\n# c\nb: 1\n", "url", "|-\n  é\n"},
        {"url: |-\n  abc\n\n\n# c\nb: 1\n", "url", "|-\n  abc\n"},
        {"url: |+\n  abc\n\n\nb: 1\n", "url", "|+\n  abc\n\n\n"},
        {"url: | # why\n  abc\n  \nb: 1\n", "url", "| # why\n  abc\n"},
        {"url: |\r\n  abc\r\nb: 1\r\n", "url", "|\r\n  abc\r\n"},
        {"url: >\n  abc\n  def", "url", ">\n  abc\n  def"},
        {"url: |-\nb: 1\n", "url", "|-\n"},
        {"url: é\n  b\n  c   # z\nb: 1\n", "url", "é\n  b\n  c"},
        {"url: \"a\n  b\\\n  c\"   # z\n", "url", "\"a\n  b\\\n  c\""},
        {"a: &u é\nurl: *u\n", "url", "*u"},
        {"a: &u é\nurl: *u\n", "a", "é"},
        {"a: &u !!str é\n", "a", "é"},
        {"a: !!str &u  \"é\"\n", "a", "\"é\""},
        {"url: 'it''s é' # x\n", "url", "'it''s é'"},
        {"m: &m {a: 1}\n", "m", "{a: 1}"},
        {"m: &n # c\n  a: 1\nb: 2\n", "m", "a: 1"},
        {"spec:\n  a: 1\n\n  # tail\n\nb: 2\n", "spec", "a: 1"},
        {"spec:\n- a: 1\n- b: 2\n# c\nx: 1\n", "spec", "- a: 1\n- b: 2"},
        {"spec:\n  a:\n    # only a comment\nb: 1\n", "spec", "a:"},
        {"{\"url\":\"a\",\"b\":null}", "url", "\"a\""},
        {"{\"url\":\"a\",\"b\":null}", "b", "null"},
        {"url:\tx\t# c\n", "url", "x"},
        {"url: x   ", "url", "x"},
        {"? url\n: x\n", "url", "x"},
        {"&x a: 1\n", "a", "1"},
        {"a: !<tag:yaml.org,2002:str> 1\n", "a", "1"},
        {"a: \"\"\nb: ''\n", "b", "''"},
    };
    for (const auto& [text, path, expected] : cases) {
        EXPECT_EQ(bytes(parse(text), path), expected) << text;
    }
}

TEST(YamlReader, PutsANullThatIsNotWrittenAfterItsIndicator) {
    const std::vector<Placed> cases{
        {"url:\nsha256: b\n", "url", "url:"},
        {"url: # note\nsha256: b\n", "url", "url:"},
        {"a:\n  url:   \n  # c\nb: 1\n", "a.url", "a:\n  url:"},
        {"m:\n-\n- \nx: 1\n", "m[0]", "m:\n-"},
        {"m:\n-\n- \nx: 1\n", "m[1]", "m:\n-\n-"},
        {"{c: , d: 1}", "c", "{c:"},
        {"{c:\n # x\n}", "c", "{c:"},
        {"{\n  d,\n  c\n}", "c", "{\n  d,\n  c"},
        {"---\n# nothing\n---\na: 1\n", "", "---"},
        {"url: &x # c\nb: *x\n", "url", "url: &x"},
        {"url: !!str\nb: 1\n", "url", "url: !!str"},
        {"? a\n# c\nb: 1\n", "a", "? a"},
    };
    for (const auto& [text, path, expected] : cases) {
        const File file = parse(text);
        ASSERT_FALSE(file.documents().empty()) << text;
        EXPECT_EQ(bytes(file, path), "") << text;
        EXPECT_EQ(before(file, path), expected) << text;
    }
}

TEST(YamlReader, TypesPlainScalarsAsKubernetesDoes) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"yes", "true"},
        {"on", "true"},
        {"y", "true"},
        {"Off", "false"},
        {"n", "false"},
        {"yEs", "\"yEs\""},
        {"~", "null"},
        {"Null", "null"},
        {"nUll", "\"nUll\""},
        {"0x1F", "31"},
        {"010", "8"},
        {"0o17", "15"},
        {"0b101", "5"},
        {"-0b11", "-3"},
        {"08", "8"},
        {"1_000", "1000"},
        {"_1", "\"_1\""},
        {"+5", "5"},
        {"-0", "0"},
        {"9223372036854775807", "9223372036854775807"},
        {"18446744073709551615", "18446744073709551615"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"18446744073709551616", "1.8446744073709552e+19"},
        {"1.10", "1.1"},
        {"5.0", "5"},
        {"1e3", "1000"},
        {"1e999", "\"1e999\""},
        {".5", "0.5"},
        {"1.", "1"},
        {"-.5", "-0.5"},
        {".e5", "\".e5\""},
        {"0x1p3", "\"0x1p3\""},
        {"2001-01-01", "\"2001-01-01\""},
        {"12:30:45", "\"12:30:45\""},
        {"1.2.3", "\"1.2.3\""},
        {"<<", "\"<<\""},
        {"=", "\"=\""},
        {"+", "\"+\""},
        {"0x", "\"0x\""},
        {"'yes'", "\"yes\""},
        {"\"1\"", "\"1\""},
        {"!!str yes", "\"yes\""},
        {"!!int '5'", "5"},
        {"!!float 5", "5"},
        {"!foo 5", "\"5\""},
        {"!!binary aGk=", "\"hi\""},
        {"!!binary aGGk", "\"ha\xEF\xBF\xBD\""},
        {"!!bool yes", "true"},
        {"!!null ''", "null"},
        {"!!timestamp 2001-2-3", "\"2001-2-3\""},
    };
    for (const auto& [text, expected] : cases) {
        EXPECT_EQ(json("k: " + text + "\n"), "{\"k\":" + expected + "}") << text;
    }
}

TEST(YamlReader, MakesKeysOfOtherTypesStringsAsKubernetesDoes) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"on", "true"},       {"0x10", "16"},         {"1.50", "1.5"},
        {"1e6", "1e+06"},     {"123456.0", "123456"}, {"1234567.0", "1.234567e+06"},
        {"0.00001", "1e-05"}, {".inf", ".inf"},       {"'on'", "on"},
    };
    for (const auto& [text, expected] : cases) {
        EXPECT_EQ(json(text + ": x\n"), "{\"" + expected + "\":\"x\"}") << text;
    }
    const File file = parse("on: 1\n");
    EXPECT_NE(file.single().find("true"), nullptr);
    EXPECT_EQ(file.single().find("on"), nullptr);
}

TEST(YamlReader, MergesInTheOrderOfWriting) {
    EXPECT_EQ(json("b: &b {x: 1, z: 2}\nu:\n  <<: *b\n  z: 3\n"),
              R"({"b":{"x":1,"z":2},"u":{"x":1,"z":3}})");
    EXPECT_EQ(json("a: 1\n<<: {a: 2}\n"), R"({"a":2})");
    EXPECT_EQ(json("<<: [{a: 1}, {a: 2, b: 3}]\n"), R"({"a":1,"b":3})");
    EXPECT_EQ(json("'<<': {a: 2}\n"), R"({"<<":{"a":2}})");
    EXPECT_EQ(first_problem("<<: 5\n").kind, Problem::Kind::merge);
    const File file = parse("b: &b {x: 1}\nu:\n  <<: *b\n");
    const Node& u = *file.single().find("u");
    EXPECT_EQ(u.find("x")->as_int(), 1);
    EXPECT_FALSE(u.own_entry("x"));
}

TEST(YamlReader, FindsKeysThatRepeatWhereverTheyStand) {
    const auto count = [](const std::string& text) {
        return duplicate_keys(*parse(text).documents().at(0).root).size();
    };
    EXPECT_EQ(count("a: 1\nb: {c: 1, c: 2}\nd: [{e: 1, e: 1, e: 1}]\n"), 3U);
    EXPECT_EQ(count("1: a\n0x1: b\n'1': c\n"), 1U);
    EXPECT_EQ(count("<<: {a: 1}\na: 2\n"), 1U);
    EXPECT_EQ(count("a: 1\nb: 2\n"), 0U);
    const File file = parse("a: 1\na: 2\n");
    const auto duplicates = duplicate_keys(file.single());
    EXPECT_EQ(file.position(duplicates.at(0).key.range().begin).line, 2U);
    EXPECT_EQ(file.position(duplicates.at(0).first.range().begin).line, 1U);
    EXPECT_EQ(file.single().find("a")->as_int(), 2);
}

TEST(YamlReader, FindsTheSameWhateverTheKeysAre) {
    const auto plain = [](const std::string& text) {
        const File file = parse(text);
        const Node& mapping = *file.documents().at(0).root;
        for (const auto& entry : mapping.effective_entries()) {
            EXPECT_EQ(mapping.find(entry.key.key_text()), &entry.value) << text;
        }
        EXPECT_EQ(mapping.find("absent"), nullptr);
        EXPECT_FALSE(mapping.own_entry("absent"));
        return mapping.has_plain_keys();
    };
    EXPECT_TRUE(plain("a: 1\n'b c': [1]\nd: {a: 2}\n"));
    EXPECT_TRUE(plain("&x a: 1\nb: *x\n"));
    EXPECT_TRUE(plain("{}"));
    EXPECT_FALSE(plain("a: 1\nb: {}\na: 2\n"));
    EXPECT_FALSE(plain("a: 1\n<<: {b: 1, a: 2}\n"));
    EXPECT_FALSE(plain("'<<': 1\n"));
    EXPECT_FALSE(plain("1: a\non: b\n"));
    EXPECT_FALSE(plain("!!binary YQ==: 1\n"));
    EXPECT_FALSE(plain("a: &x b\n*x : c\n"));
    EXPECT_FALSE(plain("[a, b]"));
}

TEST(YamlReader, FindsAmongManyKeys) {
    std::string text;
    for (int i = 0; i < 5000; ++i) {
        text += "key" + std::to_string(i) + ": " + std::to_string(i) + "\n";
    }
    const File file = parse(text + "key7: again\n");
    EXPECT_EQ(file.single().find("key4999")->as_int(), 4999);
    EXPECT_EQ(duplicate_keys(file.single()).size(), 1U);
    EXPECT_EQ(file.single().effective_entries().size(), 5000U);
}

TEST(YamlReader, SaysWhereATextIsNoYaml) {
    const File file = parse("a: 1\nb: c: d\n");
    ASSERT_EQ(file.problems().size(), 1U);
    EXPECT_EQ(file.where(file.problems()[0].range.begin), "t.yaml:2:5");
    try {
        file.checked();
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(std::string(error.what()),
                  "t.yaml:2:5: mapping values are not allowed in this context");
        EXPECT_EQ(error.hint(),
                  "b: c: d\n    ^\n"
                  "a text with ': ' in it needs quotes; otherwise look at the indentation");
    }
    EXPECT_EQ(parse("é: [\n").position(3), (Position{1, 3}));
}

TEST(YamlReader, KeepsTheDocumentsBeforeASyntaxProblem) {
    const File file = parse("a: 1\n---\nb: [\n---\nc: 1\n");
    EXPECT_EQ(file.problems().size(), 1U);
    ASSERT_EQ(file.documents().size(), 1U);
    EXPECT_EQ(file.documents()[0].root->find("a")->as_int(), 1);
}

TEST(YamlReader, NamesProblemsThatAreNotOfSyntax) {
    using Kind = Problem::Kind;
    const std::vector<std::pair<std::string, Kind>> cases{
        {std::string("\xFF\xFE"
                     "a\0",
                     4),
         Kind::encoding},
        {"a: \xFF\n", Kind::encoding},
        {"a: b\x01\n", Kind::encoding},
        {"a: 1\n---\n\xEF\xBB\xBF- 1\n", Kind::encoding},
        {"a: *x\n", Kind::syntax},
        {"a: &x [*x]\n", Kind::syntax},
        {"a: !!int x\n", Kind::value},
        {"a: !!binary '***'\n", Kind::value},
        {"a: !!binary aGGk=\n", Kind::value},
        {"a: !!binary aGk\n", Kind::value},
        {"a: .nan\n", Kind::value},
        {"a: -.inf\n", Kind::value},
        {"null: 1\n", Kind::key},
        {"? [a]\n: 1\n", Kind::key},
        {"18446744073709551615: 1\n", Kind::key},
        {"<<: [1]\n", Kind::merge},
    };
    for (const auto& [text, kind] : cases) {
        const Problem problem = first_problem(text);
        EXPECT_NE(problem.message, "(none)") << text;
        EXPECT_EQ(problem.kind, kind) << text << ": " << problem.message;
    }
}

TEST(YamlReader, RefusesWhatIsOverItsLimits) {
    const auto limited = [](std::string text, const Limits& limits = {}) {
        const File file = parse(std::move(text), limits);
        return !file.problems().empty() && file.problems()[0].kind == Problem::Kind::limit;
    };
    EXPECT_TRUE(limited(std::string(101, '[')));
    EXPECT_FALSE(limited(std::string(100, '[') + std::string(100, ']')));
    EXPECT_TRUE(limited("a: [1, 2, 3, 4, 5]\n", {.nodes = 5}));
    EXPECT_TRUE(limited("abcdef", {.bytes = 5}));
    std::string tags;
    for (int i = 0; i < 200'000; ++i) {
        tags += "%TAG !" + std::to_string(i) + "! x\n";
    }
    EXPECT_TRUE(limited(tags));
}

TEST(YamlReader, RefusesAliasesThatMultiply) {
    std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 12; ++i) {
        const std::string name = "a" + std::to_string(i);
        const std::string below = "*a" + std::to_string(i - 1);
        laughs += name + ": &" + name + " [" + below;
        for (int j = 0; j < 8; ++j) {
            laughs += ", " + below;
        }
        laughs += "]\n";
    }
    EXPECT_EQ(first_problem(laughs).kind, Problem::Kind::limit);

    std::string long_text = "a: &a " + std::string(1 << 20, 'x') + "\nb:\n";
    for (int i = 0; i < 1000; ++i) {
        long_text += "- *a\n";
    }
    EXPECT_EQ(first_problem(long_text).kind, Problem::Kind::limit);

    std::string deep = "- &a0 [x]\n";
    for (int i = 1; i < 150; ++i) {
        deep += "- &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
    }
    EXPECT_EQ(first_problem(deep).kind, Problem::Kind::limit);
}

TEST(YamlReader, DividesAFileIntoDocuments) {
    const File file = parse("# head\na: 1\n---\n# only\n---\nb: 2\n...\n");
    ASSERT_EQ(file.documents().size(), 3U);
    EXPECT_EQ(file.documents()[0].range, (Range{0, 12}));
    EXPECT_FALSE(file.documents()[0].explicit_start);
    EXPECT_TRUE(file.documents()[1].is_empty());
    EXPECT_TRUE(file.documents()[1].explicit_start);
    EXPECT_EQ(file.documents()[2].range.end, file.text().size());
    EXPECT_EQ(parse("").documents().size(), 0U);
    EXPECT_EQ(parse("# c\n").documents().size(), 0U);
    EXPECT_EQ(parse("---\na: 1\n---\n").single().find("a")->as_int(), 1);
    EXPECT_THROW(parse("a: 1\n---\nb: 1\n").single(), Error);
    EXPECT_THROW(parse("").single(), Error);
}

TEST(YamlReader, ShowsTheLineWithACaret) {
    const File file = parse(
        "\xEF\xBB\xBF"
        "a:\tüü: x\r\nb: 1\n");
    EXPECT_EQ(file.line(2), "b: 1");
    EXPECT_EQ(parse("k: äö # c\n").excerpt({3, 7}), "k: äö # c\n   ^~\n");
    const std::string minified = "[" + std::string(5000, ' ') + "x" + std::string(5000, ' ') + "]";
    const std::string excerpt = parse(minified).excerpt({5001, 5002});
    EXPECT_LT(excerpt.size(), 300U);
    EXPECT_NE(excerpt.find('x'), std::string::npos);
}

TEST(YamlReader, TellsATemplateFromAManifest) {
    EXPECT_FALSE(parse("a: b\n").template_at());
    EXPECT_FALSE(parse("a: '{{ .V }}' # {{ x }}\n").template_at());
    EXPECT_FALSE(parse("a: |\n  {{ .V }}\n").template_at());
    EXPECT_EQ(parse("a: {{ .V }}\n").template_at(), 3U);
    EXPECT_EQ(parse("a: x-{{ .V }}\n").template_at(), 5U);
    EXPECT_EQ(parse("a: 1\n{{- if .V }}\nb: [\n").template_at(), 5U);
    EXPECT_FALSE(parse("a: {b: {c: 1}}\n").template_at());
}

TEST(YamlReader, NamesThePathOfANode) {
    const File file = parse("spec:\n  match:\n  - mode: CLIENT\n  a.b: {c: [1, 2]}\n");
    const Document& document = file.documents()[0];
    for (const char* path : {"spec.match[0].mode", "spec[\"a.b\"].c[1]", "spec", ""}) {
        const Node* node = document.root->at(Path::parse(path).value());
        ASSERT_NE(node, nullptr) << path;
        EXPECT_EQ(file.path_of(document, *node).to_string(), path);
    }
}

TEST(YamlPath, ReadsWhatItWrites) {
    for (const char* path :
         {"a", "a.b[0].c", "[3]", "a[\"x.y/z\"].b", "[\"\"]", "a[\"q\\\"\\\\\"]"}) {
        const auto parsed = Path::parse(path);
        ASSERT_TRUE(parsed) << path;
        EXPECT_EQ(parsed->to_string(), path);
    }
    EXPECT_EQ(Path::parse(".a['b.c']").value(), (Path{"a", "b.c"}));
    for (const char* path : {"a.", "a..b", "[x]", "a[", "a[1", "a]b", "a b", "[-1]"}) {
        EXPECT_FALSE(Path::parse(path)) << path;
    }
}

TEST(YamlJson, ComparesValuesNotTheirSpelling) {
    const auto same = [](const std::string& a, const std::string& b) {
        return same_value(*parse(a).documents().at(0).root, *parse(b).documents().at(0).root);
    };
    EXPECT_TRUE(same("{a: 1, b: [yes]}", "b:\n- true\na: 0x1\n"));
    EXPECT_FALSE(same("a: 1", "a: '1'"));
    EXPECT_FALSE(same("a: 1", "a: 1\nb: 2"));
    EXPECT_FALSE(same("[1, 2]", "[2, 1]"));
    EXPECT_TRUE(same("a: &x {k: v}\nb: *x", "a: {k: v}\nb: {k: v}"));
}

}  // namespace
}  // namespace wasmplug::yaml
