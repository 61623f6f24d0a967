#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/output.hpp"
#include "base/yaml_write.hpp"

namespace wasmplug {

// For a command whose own -o has more formats than the global one: prints `result` as Output::show
// would. "" is what was chosen for all commands. False, with nothing printed, for any other format.
template <class Result>
bool show_as(std::string_view format, const Result& result, Output& out) {
    if (format.empty()) {
        out.show(result);
    } else if (format == "json") {
        out.print(pretty_json(to_json(result)));
    } else if (format == "yaml") {
        out.print(yaml::write(to_json(result)));
    } else if (format != "text") {
        return false;
    } else if constexpr (requires { to_text(result, out.style()); }) {
        out.print(to_text(result, out.style()));
    } else {
        out.print(to_text(result));
    }
    return true;
}

}  // namespace wasmplug
