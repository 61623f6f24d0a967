#include "wasm/bytes.hpp"

#include <fmt/format.h>

namespace wasmplug::wasm {

namespace {

// Length of the well-formed UTF-8 sequence at `text`, or 0.
std::size_t utf8_sequence(std::string_view text) {
    const auto byte = [&](std::size_t i) {
        return static_cast<unsigned char>(text[i]);
    };
    const unsigned char first = byte(0);
    if (first < 0x80) {
        return 1;
    }
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length) {
        return 0;
    }
    const unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (byte(1) < low || byte(1) > high) {
        return 0;
    }
    for (std::size_t i = 2; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = utf8_sequence(text);
        if (length == 0) {
            return false;
        }
        text.remove_prefix(length);
    }
    return true;
}

}  // namespace

ModuleError::ModuleError(Kind kind, std::size_t offset, const std::string& what)
    : Error(fmt::format("{} (byte {})", what, offset)), kind_(kind), offset_(offset) {}

void Bytes::malformed(const std::string& what) const {
    throw ModuleError(ModuleError::Kind::malformed, offset(), what);
}

void Bytes::truncated(const char* what) const {
    throw ModuleError(ModuleError::Kind::truncated, base_ + text_.size(),
                      fmt::format("the bytes end inside {}", what));
}

std::uint64_t Bytes::unsigned_leb(int bits, const char* what) {
    std::uint64_t value = 0;
    for (int shift = 0; shift < bits; shift += 7) {
        const std::uint8_t byte = u8(what);
        const int room = bits - shift;
        if (room < 7 && (byte & 0x7f) >> room != 0) {
            break;
        }
        value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            return value;
        }
    }
    malformed(fmt::format("{} is no {}-bit number", what, bits));
}

std::int64_t Bytes::long_signed_leb(int bits, const char* what) {
    std::uint64_t value = 0;
    for (int shift = 0; shift < bits; shift += 7) {
        const std::uint8_t byte = u8(what);
        const int room = bits - shift;
        if (room < 7) {
            // The bits above the sign must all repeat it.
            const int above = (byte & 0x7f) >> (room - 1);
            if (above != 0 && above != (0x7f >> (room - 1))) {
                break;
            }
        }
        value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            if ((byte & 0x40) != 0 && shift + 7 < 64) {
                value |= ~std::uint64_t{0} << (shift + 7);
            }
            return static_cast<std::int64_t>(value);
        }
    }
    malformed(fmt::format("{} is no {}-bit number", what, bits));
}

std::string_view Bytes::take(std::size_t size, const char* what) {
    if (size > left()) {
        truncated(what);
    }
    const std::string_view result = text_.substr(position_, size);
    position_ += size;
    return result;
}

std::string Bytes::name(const char* what) {
    const std::size_t start = offset();
    const std::string_view text = sized(what);
    if (!is_utf8(text)) {
        throw ModuleError(ModuleError::Kind::malformed, start,
                          fmt::format("{} is not UTF-8", what));
    }
    return std::string(text);
}

std::uint32_t Bytes::count(std::uint32_t limit, const char* what) {
    const std::size_t start = offset();
    const std::uint32_t value = u32(what);
    if (value > limit) {
        throw ModuleError(ModuleError::Kind::limit, start,
                          fmt::format("{} is {}, over the limit of {}", what, value, limit));
    }
    if (value > left()) {
        truncated(what);
    }
    return value;
}

Bytes Bytes::part(std::size_t size, const char* what) {
    const std::size_t start = offset();
    return Bytes(take(size, what), start);
}

}  // namespace wasmplug::wasm
