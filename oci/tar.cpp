#include "oci/tar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>

#include "base/error.hpp"
#include "base/terminal.hpp"

namespace wasmplug::oci {
namespace {

constexpr std::size_t block_size = 512;
constexpr std::uint64_t special_limit = std::uint64_t{1} << 20;  // Go: maxSpecialFileSize
constexpr std::uint64_t entry_limit = 10'000;
constexpr std::uint64_t size_limit = std::uint64_t{1} << 50;

std::uint64_t padding_of(std::uint64_t size) {
    return (block_size - size % block_size) % block_size;
}

std::string_view text_field(std::string_view block, std::size_t at, std::size_t size) {
    const std::string_view field = block.substr(at, size);
    return field.substr(0, field.find('\0'));
}

// Octal digits, or GNU's base 256 when the first bit is set.
std::optional<std::uint64_t> number_field(std::string_view block, std::size_t at,
                                          std::size_t size) {
    const std::string_view field = block.substr(at, size);
    const auto first = static_cast<unsigned char>(field[0]);
    std::uint64_t value = 0;
    if ((first & 0x80U) != 0) {
        if (first != 0x80U) {
            return std::nullopt;  // negative, or beyond 64 bits
        }
        for (const char c : field.substr(1)) {
            if (value >> 56U != 0) {
                return std::nullopt;
            }
            value = value << 8U | static_cast<unsigned char>(c);
        }
        return value;
    }
    std::size_t i = field.find_first_not_of(std::string_view(" \0", 2));
    for (; i < field.size() && field[i] != ' ' && field[i] != '\0'; ++i) {
        if (field[i] < '0' || field[i] > '7') {
            return std::nullopt;
        }
        value = value * 8 + static_cast<std::uint64_t>(field[i] - '0');
    }
    return value;
}

bool checksum_is_right(std::string_view block) {
    const auto stated = number_field(block, 148, 8);
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < block.size(); ++i) {
        const bool own = i >= 148 && i < 156;
        sum += own ? std::uint64_t{' '} : static_cast<unsigned char>(block[i]);
    }
    return stated && *stated == sum;
}

void check_name(std::string_view name) {
    const std::string shown = "'" + printable(elide_middle(name, 100)) + "'";
    if (name.empty()) {
        throw Error("holds an entry without a name");
    }
    if (std::ranges::any_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7F; })) {
        throw Error("holds an entry with a control character in its name: " + shown);
    }
    if (name.starts_with('/') || name.starts_with('\\') ||
        (name.size() > 1 && name[1] == ':' && (name[0] | 0x20) >= 'a' && (name[0] | 0x20) <= 'z')) {
        throw Error("holds an entry with an absolute name: " + shown);
    }
    for (std::size_t from = 0; from <= name.size();) {
        const std::size_t end = std::min(name.find_first_of("/\\", from), name.size());
        if (name.substr(from, end - from) == "..") {
            throw Error("holds an entry that points out of the archive: " + shown);
        }
        from = end + 1;
    }
}

TarEntry::Type type_of(char flag) {
    switch (flag) {
        case '\0':
        case '0':
        case '7':
            return TarEntry::Type::file;
        case '1':
            return TarEntry::Type::hard_link;
        case '2':
            return TarEntry::Type::symbolic_link;
        case '3':
        case '4':
        case '6':
            return TarEntry::Type::device;
        case '5':
            return TarEntry::Type::folder;
        default:
            return TarEntry::Type::other;
    }
}

std::string octal(std::uint64_t value, std::size_t digits) {
    return fmt::format("{:0{}o}", value, digits);
}

}  // namespace

std::string tar_header(std::string_view name, std::uint64_t size) {
    if (name.empty() || name.size() > 100) {
        throw Error(fmt::format("'{}' is no name for a file in an image", printable(name)));
    }
    if (size >= std::uint64_t{1} << 33) {
        throw Error(fmt::format("{} is larger than 8 GiB", printable(name)));
    }
    std::string block(block_size, '\0');
    const auto put = [&block](std::size_t at, std::string_view text) {
        block.replace(at, text.size(), text);
    };
    put(0, name);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, octal(size, 11));
    put(136, octal(0, 11));
    put(148, "        ");
    put(156, "0");
    put(257, std::string_view("ustar\00000", 8));
    put(329, "0000000");
    put(337, "0000000");
    const auto sum = std::accumulate(
        block.begin(), block.end(), std::uint64_t{0},
        [](std::uint64_t total, char c) { return total + static_cast<unsigned char>(c); });
    put(148, octal(sum, 6));
    block[154] = '\0';
    return block;
}

std::string tar_padding(std::uint64_t size) {
    return std::string(padding_of(size), '\0');
}

std::string tar_end() {
    return std::string(2 * block_size, '\0');
}

