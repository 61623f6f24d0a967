#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/yaml.hpp"

// Typing of scalars as go.yaml.in/yaml/v2 resolve.go does it. For base/yaml*.cpp only.
namespace wasmplug::yaml {

struct Scalar {
    Type type = Type::string;
    bool boolean = false;
    // An integer is `magnitude` with the sign of `negative`; a number is `number`.
    bool negative = false;
    std::uint64_t magnitude = 0;
    double number = 0;
    // Written as a float, whatever type it got: matters for its text as a key.
    bool is_float = false;
};

// Of an untagged plain scalar.
Scalar resolve_plain(std::string_view text);

// Of a scalar with an explicit tag, written out; nothing when the text is not of that type.
std::optional<Scalar> resolve_tagged(std::string_view tag, std::string_view text);

// strconv.FormatFloat(value, 'g', -1, 32), with ".inf" and ".nan": what a float is as a key.
std::string float_key(double value);

inline constexpr std::string_view tag_prefix = "tag:yaml.org,2002:";

}  // namespace wasmplug::yaml
