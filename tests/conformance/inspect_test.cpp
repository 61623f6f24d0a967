// What inspect says of a module is what Envoy does with it, to the letter of the log.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/agreement.hpp"
#include "tests/support/envoy.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"
#include "tests/unit/wasm/builder.hpp"

namespace wasmplug::test {
namespace {

namespace fs = std::filesystem;

const std::string loads = R"(
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) i32.const 1024)
  (memory (export "memory") 1))";

struct Text {
    const char* name;
    std::string module;
};

// Every feature that Envoy's V8 takes and wat2wasm can write, and every way to fail that text
// can say; "bytes" below has the rest.
std::vector<Text> texts() {
    return {
        {"smallest", loads},
        {"simd", loads + "(func (result v128) v128.const i32x4 1 2 3 4)"},
        {"bulk", loads + "(func i32.const 0 i32.const 0 i32.const 0 memory.fill)"},
        {"multi-value", loads + "(func (result i32 i32) i32.const 1 i32.const 2)"},
        {"reference-types",
         loads + "(table 1 externref) (func (result externref) ref.null extern)"},
        {"tail-call", loads + "(func $f (result i32) return_call $f)"},
        {"exceptions", loads + "(tag $t) (func try throw $t catch $t end)"},
        {"extended-const", loads + "(global i32 (i32.add (i32.const 1) (i32.const 2)))"},
        {"memory-import", R"((memory (import "env" "memory") 1)
           (func (export "proxy_abi_version_0_2_1"))
           (func (export "malloc") (param i32) (result i32) i32.const 1024))"},
        {"global-import", R"((global (import "env" "g") i32))" + loads},
        {"go-wasi", R"((import "wasi_snapshot_preview1" "poll_oneoff"
            (func (param i32 i32 i32 i32) (result i32)))
           (import "wasi_unstable" "sched_yield" (func (result i32))))" +
                        loads},
        {"wasi-arity", R"((import "wasi_snapshot_preview1" "path_symlink"
            (func (param i32 i32 i32 i32 i32) (result i32))))" +
                           loads},
        {"wasi-unknown", R"((import "wasi_snapshot_preview1" "proc_raise"
            (func (param i32) (result i32))))" +
                             loads},
        {"old-abi-only", R"((import "env" "proxy_continue_request" (func (result i32))))" + loads},
        {"type-mismatch",
         R"((import "env" "proxy_done" (func (param i32 i32) (result i32))))" + loads},
        {"start-trap", loads + "(func $s unreachable) (start $s)"},
        {"initialize-trap", loads + R"((func (export "_initialize") unreachable))"},
        {"command-trap", loads + R"((func (export "_start") (drop (i32.const 1)) unreachable))"},
        {"restricted-call", R"((import "env" "proxy_set_effective_context"
            (func $s (param i32) (result i32))))" +
                                loads +
                                R"((func $deep (drop (call $s (i32.const 1))))
                (func (export "_initialize") call $deep))"},
        {"logging-at-start", R"((import "env" "proxy_log"
            (func $l (param i32 i32 i32) (result i32))))" +
                                 loads +
                                 R"((func (export "_initialize")
                  (drop (call $l (i32.const 2) (i32.const 0) (i32.const 0)))))"},
        {"main-trap", loads + R"((func (export "_initialize"))
            (func (export "main") (param i32 i32) (result i32) unreachable))"},
        {"bad-callback", loads + R"((func (export "proxy_on_log") (param i32) (result i32)
            i32.const 0))"},
        {"bad-entry", loads + R"((func (export "_initialize") (param i32)))"},
        {"bad-malloc", R"((func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32 i32) (result i32) i32.const 1024)
            (memory (export "memory") 1))"},
        {"two-abis",
         R"((func (export "proxy_abi_version_0_1_0")))" + loads +
             R"((func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                  i32.const 0))"},
        {"abi-global", R"((global (export "proxy_abi_version_0_2_1") i32 (i32.const 1))
            (func (export "malloc") (param i32) (result i32) i32.const 1024)
            (memory (export "memory") 1))"},
    };
}

TEST(InspectAndEnvoy, AgreeOnEveryFeatureAndEveryFaultInText) {
    WASMPLUG_NEEDS(envoy_binary(), "envoy");
    WASMPLUG_NEEDS_PROGRAM("wat2wasm");
    Sandbox sandbox;
    for (const auto& [name, module] : texts()) {
        sandbox.write(name + std::string(".wat"), "(module " + module + ")");
        const auto made = sandbox.run_program(
            {"wat2wasm", "--enable-all", name + std::string(".wat"), "-o", "plugin.wasm"});
        ASSERT_EQ(made.exit_code, 0) << name << ": " << made.err;
        SCOPED_TRACE(name);
        expect_agreement(sandbox.work() / "plugin.wasm");
    }
}

