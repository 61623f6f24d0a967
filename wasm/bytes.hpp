#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace wasmplug::wasm {

// The bytes are not a module that any engine would take, or go beyond a limit.
class ModuleError : public Error {
  public:
    enum class Kind { not_wasm, truncated, malformed, limit };

    ModuleError(Kind kind, std::size_t offset, const std::string& what);

    Kind kind() const { return kind_; }

    // Where in the file the fault was seen.
    std::size_t offset() const { return offset_; }

  private:
    Kind kind_;
    std::size_t offset_;
};

// A cursor over part of a module; every read is checked and throws ModuleError with the offset
// in the whole file.
class Bytes {
  public:
    // `file_offset` is where `text` begins in the file, for messages.
    explicit Bytes(std::string_view text, std::size_t file_offset = 0)
        : text_(text), base_(file_offset) {}

    bool at_end() const { return position_ == text_.size(); }

    std::size_t left() const { return text_.size() - position_; }

    std::size_t offset() const { return base_ + position_; }

    std::uint8_t u8(const char* what) {
        if (at_end()) {
            truncated(what);
        }
        return static_cast<std::uint8_t>(text_[position_++]);
    }

    std::uint8_t peek(const char* what) const {
        if (at_end()) {
            truncated(what);
        }
        return static_cast<std::uint8_t>(text_[position_]);
    }

    // LEB128 as the core specification bounds it (§5.2.2): ceil(N/7) bytes, unused bits right.
    std::uint32_t u32(const char* what) {
        if (!at_end() && static_cast<std::uint8_t>(text_[position_]) < 0x80) {
            return static_cast<std::uint8_t>(text_[position_++]);
        }
        return static_cast<std::uint32_t>(unsigned_leb(32, what));
    }

    std::uint64_t u64(const char* what) {
        if (!at_end() && static_cast<std::uint8_t>(text_[position_]) < 0x80) {
            return static_cast<std::uint8_t>(text_[position_++]);
        }
        return unsigned_leb(64, what);
    }

    std::int64_t signed_leb(int bits, const char* what) {
        if (!at_end() && static_cast<std::uint8_t>(text_[position_]) < 0x80) {
            const auto byte = static_cast<std::uint8_t>(text_[position_++]);
            return byte < 0x40 ? byte : byte - 0x80;
        }
        return long_signed_leb(bits, what);
    }

    // The next `size` bytes.
    std::string_view take(std::size_t size, const char* what);

    // A length and as many bytes.
    std::string_view sized(const char* what) {
        const std::uint32_t size = u32(what);
        return take(size, what);
    }

    // A sized string; throws when it is not UTF-8.
    std::string name(const char* what);

    // A vector's length: each element takes at least one byte, so one that is longer than what
    // is left is refused before anything is reserved for it.
    std::uint32_t count(std::uint32_t limit, const char* what);

    // A cursor over the next `size` bytes, which are then behind this one.
    Bytes part(std::size_t size, const char* what);

    [[noreturn]] void malformed(const std::string& what) const;
    [[noreturn]] void truncated(const char* what) const;

  private:
    std::uint64_t unsigned_leb(int bits, const char* what);
    std::int64_t long_signed_leb(int bits, const char* what);

    std::string_view text_;
    std::size_t base_;
    std::size_t position_ = 0;
};

}  // namespace wasmplug::wasm
