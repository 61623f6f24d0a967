#pragma once

#include <optional>
#include <string>

namespace wasmplug::plugintest {

// What a test file writes for a text that a regular expression of RE2 has to match from end to
// end.
struct FullMatch {
    std::string matcher;  // equals, contains, prefix, suffix, regex
    std::string text;     // ECMAScript for a regex
};

// Nothing for an expression that is none, or that ECMAScript has no words for: classes of
// Unicode (\p, \x{1F600} in brackets), lines ((?m) with ^ or $), \C.
// https://github.com/google/re2/wiki/Syntax
std::optional<FullMatch> full_match_of(const std::string& re2);

}  // namespace wasmplug::plugintest
