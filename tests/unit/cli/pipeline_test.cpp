// The pipelines that `generate ci` writes, read by the command line they call.
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "base/yaml.hpp"
#include "cli/tree.hpp"
#include "manifest/generate.hpp"

namespace wasmplug {
namespace {

// Every "run" of a GitHub job and every line of a GitLab "script".
void collect_lines(const yaml::Node& node, std::vector<std::string>& into) {
    const auto add = [&](std::string_view text) {
        std::istringstream lines{std::string(text)};
        for (std::string line; std::getline(lines, line);) {
            into.push_back(line);
        }
    };
    for (const auto& item : node.items()) {
        collect_lines(item, into);
    }
    for (const auto entry : node.entries()) {
        if (entry.key.key_text() == "run") {
            add(entry.value.text());
        } else if (entry.key.key_text() == "script") {
            for (const auto& item : entry.value.items()) {
                add(item.text());
            }
        } else {
            collect_lines(entry.value, into);
        }
    }
}

// The words behind "wasmplug", as a shell would split them; variables stay as they are.
std::vector<std::string> arguments_of(const std::string& line) {
    std::vector<std::string> words(1);
    bool quoted = false;
    for (const char c : line) {
        if (c == '"') {
            quoted = !quoted;
        } else if (c == ' ' && !quoted) {
            words.emplace_back();
        } else {
            words.back() += c;
        }
    }
    const auto program = std::find(words.begin(), words.end(), "wasmplug");
    return program == words.end() ? std::vector<std::string>{}
                                  : std::vector<std::string>(program + 1, words.end());
}

class Pipeline : public testing::TestWithParam<manifest::Ci> {};

TEST_P(Pipeline, UsesOnlyCommandLinesThatParse) {
    const auto file = yaml::File::parse(manifest::write_ci(GetParam()), "pipeline.yaml");
    std::vector<std::string> lines;
    collect_lines(file.single(), lines);
    std::vector<std::string> commands;
    for (const auto& line : lines) {
        SCOPED_TRACE(line);
        auto words = arguments_of(line);
        ASSERT_FALSE(words.empty());
        commands.push_back(words.front());
        GlobalOptions global;
        wasmplug::Run selected;
        const auto tree = make_tree(global, selected, words);
        std::reverse(words.begin(), words.end());
        EXPECT_NO_THROW(tree->parse(words));
        EXPECT_TRUE(selected);
    }
    for (const char* step : {"build", "test", "validate", "package", "login", "push"}) {
        EXPECT_NE(std::find(commands.begin(), commands.end(), step), commands.end()) << step;
    }
}

INSTANTIATE_TEST_SUITE_P(Of, Pipeline, testing::Values(manifest::Ci::github, manifest::Ci::gitlab));

}  // namespace
}  // namespace wasmplug
