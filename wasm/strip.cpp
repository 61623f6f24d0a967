#include "wasm/strip.hpp"

#include <array>

#include "wasm/module.hpp"

namespace wasmplug::wasm {

namespace {

bool is_for_debuggers(std::string_view name) {
    constexpr std::array names{"name", "sourceMappingURL", "external_debug_info", "linking",
                               "build_id"};
    for (const std::string_view each : names) {
        if (name == each) {
            return true;
        }
    }
    return name.starts_with(".debug_") || name.starts_with("reloc.");
}

}  // namespace

std::string strip(std::string_view bytes) {
    const Module module = read_module(bytes);
    std::string stripped(bytes.substr(0, 8));
    std::size_t start = 8;  // of a section's id
    for (const auto& section : module.sections) {
        const std::size_t end = section.offset + section.size;
        if (section.id != 0 || !is_for_debuggers(section.name)) {
            stripped += bytes.substr(start, end - start);
        }
        start = end;
    }
    return stripped;
}

}  // namespace wasmplug::wasm
