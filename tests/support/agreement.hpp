#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/file.hpp"
#include "tests/support/envoy.hpp"
#include "tests/support/sandbox.hpp"
#include "wasm/loading.hpp"

namespace wasmplug::test {

// Envoy's verdict of loading, without what a plugin says of its configuration.
struct Observed {
    bool loads = false;
    std::string log;
};

inline Observed ask_envoy(const std::filesystem::path& module) {
    const auto result = envoy_validate(envoy_bootstrap(module, "x"));
    Observed observed;
    observed.log = result.err + result.out;
    // A plugin that starts and refuses its configuration has been loaded.
    observed.loads = result.exit_code == 0 ||
                     observed.log.find("Failed to configure base") != std::string::npos ||
                     observed.log.find("Failed to start base") != std::string::npos;
    return observed;
}

// What inspect says of the module is what the real Envoy does with it, every line of its log.
inline void expect_agreement(const std::filesystem::path& module) {
    SCOPED_TRACE(module.filename().string());
    const auto ours =
        wasm::would_load(read_file(module), wasm::envoy_rules(wasm::newest_envoy_minor()));
    const Observed envoy = ask_envoy(module);
    EXPECT_EQ(ours.loads, envoy.loads) << ours.message << '\n' << ours.reason << '\n' << envoy.log;
    for (const auto& line : ours.log) {
        EXPECT_NE(envoy.log.find(line), std::string::npos) << line << '\n'
                                                           << ours.reason << '\n'
                                                           << envoy.log;
    }
}

inline void expect_agreement(Sandbox& sandbox, const std::string& name, const std::string& bytes) {
    sandbox.write(name, bytes);
    expect_agreement(sandbox.work() / name);
}

}  // namespace wasmplug::test
