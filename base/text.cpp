#include "base/text.hpp"

#include <algorithm>

namespace wasmplug {

std::string first_line(std::string_view text) {
    return std::string(text.substr(0, text.find('\n')));
}

std::string lower_case(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return lower;
}

std::string_view whole_characters(std::string_view text, std::size_t most) {
    if (text.size() <= most) {
        return text;
    }
    while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80) {
        --most;
    }
    return text.substr(0, most);
}

}  // namespace wasmplug
