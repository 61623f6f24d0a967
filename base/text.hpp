#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace wasmplug {

// Without its newline.
std::string first_line(std::string_view text);

// Of ASCII letters; every other byte stays.
std::string lower_case(std::string_view text);

// As many whole characters of UTF-8 from its beginning as fit into `most` bytes.
std::string_view whole_characters(std::string_view text, std::size_t most);

}  // namespace wasmplug
