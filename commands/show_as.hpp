#pragma once

#include <string_view>

#include "base/output.hpp"

namespace wasmplug {

// For a command whose own -o has more formats than the global one: shows `result` in the format
// named. "" is what was chosen for all commands. False, with nothing shown, for any other format.
template <class Result>
bool show_as(std::string_view format, const Result& result, Output& out) {
    if (format.empty()) {
        out.show(result);
    } else if (format == "json") {
        out.show(result, Format::json);
    } else if (format == "yaml") {
        out.show(result, Format::yaml);
    } else if (format == "text") {
        out.show(result, Format::text);
    } else {
        return false;
    }
    return true;
}

}  // namespace wasmplug
