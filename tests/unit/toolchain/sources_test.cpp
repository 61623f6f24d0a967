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
