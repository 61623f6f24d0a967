#include "manifest/fixes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

#include "base/terminal.hpp"
#include "manifest/rules.hpp"

namespace wasmplug::manifest {
namespace {

using yaml::Node;

// "spec.match[].mode" from "spec.match[3].mode", as the tables spell paths.
std::string without_numbers(const std::string& path) {
    std::string plain;
    for (std::size_t i = 0; i < path.size(); ++i) {
        plain += path[i];
        if (path[i] == '[') {
            while (i + 1 < path.size() && path[i + 1] != ']') {
                ++i;
            }
        }
    }
    return plain;
}

}  // namespace

std::string_view wanted_type(Type type) {
    switch (type) {
        case Type::list:
            return "array";
        case Type::string:
        case Type::enumeration:
            return "string";
        case Type::integer:
            return "integer";
        case Type::object:
        case Type::free_object:
        case Type::string_map:
            break;
    }
    return "object";
}

std::string type_fix(const Field& field, const Node& node) {
    const auto text = std::string(node.text());
    if (field.type == Type::integer && node.is_string()) {
        return fmt::format("write {}: {} without quotes", field.name, text);
    }
    if (field.type == Type::string && node.kind() == yaml::Kind::scalar) {
        return fmt::format("quote it: {}: \"{}\"", field.name, text);
    }
    if (field.type == Type::enumeration && node.type() == yaml::Type::integer) {
        const auto number = node.as_int().value_or(-1);
        if (number >= 0 && number < static_cast<std::int64_t>(field.values.size())) {
            return fmt::format("write {}: {}", field.name,
                               field.values[static_cast<std::size_t>(number)].name);
        }
    }
    if (field.name == "valueFrom") {
        return "valueFrom is INLINE or HOST; Kubernetes' fieldRef and secretKeyRef do not "
               "exist here";
    }
    if (field.type == Type::free_object) {
        return "write the configuration as YAML keys; a text can go below a key of your own";
    }
    if (field.type == Type::list && node.is_mapping()) {
        return fmt::format("make it a list: put \"- \" before its first key");
    }
    return fmt::format("write {} {}",
                       wanted_type(field.type)[0] == 'a' || wanted_type(field.type)[0] == 'o' ||
                               wanted_type(field.type)[0] == 'i'
                           ? "an"
                           : "a",
                       wanted_type(field.type));
}

std::string sha_fix(std::string_view text) {
    auto digits = text;
    if (digits.starts_with("sha256:")) {
        digits.remove_prefix(7);
    }
    std::string lower(digits);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (lower != text && lower.size() == 64 &&
        lower.find_first_not_of("0123456789abcdef") == std::string::npos) {
        return "write " + lower;
    }
    return std::string(find_rule("WP012")->fix);
}

std::string url_fix(std::string_view url) {
    const auto scheme = url.substr(0, url.find("://"));
    if (scheme == url) {
        return fmt::format("write oci://{}", url);
    }
    if (scheme == "docker") {
        return fmt::format("write oci{}", url.substr(scheme.size()));
    }
    return "use oci://, https://, http:// or file://";
}

std::string enum_fix(const Field& field, std::string_view text) {
    if (field.name == "mode" && text == "NONE") {
        return "there is no mode that switches a plugin off: remove the plugin, or narrow its "
               "selector (wasmplug disable)";
    }
    if (field.name == "phase" && text == "UNSPECIFIED") {
        return "write UNSPECIFIED_PHASE, or leave phase out; UNSPECIFIED belongs to "
               "TrafficExtension";
    }
    if (field.name == "phase" && text == "UNSPECIFIED_PHASE") {
        return "write UNSPECIFIED, or leave phase out; UNSPECIFIED_PHASE belongs to WasmPlugin";
    }
    if (field.name == "imagePullPolicy" && text == "Never") {
        return "there is no Never; leave it out to use what is cached";
    }
    std::string upper(text);
    std::transform(upper.begin(), upper.end(), upper.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    std::vector<std::string> names;
    for (const auto& value : field.values) {
        names.emplace_back(value.name);
    }
    for (const auto& candidate : {closest(text, names), closest(upper, names)}) {
        if (!candidate.empty()) {
            return "write " + candidate;
        }
    }
    return "write one of the values that are supported";
}

std::string unknown_fix(Kind kind, const std::string& path) {
    const auto plain = without_numbers(path);
    if (const auto confusion = known_confusion(plain); !confusion.empty()) {
        return fmt::format("write {}", confusion);
    }
    const auto dot = plain.rfind('.');
    const auto above = plain.substr(0, dot);
    const auto name = plain.substr(dot + 1);
    const auto paths = all_paths(kind);
    std::vector<std::string> siblings;
    std::string elsewhere;
    for (const auto& known : paths) {
        const auto cut = known.rfind('.');
        if (known.substr(0, cut) == above) {
            siblings.push_back(known.substr(cut + 1));
        } else if (known.substr(cut + 1) == name && elsewhere.empty()) {
            elsewhere = known;
        }
    }
    const auto camel = camel_case(name);
    if (std::find(siblings.begin(), siblings.end(), camel) != siblings.end()) {
        return "write " + camel + ": the API server knows camelCase only";
    }
    if (const auto guess = closest(name, siblings); !guess.empty()) {
        return "did you mean " + guess + "?";
    }
    if (!elsewhere.empty()) {
        return "it belongs to " + elsewhere;
    }
    return std::string(find_rule("WP008")->fix);
}

}  // namespace wasmplug::manifest
