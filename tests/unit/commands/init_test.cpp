#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <sstream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/json.hpp"
#include "commands/command.hpp"

namespace wasmplug {

extern const Command init_command;

namespace {

namespace fs = std::filesystem;

class Init : public testing::Test {
  protected:
    ExitCode run(std::vector<std::string> args) {
        CLI::App app;
        wasmplug::Run selected;
        init_command.add(app, selected);
        std::reverse(args.begin(), args.end());
        app.parse(args);
        Output output(out, err);
        output.set_style({.format = format});
        Services services{.out = output};
        services.interactive = interactive;
        services.read_line = [this](const Cancel&) -> std::optional<std::string> {
            if (answers.empty()) {
                return std::nullopt;
            }
            auto answer = answers.front();
            answers.pop_front();
            return answer;
        };
        return selected(services);
    }

    ExitCode code_of(const std::vector<std::string>& args) {
        try {
            return run(args);
        } catch (const Error& error) {
            err << error.what() << "\n" << error.hint() << "\n";
            return error.code();
        }
    }

    std::string path(const std::string& name) const { return (directory.path() / name).string(); }

    TemporaryDirectory directory;
    std::ostringstream out;
    std::ostringstream err;
    std::deque<std::string> answers;
    Format format = Format::text;
    bool interactive = false;
};

TEST_F(Init, WritesTheProjectAndSaysTheNextCommand) {
    run({path("rate-limit"), "--language", "cpp", "--pattern", "response-headers"});
    EXPECT_TRUE(fs::exists(path("rate-limit/rate-limit.test.yaml")));
    EXPECT_NE(out.str().find("rate-limit && wasmplug build"), std::string::npos);
    EXPECT_NE(err.str().find("✓ src/plugin.cc"), std::string::npos);
}

TEST_F(Init, AsksOnlyForWhatIsMissing) {
    interactive = true;
    answers = {"9", "cp", "", path("edge")};
    run({});
    EXPECT_NE(err.str().find("'9' is none of them"), std::string::npos);
    EXPECT_NE(out.str().find("--language cpp --pattern response-headers --name edge"),
              std::string::npos);
    EXPECT_TRUE(answers.empty());

    answers = {"1"};
    err.str("");
    run({path("edge2"), "--language", "cpp"});
    EXPECT_EQ(err.str().find("Language"), std::string::npos);
    EXPECT_TRUE(answers.empty());
}

TEST_F(Init, PrintsACallThatDoesTheSame) {
    interactive = true;
    answers = {"3", "1", path("it's one")};
    run({});
    const std::string text = out.str();
    EXPECT_NE(text.find("it'\\''s one' --language cpp --pattern response-headers --name it-s-one"),
              std::string::npos)
        << text;
}

TEST_F(Init, NeverAsksWithoutATerminal) {
    EXPECT_EQ(code_of({path("a"), "--pattern", "transform"}), ExitCode::usage);
    EXPECT_NE(err.str().find("one of rust, go, cpp, assemblyscript"), std::string::npos);
    EXPECT_EQ(code_of({path("a"), "--language", "go"}), ExitCode::usage);
    EXPECT_FALSE(fs::exists(path("a")));
}

TEST_F(Init, GoesWithoutAnAnswerAtTheEndOfInput) {
    interactive = true;
    EXPECT_EQ(code_of({}), ExitCode::interrupted);
}

TEST_F(Init, OverwritesOnlyWithForce) {
    const std::vector<std::string> call = {path("a"), "--language", "cpp", "--pattern",
                                           "response-headers"};
    EXPECT_EQ(code_of(call), ExitCode::ok);
    write_file(path("a/src/plugin.cc"), "mine");
    fs::remove(path("a/Dockerfile"));
    EXPECT_EQ(code_of(call), ExitCode::failure);
    EXPECT_EQ(read_file(path("a/src/plugin.cc")), "mine");
    EXPECT_FALSE(fs::exists(path("a/Dockerfile")));
    auto forced = call;
    forced.emplace_back("--force");
    EXPECT_EQ(code_of(forced), ExitCode::ok);
    EXPECT_NE(read_file(path("a/src/plugin.cc")), "mine");
}

TEST_F(Init, RefusesANameThatNoToolTakes) {
    EXPECT_EQ(code_of({path("a"), "--language", "cpp", "--pattern", "response-headers", "--name",
                       "Bad_Name"}),
              ExitCode::usage);
    EXPECT_NE(err.str().find("--name bad-name"), std::string::npos) << err.str();
}

TEST_F(Init, TakesATemplateOfTheUsersOwn) {
    write_file(path("MyPlugin.cc"), "class MyPlugin; // my-plugin my_plugin\n");
    const TemporaryDirectory target;
    const auto into = (target.path() / "edge-auth").string();
    run({into, "--template", directory.path().string()});
    EXPECT_EQ(read_file(into + "/EdgeAuth.cc"), "class EdgeAuth; // edge-auth edge_auth\n");
    EXPECT_EQ(code_of({into, "--template", directory.path().string(), "--language", "go"}),
              ExitCode::usage);
}

TEST_F(Init, AnswersInJson) {
    format = Format::json;
    run({path("a"), "--language", "rust", "--pattern", "response-headers"});
    const auto answer = parse_json(out.str(), "answer");
    EXPECT_EQ(answer["version"], 1);
    EXPECT_EQ(answer["name"], "a");
    EXPECT_EQ(answer["language"], "rust");
    EXPECT_GT(answer["files"].size(), 8U);
    for (const auto& file : answer["files"]) {
        EXPECT_TRUE(fs::exists(path("a/" + file.get<std::string>()))) << file;
    }
}

}  // namespace
}  // namespace wasmplug