void TarReader::write(std::string_view bytes) {
    while (!bytes.empty()) {
        std::size_t taken = 0;
        if (left_ > 0) {
            taken = std::min<std::uint64_t>(left_, bytes.size());
            left_ -= taken;
            if (special_type_ != 0) {
                special_ += bytes.substr(0, taken);
            } else if (content_) {
                content_(bytes.substr(0, taken));
            }
        } else if (padding_ > 0) {
            taken = std::min<std::uint64_t>(padding_, bytes.size());
            padding_ -= taken;
        } else {
            taken = std::min(block_size - block_.size(), bytes.size());
            block_ += bytes.substr(0, taken);
        }
        at_ += taken;
        bytes.remove_prefix(taken);
        if (left_ == 0 && special_type_ != 0) {
            extended();
        }
        if (block_.size() == block_size) {
            header();
            block_.clear();
        }
    }
}

std::uint64_t TarReader::skip() {
    if (content_ || special_type_ != 0) {
        return 0;
    }
    const std::uint64_t skipped = left_ + padding_;
    left_ = padding_ = 0;
    at_ += skipped;
    return skipped;
}

void TarReader::header() {
    if (std::ranges::all_of(block_, [](char c) { return c == '\0'; })) {
        ++zero_blocks_;
        return;
    }
    if (zero_blocks_ >= 2) {
        throw Error("has something after the end of its tar data");
    }
    if (zero_blocks_ == 1) {
        throw Error("is broken tar data (one block of zeros between entries)");
    }
    if (!checksum_is_right(block_)) {
        throw Error(entries_ == 0 ? "is not tar data" : "is broken tar data (bad checksum)");
    }
    if (++entries_ > entry_limit) {
        throw Error(fmt::format("holds more than {} entries", entry_limit));
    }
    const auto size = number_field(block_, 124, 12);
    if (!size || *size > size_limit) {
        throw Error("holds an entry with an impossible size");
    }
    const char flag = block_[156];
    if (flag == 'x' || flag == 'g' || flag == 'L' || flag == 'K') {
        if (*size > special_limit) {
            throw Error("holds an extended header that is too large");
        }
        special_type_ = flag;
        special_.clear();
        left_ = *size;
        padding_ = padding_of(*size);
        if (left_ == 0) {
            special_type_ = 0;
        }
        return;
    }
    if (flag == 'S') {
        throw Error("holds a sparse file");
    }
    TarEntry entry;
    entry.name = text_field(block_, 0, 100);
    if (block_.compare(257, 6, std::string_view("ustar\0", 6)) == 0) {
        if (const auto prefix = text_field(block_, 345, 155); !prefix.empty()) {
            entry.name = std::string(prefix) + "/" + entry.name;
        }
    }
    if (!next_name_.empty()) {
        entry.name = std::exchange(next_name_, {});
    }
    entry.type = type_of(flag);
    entry.size = *size;
    if (!next_size_.empty()) {
        const std::string text = std::exchange(next_size_, {});
        if (text.size() > 15 || text.find_first_not_of("0123456789") != std::string::npos) {
            throw Error("holds an entry with an impossible size");
        }
        entry.size = std::stoull(text);
    }
    begin(entry);
}

void TarReader::begin(const TarEntry& entry) {
    check_name(entry.name);
    TarEntry placed = entry;
    placed.offset = at_;
    // Only files have content; Go ignores the size of links and folders too.
    const bool has_content =
        entry.type == TarEntry::Type::file || entry.type == TarEntry::Type::other;
    left_ = has_content ? entry.size : 0;
    padding_ = padding_of(left_);
    content_ = on_entry_(placed);
}

// PAX records: "LENGTH KEY=VALUE\n". A long name is the content itself.
void TarReader::extended() {
    const char type = std::exchange(special_type_, '\0');
    if (type == 'L') {
        next_name_ = special_.substr(0, special_.find('\0'));
        return;
    }
    if (type == 'K') {
        return;
    }
    std::string_view rest = special_;
    while (!rest.empty()) {
        const std::size_t space = rest.find(' ');
        std::size_t length = 0;
        if (space == std::string_view::npos || space == 0 || space > 9 ||
            rest.substr(0, space).find_first_not_of("0123456789") != std::string_view::npos) {
            throw Error("holds a broken extended header");
        }
        length = std::stoul(std::string(rest.substr(0, space)));
        if (length <= space + 1 || length > rest.size() || rest[length - 1] != '\n') {
            throw Error("holds a broken extended header");
        }
        const std::string_view record = rest.substr(space + 1, length - space - 2);
        rest.remove_prefix(length);
        const std::size_t equals = record.find('=');
        if (equals == std::string_view::npos) {
            throw Error("holds a broken extended header");
        }
        const std::string_view key = record.substr(0, equals);
        if (key.starts_with("GNU.sparse.")) {
            throw Error("holds a sparse file");
        }
        if (type == 'x' && key == "path") {
            next_name_ = record.substr(equals + 1);
        } else if (type == 'x' && key == "size") {
            next_size_ = record.substr(equals + 1);
        }
    }
}

void TarReader::finish() {
    if (at_ == 0) {
        throw Error("is empty");
    }
    if (left_ > 0 || padding_ > 0 || !block_.empty()) {
        throw Error("ends in the middle of its tar data");
    }
}

}  // namespace wasmplug::oci
