// validate as a person and a pipeline meet it: hostile files, odd input, reports, pre-commit.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/yaml.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

const std::string head =
    "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: p}\nspec:\n"
    "  url: oci://registry.example.com/team/p:1.0.0\n";
const std::string config = head + "  pluginConfig:\n";

std::string repeated(const std::string& text, int count) {
    std::string all;
    for (int i = 0; i < count; ++i) {
        all += text;
    }
    return all;
}

std::string numbered(const std::string& before, const std::string& after, int count) {
    std::string all;
    for (int i = 0; i < count; ++i) {
        all += before + std::to_string(i) + after;
    }
    return all;
}

std::string alias_bomb() {
    std::string text = config + "    a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 12; ++i) {
        text += fmt::format("    a{}: &a{} [{}*a{}]\n", i, i,
                            repeated(fmt::format("*a{}, ", i - 1), 8), i - 1);
    }
    return text;
}

struct Hostile {
    const char* name;
    std::string text;
    const char* says;  // "LINE:COLUMN: ", or a part of the message
};

std::vector<Hostile> hostile_files() {
    std::string utf16 = "\xFF\xFE";
    for (const char c : config) {
        utf16 += c;
        utf16 += '\0';
    }
    return {
        {"alias bomb", alias_bomb(), "13:"},
        {"merge bomb",
         config + "    a0: &a0 {x: 1}\n    a1: &a1 {<<: [*a0, *a0]}\n" + "    b: &b {<<: [" +
             repeated("*a1, ", 400'000) + "*a1]}\n",
         "too large once its aliases"},
        {"deep flow", config + "    x: " + repeated("[", 200'000), "7:105:"},
        {"deep dashes", config + "    " + repeated("- ", 100'000) + "x\n", "7:201:"},
        {"deep question marks", config + "    " + repeated("? ", 50'000) + "\n", "7:201:"},
        {"a million values", config + numbered("    k", ": v\n", 510'000), "more than 1000000"},
        {"a million documents", repeated("---\n", 1'100'000), "too many documents"},
        {"unclosed quote", config + "    x: \"" + repeated("\\\n", 1'000'000), "1000007:1:"},
        {"repeated keys", config + repeated("    k: v\n", 200'000), "more like this|8:5:"},
        {"unknown fields", head + numbered("  f", ": 1\n", 200'000), "more like this"},
        {"idle comments", head + repeated("# wasmplug:ignore WP101\n", 200'000), "WP302"},
        {"marks on one line", config + "    x: \"" + repeated("wasmplug:ignore ", 100'000) + "\"\n",
         "WP101"},
        {"broken documents", repeated("a: [\n---\n", 200'000), "2:1:"},
        {"%TAG lines", numbered("%TAG !a", "! tag:x,2000:\n", 20'000) + "---\n" + head, "101:1:"},
        {"NUL", config + std::string("    x: a\0b\n", 11), "7:9:"},
        {"escape sequence", config + "    x: a\x1b[31mb\n", "7:9:"},
        {"UTF-16", utf16, "UTF-16"},
        {"no UTF-8", config + "    x: \xff\xfe\n", "7:8:"},
        {"overlong UTF-8", config + "    x: \xc0\xaf\n", "7:8:"},
        {"half a surrogate pair", config + "    x: \xed\xa0\x80\n", "7:8:"},
        {"tab", config + "\tx: 1\n", "7:1:"},
    };
}

bool says_one_of(const std::string& text, const std::string& wanted) {
    std::istringstream parts(wanted);
    for (std::string part; std::getline(parts, part, '|');) {
        if (text.find(part) != std::string::npos) {
            return true;
        }
    }
    return false;
}

TEST(Hostile, FilesAreAnsweredWithTheirPlaceInASecondAnd200Megabytes) {
    WASMPLUG_NEEDS_PROGRAM("time");
    Sandbox sandbox;
    for (const auto& [name, text, says] : hostile_files()) {
        sandbox.write("hostile.yaml", text);
        auto spec = sandbox.spec({"validate", "--no-policy", "hostile.yaml"});
        spec.argv.insert(spec.argv.begin(), {"time", "-f", "%M", "-o", "peak"});
        spec.processor_limit = std::chrono::seconds(1);
        const auto result = run_process(spec, Cancel());
        EXPECT_TRUE(result.exit_code == 0 || result.exit_code == 3)
            << name << ": " << result.exit_code << " " << result.err;
        EXPECT_TRUE(says_one_of(result.out, says)) << name << ": " << result.out.substr(0, 400);
        EXPECT_LT(result.out.size(), 300'000U) << name;
        std::istringstream peak(sandbox.read("peak"));
        std::string line;
        while (std::getline(peak, line) &&
               line.find_first_not_of("0123456789") != std::string::npos) {
        }  // "Command exited with non-zero status 3" comes first
        EXPECT_LT(std::stol(line), 200'000) << name;
    }
}

TEST(Hostile, AFileOverTheLimitIsNamedAndTheOthersAreJudged) {
    Sandbox sandbox;
    sandbox.write("deploy/large.yaml", "# " + std::string(17U << 20U, 'x'));
    sandbox.write("deploy/small.yaml", head);
    const auto result = sandbox.run({"validate", "--no-policy", "-v", "deploy"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_NE(result.err.find("deploy/large.yaml is larger than"), std::string::npos) << result.err;
    EXPECT_NE(result.out.find("deploy/small.yaml:5:8"), std::string::npos) << result.out;
}

std::string bad(const std::string& name) {
    return "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: " + name +
           "}\nspec: {url: \"oci://registry.example.com/p/p:1\", phase: LATE}\n";
}

TEST(Reports, AreWrittenBesideTheResult) {
    Sandbox sandbox;
    sandbox.write("a b/\xC3\xBC.yaml", bad("p") + "---\n" + bad("q"));
    const auto result = sandbox.run({"validate", "--no-policy", "--report", "sarif=out.sarif",
                                     "--report", "junit=out.xml", "--report", "gitlab=out.json",
                                     "--report", "tap=out.tap", "-o", "github", "a b"});
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_TRUE(result.out.starts_with("::error file=a b/\xC3\xBC.yaml,line=4,col=")) << result.out;
    const auto sarif = nlohmann::json::parse(sandbox.read("out.sarif"));
    EXPECT_EQ(sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
                   ["uri"],
              "a%20b/%C3%BC.yaml");
    EXPECT_TRUE(sandbox.read("out.tap").ends_with("1..2\n"));
    WASMPLUG_NEEDS_PROGRAM("python3");
    const auto junit = sandbox.run_program(
        {"python3", "-c",
         "import sys, xml.etree.ElementTree as tree\n"
         "root = tree.parse('out.xml').getroot()\n"
         "assert root.tag == 'testsuites' and root.get('tests') == '2', root.attrib\n"
         "for suite in root:\n"
         "    assert suite.tag == 'testsuite' and float(suite.get('time')) >= 0\n"
         "    assert set(suite.keys()) >= {'name', 'tests', 'failures', 'errors'}\n"
         "    for case in suite:\n"
         "        assert case.tag == 'testcase' and case.get('name') and case.get('classname')\n"
         "        assert float(case.get('time')) >= 0\n"
         "        assert all(e.tag in ('failure', 'skipped', 'system-out') for e in case)\n"});
    EXPECT_EQ(junit.exit_code, 0) << junit.err;
    const auto judged = sandbox.run_program(
        {"python3", WASMPLUG_SOURCE_DIR "/tests/support/json_schema.py",
         WASMPLUG_SOURCE_DIR "/tests/data/schemas/gitlab-code-quality.json", "out.json"});
    EXPECT_EQ(judged.exit_code, 0) << judged.out << judged.err;
}

TEST(Reports, FitSarifsOwnSchema) {
    const auto schema = cache_folder() / "schemas" / "sarif-2.1.0.json";
    WASMPLUG_NEEDS(std::filesystem::exists(schema), "sarif-schema");
    Sandbox sandbox;
    sandbox.write("p.yaml", bad("p") + "---\n" + head + "---\n\tx: 1\n");
    sandbox.run({"validate", "--no-policy", "--report", "sarif=out.sarif", "p.yaml"});
    const auto judged = sandbox.run_program(
        {"python3", "-c",
         "import json, sys\nfrom jsonschema import Draft7Validator\n"
         "schema, log = (json.load(open(name)) for name in sys.argv[1:])\n"
         "wrong = [e.message for e in Draft7Validator(schema).iter_errors(log)]\n"
         "print(wrong)\nsys.exit(bool(wrong))\n",
         schema, "out.sarif"});
    EXPECT_EQ(judged.exit_code, 0) << judged.out << judged.err;
}

TEST(Reports, FitJenkinsSchemaOfJunit) {
    const auto schema = cache_folder() / "schemas" / "junit-10.xsd";
    WASMPLUG_NEEDS(std::filesystem::exists(schema), "junit-schema");
    WASMPLUG_NEEDS_PROGRAM("xmllint");
    Sandbox sandbox;
    sandbox.write("a \"<b>\".yaml", bad("p") + "---\n" + head + "---\n\tx: 1\n");
    sandbox.write("empty/x.json", "[]");
    for (const auto& args : {std::vector<std::string>{"."}, std::vector<std::string>{"empty"}}) {
        std::vector<std::string> all = {"validate", "--no-policy", "-o", "junit"};
        all.insert(all.end(), args.begin(), args.end());
        sandbox.write("out.xml", sandbox.run(all).out);
        const auto judged =
            sandbox.run_program({"xmllint", "--noout", "--nonet", "--schema", schema, "out.xml"});
        EXPECT_EQ(judged.exit_code, 0) << judged.err;
    }
    sandbox.write("p.yaml", bad("p"));
    const auto one = sandbox.run({"validate", "--no-policy", "-o", "junit", "p.yaml"}).out;
    EXPECT_NE(one.find("<failure message=\"spec.phase: "), std::string::npos) << one;
    EXPECT_NE(one.find(" type=\"WP007\">"), std::string::npos) << "of the headline: " << one;
}

TEST(Rules, NameOnlyCommandsThatThereAre) {
    Sandbox sandbox;
    std::set<std::string> commands;
    std::istringstream list(sandbox.run({"__commands"}).out);
    for (std::string command; std::getline(list, command);) {
        commands.insert(command);
    }
    for (const auto& rule : sandbox.json({"explain"}).at("rules")) {
        const auto fix = rule.at("fix").get<std::string>();
        const std::string name = "wasmplug ";
        for (auto at = fix.find(name); at != std::string::npos; at = fix.find(name, at)) {
            at += name.size();
            const auto word = fix.substr(at, fix.find_first_of(" ,;:", at) - at);
            EXPECT_TRUE(commands.contains(word) || word == "-") << rule.at("id") << ": " << fix;
        }
    }
}

TEST(PreCommit, RunsTheHookOnTheFilesThatChanged) {
    const auto hooks = yaml::File::read(WASMPLUG_SOURCE_DIR "/.pre-commit-hooks.yaml");
    const auto* entry = hooks.single().item(0)->find("entry");
    ASSERT_NE(entry, nullptr);
    Sandbox sandbox;
    sandbox.write("deploy/bad.yaml", bad("p"));
    sandbox.write("deploy/good.yaml", head);
    sandbox.write("values.yaml", "image: {{ .tag }}\n");
    sandbox.write("list.json", "[1, 2]\n");
    // As pre-commit does: the entry, then the names, in the root of the repository.
    const auto hook = std::string(entry->text());
    const auto refused = sandbox.shell(hook + " deploy/bad.yaml values.yaml list.json");
    EXPECT_EQ(refused.exit_code, 3);
    EXPECT_NE(refused.out.find("deploy/bad.yaml:4:"), std::string::npos) << refused.out;
    const auto passed = sandbox.shell(hook + " deploy/good.yaml values.yaml list.json");
    EXPECT_EQ(passed.exit_code, 0) << passed.out;
}

TEST(Sources, ComeFromPipesListsGlobsAndGit) {
    Sandbox sandbox;
    sandbox.write("a/x.yaml", head);
    sandbox.write("a/b/y.yml", bad("y"));
    sandbox.write("a/notes.txt", "no");
    sandbox.write("names", "a/x.yaml\r\na/b/y.yml\n\na/x.yaml\n");
    const auto files = [&](const std::vector<std::string>& args, const std::string& input = {}) {
        std::vector<std::string> all = {"validate", "--no-policy", "-o", "json"};
        all.insert(all.end(), args.begin(), args.end());
        const auto result = sandbox.run(all, input);
        std::vector<std::string> names;
        const auto json = nlohmann::json::parse(result.out);
        for (const auto& document : json["documents"]) {
            names.push_back(document["file"]);
        }
        return names;
    };
    const std::vector<std::string> both = {"a/b/y.yml", "a/x.yaml"};
    EXPECT_EQ(files({"a"}), both);
    EXPECT_EQ(files({"a", "a/x.yaml", "./a"}), both);
    EXPECT_EQ(files({"a/**/*.y*ml"}), both);
    EXPECT_EQ(files({"--files-from", "names"}),
              (std::vector<std::string>{"a/x.yaml", "a/b/y.yml"}));
    EXPECT_EQ(files({"--files-from", "-"}, "a/b/y.yml\n"), std::vector<std::string>{"a/b/y.yml"});
    EXPECT_EQ(files({"-", "--stdin-filename", "piped.yaml"}, head),
              std::vector<std::string>{"piped.yaml"});
    sandbox.shell(
        "git init -q . && git -c user.name=n -c user.email=e add a/x.yaml && "
        "git -c user.name=n -c user.email=e commit -q -m one");
    EXPECT_EQ(files({"--changed-since", "HEAD"}), std::vector<std::string>{"a/b/y.yml"});
    EXPECT_EQ(sandbox.run({"validate", "--changed-since", "nowhere"}).exit_code, 1);
    const auto once = (sandbox.work() / "a" / "x.yaml").string();
    EXPECT_EQ(files({"a/x.yaml", once, "a/../a/x.yaml"}), std::vector<std::string>{"a/x.yaml"});
    EXPECT_EQ(files({"-", "-"}, head), std::vector<std::string>{"<stdin>"});
    EXPECT_EQ(sandbox.run({"validate", "a/*.json"}).exit_code, 1);
    EXPECT_EQ(sandbox.run({"validate", "--require-match", "-"}, "kind: x\n").exit_code, 3);
}

TEST(Sources, MayHaveAnyName) {
    Sandbox sandbox;
    for (const char* folder : {"with blank", "-dash", "st*r", "new\nline", "\x1b[31m"}) {
        sandbox.write(std::string(folder) + "/a.yaml", head);
    }
    sandbox.write("other/s.yaml", "kind: Service\napiVersion: v1\nmetadata: {name: x}\n");
    std::filesystem::create_directories(sandbox.work() / "empty");
    const auto judged = [&](std::vector<std::string> args) {
        args.insert(args.begin(), {"validate", "--no-policy"});
        const auto result = sandbox.run(args);
        return std::to_string(result.exit_code) + " " +
               result.out.substr(result.out.rfind('\n', result.out.size() - 2) + 1);
    };
    const std::string one = "0 1 document in 1 file: 1 ok\n";
    EXPECT_EQ(judged({"with blank"}), one);
    EXPECT_EQ(judged({"--", "-dash"}), one);
    EXPECT_EQ(judged({"st*r"}), one) << "a folder that is there is no pattern";
    EXPECT_EQ(judged({"w*/*.yaml"}), one);
    EXPECT_EQ(judged({"."}), "0 5 documents in 6 files: 5 ok, 1 of other kinds skipped\n");
    EXPECT_EQ(judged({"empty"}), "0 0 documents in 0 files: 0 ok\n");
    EXPECT_EQ(judged({"--require-match", "empty"}).substr(0, 2), "3 ");
    EXPECT_EQ(judged({"--require-match", "other"}).substr(0, 2), "3 ");
    EXPECT_EQ(judged({"--summary", "other"}),
              "0 Summary: 1 resource found in 1 file - Valid: 0, Invalid: 0, Errors: 0, Skipped: "
              "1\n");
    const auto names = sandbox.run({"validate", "--no-policy", "new\nline", "\x1b[31m"}).out;
    EXPECT_EQ(names.find("new\nline"), std::string::npos) << names;
    EXPECT_EQ(names.find('\x1b'), std::string::npos) << names;
}

TEST(Sources, ThatCannotBeReadAreSaidAndTheOthersJudged) {
    Sandbox sandbox;
    // Root reads everything.
    const auto as_somebody = [&](const std::vector<std::string>& args) {
        auto spec = sandbox.spec(args);
        if (::geteuid() == 0) {
            spec.argv.insert(spec.argv.begin(), {"setpriv", "--reuid=65534", "--clear-groups"});
        }
        return run_process(spec, Cancel());
    };
    std::filesystem::permissions(sandbox.work().parent_path(), std::filesystem::perms(0755));
    if (as_somebody({"version"}).exit_code != 0) {
        GTEST_SKIP() << "nobody but root can run the binary";
    }
    for (const char* name : {"a/x.yaml", "a/locked/y.yaml", "b.yaml"}) {
        sandbox.write(name, head);
    }
    namespace fs = std::filesystem;
    fs::permissions(sandbox.work() / "a/locked", fs::perms::none);
    fs::permissions(sandbox.work() / "b.yaml", fs::perms::none);
    const auto result = as_somebody({"validate", "--no-policy", "--summary", "-q", "a", "b.yaml"});
    fs::permissions(sandbox.work() / "a/locked", fs::perms::owner_all);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_NE(result.err.find("cannot read a/locked: Permission denied"), std::string::npos);
    EXPECT_NE(result.err.find("cannot read b.yaml: Permission denied"), std::string::npos);
    EXPECT_NE(result.out.find("Valid: 1, Invalid: 0, Errors: 1"), std::string::npos) << result.out;
}

TEST(Sources, MayBeThousandsAndNobodyNeedReadToTheEnd) {
    Sandbox sandbox;
    for (int i = 0; i < 3000; ++i) {
        sandbox.write(fmt::format("many/{}.yaml", i), bad(fmt::format("p{}", i)));
    }
    const auto all = sandbox.run({"validate", "--no-policy", "--summary", "many"});
    EXPECT_EQ(all.exit_code, 3);
    EXPECT_TRUE(
        all.out.ends_with("Summary: 3000 resources found in 3000 files - Valid: 0, "
                          "Invalid: 3000, Errors: 0, Skipped: 0\n"));
    const auto head_only = sandbox.shell(
        "wasmplug validate --no-policy many | head -n 1; wasmplug validate --no-policy many "
        ">/dev/full; echo $?");
    EXPECT_TRUE(head_only.out.ends_with("\n1\n")) << head_only.out;
    EXPECT_NE(head_only.err.find("cannot write to standard output"), std::string::npos);
}

}  // namespace
}  // namespace wasmplug::test
