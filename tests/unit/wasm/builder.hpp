#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace wasmplug::wasm::testing {

// Modules byte by byte, so that a test says what it feeds the reader.
inline std::string bytes(std::initializer_list<int> values) {
    std::string text;
    for (const int value : values) {
        text.push_back(static_cast<char>(value));
    }
    return text;
}

inline std::string leb(std::uint64_t value) {
    std::string text;
    do {
        const auto low = static_cast<unsigned char>(value & 0x7f);
        value >>= 7;
        text.push_back(static_cast<char>(value != 0 ? low | 0x80 : low));
    } while (value != 0);
    return text;
}

inline std::string name(std::string_view text) {
    return leb(text.size()) + std::string(text);
}

inline std::string section(int id, const std::string& contents) {
    return bytes({id}) + leb(contents.size()) + contents;
}

inline std::string custom(std::string_view section_name, const std::string& contents) {
    return section(0, name(section_name) + contents);
}

inline const std::string header = bytes({0, 'a', 's', 'm', 1, 0, 0, 0});

// Types 0: () -> (), 1: (i32) -> (i32).
inline const std::string two_types = section(1, bytes({2, 0x60, 0, 0, 0x60, 1, 0x7f, 1, 0x7f}));

inline std::string function_export(std::string_view function_name, std::uint32_t index) {
    return name(function_name) + bytes({0}) + leb(index);
}

// A body without locals: `instructions` and the final end.
inline std::string body(const std::string& instructions) {
    const std::string code = bytes({0}) + instructions + bytes({0x0b});
    return leb(code.size()) + code;
}

inline const std::string returns_one_page = bytes({0x41, 0x80, 0x08});  // i32.const 1024

// A plugin that Envoy loads: marker, malloc, memory; `more` is appended.
inline std::string smallest_plugin(const std::string& more = {}) {
    return header + two_types + section(3, bytes({2, 0, 1})) + section(5, bytes({1, 0, 1})) +
           section(7, bytes({3}) + function_export("proxy_abi_version_0_2_1", 0) +
                          function_export("malloc", 1) + name("memory") + bytes({2, 0})) +
           section(10, bytes({2}) + body("") + body(returns_one_page)) + more;
}

}  // namespace wasmplug::wasm::testing
