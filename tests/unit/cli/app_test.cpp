#include "cli/app.hpp"

#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include <nlohmann/json.hpp>

#include "cli/tree.hpp"

namespace wasmplug {
namespace {

struct Ran {
    int code;
    std::string out;
    std::string err;
};

Ran run(const std::vector<std::string>& args) {
    std::ostringstream out;
    std::ostringstream err;
    World world;
    world.environment = [](const std::string&) {
        return std::nullopt;
    };
    const int code = run_app(args, out, err, world);
    return {code, out.str(), err.str()};
}

TEST(App, GlobalOptionsMayStandBeforeOrAfterTheCommand) {
    for (const auto& args : {std::vector<std::string>{"version", "-o", "json"},
                             std::vector<std::string>{"-o", "json", "version"}}) {
        const Ran ran = run(args);
        EXPECT_EQ(ran.code, 0) << ran.err;
        EXPECT_EQ(nlohmann::json::parse(ran.out).at("wasmplug"), WASMPLUG_VERSION);
    }
}

TEST(App, AnUnknownCommandIsNamedAndCorrected) {
    const Ran ran = run({"versoin"});
    EXPECT_EQ(ran.code, 2);
    EXPECT_EQ(ran.err, "error: no command is called 'versoin'\n hint: did you mean 'version'?\n");
}

TEST(App, AnUnknownFlagIsNamedAndCorrected) {
    const Ran ran = run({"version", "--quite"});
    EXPECT_EQ(ran.code, 2);
    EXPECT_EQ(ran.err,
              "error: 'wasmplug version' has no flag --quite\n hint: did you mean '--quiet'?\n");
}

TEST(App, NoCommandSaysHowToGetHelp) {
    const Ran ran = run({});
    EXPECT_EQ(ran.code, 2);
    EXPECT_EQ(ran.err, "error: no command given\n hint: see 'wasmplug --help'\n");
}

TEST(App, ABadTimeoutIsAUsageError) {
    const Ran ran = run({"version", "--timeout", "soon"});
    EXPECT_EQ(ran.code, 2);
    EXPECT_NE(ran.err.find("--timeout soon is not a duration"), std::string::npos);
}

TEST(App, HelpGoesToStdoutAndFitsEightyColumns) {
    const Ran list = run({"__commands"});
    std::istringstream names(list.out);
    std::vector<std::vector<std::string>> calls{{"--help"}};
    for (std::string name; std::getline(names, name);) {
        calls.push_back({name, "--help"});
    }
    ASSERT_GT(calls.size(), 1U);
    for (const auto& args : calls) {
        const Ran ran = run(args);
        EXPECT_EQ(ran.code, 0);
        EXPECT_EQ(ran.err, "");
        std::istringstream lines(ran.out);
        for (std::string line; std::getline(lines, line);) {
            EXPECT_LE(display_width(line), 80U) << args[0] << ": " << line;
        }
    }
}

// One flag, one meaning, everywhere (design, "Commands"): a short letter never stands for two
// long names, and a long name has the same letter wherever it has one.
TEST(Tree, OneLetterHasOneMeaning) {
    const Ran list = run({"__commands"});
    std::map<char, std::string> meaning;
    std::istringstream names(list.out);
    for (std::string name; std::getline(names, name);) {
        std::istringstream lines(run({name, "--help"}).out);
        for (std::string line; std::getline(lines, line);) {
            if (line.size() > 8 && line.starts_with("  -") && line[3] != '-' &&
                line.substr(4, 4) == ", --") {
                const std::string flag = line.substr(6, line.find_first_of(" ,", 6) - 6);
                const auto [at, fresh] = meaning.emplace(line[3], flag);
                EXPECT_EQ(at->second, flag) << "-" << line[3] << " in " << name;
            }
        }
    }
}

TEST(Tree, FindsTheCommandBehindGlobalFlags) {
    EXPECT_EQ(command_word({"-o", "json", "push"}), 2U);
    EXPECT_EQ(command_word({"-q", "--color=never", "push"}), 2U);
    EXPECT_EQ(command_word({"--help"}), 1U);
}

TEST(Complete, OffersCommandsFlagsAndValues) {
    EXPECT_NE(run({"__complete", "ver"}).out.find("version\t"), std::string::npos);
    EXPECT_EQ(run({"__complete", "version", "--out"}).out,
              "--output\tFormat of the result on stdout\n");
    EXPECT_EQ(run({"__complete", "version", "-o", "j"}).out, "json\t\n");
    EXPECT_EQ(run({"__complete", "version", "--output=y"}).out, "yaml\t\n");
}

TEST(Man, NamesTheProgramAndItsCommands) {
    const std::string page = run({"__man", "wasmplug"}).out;
    EXPECT_NE(page.find(".TH WASMPLUG 1"), std::string::npos);
    EXPECT_NE(page.find("wasmplug\\-version"), std::string::npos);
    EXPECT_NE(run({"__man", "version"}).out.find(".SH SYNOPSIS"), std::string::npos);
}

}  // namespace
}  // namespace wasmplug
