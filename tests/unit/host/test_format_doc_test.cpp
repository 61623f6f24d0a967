// The examples of docs/test-format.md are run as they stand there.

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "base/yaml.hpp"
#include "host/embedded.hpp"
#include "plugintest/runner.hpp"
#include "tests/support/documents.hpp"
#include "tests/support/require.hpp"
#include "tests/support/script_plugin.hpp"

namespace wasmplug::host {
namespace {

TEST(TestFormatDocument, ShowsTestsThatPass) {
    const auto module = test::built_plugin("patterns");
    WASMPLUG_NEEDS(module.has_value(), "clang with wasm-ld");
    const std::filesystem::path document =
        std::filesystem::path(WASMPLUG_SOURCE_DIR) / "docs/test-format.md";
    const auto blocks = test::yaml_blocks(read_file(document));
    ASSERT_GE(blocks.size(), 4U);
    plugintest::ReadOptions options;
    options.module = *module;
    Embedded embedded;
    for (const auto& block : blocks) {
        const auto file = plugintest::parse_test_file(
            yaml::File::parse(block, "docs/test-format.md"), document, options);
        for (const auto& test : file.tests) {
            const auto result = plugintest::run_case(
                test, [&](const plugintest::Case& each) { return embedded.run(each); }, false);
            for (const auto& failure : result.failures) {
                ADD_FAILURE() << result.name << ": " << failure.what << ": expected "
                              << failure.expected << ", got " << failure.actual;
            }
        }
    }
}

}  // namespace
}  // namespace wasmplug::host
