#include "host/engine.hpp"

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "tests/support/require.hpp"
#include "tests/support/script_plugin.hpp"

namespace wasmplug::host {
namespace {

class Engine : public testing::Test {
  protected:
    // The only export that matters is "f"; imports answer with `answer`.
    bool load(const std::string& text, EngineOptions options = {}) {
        const auto path = test::assembled(text);
        if (!path) {
            return false;
        }
        module = load_module(read_file(*path), options, error);
        if (!module) {
            return true;
        }
        instance = module->instantiate(
            [this](std::size_t, const std::uint64_t* arguments) {
                return on_call ? on_call(arguments) : HostResult{};
            },
            start_fuel, trap);
        return true;
    }

    CallResult call(std::vector<std::uint64_t> arguments = {}) {
        return instance->call(*instance->function("f"), arguments.data(), arguments.size());
    }

    std::unique_ptr<Module> module;
    std::unique_ptr<Instance> instance;
    std::optional<Trap> trap;
    std::uint64_t start_fuel = ~std::uint64_t{0};
    std::string error;
    std::function<HostResult(const std::uint64_t*)> on_call;
};

TEST_F(Engine, CountsEveryInstructionWhenAskedTo) {
    EngineOptions options;
    options.exact = true;
    WASMPLUG_NEEDS(load("(module (func (export \"f\") (result i32) (i32.add (i32.const 2) "
                        "(i32.const 3))))",
                        options),
                   "wat2wasm");
    EXPECT_EQ(call().value, 5U);
    const auto once = instance->instructions();
    EXPECT_LE(once, 6U);
    call();
    EXPECT_EQ(instance->instructions(), 2 * once);
}

TEST_F(Engine, StopsALoopWhenTheFuelIsGone) {
    WASMPLUG_NEEDS(load("(module (func (export \"f\") (loop br 0)))"), "wat2wasm");
    instance->set_fuel(10'000);
    const auto result = call();
    ASSERT_TRUE(result.trap);
    EXPECT_EQ(result.trap->kind, Trap::Kind::out_of_fuel);
    EXPECT_LE(instance->instructions(), 11'000U);
}

TEST_F(Engine, IsUsableAfterATrapAndAfterRunningOut) {
    WASMPLUG_NEEDS(load("(module (func (export \"f\") (param i32) (result i32) "
                        "(if (local.get 0) (then unreachable)) (i32.const 7)))"),
                   "wat2wasm");
    const auto trapped = call({1});
    ASSERT_TRUE(trapped.trap);
    EXPECT_EQ(trapped.trap->frames.size(), 1U);
    EXPECT_EQ(call({0}).value, 7U);
}

TEST_F(Engine, AllowsDeepRecursionAndTrapsEndlessOne) {
    WASMPLUG_NEEDS(load("(module (func $r (export \"f\") (param i32) (result i32) (if (result i32) "
                        "(local.get 0) (then (i32.add (i32.const 1) (call $r (i32.sub "
                        "(local.get 0) (i32.const 1))))) (else (i32.const 0)))))"),
                   "wat2wasm");
    EXPECT_EQ(call({7000}).value, 7000U);
    const auto endless = call({1'000'000});
    ASSERT_TRUE(endless.trap);
    EXPECT_EQ(endless.trap->message, "call stack exhausted");
    EXPECT_EQ(endless.trap->frames.size(), 20U);
}

TEST_F(Engine, MayBeEnteredAgainFromAHostCall) {
    WASMPLUG_NEEDS(load("(module (import \"env\" \"h\" (func $h (param i32) (result i32))) "
                        "(func (export \"f\") (param i32) (result i32) (call $h (local.get 0))) "
                        "(func (export \"g\") (param i32) (result i32) (i32.mul (local.get 0) "
                        "(i32.const 2))))"),
                   "wat2wasm");
    on_call = [this](const std::uint64_t* arguments) {
        const std::uint64_t inner[] = {arguments[0]};
        return HostResult{instance->call(*instance->function("g"), inner, 1).value + 1, {}};
    };
    EXPECT_EQ(call({20}).value, 41U);
}

TEST_F(Engine, TurnsWhatAHostFunctionThrowsIntoATrap) {
    WASMPLUG_NEEDS(
        load("(module (import \"env\" \"h\" (func $h)) (func (export \"f\") (call $h)))"),
        "wat2wasm");
    on_call = [](const std::uint64_t*) -> HostResult {
        throw std::runtime_error("no");
    };
    const auto result = call();
    ASSERT_TRUE(result.trap);
    EXPECT_EQ(result.trap->kind, Trap::Kind::stopped_by_host);
    EXPECT_EQ(result.trap->message, "host: no");
}

TEST_F(Engine, RefusesMemoryToGrowOverItsLimit) {
    EngineOptions options;
    options.memory_pages = 4;
    WASMPLUG_NEEDS(load("(module (memory (export \"memory\") 1) (func (export \"f\") (param i32) "
                        "(result i32) (memory.grow (local.get 0))))",
                        options),
                   "wat2wasm");
    EXPECT_EQ(call({3}).value, 1U);
    EXPECT_EQ(call({1}).value, 0xFFFFFFFFU);
    EXPECT_EQ(instance->memory_size(), 4U * 65536U);
}

TEST_F(Engine, RefusesAMemoryThatBeginsOverTheLimit) {
    WASMPLUG_NEEDS(load("(module (memory 20000) (func (export \"f\")))"), "wat2wasm");
    EXPECT_FALSE(instance);
    ASSERT_TRUE(trap);
}

TEST_F(Engine, MetersTheStartFunction) {
    WASMPLUG_NEEDS(load("(module (func $s unreachable) (start $s) (func (export \"f\")))"),
                   "wat2wasm");
    EXPECT_FALSE(instance);
    ASSERT_TRUE(trap);
    EXPECT_EQ(trap->message, "unreachable executed");
}

TEST_F(Engine, StopsAStartFunctionThatDoesNotEnd) {
    start_fuel = 100'000;
    WASMPLUG_NEEDS(load("(module (func $s (loop $l (br $l))) (start $s) (func (export \"f\")))"),
                   "wat2wasm");
    EXPECT_FALSE(instance);
    ASSERT_TRUE(trap);
    EXPECT_EQ(trap->kind, Trap::Kind::out_of_fuel);
}

TEST_F(Engine, GivesImportedMemoriesAndTables) {
    WASMPLUG_NEEDS(load("(module (import \"env\" \"memory\" (memory 2)) (import \"env\" \"t\" "
                        "(table 3 funcref)) (func (export \"f\") (result i32) memory.size))"),
                   "wat2wasm");
    ASSERT_TRUE(instance);
    EXPECT_EQ(call().value, 2U);
    EXPECT_EQ(instance->memory_size(), 2U * 65536U);
}

TEST_F(Engine, RefusesWhatIsNoModule) {
    EXPECT_FALSE(load_module("hello, not wasm", {}, error));
    EXPECT_FALSE(error.empty());
}

}  // namespace
}  // namespace wasmplug::host
