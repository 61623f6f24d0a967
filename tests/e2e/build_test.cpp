// build on real compilers, and with each of their parts hidden.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <mutex>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/hash.hpp"
#include "base/process.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"
#include "tests/unit/wasm/builder.hpp"
#include "wasm/lint.hpp"
#include "wasm/loading.hpp"

namespace wasmplug::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* smallest_cpp =
    "extern \"C\" {\n"
    "__attribute__((export_name(\"proxy_abi_version_0_2_1\"))) void abi() {}\n"
    "__attribute__((export_name(\"malloc\"))) void* allocate(unsigned) { return nullptr; }\n"
    "}\n";

constexpr const char* cmake = "project(tiny VERSION 1.2.3)\n# clang++ --target=wasm32\n";

void write_tiny(const Sandbox& sandbox, const std::string& folder = "tiny") {
    sandbox.write(folder + "/CMakeLists.txt", cmake);
    sandbox.write(folder + "/src/plugin.cc", smallest_cpp);
}

class BuildOf : public ::testing::TestWithParam<std::string> {};

TEST_P(BuildOf, AScaffoldedProjectIsAModuleThatEnvoyLoadsAndIsTheSameInAnyFolder) {
    const std::string language = GetParam();
    if (!wants_language(language)) {
        GTEST_SKIP() << language << " was not asked for";
    }
    Sandbox sandbox;
    WASMPLUG_NEEDS(use_toolchain(sandbox, language), language);
    const auto made = sandbox.run(
        {"init", "p", "--language", language, "--pattern", "response-headers", "--name", "p"});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    std::vector<std::string> build{"build", "p"};
    if (language == "rust") {
        build.insert(build.end(), {"--compiler", "/usr/bin/cargo"});
    }
    const auto first = sandbox.json(build)["modules"][0];
    EXPECT_EQ(first["name"], "p");
    EXPECT_EQ(first["language"], language);
    const std::string bytes = sandbox.read(first["path"].get<std::string>());
    EXPECT_EQ(first["size"], bytes.size());
    EXPECT_EQ(first["module_sha256"], sha256_hex(bytes));
    const auto verdict = wasm::would_load(bytes, wasm::envoy_rules(wasm::newest_envoy_minor()));
    EXPECT_TRUE(verdict.loads) << verdict.message;
    const auto guess = wasm::guess_language(bytes, wasm::read_module(bytes));
    EXPECT_EQ(wasm::to_text(guess.language), language == "cpp"              ? "C++"
                                             : language == "rust"           ? "Rust"
                                             : language == "assemblyscript" ? "AssemblyScript"
                                                                            : "Go")
        << guess.evidence;

    // The same project somewhere else, written later: cargo's shared folder holds the first.
    ASSERT_EQ(sandbox
                  .run({"init", "else/where/p", "--language", language, "--pattern",
                        "response-headers", "--name", "p"})
                  .exit_code,
              0);
    build[1] = "else/where/p";
    EXPECT_EQ(sandbox.json(build)["modules"][0]["module_sha256"], first["module_sha256"]);
    // Where it was built, or by whom, is not in the module.
    for (const auto& place : {sandbox.work().string(), cache_folder().string()}) {
        EXPECT_EQ(bytes.find(place), std::string::npos) << place;
    }
}

INSTANTIATE_TEST_SUITE_P(Languages, BuildOf,
                         ::testing::Values("cpp", "rust", "go", "assemblyscript"),
                         [](const auto& test) { return test.param; });

