// What git sets for a hook names the repository from a folder that need not be ours.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

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

}  // namespace
}  // namespace wasmplug::test
