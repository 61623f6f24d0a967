// What git is asked: in a hook, for which it names the repository from a folder that need not be
// ours, and of a folder with many changes.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"
#include "tests/support/script_plugin.hpp"

namespace wasmplug::test {
namespace {

TEST(GitHook, OfALinkedWorkTreeCanAskUsWhatChanged) {
    WASMPLUG_NEEDS_PROGRAM("git");
    Sandbox sandbox;
    sandbox.write("r/a/go.mod", "module x.org/a\n");
    sandbox.write("r/a/main.go", "package main\n");
    sandbox.write("r/b/m.yaml",
                  "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n"
                  "metadata: {name: a}\nspec: {url: oci://r.example/a:1}\n");
    const auto made = sandbox.shell(
        "cd r && git init -q -b main && git config user.name tests && git config user.email "
        "tests@example.invalid && git add -A && git commit -q -m first && "
        "git worktree add -q ../linked");
    ASSERT_EQ(made.exit_code, 0) << made.err;
    sandbox.write("r/.git/hooks/pre-commit",
                  "#!/bin/sh\ncd b || exit\n"
                  "{ wasmplug diff m.yaml; echo diff $?\n"
                  "wasmplug build ../a --changed-since HEAD; echo build $?\n"
                  "wasmplug validate --changed-since HEAD . -o json; echo validate $?\n"
                  "} >" +
                      (sandbox.work() / "out").string() + " 2>&1\n");
    sandbox.write("linked/b/m.yaml", sandbox.read("r/b/m.yaml") + "  # more\n");
    const auto committed = sandbox.shell(
        "chmod +x r/.git/hooks/pre-commit && cd linked && git commit -q -a -m second");
    ASSERT_EQ(committed.exit_code, 0) << committed.err;
    const std::string said = sandbox.read("out");
    EXPECT_NE(said.find("diff 0\n"), std::string::npos) << said;
    EXPECT_NE(said.find("nothing changed since HEAD\n"), std::string::npos) << said;
    EXPECT_NE(said.find("build 0\n"), std::string::npos) << said;
    EXPECT_NE(said.find("\"file\": \"m.yaml\""), std::string::npos) << said;
}

// A list of changes too long for one line of output once passed for none.
TEST(Package, NamesNoRevisionThatLacksWhatWasPacked) {
    WASMPLUG_NEEDS_PROGRAM("git");
    WASMPLUG_NEEDS_PROGRAM("clang");
    Sandbox sandbox;
    sandbox.write("a/go.mod", "module x.org/a\n");
    sandbox.write("a/main.go", "package main\n");
    sandbox.write(".gitignore", "build/\ndist/\n");
    sandbox.write("a/build/plugin.wasm", read_file(*built_plugin("script")));
    const auto packed_revision = [&] {
        const auto packed = sandbox.run({"package", "a"});
        EXPECT_EQ(packed.exit_code, 0) << packed.err;
        return sandbox.shell("grep -rl image.revision dist a/dist | wc -l; rm -rf dist a/dist").out;
    };
    const auto made = sandbox.shell(
        "git init -q -b main && git config user.name tests && git config user.email "
        "tests@example.invalid && git add -A && git commit -q -m first");
    ASSERT_EQ(made.exit_code, 0) << made.err;
    EXPECT_EQ(packed_revision(), "1\n");
    for (int i = 0; i < 200; ++i) {
        sandbox.write("a/notes/" + std::to_string(i) + "-" + std::string(40, 'x'), "");
    }
    ASSERT_EQ(sandbox.shell("git add -A").exit_code, 0);
    EXPECT_EQ(packed_revision(), "0\n");
}

}  // namespace
}  // namespace wasmplug::test
