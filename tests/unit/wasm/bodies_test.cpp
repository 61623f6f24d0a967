// What V8 does with such bodies is tests/conformance/bodies_test.cpp; here is what is ours: the
// words, the features by release, the limits.
#include "wasm/bodies.hpp"

#include <gtest/gtest.h>

#include "tests/unit/wasm/builder.hpp"
#include "wasm/loading.hpp"
#include "wasm/operations.hpp"

namespace wasmplug::wasm {
namespace {

using namespace testing;

// A plugin with a third function, () -> (), whose body is `code`.
std::string with_body(const std::string& code, int memory_flags = 0,
                      const std::string& types = two_types) {
    return header + types + section(3, bytes({3, 0, 1, 0})) +
           section(5, bytes({1, memory_flags, 1})) +
           section(7, bytes({2}) + function_export("proxy_abi_version_0_2_1", 0) +
                          function_export("malloc", 1)) +
           section(10, bytes({3}) + body("") + body(returns_one_page) + leb(code.size()) + code);
}

BodiesVerdict judge(const std::string& plugin) {
    return judge_bodies(plugin, read_module(plugin));
}

std::string fault(std::initializer_list<int> code) {
    return judge(with_body(bytes(code))).fault;
}

TEST(Bodies, AreValidInASmallPlugin) {
    const BodiesVerdict verdict = judge(smallest_plugin());
    EXPECT_EQ(verdict.fault, "");
    EXPECT_EQ(verdict.not_judged, "");
}

TEST(Bodies, AreNamedWithFunctionInstructionAndCause) {
    EXPECT_EQ(fault({0, 0x43, 0, 0, 0, 0, 0x45, 0x1a, 0x0b}),
              "function 2 is invalid: i32 is wanted and f32 is on the stack (byte 87)");
    EXPECT_NE(fault({0, 0x6a, 0x0b}).find("i32 is wanted and the stack is empty"),
              std::string::npos);
    EXPECT_NE(fault({0, 0x20, 7, 0x1a, 0x0b}).find("local 7 does not exist, there are 0"),
              std::string::npos);
    EXPECT_NE(fault({0, 0x10, 9, 0x0b}).find("function 9 does not exist, there are 3"),
              std::string::npos);
    EXPECT_NE(fault({0, 0x41, 1, 0x0b}).find("1 values too many"), std::string::npos);
    EXPECT_NE(fault({0, 0xfd, 0xc2, 1, 0x0b}).find("instruction 0xfd 194 is unknown"),
              std::string::npos);
}

TEST(Bodies, MayHoldAnythingWhereNothingIsReached) {
    EXPECT_EQ(fault({0, 0x00, 0x6a, 0x1a, 0x0b}), "");
    EXPECT_EQ(fault({0, 0x00, 0x1b, 0x1a, 0x0b}), "");
    EXPECT_NE(fault({0, 0x00, 0x43, 0, 0, 0, 0, 0x6a, 0x1a, 0x0b}), "");
}

TEST(Bodies, AreLeftUnjudgedWhenTheirTypesAreGarbageCollected) {
    // Type 2 is a struct; the body makes one and drops it.
    const std::string types =
        section(1, bytes({3, 0x60, 0, 0, 0x60, 1, 0x7f, 1, 0x7f, 0x5f, 1, 0x7f, 1}));
    const std::string plugin = with_body(bytes({0, 0xfb, 1, 2, 0x1a, 0x0b}), 0, types);
    const BodiesVerdict verdict = judge(plugin);
    EXPECT_EQ(verdict.fault, "");
    EXPECT_NE(verdict.not_judged.find("function 2"), std::string::npos) << verdict.not_judged;
    EXPECT_TRUE(verdict.features.first(Feature::garbage_collection));
    EXPECT_FALSE(would_load(plugin, envoy_rules(40)).not_judged.empty());
}

// A minor is judged as its first patch; the reason names the patch that brought a newer V8.
TEST(Features, AreJudgedByTheV8OfEachEnvoy) {
    const std::string tail_call = with_body(bytes({0, 0x12, 0, 0x0b}));
    EXPECT_TRUE(would_load(tail_call, envoy_rules(35)).loads);
    const LoadVerdict old = would_load(tail_call, envoy_rules(33));
    EXPECT_EQ(old.message, "Wasm VM failed Failed to load Wasm bytecode");
    EXPECT_NE(old.reason.find("tail calls"), std::string::npos) << old.reason;
    EXPECT_NE(old.reason.find("Envoy 1.33 before 1.33.6 has 10.7"), std::string::npos)
        << old.reason;
    EXPECT_EQ(loads_since(tail_call), 35);
    // V8 12.9, which later patches have, takes no 64-bit memory either.
    const std::string wide = with_body(bytes({0, 0x42, 0, 0x28, 2, 0, 0x1a, 0x0b}), 4);
    EXPECT_EQ(would_load(wide, envoy_rules(33)).reason.find("before"), std::string::npos);
    EXPECT_EQ(loads_since(wide), 35);
    EXPECT_EQ(loads_since(smallest_plugin()), oldest_envoy_minor);
}

TEST(Features, AreSeenInDeclarationsToo) {
    const auto uses = [](const std::string& sections, Feature feature) {
        return read_module(header + sections).features.first(feature).has_value();
    };
    EXPECT_TRUE(uses(section(5, bytes({2, 0, 1, 0, 1})), Feature::several_memories));
    EXPECT_FALSE(uses(section(5, bytes({1, 0, 1})), Feature::several_memories));
    EXPECT_TRUE(uses(section(5, bytes({1, 4, 1})), Feature::memory64));
    EXPECT_TRUE(uses(section(6, bytes({1, 0x7f, 0, 0x41, 1, 0x41, 1, 0x6a, 0x0b})),
                     Feature::extended_constants));
    EXPECT_TRUE(uses(section(1, bytes({1, 0x60, 1, 0x69, 0})), Feature::exception_references));
    EXPECT_TRUE(uses(section(1, bytes({1, 0x60, 1, 0x63, 0x6e, 0})), Feature::garbage_collection));
}

// The table has one entry for each number of the specification: no more, no fewer.
TEST(Operations, AreAsManyAsTheSpecificationHas) {
    const auto count = [](const Operation& (*find)(std::uint32_t)) {
        int known = 0;
        for (std::uint32_t opcode = 0; opcode < 0x200; ++opcode) {
            known += find(opcode).known ? 1 : 0;
        }
        return known;
    };
    EXPECT_EQ(count(plain_operation), 151);  // 23 for memory, 128 for numbers
    EXPECT_EQ(count(saturating_operation), 8);
    EXPECT_EQ(count(vector_operation), 236 + 20);  // and 20 relaxed ones
    EXPECT_EQ(count(atomic_operation), 67);
}

TEST(Bodies, ThatCostTooMuchToCompareAreLeftUnjudged) {
    // Twenty calls of a function with one parameter.
    std::string code = bytes({0});
    for (int i = 0; i < 20; ++i) {
        code += bytes({0x41, 1, 0x10, 1, 0x1a});
    }
    const std::string plugin = with_body(code + bytes({0x0b}));
    const Module module = read_module(plugin);
    EXPECT_EQ(judge_bodies(plugin, module).not_judged, "");
    const BodiesVerdict dear = judge_bodies(plugin, module, 30);
    EXPECT_EQ(dear.fault, "");
    EXPECT_NE(dear.not_judged.find("too many types"), std::string::npos);
}

}  // namespace
}  // namespace wasmplug::wasm
