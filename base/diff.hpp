#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace wasmplug {

// A unified diff as `diff -u` writes it, with "--- OLD_NAME" and "+++ NEW_NAME" and `context`
// lines around each change; "" when the texts are equal. Bytes are shown as they are: CRLF and
// lines that only differ in it too. A text that does not end with a line break is marked
// "\ No newline at end of file". Texts that differ in very many lines get a diff that is right
// but not the shortest, so that time and memory stay bounded.
std::string unified_diff(std::string_view old_text, std::string_view new_text,
                         const std::string& old_name, const std::string& new_name,
                         std::size_t context = 3);

// For terminals: removed lines red, added ones green, headers bold.
std::string colour_diff(std::string_view diff);

}  // namespace wasmplug
