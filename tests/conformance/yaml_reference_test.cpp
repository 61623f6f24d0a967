// base/yaml reads what Kubernetes' own parser reads (sigs.k8s.io/yaml), and as the same value.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/hash.hpp"
#include "base/process.hpp"
#include "base/yaml.hpp"
#include "tests/support/require.hpp"

namespace wasmplug::yaml {
namespace {

using Json = nlohmann::json;

std::filesystem::path source_folder(const char* path) {
    return std::filesystem::path(WASMPLUG_SOURCE_DIR) / path;
}

// "\n", "\xNN" and "\\" in a line of tests/data/yaml/cases.txt.
std::string unescaped(const std::string& line) {
    std::string text;
    for (std::size_t at = 0; at < line.size(); ++at) {
        if (line[at] != '\\' || at + 1 == line.size()) {
            text.push_back(line[at]);
            continue;
        }
        const char c = line[++at];
        if (c == 'x') {
            text.push_back(static_cast<char>(std::stoi(line.substr(at + 1, 2), nullptr, 16)));
            at += 2;
        } else {
            text.push_back(c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c);
        }
    }
    return text;
}

std::vector<std::string> lines_of(const std::filesystem::path& path) {
    std::ifstream in(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line);
    }
    return lines;
}

// Built once a version of its sources, in the cache folder.
std::optional<std::filesystem::path> reference_program() {
    if (!test::find_program("go")) {
        return std::nullopt;
    }
    const auto sources = source_folder("tests/support/yaml_reference");
    std::string all;
    for (const char* name : {"main.go", "go.mod", "go.sum"}) {
        all += read_file(sources / name);
    }
    const auto program = test::cache_folder() / ("yaml-reference-" + sha256_hex(all).substr(0, 16));
    if (!std::filesystem::exists(program)) {
        std::filesystem::create_directories(program.parent_path());
        const auto built = run_process(
            {.argv = {"go", "build", "-o", program.string(), "."}, .directory = sources}, Cancel());
        if (built.exit_code != 0) {
            ADD_FAILURE() << built.err;
            return std::nullopt;
        }
    }
    return program;
}

std::vector<std::string> reference(const std::filesystem::path& program,
                                   const std::vector<std::string>& texts) {
    std::string input;
    for (const auto& text : texts) {
        input += base64_encode(text) + "\n";
    }
    const auto result = run_process({.argv = {program.string()}, .input = input}, Cancel());
    EXPECT_EQ(result.exit_code, 0) << result.err;
    std::vector<std::string> answers;
    for (std::size_t at = 0; at < result.out.size();) {
        const std::size_t end = result.out.find('\n', at);
        answers.push_back(result.out.substr(at, end - at));
        at = end + 1;
    }
    return answers;
}

// One line like the reference's: the first document's value, or "error: ...".
std::string ours(const std::string& text) {
    const File file = File::parse(text, "t");
    if (!file.problems().empty()) {
        return "error: " + file.problems().front().message;
    }
    return file.documents().empty() ? "null" : to_json(*file.documents().front().root).dump();
}

bool agree(const std::string& a, const std::string& b) {
    const bool fails = a.starts_with("error:");
    if (fails || b.starts_with("error:")) {
        return fails && b.starts_with("error:");
    }
    return Json::parse(a) == Json::parse(b);
}

// The cases of the file that are known to differ, with the reason why.
std::map<std::string, std::string> differences() {
    std::map<std::string, std::string> known;
    for (const auto& line : lines_of(source_folder("tests/conformance/yaml_differences.txt"))) {
        if (!line.empty() && line[0] != '#') {
            const std::size_t tab = line.find("    # ");
            known[line.substr(0, tab)] = line.substr(tab + 6);
        }
    }
    return known;
}

TEST(YamlReference, ReadsEveryCaseAsKubernetesDoesButForTheNamedDifferences) {
    const auto program = reference_program();
    WASMPLUG_NEEDS(program.has_value(), "go");
    const auto lines = lines_of(source_folder("tests/data/yaml/cases.txt"));
    std::vector<std::string> texts;
    for (const auto& line : lines) {
        texts.push_back(unescaped(line));
    }
    const auto answers = reference(*program, texts);
    ASSERT_EQ(answers.size(), texts.size());
    auto known = differences();
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const bool same = agree(answers[i], ours(texts[i]));
        const bool named = known.erase(lines[i]) > 0;
        EXPECT_NE(same, named) << lines[i] << "\n  Kubernetes: " << answers[i]
                               << "\n  here:       " << ours(texts[i]);
    }
    for (const auto& [line, reason] : known) {
        ADD_FAILURE() << "a named difference that is no case: " << line;
    }
}

// Texts put together from pieces that matter to a YAML parser.
std::string made_up(std::mt19937& random) {
    static const std::vector<std::string> pieces{
        "a",      "b",      "key",    ": ",        ":",    "- ",        "-",      "\n",
        "\n  ",   "\n    ", "? ",     ", ",        "[",    "]",         "{",      "}",
        "'x'",    "\"y\"",  "|\n  t", ">-\n  t\n", "#c",   " # c",      "&n ",    "*n",
        "!!str ", "!t ",    "yes",    "1",         "0x1F", "1.5",       "~",      "null",
        "<<: ",   "é",      " ",      "  ",        "''",   "\"\"",      "k: v\n", "- i\n",
        "l:\n",   "{a: 1}", "[1, 2]", "\t",        "1e3",  "2001-01-01"};
    std::string text;
    const auto count = 1 + random() % 12;
    for (std::size_t i = 0; i < count; ++i) {
        text += pieces[random() % pieces.size()];
    }
    return text;
}

TEST(YamlReference, ReadsMadeUpTextsAsKubernetesDoes) {
    const auto program = reference_program();
    WASMPLUG_NEEDS(program.has_value(), "go");
    std::mt19937 random(11);  // NOLINT(cert-msc51-cpp): the same texts on every run
    std::vector<std::string> texts;
    for (int i = 0; i < 20'000; ++i) {
        texts.push_back(made_up(random));
    }
    const auto answers = reference(*program, texts);
    ASSERT_EQ(answers.size(), texts.size());
    std::size_t read = 0;
    std::size_t shown = 0;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const std::string here = ours(texts[i]);
        read += here.starts_with("error:") ? 0U : 1U;
        if (!agree(answers[i], here) && ++shown < 25) {
            ADD_FAILURE() << Json(texts[i]).dump() << "\n  Kubernetes: " << answers[i]
                          << "\n  here:       " << here;
        }
    }
    EXPECT_EQ(shown, 0U);
    EXPECT_GT(read, 3000U) << "too few of the texts are YAML to say anything";
}

}  // namespace
}  // namespace wasmplug::yaml
