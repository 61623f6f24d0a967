#include "wasm/lint.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/output.hpp"
#include "base/terminal.hpp"
#include "wasm/abi.hpp"

namespace wasmplug::wasm {

namespace {

constexpr std::size_t large_module = std::size_t{10} << 20;
constexpr std::uint64_t large_memory_pages = 512;  // 32 MiB
constexpr std::size_t page = std::size_t{64} << 10;

struct LanguageMark {
    std::string_view text;
    Language language;
};

// Values of the fields "language" and "processed-by", as the compilers of 2026 write them.
constexpr LanguageMark producer_marks[] = {
    {"TinyGo", Language::tinygo},
    {"Rust", Language::rust},
    {"rustc", Language::rust},
    {"Go", Language::go},
    {"AssemblyScript", Language::assemblyscript},
    {"C_plus_plus", Language::cpp},
    {"clang", Language::cpp},
};

// Texts in the data of a module whose producers section was stripped.
constexpr LanguageMark data_marks[] = {
    {std::string_view("~\0l\0i\0b\0/\0", 10), Language::assemblyscript},
    {"tinygo", Language::tinygo},
    {"goroutine ", Language::go},
    {"/rustc/", Language::rust},
    {"panicked at", Language::rust},
};

LanguageGuess guess_by_exports(const Module& module) {
    if (module.find_function("__pin") != nullptr && module.find_function("__new") != nullptr) {
        return {Language::assemblyscript, "exports __new and __pin"};
    }
    if (module.find_custom("go:buildid") != nullptr) {
        return {Language::go, "custom section go:buildid"};
    }
    if (module.find_function("asyncify_start_unwind") != nullptr) {
        return {Language::tinygo, "exports asyncify_start_unwind"};
    }
    return {};
}

void check_size(const Module& module, std::vector<Warning>& warnings) {
    std::size_t debug = 0;
    for (const auto& section : module.sections) {
        if (section.id == 0 && section.name.starts_with(".debug_")) {
            debug += section.size;
        }
    }
    if (debug != 0) {
        warnings.push_back(
            {"debug-info",
             fmt::format("a debug build: {} of debug information", format_size(debug)),
             "build it with 'wasmplug build', which uses the release profile"});
    }
    if (const Section* names = module.find_custom("name"); names != nullptr && names->size > 1024) {
        warnings.push_back(
            {"names",
             fmt::format("{} of function names; they make a trap's backtrace readable and are "
                         "fetched by every proxy",
                         format_size(names->size)),
             "strip them with 'wasmplug build', or keep them on purpose"});
    }
    if (module.size > large_module) {
        warnings.push_back({"size",
                            fmt::format("{} is much for a plugin: every proxy fetches and "
                                        "compiles it",
                                        format_size(module.size)),
                            "look for embedded data, and at what the largest sections hold"});
    }
}

void check_memory(const Module& module, std::vector<Warning>& warnings) {
    if (module.memories.empty()) {
        warnings.push_back({"no-memory",
                            "there is no memory; Envoy loads the module and crashes at the first "
                            "data that it hands over",
                            "export a memory"});
    } else if (module.memories[0].minimum > large_memory_pages) {
        warnings.push_back({"memory",
                            fmt::format("the memory begins with {}, once a worker thread",
                                        format_size(module.memories[0].minimum * page)),
                            "lower the initial memory of the linker; memory grows by itself"});
    }
}

void check_wasi(const Module& module, std::vector<Warning>& warnings) {
    std::size_t count = 0;
    bool needs_b = false;
    for (const auto& import : module.imports) {
        if (import.kind != ExternalKind::function || !is_wasi_module(import.module)) {
            continue;
        }
        ++count;
        const WasiFunction* function = find_wasi_function(import.name);
        needs_b = needs_b || (function != nullptr && function->since == WasiEpoch::b);
    }
    if (needs_b) {
        warnings.push_back(
            {"wasi",
             fmt::format("{} WASI imports, as every Go plugin has: Envoy 1.33 (Istio 1.25) is the "
                         "first to load it, and until 1.38 poll_oneoff answers ENOSYS",
                         count),
             "aim at Envoy 1.39 (Istio 1.31), and test on the release you run"});
    }
}

void check_exports(const Module& module, std::vector<Warning>& warnings) {
    std::vector<std::string> markers;
    std::vector<std::string> known;
    for (const auto& callback : callbacks()) {
        known.emplace_back(callback.name);
    }
    for (const auto& exported : module.exports) {
        if (exported.kind != ExternalKind::function) {
            continue;
        }
        if (abi_of_marker(exported.name)) {
            markers.push_back(exported.name);
        } else if (exported.name.starts_with("proxy_on_") &&
                   exported.name != "proxy_on_memory_allocate" &&
                   // AssemblyScript's SDK exports a spelling of its own.
                   exported.name != "proxy_on_grpc_trailing_metadata" &&
                   std::find(known.begin(), known.end(), exported.name) == known.end()) {
            const std::string guess = closest(exported.name, known);
            warnings.push_back(
                {"unknown-callback",
                 fmt::format("{} is exported and no host calls it", printable(exported.name)),
                 guess.empty() ? "" : fmt::format("did you mean {}?", guess)});
        }
    }
    if (markers.size() > 1) {
        warnings.push_back({"two-abis",
                            fmt::format("{} ABI versions are exported, and {} wins because it "
                                        "comes first",
                                        markers.size(), markers.front()),
                            "link one SDK only"});
    }
}

}  // namespace

std::string_view to_text(Language language) {
    switch (language) {
        case Language::unknown:
            break;
        case Language::rust:
            return "Rust";
        case Language::go:
            return "Go";
        case Language::tinygo:
            return "TinyGo";
        case Language::assemblyscript:
            return "AssemblyScript";
        case Language::cpp:
            return "C++";
    }
    return "unknown";
}

LanguageGuess guess_language(std::string_view bytes, const Module& module) {
    const auto producers = read_producers(bytes, module);
    // Every module that clang's linker made says "clang"; the language is the better witness.
    for (const auto& mark : producer_marks) {
        for (const auto& producer : producers) {
            if (producer.field != "sdk" && producer.name.find(mark.text) != std::string::npos) {
                return {mark.language, fmt::format("producers: {} {}", printable(producer.name),
                                                   printable(producer.version))};
            }
        }
    }
    if (auto guess = guess_by_exports(module); guess.language != Language::unknown) {
        return guess;
    }
    const auto data = std::find_if(module.sections.begin(), module.sections.end(),
                                   [](const Section& section) { return section.id == 11; });
    if (data != module.sections.end()) {
        const std::string_view text = bytes.substr(data->offset, data->size);
        for (const auto& mark : data_marks) {
            if (text.find(mark.text) != std::string_view::npos) {
                return {mark.language, "texts of its run time in the data"};
            }
        }
    }
    return {};
}

std::vector<Warning> lint(const Module& module) {
    std::vector<Warning> warnings;
    check_size(module, warnings);
    check_memory(module, warnings);
    check_wasi(module, warnings);
    check_exports(module, warnings);
    return warnings;
}

}  // namespace wasmplug::wasm
