#pragma once

#include <cstddef>
#include <string_view>

// Plain functions over any bytes: they return, or end the test that replays a corpus through
// them (and a fuzzer's run) by an exception that says what was wrong.
namespace wasmplug::fuzz {

// Every range lies in the text and in that of the collection around it; what was read can be
// written and read again as the same value.
void read_yaml(std::string_view bytes);

// Sets, adds and removes something at many places: each is refused with an Error, or changes
// bytes only on the lines of that place.
void edit_yaml(std::string_view bytes);

// How many edits of edit_yaml() were made and how many refused, in this process.
struct EditCount {
    std::size_t made = 0;
    std::size_t refused = 0;
};

EditCount& edit_count();

}  // namespace wasmplug::fuzz
