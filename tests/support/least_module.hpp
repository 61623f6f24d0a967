#pragma once

#include <string>
#include <string_view>

namespace wasmplug::test {

// The least that Envoy loads: the mark of ABI 0.2.1 and an allocator. `mark` (at most 100 bytes)
// stands in a custom section, for modules that must differ.
inline std::string least_module(std::string_view mark = {}) {
    using namespace std::string_literals;
    std::string module =
        "\0asm\1\0\0\0"s
        "\1\x9\2\x60\0\0\x60\1\x7f\1\x7f"s  // () -> (), (i32) -> i32
        "\3\3\2\0\1"s
        "\7\x24\2\x17proxy_abi_version_0_2_1\0\0\6malloc\0\1"s
        "\xa\x9\2\2\0\xb\4\0\x41\0\xb"s;
    if (!mark.empty()) {
        module += '\0';
        module += static_cast<char>(2 + mark.size());
        module += "\1v";
        module += mark;
    }
    return module;
}

}  // namespace wasmplug::test
