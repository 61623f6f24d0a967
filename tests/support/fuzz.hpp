#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace wasmplug::test {

// A parser of foreign bytes as a plain function: whatever the bytes are it returns or throws
// Error, soon and in bounded memory. The test replays it over its seeds, over the files of
// tests/data/fuzz/NAME/ (inputs that once went wrong), and over a fixed series of damaged copies
// of both. tools/fuzz hands the same function to libFuzzer.
struct FuzzTarget {
    std::string name;
    std::function<void(std::string_view)> run;
    std::vector<std::string> seeds;  // texts, or "@GLOB" for files of the source tree: "@a/*.yaml"
};

// Calls the target, and lets pass what it may throw.
void fuzz_once(const FuzzTarget& target, std::string_view input);

std::vector<std::string> corpus_of(const FuzzTarget& target);

// For main: libFuzzer on the target, with its own arguments; the corpus of the test is put into the
// first folder among them. Only in a build with WASMPLUG_LIBFUZZER.
int run_libfuzzer(const FuzzTarget& target, int argc, char** argv);

// The `number`th damaged copy of `seed`: the same for the same arguments on every machine.
std::string damaged(std::string_view seed, unsigned number);

}  // namespace wasmplug::test