// With Debian's compiler and C library; rustup's target has both inside. It takes a second
// standard library, a minute when the cache is cold: nothing else shows that the target works.
TEST(Build, OfRustForWasip1IsAModuleThatEnvoyLoads) {
    if (!wants_language("rust")) {
        GTEST_SKIP() << "rust was not asked for";
    }
    const fs::path libc = "/usr/lib/wasm32-wasi";
    Sandbox sandbox;
    WASMPLUG_NEEDS(use_toolchain(sandbox, "rust") && fs::exists(libc / "crt1-reactor.o"), "rust");
    sandbox.set("CARGO_TARGET_WASM32_WASIP1_LINKER", "wasm-ld-19");
    sandbox.set("CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS",
                "-Clink-self-contained=no -L" + libc.string());
    ASSERT_EQ(sandbox
                  .run({"init", "p", "--language", "rust", "--pattern", "response-headers",
                        "--name", "p"})
                  .exit_code,
              0);
    const auto built = sandbox.json(
        {"build", "p", "--compiler", "/usr/bin/cargo", "--target", "wasm32-wasip1"})["modules"][0];
    const std::string bytes = sandbox.read(built["path"].get<std::string>());
    const auto verdict = wasm::would_load(bytes, wasm::envoy_rules(wasm::oldest_envoy_minor));
    EXPECT_TRUE(verdict.loads) << verdict.message;
    const auto module = wasm::read_module(bytes);
    EXPECT_EQ(std::count_if(module.imports.begin(), module.imports.end(),
                            [](const auto& each) { return wasm::is_wasi_module(each.module); }),
              4);
    // The project's flags and ours both reached the compiler.
    EXPECT_EQ(bytes.find(cache_folder().string()), std::string::npos);
    const auto tested = sandbox.run({"test", "p"});
    EXPECT_EQ(tested.exit_code, 0) << tested.out << tested.err;
}

TEST(Build, OfGoIsReproducibleFromAnyFolder) {
    if (!wants_language("go")) {
        GTEST_SKIP() << "go was not asked for";
    }
    Sandbox sandbox;
    WASMPLUG_NEEDS(use_toolchain(sandbox, "go"), "go");
    for (const char* folder : {"here/p", "there/deeper/p"}) {
        sandbox.write(std::string(folder) + "/go.mod", "module example.com/p\n\ngo 1.24\n");
        sandbox.write(std::string(folder) + "/main.go",
                      "package main\n\n"
                      "//go:wasmexport proxy_abi_version_0_2_0\nfunc abi() {}\n\n"
                      "//go:wasmexport proxy_on_memory_allocate\n"
                      "func allocate(size uint32) uint32 { return 0 }\n\n"
                      "func main() {}\n");
    }
    const auto here = sandbox.json({"build", "here/p"})["modules"][0];
    const auto there = sandbox.json({"build", "there/deeper/p"})["modules"][0];
    EXPECT_EQ(here["module_sha256"], there["module_sha256"]);
    EXPECT_TRUE(here["optimised_by"].is_null()) << "only when asked";
    const auto inspected = sandbox.json({"inspect", "here/p/build/plugin.wasm"});
    EXPECT_EQ(inspected["language"]["name"], "Go");
    EXPECT_EQ(inspected["loads_since"], "envoy-1.33");
    EXPECT_EQ(inspected["warnings"][0]["id"], "wasi");
}