TEST(InspectAndEnvoy, AgreeOnBytesThatNoAssemblerWrites) {
    WASMPLUG_NEEDS(envoy_binary(), "envoy");
    using namespace wasm::testing;
    Sandbox sandbox;
    const std::string whole = smallest_plugin();
    expect_agreement(sandbox, "empty.wasm", "");
    expect_agreement(sandbox, "short.wasm", "abc");
    expect_agreement(sandbox, "text.wasm", "hello, not wasm");
    expect_agreement(sandbox, "header.wasm", header);
    expect_agreement(sandbox, "cut.wasm", whole.substr(0, whole.size() - 3));
    expect_agreement(sandbox, "names.wasm", smallest_plugin(custom("name", bytes({1, 9, 1}))));
    expect_agreement(sandbox, "twice.wasm", smallest_plugin(section(10, bytes({0}))));
    expect_agreement(sandbox, "unknown-section.wasm", smallest_plugin(section(20, "abc")));
    std::string newer = whole;
    newer[4] = 2;
    expect_agreement(sandbox, "version.wasm", newer);
    // A struct type: the garbage-collected part of WebAssembly 3.
    const std::string gc =
        header + section(1, bytes({3, 0x60, 0, 0, 0x60, 1, 0x7f, 1, 0x7f, 0x5f, 1, 0x7f, 1})) +
        whole.substr(header.size() + two_types.size());
    expect_agreement(sandbox, "gc.wasm", gc);
    const std::string many_locals = leb(1) + leb(50'001) + bytes({0x7f, 0x0b});
    const std::string locals =
        header + two_types + section(3, bytes({2, 0, 1})) + section(5, bytes({1, 0, 1})) +
        section(7, bytes({2}) + function_export("proxy_abi_version_0_2_1", 0) +
                       function_export("malloc", 1)) +
        section(10, bytes({2}) + leb(many_locals.size()) + many_locals + body(returns_one_page));
    expect_agreement(sandbox, "locals.wasm", locals);
}

// The modules that the facts about Envoy were found with lie beside the repository on some
// machines, in C and in text; nothing when they do not.
std::optional<fs::path> shared_folder() {
    for (fs::path folder = WASMPLUG_SOURCE_DIR; folder != folder.root_path();
         folder = folder.parent_path()) {
        if (fs::exists(folder / "shared/prototypes/envoy-lab/modules")) {
            return folder / "shared";
        }
    }
    return std::nullopt;
}

// Builds them all into the sandbox, as their build.sh does.
void build_lab(Sandbox& sandbox, const fs::path& sources) {
    const auto clang = find_program("clang-19") ? "clang-19" : "clang";
    const auto compile = [&](const std::string& source, const std::string& out,
                             const std::string& define) {
        const auto made = sandbox.run_program({clang, "--target=wasm32", "-O2", "-w", "-nostdlib",
                                               "-ffreestanding", "-fno-builtin", "-Wl,--no-entry",
                                               "-Wl,--allow-undefined", "-D" + define,
                                               (sources / source).string(), "-o", out + ".wasm"});
        EXPECT_EQ(made.exit_code, 0) << out << ": " << made.err;
    };
    compile("probe.c", "probe", "V_probe");
    for (const std::string variant :
         {"future", "noabi", "abi010", "abi020", "unknown_import", "unknown_module", "badimport",
          "wasi_unknown", "inittrap", "initcall", "init", "start", "nomalloc", "badexport"}) {
        compile("bad.c", variant, "V_" + variant);
    }
    for (const auto& entry : fs::directory_iterator(sources)) {
        if (entry.path().extension() == ".wat") {
            const auto out = entry.path().stem().string() + ".wasm";
            EXPECT_EQ(
                sandbox.run_program({"wat2wasm", "--enable-all", entry.path().string(), "-o", out})
                    .exit_code,
                0);
        }
    }
}

// Returns how many there were.
int compare_all(const fs::path& folder) {
    int count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.path().extension() == ".wasm") {
            expect_agreement(entry.path());
            ++count;
        }
    }
    return count;
}

TEST(InspectAndEnvoy, AgreeOnTheModulesOfTheLab) {
    const auto shared = shared_folder();
    if (!shared) {
        GTEST_SKIP() << "no folder shared/prototypes/envoy-lab beside the repository";
    }
    WASMPLUG_NEEDS(envoy_binary(), "envoy");
    WASMPLUG_NEEDS_PROGRAM("wat2wasm");
    WASMPLUG_NEEDS(find_program("clang-19") || find_program("clang"), "clang");
    Sandbox sandbox;
    build_lab(sandbox, *shared / "prototypes/envoy-lab/modules");
    EXPECT_GE(compare_all(sandbox.work()), 19);
    EXPECT_GE(compare_all(*shared / "data"), 1);
}

// Any other folder of modules, for a wider comparison.
TEST(InspectAndEnvoy, AgreeOnTheModulesOfAFolder) {
    const char* folder = std::getenv("WASMPLUG_MODULES");
    if (folder == nullptr) {
        GTEST_SKIP() << "WASMPLUG_MODULES names no folder of modules";
    }
    WASMPLUG_NEEDS(envoy_binary(), "envoy");
    EXPECT_GT(compare_all(folder), 0);
}

}  // namespace
}  // namespace wasmplug::test
