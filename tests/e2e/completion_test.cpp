// Completion in the real shells, asked as a person's TAB would ask.
#include <gtest/gtest.h>

#include <string>

#include "base/file.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

const std::string source = WASMPLUG_SOURCE_DIR;

// The words that bash offers for `line`, one a line.
std::string bash_offers(Sandbox& sandbox, const std::string& line) {
    sandbox.write("ask.bash",
                  "source '" + source + "/completions/wasmplug.bash'\n" +
                      "COMP_LINE=\"$1\"; COMP_POINT=${#COMP_LINE}\n"
                      "read -ra COMP_WORDS <<<\"$1\"\n"
                      "[[ $1 == *' ' ]] && COMP_WORDS+=('')\n"
                      "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
                      "spec=($(complete -p wasmplug))\n"
                      "for i in ${!spec[@]}; do\n"
                      "  [ \"${spec[i]}\" = -F ] && \"${spec[i + 1]}\" wasmplug "
                      "\"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"\n"
                      "done\n"
                      "printf '%s\\n' \"${COMPREPLY[@]}\"\n");
    return "\n" + sandbox.run_program({"bash", "ask.bash", line}).out;
}

std::string fish_offers(Sandbox& sandbox, const std::string& line) {
    const auto result = sandbox.run_program(
        {"fish", "--no-config", "-c",
         "source '" + source + "/completions/wasmplug.fish'; complete -C '" + line + "'"});
    return "\n" + result.out;
}

// zsh has no way to ask; a pseudo-terminal of its own (zpty) gets the line and the key.
std::string zsh_offers(Sandbox& sandbox, const std::string& line) {
    sandbox.write("ask.zsh",
                  "zmodload zsh/zpty\n"
                  "zpty asked zsh -f -i\n"
                  "zpty -w asked \"PS1=; unsetopt zle_bracketed_paste 2>/dev/null; fpath=('" +
                      source +
                      "/completions' \\$fpath); autoload -U compinit && compinit -u -D; "
                      "zstyle ':completion:*' list-colors; setopt no_always_last_prompt; "
                      "LISTMAX=10000; echo READ''Y\"\n"
                      "zpty -r -m asked said '*READY*'\n"
                      "zpty -w -n asked \"$1\"$'\\t'\n"
                      "zpty -r -m asked said \"*$2*\" && print -r -- \"$said\"\n"
                      "zpty -d asked\n");
    return sandbox.run_program({"timeout", "5", "zsh", "-f", "ask.zsh", line, "version"}).out;
}

TEST(Completion, BashOffersCommandsFlagsAndValues) {
    WASMPLUG_NEEDS_PROGRAM("bash");
    Sandbox sandbox;
    EXPECT_NE(bash_offers(sandbox, "wasmplug ver").find("\nversion"), std::string::npos);
    EXPECT_NE(bash_offers(sandbox, "wasmplug version --out").find("\n--output"), std::string::npos);
    EXPECT_NE(bash_offers(sandbox, "wasmplug version -o js").find("\njson"), std::string::npos);
    EXPECT_EQ(bash_offers(sandbox, "wasmplug no-such-comm"), "\n\n");
}

TEST(Completion, FishOffersCommandsFlagsAndValues) {
    WASMPLUG_NEEDS_PROGRAM("fish");
    Sandbox sandbox;
    EXPECT_NE(fish_offers(sandbox, "wasmplug ver").find("\nversion"), std::string::npos);
    EXPECT_NE(fish_offers(sandbox, "wasmplug version --out").find("\n--output"), std::string::npos);
    EXPECT_NE(fish_offers(sandbox, "wasmplug version -o js").find("\njson"), std::string::npos);
}

TEST(Completion, ZshOffersCommands) {
    WASMPLUG_NEEDS_PROGRAM("zsh");
    Sandbox sandbox;
    EXPECT_NE(zsh_offers(sandbox, "wasmplug ver").find("version"), std::string::npos);
    EXPECT_EQ(zsh_offers(sandbox, "wasmplug no-such").find("version"), std::string::npos);
}

TEST(Manual, EveryPageIsCleanForMandoc) {
    WASMPLUG_NEEDS_PROGRAM("mandoc");
    Sandbox sandbox;
    const auto result = sandbox.shell("cd '" + source + "/man' && mandoc -T lint -W warning *.1");
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    EXPECT_TRUE(read_file(source + "/man/wasmplug.1").find("130") != std::string::npos)
        << "exit codes are documented in wasmplug(1)";
}

}  // namespace
}  // namespace wasmplug::test