TEST(Build, GivesTinyGoItsOwnFlags) {
    Sandbox sandbox;
    sandbox.write("p/go.mod", "module example.com/p\n");
    sandbox.write("p/main.go", "package main\n");
    sandbox.add_script("tinygo", "echo \"tinygo $*\" >&2; exit 7");
    const auto result = sandbox.run({"build", "p", "--compiler", "tinygo"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_NE(result.err.find("tinygo build -target=wasip1 -buildmode=c-shared"), std::string::npos)
        << result.err;
    EXPECT_NE(result.err.find("tinygo ended with 7"), std::string::npos) << result.err;
}

// No registry has TinyGo: a stand-in takes its command line and leaves a module where -o says.
TEST(Build, TakesTheModuleThatTinyGoLeaves) {
    Sandbox sandbox;
    sandbox.write("p/go.mod", "module example.com/p\n");
    sandbox.write("p/main.go", "package main\n");
    sandbox.write("made.wasm", wasm::testing::smallest_plugin());
    sandbox.add_script("tinygo", "echo \"$*\" > \"" + (sandbox.work() / "said").string() +
                                     "\"\nwhile [ \"$1\" != -o ]; do shift; done\ncp \"" +
                                     (sandbox.work() / "made.wasm").string() + "\" \"$2\"");
    const auto module =
        sandbox.json({"build", "p", "--compiler", "tinygo", "--no-optimize"})["modules"][0];
    EXPECT_EQ(module["path"], "p/build/plugin.wasm");
    EXPECT_EQ(sandbox.read("p/build/plugin.wasm"), wasm::testing::smallest_plugin());
    const std::string said = sandbox.read("said");
    EXPECT_TRUE(
        said.starts_with("build -target=wasip1 -buildmode=c-shared -scheduler=none -no-debug -o /"))
        << said;
    EXPECT_TRUE(said.ends_with("/p/build/raw/plugin.wasm .\n")) << said;
}

TEST(Build, CompilesOnlyWhatChanged) {
    Sandbox sandbox;
    WASMPLUG_NEEDS(use_toolchain(sandbox, "cpp"), "cpp");
    write_tiny(sandbox);
    sandbox.write("tiny/src/other.cc", "#include \"other.h\"\nint other() { return OTHER; }\n");
    sandbox.write("tiny/src/other.h", "#define OTHER 1\n");
    const auto compiled = [&] {
        const auto result = sandbox.run({"build", "tiny", "-v"});
        EXPECT_EQ(result.exit_code, 0) << result.err;
        int count = 0;
        for (auto at = result.err.find(" -c "); at != std::string::npos;
             at = result.err.find(" -c ", at + 1)) {
            ++count;
        }
        return count;
    };
    EXPECT_EQ(compiled(), 2);
    EXPECT_EQ(compiled(), 0);
    sandbox.write("tiny/src/other.h", "#define OTHER 2\n");
    fs::last_write_time(sandbox.work() / "tiny/src/other.h",
                        fs::file_time_type::clock::now() + std::chrono::seconds(2));
    EXPECT_EQ(compiled(), 1);
}

TEST(Build, ShowsTheCompilersWordsAndEndsWithOne) {
    Sandbox sandbox;
    WASMPLUG_NEEDS(use_toolchain(sandbox, "cpp"), "cpp");
    write_tiny(sandbox);
    sandbox.write("tiny/src/wrong.cc", "int wrong() { return nothing; }\n");
    const auto result = sandbox.run({"build", "tiny"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(result.out, "");
    EXPECT_NE(result.err.find("use of undeclared identifier 'nothing'"), std::string::npos);
    EXPECT_FALSE(sandbox.exists("tiny/build/plugin.wasm"));
}

TEST(Build, RefusesAModuleWithoutAnAbiWhateverTheCompilerSaid) {
    Sandbox sandbox;
    WASMPLUG_NEEDS(use_toolchain(sandbox, "cpp"), "cpp");
    sandbox.write("tiny/CMakeLists.txt", cmake);
    sandbox.write("tiny/src/plugin.cc", "int x;\n");
    const auto result = sandbox.run({"build", "tiny"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_NE(result.err.find("Missing or unknown Proxy-Wasm ABI version"), std::string::npos)
        << result.err;
    EXPECT_FALSE(sandbox.exists("tiny/build/plugin.wasm"));
}

TEST(Build, TakesSeveralProjectsAndOnlyTheChangedOnesWhenAsked) {
    WASMPLUG_NEEDS_PROGRAM("git");
    Sandbox sandbox;
    WASMPLUG_NEEDS(use_toolchain(sandbox, "cpp"), "cpp");
    write_tiny(sandbox, "plugins/one");
    write_tiny(sandbox, "plugins/two");
    sandbox.write(".gitignore", "build/\n");
    const auto git = sandbox.shell(
        "git init -q && git add -A && "
        "git -c user.name=t -c user.email=t@localhost commit -qm start");
    ASSERT_EQ(git.exit_code, 0) << git.err;
    EXPECT_EQ(sandbox.json({"build", "plugins"})["modules"].size(), 2U);
    EXPECT_EQ(sandbox.json({"build", "plugins", "--changed-since", "HEAD"})["modules"].size(), 0U);
    sandbox.write("plugins/two/src/more.cc", "int more;\n");
    const auto changed = sandbox.json({"build", "plugins", "--changed-since", "HEAD"});
    ASSERT_EQ(changed["modules"].size(), 1U);
    EXPECT_EQ(changed["modules"][0]["path"], "plugins/two/build/plugin.wasm");
    EXPECT_EQ(sandbox.run({"build", "plugins", "--changed-since", "nowhere"}).exit_code, 1);
}

TEST(Build, WatchesUntilItIsInterrupted) {
    Sandbox sandbox;
    WASMPLUG_NEEDS(use_toolchain(sandbox, "cpp"), "cpp");
    write_tiny(sandbox);
    sandbox.write("tiny/tiny.test.yaml",
                  "wasmplug: 1\nplugin: {wasm: build/plugin.wasm}\n"
                  "tests: [{name: it loads, expect: {outcome: ok}}]\n");
    std::mutex mutex;
    std::string said;
    ProcessSpec spec = sandbox.spec({"build", "tiny", "--watch"});
    spec.on_stderr = [&](std::string_view text) {
        const std::scoped_lock lock(mutex);
        said += text;
    };
    Child child = start_process(spec);
    // Waits for `text` to have been said `times` times; false when that takes a minute.
    const auto hears = [&](const std::string& text, int times) {
        for (int tries = 0; tries < 6000; ++tries) {
            {
                const std::scoped_lock lock(mutex);
                int count = 0;
                for (auto at = said.find(text); at != std::string::npos;
                     at = said.find(text, at + 1)) {
                    ++count;
                }
                if (count >= times) {
                    return true;
                }
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return false;
    };
    ASSERT_TRUE(hears("1 passed", 1)) << said;
    ASSERT_TRUE(hears("waiting for changes", 1)) << said;
    sandbox.write("tiny/src/wrong.cc", "int wrong() { return nothing; }\n");
    ASSERT_TRUE(hears("undeclared identifier 'nothing'", 1)) << said;
    ASSERT_TRUE(hears("waiting for changes", 2)) << said;
    fs::remove(sandbox.work() / "tiny/src/wrong.cc");
    ASSERT_TRUE(hears("built tiny/build/plugin.wasm", 2)) << said;
    ASSERT_TRUE(hears("1 passed", 2)) << said;
    ASSERT_TRUE(hears("waiting for changes", 3)) << said;
    // What a source starts to include is watched from then on.
    sandbox.write("common/more.h", "int more();\n");
    sandbox.write("tiny/src/more.cc", "#include \"../../common/more.h\"\n");
    ASSERT_TRUE(hears("waiting for changes", 4)) << said;
    sandbox.write("common/more.h", "int more() { return nowhere; }\n");
    ASSERT_TRUE(hears("undeclared identifier 'nowhere'", 1)) << said;
    ASSERT_TRUE(hears("waiting for changes", 5)) << said;
    ::kill(child.pid(), SIGINT);
    for (int tries = 0; tries < 6000 && !child.ended(); ++tries) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_EQ(child.ended(), 130);
}

// A PATH with links to everything of /usr/bin but the programs in `hidden`.
void hide(Sandbox& sandbox, const std::vector<std::string>& hidden) {
    const fs::path bin = sandbox.home() / "bin";
    fs::create_directories(bin);
    for (const auto& entry : fs::directory_iterator("/usr/bin")) {
        const std::string name = entry.path().filename().string();
        const bool is_hidden =
            std::any_of(hidden.begin(), hidden.end(), [&](const std::string& prefix) {
                return name == prefix || name.starts_with(prefix + "-");
            });
        if (!is_hidden) {
            fs::create_symlink(entry.path(), bin / name);
        }
    }
    sandbox.set("PATH", bin.string());
}

TEST(BuildWithout, ClangNamesItAndHowToGetIt) {
    Sandbox sandbox;
    write_tiny(sandbox);
    hide(sandbox, {"clang++"});
    const auto result = sandbox.run({"build", "tiny"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_NE(result.err.find("clang++ is not installed"), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("apt-get install clang lld"), std::string::npos) << result.err;
}

TEST(BuildWithout, CargoGoAndNodeNamesEach) {
    Sandbox sandbox;
    hide(sandbox, {"cargo", "go", "node", "npm"});
    sandbox.write("r/Cargo.toml", "[package]\nname = \"r\"\n");
    sandbox.write("g/go.mod", "module g\n");
    sandbox.write("a/package.json", R"({"devDependencies": {"assemblyscript": "1"}})");
    for (const auto& [folder, tool] :
         {std::pair{"r", "cargo"}, std::pair{"g", "go"}, std::pair{"a", "node"}}) {
        const auto result = sandbox.run({"build", folder});
        EXPECT_EQ(result.exit_code, 1);
        EXPECT_NE(result.err.find(std::string(tool) + " is not installed"), std::string::npos)
            << result.err;
        EXPECT_NE(result.err.find("hint: "), std::string::npos) << result.err;
    }
}

TEST(BuildWithout, NpmSaysSoWhenTheCompilerIsNotInstalled) {
    WASMPLUG_NEEDS_PROGRAM("node");
    Sandbox sandbox;
    hide(sandbox, {"npm", "node"});
    fs::create_symlink(*find_program("node"), sandbox.home() / "bin" / "node");
    sandbox.write("a/package.json", R"({"devDependencies": {"assemblyscript": "1"}})");
    const auto result = sandbox.run({"build", "a"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_NE(result.err.find("npm is not installed"), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("hint: "), std::string::npos) << result.err;
}

TEST(BuildWithout, RustcSaysSoThoughCargoIsThere) {
    WASMPLUG_NEEDS(fs::exists("/usr/bin/cargo"), "rust");
    Sandbox sandbox;
    hide(sandbox, {"rustc", "rustup"});
    sandbox.write("r/Cargo.toml",
                  "[package]\nname = \"r\"\nversion = \"1.0.0\"\nedition = \"2021\"\n"
                  "[lib]\ncrate-type = [\"cdylib\"]\n");
    sandbox.write("r/src/lib.rs", "");
    const auto result = sandbox.run({"build", "r"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_NE(result.err.find("rustc is not installed"), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("apt-get install rustc"), std::string::npos) << result.err;
}

TEST(BuildWithout, TheLinkerRecognisesWhatClangSays) {
    Sandbox sandbox;
    WASMPLUG_NEEDS(use_toolchain(sandbox, "cpp"), "cpp");
    write_tiny(sandbox);
    // clang finds its own linker beside itself, whatever PATH says.
    sandbox.add_script("bare-clang++", "exec clang++-19 -fuse-ld=/nowhere/wasm-ld \"$@\"");
    const auto result = sandbox.run({"build", "tiny", "--compiler", "bare-clang++"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_NE(result.err.find("linker for WebAssembly is not installed"), std::string::npos)
        << result.err;
    EXPECT_NE(result.err.find("apt-get install lld"), std::string::npos) << result.err;
}

TEST(BuildWithout, WasmOptLeavesTheModuleAsTheCompilerMadeIt) {
    Sandbox sandbox;
    WASMPLUG_NEEDS(use_toolchain(sandbox, "cpp"), "cpp");
    write_tiny(sandbox);
    hide(sandbox, {"wasm-opt"});
    const auto module = sandbox.json({"build", "tiny"})["modules"][0];
    EXPECT_TRUE(module["optimised_by"].is_null());
}

TEST(BuildWithout, TheCppLibraryRecognisesWhatClangSays) {
    Sandbox sandbox;
    WASMPLUG_NEEDS(use_toolchain(sandbox, "cpp"), "cpp");
    sandbox.write("tiny/src/plugin.cc", "#include <string>\nstd::string x;\n");
    // An empty sysroot is a machine without wasi-libc and libc++.
    sandbox.add_script("bare-clang++",
                       "mkdir -p empty; exec clang++-19 --sysroot=$PWD/empty \"$@\"");
    const auto result = sandbox.run({"build", "tiny", "--compiler", "bare-clang++"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_NE(result.err.find("the C++ library for WASI is not installed"), std::string::npos)
        << result.err;
}

TEST(BuildWithout, RustsStandardLibraryRecognisesWhatRustcSays) {
    Sandbox sandbox;
    WASMPLUG_NEEDS(use_toolchain(sandbox, "rust"), "rust");
    sandbox.set("CARGO_UNSTABLE_BUILD_STD", std::nullopt);
    sandbox.set("CARGO_TARGET_DIR", std::nullopt);
    sandbox.write("r/Cargo.toml",
                  "[package]\nname = \"r\"\nversion = \"1.0.0\"\nedition = \"2021\"\n"
                  "[lib]\ncrate-type = [\"cdylib\"]\n");
    sandbox.write("r/src/lib.rs", "");
    const auto result = sandbox.run({"build", "r", "--compiler", "/usr/bin/cargo"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_NE(result.err.find("standard library for this target is not installed"),
              std::string::npos)
        << result.err;
}

}  // namespace
}  // namespace wasmplug::test
