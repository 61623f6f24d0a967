// Whether a function's body is valid is judged as Envoy's V8 judges it: bodies that no compiler
// writes, in text (wat2wasm --no-check) and, where that cannot say it, byte by byte.
#include <gtest/gtest.h>

#include <random>

#include "tests/support/agreement.hpp"
#include "tests/support/envoy.hpp"
#include "tests/support/require.hpp"
#include "tests/unit/wasm/builder.hpp"
#include "wasm/loading.hpp"
#include "wasm/module.hpp"

namespace wasmplug::test {
namespace {

using namespace wasm::testing;

struct Text {
    const char* name;
    const char* fields;
};

constexpr Text valid[] = {
    {"polymorphic", "(func (result i32) unreachable i32.add)"},
    {"select-unreachable", "(func (result i64) unreachable select)"},
    {"branches",
     "(func (param i32) (result i32) (block (result i32) i32.const 1 local.get 0 "
     "br_table 0 0 0))"},
    {"loops", "(func (param i32) (local i64) (loop (br_if 0 (local.get 0))))"},
    {"block-parameters",
     "(func (result i32) i32.const 1 i32.const 2 (block (param i32 i32) "
     "(result i32) i32.add))"},
    {"if-else",
     "(func (param i32) (result f64) (if (result f64) (local.get 0) (then f64.const 1) "
     "(else f64.const 2)))"},
    {"atomics", "(memory $m 1) (func (result i32) i32.const 0 i32.const 1 i32.atomic.rmw.add)"},
    {"lanes", "(func (param v128) (result i64) local.get 0 i64x2.extract_lane 1)"},
    {"tables",
     "(table 2 funcref) (elem declare func $f) (func $f i32.const 0 ref.func $f "
     "table.set 0)"},
    {"catch",
     "(tag $t (param i32)) (func (result i32) try (result i32) i32.const 1 throw $t "
     "catch $t catch_all i32.const 2 end)"},
    {"delegate", "(tag $t) (func try throw $t delegate 0)"},
};

constexpr Text invalid[] = {
    {"wrong-type", "(func (result i32) f32.const 1)"},
    {"wrong-operand", "(func (result i32) i32.const 1 i64.const 2 i32.add)"},
    {"underflow", "(func (result i32) i32.const 1 i32.add)"},
    {"underflow-of-a-block", "(func i32.const 1 block drop end)"},
    {"left-over", "(func i32.const 1)"},
    {"no-result", "(func (result i32))"},
    {"no-local", "(func local.get 3 drop)"},
    {"no-global", "(func global.get 3 drop)"},
    {"constant-global", "(global i32 (i32.const 1)) (func i32.const 2 global.set 0)"},
    {"no-function", "(func call 99)"},
    {"no-label", "(func br 4)"},
    {"no-table", "(func i32.const 0 call_indirect)"},
    {"wrong-argument", "(func $f (param i64)) (func i32.const 1 call $f)"},
    {"branch-without-value", "(func (result i32) (block (result i32) br 0))"},
    {"targets-differ",
     "(func (result i32) (block (result i32) (block i32.const 1 i32.const 0 "
     "br_table 0 1) i32.const 1))"},
    {"if-without-else",
     "(func (param i32) (result i32) (if (result i32) (local.get 0) (then "
     "i32.const 1)))"},
    {"unreachable-mismatch", "(func (result i32) unreachable f32.const 1 i32.add)"},
    {"unreachable-left-over", "(func unreachable i32.const 1 i32.const 2)"},
    {"select-mismatch", "(func i32.const 1 f32.const 2 i32.const 0 select drop)"},
    {"select-of-references",
     "(func (param externref) local.get 0 local.get 0 i32.const 0 select "
     "drop)"},
    {"alignment", "(memory $m 1) (func i32.const 0 i32.load align=8 drop)"},
    {"lane-type", "(func (param v128) (result i32) local.get 0 i64x2.extract_lane 0)"},
    {"table-type", "(table 1 externref) (func i32.const 0 call_indirect)"},
    {"undeclared-reference", "(func $f ref.func $f drop)"},
    {"no-data-count", "(func i32.const 0 i32.const 0 i32.const 0 memory.init 0)"},
    {"rethrow-outside", "(func try rethrow 0 end)"},
    {"throw-without-value", "(tag $t (param i32)) (func throw $t)"},
    {"tail-call-of-another-type",
     "(func $f (result i64) i64.const 1) (func (result i32) "
     "return_call $f)"},
    {"global-initialiser", "(global i64 (i32.const 1))"},
    {"mutable-initialiser", "(global $a (mut i32) (i32.const 1)) (global i32 (global.get $a))"},
    {"segment-offset", "(data (i64.const 0) \"x\")"},
};

std::string plugin(bool with_memory, const std::string& fields) {
    return std::string("(module ") + R"((func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) i32.const 1024) )" +
           (with_memory ? "(memory (export \"memory\") 1) " : "") + fields + ")";
}

// Envoy refuses all of `texts`, or loads them; inspect says so, for the same reason.
void compare(std::span<const Text> texts, bool loads) {
    Sandbox sandbox;
    for (const auto& [name, fields] : texts) {
        SCOPED_TRACE(name);
        const bool own_memory = std::string_view(fields).find("(memory") != std::string_view::npos;
        sandbox.write("plugin.wat", plugin(!own_memory, fields));
        const auto made = sandbox.run_program(
            {"wat2wasm", "--enable-all", "--no-check", "plugin.wat", "-o", "plugin.wasm"});
        ASSERT_EQ(made.exit_code, 0) << made.err;
        const auto bytes = sandbox.read("plugin.wasm");
        const auto ours = wasm::would_load(bytes, wasm::envoy_rules(wasm::newest_envoy_minor()));
        EXPECT_EQ(ours.loads, loads) << ours.reason;
        EXPECT_EQ(ours.not_judged, "");
        expect_agreement(sandbox.work() / "plugin.wasm");
    }
}

TEST(Bodies, ThatAreValidLoadInEnvoy) {
    WASMPLUG_NEEDS(envoy_binary(), "envoy");
    WASMPLUG_NEEDS_PROGRAM("wat2wasm");
    compare(valid, true);
}

TEST(Bodies, ThatAreInvalidAreRefusedByEnvoy) {
    WASMPLUG_NEEDS(envoy_binary(), "envoy");
    WASMPLUG_NEEDS_PROGRAM("wat2wasm");
    compare(invalid, false);
}

// A plugin with a function more, () -> (), of these bytes (and a second one), and these sections.
std::string with_body(const std::string& code, const std::string& sections, int memory_flags,
                      const std::string& second) {
    const bool two = !second.empty();
    return header + two_types + section(3, two ? bytes({4, 0, 1, 0, 0}) : bytes({3, 0, 1, 0})) +
           section(5, bytes({1, memory_flags, 1})) + sections +
           section(7, bytes({2}) + function_export("proxy_abi_version_0_2_1", 0) +
                          function_export("malloc", 1)) +
           section(10, bytes({two ? 4 : 3}) + body("") + body(returns_one_page) + leb(code.size()) +
                           code + (two ? leb(second.size()) + second : ""));
}

TEST(Bodies, OfBytesThatNoAssemblerWritesAreJudgedAsEnvoyDoes) {
    WASMPLUG_NEEDS(envoy_binary(), "envoy");
    Sandbox sandbox;
    const auto same = [&](const std::string& name, const std::string& code,
                          const std::string& sections = {}, int memory_flags = 0,
                          const std::string& second = {}) {
        expect_agreement(sandbox, name + ".wasm", with_body(code, sections, memory_flags, second));
    };
    const std::string tag = section(13, bytes({1, 0, 0}));
    same("no-end", bytes({0, 0x01}));
    same("end-too-early", bytes({0, 0x0b, 0x01, 0x0b}));
    same("block-without-end", bytes({0, 0x02, 0x40, 0x0b}));
    same("unknown-opcode", bytes({0, 0xc7, 0x0b}));
    same("unknown-vector", bytes({0, 0xfd, 0xc2, 0x01, 0x0b}));
    same("unknown-bulk", bytes({0, 0xfc, 0x40, 0x0b}));
    same("else-without-if", bytes({0, 0x05, 0x0b}));
    same("catch-without-try", bytes({0, 0x19, 0x0b}));
    same("lane", bytes({0, 0xfd, 12}) + std::string(16, '\0') + bytes({0xfd, 29, 2, 0x1a, 0x0b}));
    same("long-memory-index", bytes({0, 0x3f, 0x80, 0x00, 0x1a, 0x0b}));
    same("long-offset", bytes({0, 0x41, 0, 0x28, 2, 0x82, 0x80, 0x80, 0x80, 0x80, 0, 0x1a, 0x0b}));
    same("offset-beyond-32-bits",
         bytes({0, 0x41, 0, 0x28, 2, 0x80, 0x80, 0x80, 0x80, 0x20, 0x1a, 0x0b}));
    same("atomic-alignment", bytes({0, 0x41, 0, 0xfe, 0x10, 1, 0, 0x1a, 0x0b}));
    same("fence", bytes({0, 0xfe, 3, 1, 0x0b}));
    same("block-type", bytes({0, 0x02, 0x05, 0x0b, 0x0b}));
    same("too-many-targets",
         bytes({0, 0x41, 0, 0x0e}) + leb(65'521) + std::string(65'522, '\0') + bytes({0x0b}));
    same("delegate-to-the-function", bytes({0, 0x06, 0x40, 0x18, 0, 0x0b}), tag);
    same("delegate-too-far", bytes({0, 0x06, 0x40, 0x18, 1, 0x0b}), tag);
    same("try-table", bytes({0, 0x1f, 0x40, 1, 2, 0, 0x0b, 0x0b}));
    same("try-table-carries", bytes({0, 0x1f, 0x40, 1, 3, 0, 0x0b, 0x0b}));
    same("both-exceptions", bytes({0, 0x1f, 0x40, 1, 2, 0, 0x0b, 0x06, 0x40, 0x19, 0x0b, 0x0b}));
    same("both-exceptions-apart", bytes({0, 0x1f, 0x40, 1, 2, 0, 0x0b, 0x0b}), "", 0,
         bytes({0, 0x06, 0x40, 0x19, 0x0b, 0x0b}));
    same("relaxed", bytes({0, 0xfd, 12}) + std::string(16, '\0') + bytes({0xfd, 0x81, 2, 0x1a}) +
                        bytes({0x0b}));
    same("memory64", bytes({0, 0x42, 0, 0x28, 2, 0, 0x1a, 0x0b}), "", 4);
    same("memory64-by-i32", bytes({0, 0x41, 0, 0x28, 2, 0, 0x1a, 0x0b}), "", 4);
    same("too-many-locals", leb(1) + leb(50'001) + bytes({0x7f, 0x0b}));
    same("local-groups", leb(2) + leb(30'000) + bytes({0x7f}) + leb(30'000) + bytes({0x7e, 0x0b}));
    same("local-of-no-type", leb(1) + leb(1) + bytes({0x40, 0x0b}));
    same("own-global", bytes({0, 0x0b}),
         section(6, bytes({2, 0x7f, 0, 0x41, 1, 0x0b, 0x7f, 0, 0x23, 0, 0x0b})));
}

// Random faults in a plugin of a real compiler's shape: whatever they do to it, both agree.
TEST(Bodies, WithRandomFaultsAreJudgedAsEnvoyDoes) {
    WASMPLUG_NEEDS(envoy_binary(), "envoy");
    WASMPLUG_NEEDS_PROGRAM("wat2wasm");
    Sandbox sandbox;
    std::string fields;
    for (const auto& [name, text] : valid) {
        const std::string_view view = text;
        if (view.starts_with("(func")) {
            fields += text;
        }
    }
    sandbox.write("plugin.wat", plugin(true, fields));
    ASSERT_EQ(sandbox.run_program({"wat2wasm", "--enable-all", "plugin.wat"}).exit_code, 0);
    const std::string whole = sandbox.read("plugin.wasm");
    const auto code = wasm::read_module(whole).bodies.front().offset;
    std::minstd_rand random(6);  // the same faults on every run
    for (int round = 0; round < 24; ++round) {
        std::string broken = whole;
        const std::size_t at = code + random() % (whole.size() - code);
        broken[at] = static_cast<char>(random() & 0x7f);
        SCOPED_TRACE(testing::Message() << "byte " << at << " of round " << round);
        expect_agreement(sandbox, "broken.wasm", broken);
    }
}

}  // namespace
}  // namespace wasmplug::test
