#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace wasmplug::test {

// WASMPLUG_REQUIRE_ALL=1 (in CI): a part that is not there is a failure, not a skip. A part that
// could not be downloaded (WASMPLUG_NOT_FETCHED, set by tools/test, which says so) is a skip even
// then.
bool fails_without(std::string_view part);

// The program `name` on the system's PATH, or nothing.
std::optional<std::filesystem::path> find_program(const std::string& name);

// The folder for what is downloaded or built once: WASMPLUG_CACHE, else the user's cache folder.
std::filesystem::path cache_folder();

// Whether `tools/test --language` left this language in; without the option, all are.
bool wants_language(std::string_view language);

}  // namespace wasmplug::test

// In a test's body or SetUp: ends it, skipped or failed, unless `there`. `part` is one word.
#define WASMPLUG_NEEDS(there, part)                                         \
    do {                                                                    \
        if (!(there)) {                                                     \
            if (wasmplug::test::fails_without(part)) {                      \
                FAIL() << (part) << " is not there; tools/test brings it";  \
            }                                                               \
            GTEST_SKIP() << "needs " << (part) << "; tools/test brings it"; \
        }                                                                   \
    } while (false)

#define WASMPLUG_NEEDS_PROGRAM(name) \
    WASMPLUG_NEEDS(wasmplug::test::find_program(name).has_value(), name)
