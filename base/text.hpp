#pragma once

#include <string>
#include <string_view>

namespace wasmplug {

// Without its newline.
std::string first_line(std::string_view text);

// Of ASCII letters; every other byte stays.
std::string lower_case(std::string_view text);

}  // namespace wasmplug
