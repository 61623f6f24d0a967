#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/terminal.hpp"
#include "base/yaml.hpp"
#include "manifest/fields.hpp"
#include "manifest/finding.hpp"

// What to write instead, as far as one value tells.
namespace wasmplug::manifest {

// "string", "array": the type as the API server names it.
std::string_view wanted_type(Type type);

// "UNSPECIFIED_PHASE", "unspecified-phase" and "UnspecifiedPhase" are one word to a person.
bool same_word(std::string_view a, std::string_view b);

// "write WasmPlugin": the one of `known` that is the same word, else the closest, else nothing.
template <class Words>
std::optional<Remedy> spelled(std::string_view word, const Words& known,
                              const std::string& before = "write ") {
    for (const auto& one : known) {
        if (same_word(one, word)) {
            return Remedy{before + std::string(one), Right{std::string(one)}};
        }
    }
    const auto guess = closest(word, known);
    return guess.empty() ? std::nullopt : std::optional(Remedy{before + guess});
}

Remedy type_fix(const Field& field, const yaml::Node& node);
Remedy enum_fix(const Field& field, std::string_view text);
Remedy sha_fix(std::string_view text);
Remedy url_fix(std::string_view url);

// For a field that does not exist at "spec.match[0].port". The right answer is the name of a
// field beside it.
Remedy unknown_fix(Kind kind, const std::string& path);

// A text in place of a scalar that YAML takes for something else.
Remedy quoted(const yaml::Node& scalar, std::string_view key = {});

// The oci:// url that `text` was meant as, when it names a registry and nothing objects to it.
std::optional<Right> as_image_url(const std::string& text);

}  // namespace wasmplug::manifest
