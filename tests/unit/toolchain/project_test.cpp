#include "toolchain/project.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "base/error.hpp"
#include "base/file.hpp"

namespace wasmplug::toolchain {
namespace {

namespace fs = std::filesystem;

class ProjectFolder : public ::testing::Test {
  protected:
    void put(const fs::path& path, std::string_view text) const {
        fs::create_directories((root() / path).parent_path());
        write_file(root() / path, text);
    }

    const fs::path& root() const { return directory_.path(); }

  private:
    TemporaryDirectory directory_;
};

TEST_F(ProjectFolder, IsRustByItsCargoManifest) {
    put("Cargo.toml", "[package]\nname = \"auth\"\nversion = \"1.0.0\"\n");
    put("src/lib.rs", "");
    const auto project = project_at(root());
    ASSERT_TRUE(project);
    EXPECT_EQ(project->language, Language::rust);
    EXPECT_EQ(project->name, "auth");
    EXPECT_EQ(project->version, "1.0.0");
    EXPECT_EQ(project->module(), root() / "build" / "plugin.wasm");
}

TEST_F(ProjectFolder, IsGoAndTakesItsVersionFromAFile) {
    put("go.mod", "module example.com/auth\n");
    put("main.go", "package main\n");
    put("VERSION", "0.4.2\n");
    const auto project = project_at(root());
    ASSERT_TRUE(project);
    EXPECT_EQ(project->language, Language::go);
    EXPECT_EQ(project->name, "auth");
    EXPECT_EQ(project->version, "0.4.2");
}

TEST_F(ProjectFolder, IsAssemblyScriptOnlyWithItsCompiler) {
    put("package.json", R"({"name": "auth", "devDependencies": {"typescript": "5"}})");
    EXPECT_FALSE(project_at(root()));
    put("package.json", R"({"name": "auth", "devDependencies": {"assemblyscript": "0.28"}})");
    EXPECT_EQ(project_at(root())->language, Language::assemblyscript);
}

TEST_F(ProjectFolder, IsCppByItsSourcesAndNamedByTheFolderIfByNothingElse) {
    put("auth/src/plugin.cc", "");
    const auto project = project_at(root() / "auth");
    ASSERT_TRUE(project);
    EXPECT_EQ(project->language, Language::cpp);
    EXPECT_EQ(project->name, "auth");
    put("auth/CMakeLists.txt", "project(better VERSION 3.0) # wasm");
    EXPECT_EQ(project_at(root() / "auth")->name, "better");
    put("auth/CMakeLists.txt", "project(a_native_program)");
    EXPECT_FALSE(project_at(root() / "auth"));
}

TEST_F(ProjectFolder, SaysWhatItLookedForWhenThereIsNone) {
    try {
        find_projects(root());
        FAIL();
    } catch (const Error& error) {
        EXPECT_NE(error.hint().find("Cargo.toml"), std::string::npos);
    }
    EXPECT_THROW(find_projects(root() / "nowhere"), Error);
}

TEST_F(ProjectFolder, OfACargoWorkspaceGivesItsPluginsAndNotTheirLibraries) {
    put("Cargo.toml",
        "[workspace]\nmembers = [\"plugins/*\", \"shared\"]\n[workspace.package]\n"
        "version = \"2.0.0\"\n");
    for (const char* name : {"b", "a"}) {
        put(fs::path("plugins") / name / "Cargo.toml",
            std::string("[package]\nname = \"") + name +
                "\"\nversion.workspace = true\n[lib]\ncrate-type = [\"cdylib\"]\n");
    }
    put("shared/Cargo.toml", "[package]\nname = \"shared\"\n");
    const auto projects = find_projects(root());
    ASSERT_EQ(projects.size(), 2u);
    EXPECT_EQ(projects[0].name, "a");
    EXPECT_EQ(projects[1].version, "2.0.0");
}

TEST_F(ProjectFolder, OfGoAndNpmWorkspacesGivesTheirMembers) {
    put("go/go.work", "use (\n ./a\n ./lib\n)\n");
    put("go/a/go.mod", "module x/a\n");
    put("go/a/main.go", "package main\n");
    put("go/lib/go.mod", "module x/lib\n");
    EXPECT_EQ(find_projects(root() / "go").size(), 1u);

    put("npm/package.json",
        R"({"workspaces": ["plugins/*"], "devDependencies": {"assemblyscript": "0.28"}})");
    put("npm/plugins/one/package.json", R"({"name": "one"})");
    put("npm/plugins/one/assembly/index.ts", "");
    const auto npm = find_projects(root() / "npm");
    ASSERT_EQ(npm.size(), 1u);
    EXPECT_EQ(npm[0].name, "one");
}

TEST_F(ProjectFolder, OfSeveralLanguagesGivesEveryProjectBelow) {
    put("rust/Cargo.toml", "[package]\nname = \"r\"\n");
    put("go/go.mod", "module g\n");
    put("cpp/CMakeLists.txt", "project(c) # wasm32");
    put("cpp/src/plugin.cc", "");
    put("rust/node_modules/x/package.json", R"({"dependencies": {"assemblyscript": "1"}})");
    const auto projects = find_projects(root());
    ASSERT_EQ(projects.size(), 3u);
    EXPECT_EQ(projects[0].name, "c");
    EXPECT_EQ(projects[2].name, "r");
}

TEST_F(ProjectFolder, ExpandsPatternsOfMembersAsCargoAndNpmDo) {
    put("Cargo.toml",
        "[workspace]\nmembers = [\"*-auth\", \"deep/**/p?\", \"plain\"]\n"
        "exclude = [\"old-auth\"]\n");
    for (const char* name :
         {"edge-auth", "old-auth", "deep/p1", "deep/a/b/p2", "deep/a/other", "plain", ".h-auth"}) {
        put(fs::path(name) / "Cargo.toml",
            "[package]\nname = \"x\"\n[lib]\ncrate-type = [\"cdylib\"]\n");
    }
    std::vector<std::string> found;
    for (const auto& project : find_projects(root())) {
        found.push_back(project.directory.lexically_relative(root()).string());
    }
    EXPECT_EQ(found, (std::vector<std::string>{"deep/a/b/p2", "deep/p1", "edge-auth", "plain"}));
}

TEST_F(ProjectFolder, OfACargoWorkspaceMayBeItsRootToo) {
    const std::string plugin = "[package]\nname = \"x\"\n[lib]\ncrate-type = [\"cdylib\"]\n";
    put("Cargo.toml", plugin + "[workspace]\nmembers = [\"other\"]\n");
    put("other/Cargo.toml", plugin);
    EXPECT_EQ(find_projects(root()).size(), 2u);
}

TEST_F(ProjectFolder, OfAnNpmWorkspaceIsNoLibraryThatAnotherMemberUses) {
    put("package.json", R"({"workspaces": ["packages/*", "!packages/old"]})");
    put("packages/a/package.json", R"({"name": "@x/a", "dependencies": {"@x/shared": "*"}})");
    for (const char* name : {"shared", "old"}) {
        put(fs::path("packages") / name / "package.json",
            std::string(R"({"name": "@x/)") + name + "\"}");
    }
    for (const char* name : {"a", "shared", "old"}) {
        put(fs::path("packages") / name / "assembly/index.ts", "");
    }
    const auto projects = find_projects(root());
    ASSERT_EQ(projects.size(), 1u);
    EXPECT_EQ(projects[0].name, "a");
}

TEST_F(ProjectFolder, OfAGoModuleIsEachFolderWithAMain) {
    put("go.mod", "module example.com/plugins\n");
    put("auth/plugin.go", "// Command auth.\npackage main\n");
    put("cache/main.go", "package main\n");
    put("internal/shared.go", "package internal\n");
    put("internal/gen.go", "//go:build ignore\n\npackage main\n");
    put("tools/main_test.go", "package main\n");
    const auto projects = find_projects(root());
    ASSERT_EQ(projects.size(), 2u);
    EXPECT_EQ(projects[0].name, "auth");
    EXPECT_EQ(projects[1].name, "cache");
    EXPECT_FALSE(project_at(root())) << "no main package is in its root";
    EXPECT_FALSE(project_at(root() / "internal"));
}

}  // namespace
}  // namespace wasmplug::toolchain
