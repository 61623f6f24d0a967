#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/yaml.hpp"

// The one writer of YAML. What it writes reads back as the same JSON under YAML 1.1 and 1.2: a
// string is quoted whenever either could take it for another type. (yaml-cpp's emitter leaves
// such strings plain, cannot chomp block scalars and hangs comments on the line before.)
namespace wasmplug::yaml {

struct WriteOptions {
    Style layout = Style::block;  // or flow: on one line
    std::size_t indent = 2;
    // Comments, without '#', above the entry or item at a path; several lines are several
    // comments. Only in block layout.
    std::vector<std::pair<Path, std::string>> comments;
};

// Ends with a line break in block layout, unless the value is a scalar or empty; never in flow.
std::string write(const nlohmann::ordered_json& value, const WriteOptions& options = {});

// A scalar on one line, for a place where an old text was written in `style`: the same quotes
// when they can hold it, else the plainest that is safe. In flow context commas and brackets
// want quotes as well.
enum class Context { block, flow, json };
std::string write_scalar(const nlohmann::ordered_json& value, Style style = Style::plain,
                         Context context = Context::block);

// A string where an unquoted one stood: it stays so when Kubernetes reads it as this string, be
// there others who would not (a digest that begins with a digit).
std::string write_unquoted(const std::string& text, Context context = Context::block);

// Whether some YAML reader could take the plain text for something else than this string.
bool needs_quotes(std::string_view text);

}  // namespace wasmplug::yaml
