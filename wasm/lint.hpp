#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wasm/module.hpp"

namespace wasmplug::wasm {

enum class Language { unknown, rust, go, tinygo, assemblyscript, cpp };

std::string_view to_text(Language language);  // "Rust", "C++"; "unknown"

struct LanguageGuess {
    Language language = Language::unknown;
    std::string evidence;  // "producers: rustc 1.96.0"
};

// From the producers section, or what a language's run time leaves in names and data.
LanguageGuess guess_language(std::string_view bytes, const Module& module);

// Something that loads and is still not what one ships.
struct Warning {
    std::string id;  // stable, for scripts: "debug-info"
    std::string message;
    std::string hint;
};

std::vector<Warning> lint(const Module& module);

}  // namespace wasmplug::wasm
