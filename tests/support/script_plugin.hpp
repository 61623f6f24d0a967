#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

// Plugins that tests build for themselves, with clang and wat2wasm.
namespace wasmplug::test {

// tests/data/wasm/NAME.c as a module, built once a process; nothing without clang and wasm-ld.
std::optional<std::filesystem::path> built_plugin(const std::string& name);

// The module that wat2wasm makes of `text`; nothing without wat2wasm. Throws for bad text.
std::optional<std::filesystem::path> assembled(const std::string& text);

}  // namespace wasmplug::test
