// Foreign bytes as modules: whatever comes, everything that looks at a module ends with a value
// or a ModuleError, and what the reader takes is within the limits that an engine relies on.
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/wasm/builder.hpp"
#include "wasm/lint.hpp"
#include "wasm/loading.hpp"
#include "wasm/strip.hpp"

namespace wasmplug::wasm {
namespace {

namespace make = testing;

void look_at(std::string_view bytes) {
    const LoadVerdict verdict = would_load(bytes, envoy_rules(newest_envoy_minor()));
    EXPECT_EQ(verdict.loads, verdict.message.empty());
    try {
        const Module module = read_module(bytes);
        for (const auto& body : module.bodies) {
            ASSERT_LE(body.offset + body.size, bytes.size());
        }
        for (const auto type : module.functions) {
            ASSERT_LT(type, module.types.size());
        }
        guess_language(bytes, module);
        read_names(bytes, module);
        lint(module);
        over_limits(module);
        // What is stripped is still the same module.
        const Module stripped = read_module(strip(bytes));
        EXPECT_EQ(stripped.bodies.size(), module.bodies.size());
        EXPECT_EQ(stripped.exports.size(), module.exports.size());
    } catch (const ModuleError& error) {
        EXPECT_LE(error.offset(), bytes.size());
    }
}

// One of everything that the reader knows.
std::string rich_module() {
    using namespace make;
    return header +
           section(1, leb(4) + bytes({0x60, 0, 0, 0x60, 1, 0x7f, 1, 0x7f, 0x5f, 1, 0x7f, 1, 0x4e, 1,
                                      0x5e, 0x78, 0})) +
           section(2, leb(2) + name("env") + name("proxy_done") + bytes({0, 1}) + name("env") +
                          name("g") + bytes({3, 0x7f, 0})) +
           section(3, bytes({2, 0, 1})) + section(4, bytes({1, 0x70, 1, 1, 2})) +
           section(5, bytes({1, 1, 1, 2})) + section(13, bytes({1, 0, 0})) +
           section(6, leb(1) + bytes({0x7f, 1, 0x41, 1, 0x41, 2, 0x6a, 0x0b})) +
           section(7, leb(3) + function_export("proxy_abi_version_0_2_1", 1) +
                          function_export("malloc", 2) + function_export("_initialize", 1)) +
           section(8, bytes({1})) +
           section(9,
                   leb(2) + bytes({0, 0x41, 0, 0x0b, 1, 1}) + bytes({5, 0x70, 1, 0xd2, 1, 0x0b})) +
           section(12, leb(1)) +
           section(10,
                   bytes({2}) + body(bytes({0x41, 0, 0x10, 0, 0x1a})) + body(returns_one_page)) +
           section(11, leb(1) + bytes({0, 0x41, 0, 0x0b, 2, 'a', 'b'})) +
           custom("name", bytes({0, 2, 1, 'm', 1, 4, 1, 1, 1, 'f'})) +
           custom("producers", leb(1) + name("language") + leb(1) + name("Rust") + name(""));
}

TEST(FuzzModule, SurvivesEveryCutAndEveryChangedByte) {
    const std::string whole = rich_module();
    ASSERT_NO_THROW(read_module(whole));
    for (std::size_t size = 0; size < whole.size(); ++size) {
        look_at(std::string_view(whole).substr(0, size));
    }
    for (std::size_t at = 0; at < whole.size(); ++at) {
        for (int value = 0; value < 256; ++value) {
            std::string changed = whole;
            changed[at] = static_cast<char>(value);
            look_at(changed);
        }
    }
}

TEST(FuzzModule, SurvivesRandomSplices) {
    const std::string whole = rich_module();
    std::mt19937 random(20261121);  // the same run every time
    for (int round = 0; round < 20'000; ++round) {
        std::string changed = whole;
        for (auto edits = 1 + random() % 4; edits > 0; --edits) {
            const std::size_t at = random() % changed.size();
            switch (random() % 3) {
                case 0:
                    changed[at] = static_cast<char>(random());
                    break;
                case 1:
                    changed.insert(at, 1 + random() % 3, static_cast<char>(random()));
                    break;
                default:
                    changed.insert(at, changed.substr(random() % changed.size(), random() % 16));
                    break;
            }
        }
        look_at(changed);
    }
}

}  // namespace
}  // namespace wasmplug::wasm
