#include "host/pairs.hpp"

#include <cstdint>
#include <cstring>

#include "base/text.hpp"
#include "host/abi.hpp"

namespace wasmplug::host {
namespace {

void append_u32(std::string& bytes, std::size_t value) {
    const auto number = static_cast<std::uint32_t>(value);
    bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
}

std::uint32_t u32_at(std::string_view bytes, std::size_t offset) {
    std::uint32_t number = 0;
    std::memcpy(&number, bytes.data() + offset, sizeof number);
    return number;
}

}  // namespace

std::string serialize_pairs(const Headers& pairs) {
    std::string bytes;
    if (pairs.empty()) {
        return bytes;
    }
    append_u32(bytes, pairs.size());
    for (const auto& [name, value] : pairs) {
        append_u32(bytes, name.size());
        append_u32(bytes, value.size());
    }
    for (const auto& [name, value] : pairs) {
        bytes += name;
        bytes += '\0';
        bytes += value;
        bytes += '\0';
    }
    return bytes;
}

Headers parse_pairs(std::string_view bytes) {
    constexpr std::size_t head = 4;
    if (bytes.size() < head || bytes.size() > max_pairs_bytes) {
        return {};
    }
    const std::size_t count = u32_at(bytes, 0);
    if (count > max_pairs || bytes.size() < head + 8 * count) {
        return {};
    }
    Headers pairs;
    pairs.reserve(count);
    std::size_t at = head + 8 * count;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t name_size = u32_at(bytes, head + 8 * i);
        const std::size_t value_size = u32_at(bytes, head + 8 * i + 4);
        const std::size_t left = bytes.size() - at;
        if (name_size >= left || value_size >= left || name_size + value_size + 2 > left) {
            return {};
        }
        if (bytes[at + name_size] != '\0' || bytes[at + name_size + 1 + value_size] != '\0') {
            return {};
        }
        pairs.emplace_back(lower_case(bytes.substr(at, name_size)),
                           bytes.substr(at + name_size + 1, value_size));
        at += name_size + value_size + 2;
    }
    return pairs;
}

}  // namespace wasmplug::host
