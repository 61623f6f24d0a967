// Workspaces of Cargo, Go and npm, and C++ plugins beside a common header, by real compilers:
// which plugins they hold, and which a change concerns.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

using Paths = std::vector<std::string>;

const std::string cpp_plugin =
    "#include \"../../common/zero.h\"\n"
    "extern \"C\" {\n"
    "__attribute__((export_name(\"proxy_abi_version_0_2_1\"))) void abi() {}\n"
    "__attribute__((export_name(\"malloc\"))) void* allocate(unsigned) { return zero(); }\n"
    "}\n";

std::string go_plugin(const std::string& shared) {
    return "package main\n\nimport \"" + shared +
           "\"\n\n"
           "//go:wasmexport proxy_abi_version_0_2_0\nfunc abi() {}\n\n"
           "//go:wasmexport proxy_on_memory_allocate\n"
           "func allocate(size uint32) uint32 { return shared.Zero() }\n\n"
           "func main() {}\n";
}

const std::string go_library = "package shared\n\nfunc Zero() uint32 { return 0 }\n";

class Workspace : public ::testing::Test {
  protected:
    // Skips what was not asked for or cannot be built here.
    void needs(const std::string& language) {
        if (!wants_language(language)) {
            GTEST_SKIP() << language << " was not asked for";
        }
        WASMPLUG_NEEDS(use_toolchain(sandbox_, language), language);
        WASMPLUG_NEEDS_PROGRAM("git");
        if (language == "rust") {
            compiler_ = {"--compiler", "/usr/bin/cargo"};
        }
        sandbox_.write(".gitignore", "build/\ntarget/\nnode_modules/\n");
    }

    void commit() {
        const auto git = sandbox_.shell(
            "test -d .git || git init -q; git add -A && "
            "git -c user.name=t -c user.email=t@localhost commit -qm change");
        ASSERT_EQ(git.exit_code, 0) << git.err;
    }

    nlohmann::json build(Paths args) {
        args.insert(args.begin(), {"build", "--no-optimize"});
        args.insert(args.end(), compiler_.begin(), compiler_.end());
        return sandbox_.json(args)["modules"];
    }

    static Paths paths(const nlohmann::json& modules) {
        Paths found;
        for (const auto& module : modules) {
            found.push_back(module["path"]);
        }
        return found;
    }

    // What is built again when `file` has one line more than in git; then it is as before.
    Paths concerned(const std::string& file, const std::string& line) {
        const std::string before = sandbox_.read(file);
        sandbox_.write(file, before + line);
        const auto built = paths(build({"--changed-since", "HEAD"}));
        sandbox_.write(file, before);
        return built;
    }

    // Both plugins at the root, one alone, neither a second time, and the right ones for a change
    // of one and of what they share.
    void holds(const std::string& one, const std::string& two, const std::string& source,
               const std::string& shared, const std::string& comment) {
        const Paths both{one + "/build/plugin.wasm", two + "/build/plugin.wasm"};
        EXPECT_EQ(paths(build({})), both);
        commit();
        for (const auto& module : build({})) {
            EXPECT_EQ(module["unchanged"], true) << module;
        }
        EXPECT_EQ(paths(build({two})), Paths{both[1]});
        EXPECT_EQ(paths(build({"--changed-since", "HEAD"})), Paths{});
        EXPECT_EQ(concerned(one + "/" + source, comment), Paths{both[0]});
        EXPECT_EQ(concerned(shared, comment), both);
    }

    Sandbox sandbox_;
    Paths compiler_;
};

TEST_F(Workspace, OfCargoHoldsItsPluginsAndNotTheCrateThatTheyShare) {
    needs("rust");
    if (IsSkipped() || HasFatalFailure()) {
        return;
    }
    sandbox_.write("Cargo.toml",
                   "[workspace]\nmembers = [\"*-plugin\", \"shared\"]\nresolver = \"2\"\n"
                   "[workspace.package]\nversion = \"3.1.0\"\n"
                   "[workspace.dependencies]\nshared = { path = \"shared\" }\n"
                   // As in the scaffolds, so that Rust's library is built once for all suites.
                   "[profile.release]\nopt-level = \"s\"\nlto = true\ncodegen-units = 1\n"
                   "panic = \"abort\"\nstrip = true\n");
    sandbox_.write("shared/Cargo.toml",
                   "[package]\nname = \"shared\"\nversion = \"1.0.0\"\nedition = \"2021\"\n");
    sandbox_.write("shared/src/lib.rs",
                   "pub fn zero() -> *mut u8 {\n    core::ptr::null_mut()\n}\n");
    for (const std::string name : {"a-plugin", "b-plugin"}) {
        sandbox_.write(name + "/Cargo.toml",
                       "[package]\nname = \"" + name +
                           "\"\nversion.workspace = true\nedition = \"2021\"\n"
                           "[lib]\ncrate-type = [\"cdylib\"]\n"
                           "[dependencies]\nshared.workspace = true\n");
        sandbox_.write(name + "/src/lib.rs",
                       "#[no_mangle]\npub extern \"C\" fn proxy_abi_version_0_2_1() {}\n"
                       "#[no_mangle]\npub extern \"C\" fn proxy_on_memory_allocate(_: usize) -> "
                       "*mut u8 {\n    shared::zero()\n}\n");
    }
    holds("a-plugin", "b-plugin", "src/lib.rs", "shared/src/lib.rs", "// more\n");
    EXPECT_EQ(build({"a-plugin"})[0]["project_version"], "3.1.0");
}

