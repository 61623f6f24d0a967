#include "toolchain/sources.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "base/file.hpp"

namespace wasmplug::toolchain {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

class SourcesOf : public ::testing::Test {
  protected:
    void put(const fs::path& path, std::string_view text) const {
        fs::create_directories((root() / path).parent_path());
        write_file(root() / path, text);
    }

    const fs::path& root() const { return directory_.path(); }

    // Relative to the root, sorted.
    Names sources_of(const fs::path& folder) const {
        Names names;
        for (const auto& file : Sources(*project_at(root() / folder)).files()) {
            names.push_back(file.lexically_relative(root()).string());
        }
        std::sort(names.begin(), names.end());
        return names;
    }

  private:
    TemporaryDirectory directory_;
};

TEST_F(SourcesOf, KnowsWhenASourceIsNewerThanTheModule) {
    put("go.mod", "module g\n");
    put("main.go", "package main\n");
    put("main_test.go", "package main\n");
    const Project project = *project_at(root());
    EXPECT_FALSE(newer_than_module(project)) << "nothing is built";
    put("build/plugin.wasm", "x");
    const auto built = fs::last_write_time(project.module());
    for (const char* file : {"go.mod", "main.go", "main_test.go"}) {
        fs::last_write_time(root() / file, built - std::chrono::seconds(10));
    }
    EXPECT_FALSE(newer_than_module(project));
    fs::last_write_time(root() / "main_test.go", built + std::chrono::seconds(10));
    EXPECT_FALSE(newer_than_module(project)) << "a test is no part of the module";
    fs::last_write_time(root() / "main.go", built + std::chrono::seconds(10));
    EXPECT_EQ(newer_than_module(project), root() / "main.go");
}

TEST_F(SourcesOf, CountsARustLibraryBesideItAmongItsSources) {
    put("auth/Cargo.toml",
        "[package]\nname = \"auth\"\n[dependencies]\nshared = { path = \"../shared\" }\n");
    put("auth/src/lib.rs", "");
    put("shared/src/lib.rs", "");
    EXPECT_EQ(sources_of("auth"),
              (Names{"auth/Cargo.toml", "auth/src/lib.rs", "shared/src/lib.rs"}));
}

TEST_F(SourcesOf, ACargoMemberAreItsLibrariesAndTheirsAndTheWorkspace) {
    put("Cargo.toml",
        "[workspace]\nmembers = [\"a\"]\n[workspace.dependencies]\n"
        "shared = { path = \"libs/shared\" }\nother = { path = \"libs/other\" }\n");
    put("Cargo.lock", "");
    put("a/Cargo.toml", "[package]\nname = \"a\"\n[dependencies]\nshared.workspace = true\n");
    put("a/src/lib.rs", "const T: &str = include_str!(\"../../texts/hello.txt\");\n");
    put("a/src/page.html", "");
    put("a/tests/host.rs", "");
    put("a/README.md", "");
    put("texts/hello.txt", "");
    put("libs/shared/Cargo.toml",
        "[package]\nname = \"shared\"\n[dependencies.base]\npath = \"../base\"\n");
    put("libs/shared/src/lib.rs", "");
    put("libs/base/src/lib.rs", "");
    put("libs/other/src/lib.rs", "");
    EXPECT_EQ(sources_of("a"),
              (Names{"Cargo.lock", "Cargo.toml", "a/Cargo.toml", "a/src/lib.rs", "a/src/page.html",
                     "libs/base/src/lib.rs", "libs/shared/Cargo.toml", "libs/shared/src/lib.rs",
                     "texts/hello.txt"}));
}

TEST_F(SourcesOf, AGoPluginAreTheLocalPackagesThatItImports) {
    put("go.work", "go 1.24\nuse (\n ./a\n ./lib\n)\nreplace x.org/r => ./r\n");
    put("a/go.mod", "module x.org/a\n");
    put("a/main.go",
        "package main\n\nimport (\n\t\"fmt\"\n\tl \"x.org/lib/log\"\n)\n\nimport \"x.org/r\"\n");
    put("a/main_test.go", "package main\n");
    put("lib/go.mod", "module x.org/lib\n");
    put("lib/log/log.go", "package log\n\nimport \"x.org/lib/deep\"\n");
    put("lib/deep/deep.go", "package deep\n");
    put("lib/unused/unused.go", "package unused\n");
    put("r/go.mod", "module x.org/r\n");
    put("r/r.go", "package r\n");
    EXPECT_EQ(sources_of("a"), (Names{"a/go.mod", "a/main.go", "go.work", "lib/deep/deep.go",
                                      "lib/go.mod", "lib/log/log.go", "r/go.mod", "r/r.go"}));
}

TEST_F(SourcesOf, AGoPluginAreNotTheOtherPluginsOfItsModule) {
    put("go.mod", "module x.org/all\n");
    put("a/main.go", "package main\n\nimport \"x.org/all/internal/log\"\n");
    put("b/main.go", "package main\n");
    put("internal/log/log.go", "package log\n");
    EXPECT_EQ(sources_of("a"), (Names{"a/main.go", "go.mod", "internal/log/log.go"}));
    EXPECT_EQ(sources_of("b"), (Names{"b/main.go", "go.mod"}));
}

TEST_F(SourcesOf, AnNpmMemberAreThePackagesThatItUsesAndWhatItImportsFromAbove) {
    put("package.json", R"({"workspaces": ["p/*"]})");
    put("package-lock.json", "{}");
    put("p/a/package.json", R"({"name": "a", "dependencies": {"s": "*", "l": "file:../../l"}})");
    put("p/a/assembly/index.ts", "import { x } from \"../../../common/x\";\n");
    put("p/s/package.json", R"({"name": "s"})");
    put("p/s/assembly/index.ts", "");
    put("p/b/package.json", R"({"name": "b"})");
    put("p/b/assembly/index.ts", "");
    put("l/index.ts", "");
    put("p/a/asconfig.json", R"({"extends": "../../asconfig.base.json", "targets": {}})");
    put("asconfig.base.json", R"({"extends": "./asconfig.base.json"})");
    put("common/x.ts", "export * from './y';\n");
    put("common/y.ts", "");
    put("common/z.ts", "");
    EXPECT_EQ(sources_of("p/a"), (Names{"asconfig.base.json", "common/x.ts", "common/y.ts",
                                        "l/index.ts", "p/a/asconfig.json", "p/a/assembly/index.ts",
                                        "p/a/package.json", "p/s/assembly/index.ts",
                                        "p/s/package.json", "package-lock.json", "package.json"}));
}

TEST_F(SourcesOf, ACppPluginAreTheHeadersThatItIncludesFromAbove) {
    put("a/CMakeLists.txt", "project(a) # wasm");
    put("a/src/plugin.cc", "#include <string>\n#include \"../../common/x.h\"\n");
    put("common/x.h", "#include \"y.h\"\n");
    put("common/y.h", "");
    put("common/z.h", "");
    EXPECT_EQ(sources_of("a"),
              (Names{"a/CMakeLists.txt", "a/src/plugin.cc", "common/x.h", "common/y.h"}));
}

TEST_F(SourcesOf, CountsWhatItsSourcesNameInTheProject) {
    put("r/Cargo.toml", "[package]\nname = \"r\"\n");
    put("r/src/lib.rs", "const D: &str = include_str!(\"../config/defaults.json\");\n");
    put("r/config/defaults.json", "{}");
    put("r/config/other.json", "{}");
    EXPECT_EQ(sources_of("r"), (Names{"r/Cargo.toml", "r/config/defaults.json", "r/src/lib.rs"}));
    put("c/CMakeLists.txt", "project(c) # wasm");
    put("c/src/plugin.cc", "#include \"table.hh\"\n#include \"rules.def\"\n");
    put("c/src/table.hh", "");
    put("c/src/rules.def", "");
    EXPECT_EQ(sources_of("c"),
              (Names{"c/CMakeLists.txt", "c/src/plugin.cc", "c/src/rules.def", "c/src/table.hh"}));
    put("a/package.json", "{}");
    put("a/assembly/index.ts", "import { x } from\n  \"../test/x\";\n");
    put("a/test/x.ts", "");
    put("a/test/y.ts", "");
    put("a/asconfig.json", R"({"extends": "./conf/asconfig.json"})");
    put("a/conf/asconfig.json", R"({"extends": "./base.json"})");
    put("a/conf/base.json", "{}");
    EXPECT_EQ(sources_of("a"),
              (Names{"a/asconfig.json", "a/assembly/index.ts", "a/conf/asconfig.json",
                     "a/conf/base.json", "a/package.json", "a/test/x.ts"}));
}

TEST_F(SourcesOf, WatchesNoFolderOfTheProjectTwice) {
    put("Cargo.toml", "[package]\nname = \"r\"\n");
    put("src/lib.rs", "const D: &str = include_str!(\"../config/defaults.json\");\n");
    put("config/defaults.json", "{}");
    const Sources sources(*project_at(root()));
    EXPECT_EQ(sources.folders(), std::vector<fs::path>{root()});
    EXPECT_TRUE(sources.has(root() / "config/defaults.json"));
}

TEST_F(SourcesOf, AGoPluginAreTheFilesThatItEmbeds) {
    put("go.mod", "module x.org/a\n");
    put("main.go",
        "package main\n\nimport _ \"embed\"\n\n//go:embed rules.json \"with space.txt\"\n"
        "var rules string\n\n//go:embed static pages/*.html\nvar files embed.FS\n"
        "// go:embed comment.txt\n\n//go:embed all:hidden\nvar hidden embed.FS\n");
    put("main_test.go", "package main\n\n//go:embed only_a_test.json\nvar t string\n");
    for (const char* file : {"rules.json", "with space.txt", "static/a/x.css", "static/.left/out",
                             "static/_out", "pages/a.html", "pages/a.txt", "pages/deep/b.html",
                             "hidden/.in/x", "comment.txt", "only_a_test.json", "other.json"}) {
        put(file, "");
    }
    EXPECT_EQ(sources_of(""), (Names{"go.mod", "hidden/.in/x", "main.go", "pages/a.html",
                                     "rules.json", "static/a/x.css", "with space.txt"}));
    const Sources sources(*project_at(root()));
    EXPECT_TRUE(sources.has(root() / "static/gone.css"));
    EXPECT_TRUE(sources.has(root() / "pages/gone.html"));
    EXPECT_FALSE(sources.has(root() / "pages/gone.txt"));
}

TEST_F(SourcesOf, RefusesFoldersOfTestsAndBuildsAtTheTopOnly) {
    put("r/Cargo.toml", "[package]\nname = \"r\"\n");
    for (const char* file :
         {"r/src/lib.rs", "r/src/target/mod.rs", "r/src/test/mod.rs", "r/src/build/mod.rs",
          "r/target/x.rs", "r/tests/x.rs", "r/src/.hidden/x.rs", "r/src/node_modules/x.rs"}) {
        put(file, "");
    }
    EXPECT_EQ(sources_of("r"), (Names{"r/Cargo.toml", "r/src/build/mod.rs", "r/src/lib.rs",
                                      "r/src/target/mod.rs", "r/src/test/mod.rs"}));
    put("g/go.mod", "module x.org/g\n");
    put("g/main.go",
        "package main\n\nimport (\n\t\"x.org/g/internal/target\"\n\t\"x.org/g/test\"\n)\n");
    put("g/internal/target/t.go", "package target\n");
    put("g/test/t.go", "package test\n");
    put("g/bench/b.go", "package bench\n");
    EXPECT_EQ(sources_of("g"),
              (Names{"g/go.mod", "g/internal/target/t.go", "g/main.go", "g/test/t.go"}));
}

TEST_F(SourcesOf, LeavesOutWhatOnlyTestsUse) {
    put("r/Cargo.toml",
        "[package]\nname = \"r\"\n[dev-dependencies]\ntestkit = { path = \"../testkit\" }\n"
        "[target.'cfg(unix)'.dev-dependencies.more]\npath = \"../more\"\n");
    put("r/src/lib.rs", "");
    put("testkit/src/lib.rs", "");
    put("more/src/lib.rs", "");
    EXPECT_EQ(sources_of("r"), (Names{"r/Cargo.toml", "r/src/lib.rs"}));
    put("g/go.mod", "module x.org/g\n");
    put("g/a/main.go", "package main\n");
    put("g/a/main_test.go", "package main\n\nimport \"x.org/g/testkit\"\n");
    put("g/testkit/t.go", "package testkit\n");
    EXPECT_EQ(sources_of("g/a"), (Names{"g/a/main.go", "g/go.mod"}));
    put("c/CMakeLists.txt", "project(c) # wasm");
    put("c/src/plugin.cc", "");
    put("c/src/plugin_test.cc", "#include \"fixture.h\"\n");
    EXPECT_EQ(sources_of("c"), (Names{"c/CMakeLists.txt", "c/src/plugin.cc"}));
}

TEST_F(SourcesOf, CountsTheLocksAndSettingsOfEveryTool) {
    put("Cargo.toml", "[workspace]\nmembers = [\"r\"]\n");
    put("rust-toolchain.toml", "");
    put(".cargo/config.toml", "");
    put("r/Cargo.toml", "[package]\nname = \"r\"\n");
    put("r/src/lib.rs", "");
    put("r/.cargo/config.toml", "");
    EXPECT_EQ(sources_of("r"), (Names{".cargo/config.toml", "Cargo.toml", "r/.cargo/config.toml",
                                      "r/Cargo.toml", "r/src/lib.rs", "rust-toolchain.toml"}));
    put("n/package.json", R"({"workspaces": ["p"]})");
    put("n/yarn.lock", "");
    put("n/pnpm-lock.yaml", "");
    put("n/p/package.json", "{}");
    put("n/p/yarn.lock", "");
    put("n/p/assembly/index.ts", "");
    EXPECT_EQ(sources_of("n/p"),
              (Names{"n/p/assembly/index.ts", "n/p/package.json", "n/p/yarn.lock", "n/package.json",
                     "n/pnpm-lock.yaml", "n/yarn.lock"}));
    put("g/go.work", "go 1.24\nuse .\n");
    put("g/go.mod", "module x.org/g\n");
    put("g/main.go", "package main\n");
    EXPECT_EQ(sources_of("g"), (Names{"g/go.mod", "g/go.work", "g/main.go"}));
}

TEST_F(SourcesOf, FollowsTheLibrariesOfALibraryInTheProject) {
    put("r/Cargo.toml",
        "[package]\nname = \"r\"\n[dependencies]\nown = { path = \"crates/own\" }\n");
    put("r/src/lib.rs", "");
    put("r/crates/own/Cargo.toml",
        "[package]\nname = \"own\"\n[dependencies]\n"
        "lib = { path = \"../../../workspace-lib\", default-features = true }\n");
    put("r/crates/own/src/lib.rs", "");
    put("workspace-lib/src/lib.rs", "");
    EXPECT_EQ(sources_of("r"),
              (Names{"r/Cargo.toml", "r/crates/own/Cargo.toml", "r/crates/own/src/lib.rs",
                     "r/src/lib.rs", "workspace-lib/src/lib.rs"}));
}

TEST_F(SourcesOf, AProjectStillHasAFileThatIsGone) {
    put("a/Cargo.toml", "[package]\nname = \"a\"\n[dependencies]\ns = { path = \"../s\" }\n");
    put("s/src/lib.rs", "");
    const Sources sources(*project_at(root() / "a"));
    EXPECT_TRUE(sources.has(root() / "a/src/gone.rs"));
    EXPECT_TRUE(sources.has(root() / "s/src/gone.rs"));
    EXPECT_FALSE(sources.has(root() / "b/src/gone.rs"));
    EXPECT_FALSE(sources.has(root() / "a/target/x.rs"));
    EXPECT_FALSE(sources.has(root() / "a/README.md"));
}

}  // namespace
}  // namespace wasmplug::toolchain
