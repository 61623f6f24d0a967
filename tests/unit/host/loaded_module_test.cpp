#include <gtest/gtest.h>

#include "base/file.hpp"
#include "host/vm.hpp"
#include "tests/support/require.hpp"
#include "tests/support/script_plugin.hpp"

namespace wasmplug::host {
namespace {

// A plugin whose export "f" reads the 32 bits at its argument.
class Data : public testing::Test {
  protected:
    bool load(const std::string& segments) {
        const auto path = test::assembled(
            "(module (memory (export \"memory\") 1) (func (export \"proxy_abi_version_0_2_1\")) "
            "(func (export \"malloc\") (param i32) (result i32) (i32.const 0)) "
            "(func (export \"f\") (param i32) (result i32) (i32.load (local.get 0))) " +
            segments + ")");
        if (!path) {
            return false;
        }
        module = LoadedModule::load(read_file(*path), false, failure);
        if (module) {
            instance = module->module().instantiate(
                [](std::size_t, const std::uint64_t*) { return HostResult{}; }, ~std::uint64_t{0},
                trap);
        }
        return true;
    }

    std::uint64_t at(std::uint64_t address) {
        return instance->call(*instance->function("f"), &address, 1).value;
    }

    std::unique_ptr<LoadedModule> module;
    std::unique_ptr<Instance> instance;
    std::optional<LoadFailure> failure;
    std::optional<Trap> trap;
};

TEST_F(Data, IsInMemoryAsTheLastSegmentWroteIt) {
    WASMPLUG_NEEDS(load("(data (i32.const 8) \"aaaabbbb\") (data (i32.const 12) \"cc\") "
                        "(data (i32.const 65532) \"last\")"),
                   "wat2wasm");
    ASSERT_TRUE(instance);
    EXPECT_EQ(at(8), 0x61616161U);
    EXPECT_EQ(at(12), 0x62626363U);
    EXPECT_EQ(at(65532), 0x7473616cU);
    EXPECT_EQ(at(16), 0U);
}

TEST_F(Data, IsThereBeforeTheStartFunctionRuns) {
    WASMPLUG_NEEDS(load("(data (i32.const 8) \"aaaa\") (start $s) "
                        "(func $s (i32.store (i32.const 12) (i32.load (i32.const 8))))"),
                   "wat2wasm");
    ASSERT_TRUE(instance);
    EXPECT_EQ(at(12), 0x61616161U);
}

TEST_F(Data, OutsideOfTheMemoryEndsTheInstance) {
    WASMPLUG_NEEDS(load("(data (i32.const 8) \"aaaa\") (data (i32.const 65533) \"last\")"),
                   "wat2wasm");
    EXPECT_TRUE(failure || (trap && !instance));
    failure.reset();
    trap.reset();
    load("(data (i32.const -1) \"a\")");
    EXPECT_TRUE(failure || (trap && !instance));
}

TEST_F(Data, CanStillBeCopiedByTheInstructionsThatNameIt) {
    WASMPLUG_NEEDS(load("(data (i32.const 8) \"aaaa\") (data $p \"bbbb\") (start $s) "
                        "(func $s (memory.init $p (i32.const 12) (i32.const 0) (i32.const 4)))"),
                   "wat2wasm");
    ASSERT_TRUE(instance);
    EXPECT_EQ(at(8), 0x61616161U);
    EXPECT_EQ(at(12), 0x62626262U);
}

}  // namespace
}  // namespace wasmplug::host