TEST_F(Workspace, OfGoHoldsItsPluginsAndNotTheModuleThatTheyShare) {
    needs("go");
    if (IsSkipped() || HasFatalFailure()) {
        return;
    }
    sandbox_.write("go.work", "go 1.24\n\nuse (\n\t./a\n\t./b\n\t./shared\n)\n");
    sandbox_.write("shared/go.mod", "module example.com/shared\n\ngo 1.24\n");
    sandbox_.write("shared/shared.go", go_library);
    for (const std::string name : {"a", "b"}) {
        sandbox_.write(name + "/go.mod", "module example.com/" + name + "\n\ngo 1.24\n");
        sandbox_.write(name + "/plugin.go", go_plugin("example.com/shared"));
    }
    holds("a", "b", "plugin.go", "shared/shared.go", "// more\n");
}

TEST_F(Workspace, OfOneGoModuleHoldsAPluginForEachMain) {
    needs("go");
    if (IsSkipped() || HasFatalFailure()) {
        return;
    }
    sandbox_.write("go.mod", "module example.com/plugins\n\ngo 1.24\n");
    sandbox_.write("internal/shared/shared.go", go_library);
    for (const std::string name : {"auth", "cache"}) {
        sandbox_.write(name + "/main.go", go_plugin("example.com/plugins/internal/shared"));
    }
    holds("auth", "cache", "main.go", "internal/shared/shared.go", "// more\n");
    // A new file of the library, which git does not know yet, lies below neither plugin.
    sandbox_.write("internal/shared/more.go", "package shared\n");
    EXPECT_EQ(paths(build({"--changed-since", "HEAD"})),
              (Paths{"auth/build/plugin.wasm", "cache/build/plugin.wasm"}));
}

TEST_F(Workspace, OfNpmHoldsItsPluginsAndNotThePackageThatTheyShare) {
    needs("assemblyscript");
    if (IsSkipped() || HasFatalFailure()) {
        return;
    }
    // The compiler is what the root asks for; npm would not install it for a member alone.
    sandbox_.write("package.json", R"({"private": true, "workspaces": ["packages/*"],)"
                                   R"( "devDependencies": {"assemblyscript": "0.28.20"}})");
    sandbox_.write("packages/shared/package.json", R"({"name": "@team/shared"})");
    sandbox_.write("packages/shared/assembly/index.ts",
                   "export function zero(): usize { return 0; }\n");
    for (const std::string name : {"packages/one", "packages/two"}) {
        sandbox_.write(name + "/package.json",
                       R"({"version": "1.0.0", "dependencies": {"@team/shared": "*"}})");
        sandbox_.write(name + "/asconfig.json",
                       R"({"targets": {"release": {"runtime": "stub", "use": "abort="}}})");
        sandbox_.write(name + "/assembly/index.ts",
                       "import { zero } from \"@team/shared/assembly\";\n"
                       "export function proxy_abi_version_0_2_1(): void {}\n"
                       "export function malloc(size: usize): usize { return zero(); }\n");
    }
    holds("packages/one", "packages/two", "assembly/index.ts", "packages/shared/assembly/index.ts",
          "// more\n");
}

TEST_F(Workspace, OfCppIsAFolderWithACommonHeader) {
    needs("cpp");
    if (IsSkipped() || HasFatalFailure()) {
        return;
    }
    sandbox_.write("common/zero.h", "inline void* zero() { return nullptr; }\n");
    for (const std::string name : {"one", "two"}) {
        sandbox_.write(name + "/CMakeLists.txt", "project(x VERSION 1.0) # --target=wasm32\n");
        sandbox_.write(name + "/src/plugin.cc", cpp_plugin);
    }
    holds("one", "two", "src/plugin.cc", "common/zero.h", "// more\n");
}

}  // namespace
}  // namespace wasmplug::test
