#include "manifest/fixes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

#include "base/terminal.hpp"
#include "istio/plugin_url.hpp"
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

bool same_word(std::string_view a, std::string_view b) {
    const auto plain = [](std::string_view word) {
        std::string letters;
        for (const char c : word) {
            if (c != '_' && c != '-' && c != ' ') {
                letters += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
            }
        }
        return letters;
    };
    return plain(a) == plain(b);
}

Remedy quoted(const Node& scalar, std::string_view key) {
    std::string text(scalar.text());
    return {fmt::format("quote it: {}{}\"{}\"", key, key.empty() ? "" : ": ", text), Right{text}};
}

std::optional<Right> as_image_url(const std::string& text) {
    auto url = "oci://" + text;
    const auto read = istio::read_plugin_url(url);
    const bool good = read.image && !read.image->registry.empty() && !read.empty_host &&
                      read.api_server.empty() && read.webhook.empty() && read.discarded.empty() &&
                      read.unfetchable.empty();
    return good ? std::optional(Right{std::move(url)}) : std::nullopt;
}

Remedy type_fix(const Field& field, const Node& node) {
    const auto text = std::string(node.text());
    if (field.type == Type::integer && node.is_string()) {
        const auto digits = text.substr(text.starts_with('-') ? 1 : 0);
        const bool number = !digits.empty() && digits.size() < 16 &&
                            digits.find_first_not_of("0123456789") == std::string::npos &&
                            (digits.size() == 1 || digits[0] != '0');
        return {fmt::format("write {}: {} without quotes", field.name, text),
                number ? std::optional(Right{text, true}) : std::nullopt};
    }
    if (field.type == Type::string && node.kind() == yaml::Kind::scalar) {
        return quoted(node, field.name);
    }
    if (field.type == Type::enumeration && node.type() == yaml::Type::integer) {
        const auto number = node.as_int().value_or(-1);
        if (number >= 0 && number < static_cast<std::int64_t>(field.values.size())) {
            const std::string name(field.values[static_cast<std::size_t>(number)].name);
            return {fmt::format("write {}: {}", field.name, name), Right{name}};
        }
    }
    if (field.name == "valueFrom") {
        return {
            "valueFrom is INLINE or HOST; Kubernetes' fieldRef and secretKeyRef do not exist "
            "here"};
    }
    if (field.type == Type::free_object) {
        return {"write the configuration as YAML keys; a text can go below a key of your own"};
    }
    if (field.type == Type::list && node.is_mapping()) {
        return {"make it a list: put \"- \" before its first key",
                Right{.text = {}, .in_list = true}};
    }
    const auto wanted = wanted_type(field.type);
    const bool vowel = wanted[0] == 'a' || wanted[0] == 'o' || wanted[0] == 'i';
    return {fmt::format("write {} {}", vowel ? "an" : "a", wanted)};
}

Remedy sha_fix(std::string_view text) {
    auto digits = text;
    if (digits.starts_with("sha256:")) {
        digits.remove_prefix(7);
    }
    std::string lower(digits);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (lower != text && lower.size() == 64 &&
        lower.find_first_not_of("0123456789abcdef") == std::string::npos) {
        return {"write " + lower, Right{lower}};
    }
    return {std::string(find_rule("WP012")->fix)};
}

Remedy url_fix(std::string_view url) {
    const auto scheme = url.substr(0, url.find("://"));
    if (scheme == url) {
        return {fmt::format("write oci://{}", url), as_image_url(std::string(url))};
    }
    if (scheme == "docker") {
        const std::string rest(url.substr(scheme.size() + 3));
        return {"write oci://" + rest, as_image_url(rest)};
    }
    return {"use oci://, https://, http:// or file://"};
}

Remedy enum_fix(const Field& field, std::string_view text) {
    if (field.name == "mode" && text == "NONE") {
        return {
            "there is no mode that switches a plugin off: remove the plugin, or narrow its "
            "selector (wasmplug disable)"};
    }
    if (field.name == "phase" && text == "UNSPECIFIED") {
        return {
            "write UNSPECIFIED_PHASE, or leave phase out; UNSPECIFIED belongs to "
            "TrafficExtension",
            Right{"UNSPECIFIED_PHASE"}};
    }
    if (field.name == "phase" && text == "UNSPECIFIED_PHASE") {
        return {"write UNSPECIFIED, or leave phase out; UNSPECIFIED_PHASE belongs to WasmPlugin",
                Right{"UNSPECIFIED"}};
    }
    if (field.name == "imagePullPolicy" && text == "Never") {
        return {"there is no Never; leave it out to use what is cached"};
    }
    std::string upper(text);
    std::transform(upper.begin(), upper.end(), upper.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    std::vector<std::string> names;
    for (const auto& value : field.values) {
        if (same_word(value.name, text)) {
            return {fmt::format("write {}", value.name), Right{std::string(value.name)}};
        }
        names.emplace_back(value.name);
    }
    for (const auto& candidate : {closest(text, names), closest(upper, names)}) {
        if (!candidate.empty()) {
            return {"write " + candidate};
        }
    }
    return {"write one of the values that are supported"};
}

Remedy unknown_fix(Kind kind, const std::string& path) {
    const auto plain = without_numbers(path);
    const auto dot = plain.rfind('.');
    const auto above = plain.substr(0, dot);
    const auto name = plain.substr(dot + 1);
    std::vector<std::string> siblings;
    std::string elsewhere;
    for (const auto& known : all_paths(kind)) {
        const auto cut = known.rfind('.');
        if (known.substr(0, cut) == above) {
            siblings.push_back(known.substr(cut + 1));
        } else if (known.substr(cut + 1) == name && elsewhere.empty()) {
            elsewhere = known;
        }
    }
    if (const std::string confusion(known_confusion(plain)); !confusion.empty()) {
        const bool beside = confusion.starts_with(above + ".") &&
                            std::find(siblings.begin(), siblings.end(),
                                      confusion.substr(above.size() + 1)) != siblings.end();
        return {"write " + confusion,
                beside ? std::optional(Right{confusion.substr(above.size() + 1)}) : std::nullopt};
    }
    for (const auto& sibling : siblings) {
        if (same_word(sibling, name)) {
            return {"write " + sibling + ": the API server knows camelCase only", Right{sibling}};
        }
    }
    if (const auto guess = closest(name, siblings); !guess.empty()) {
        return {"did you mean " + guess + "?"};
    }
    if (!elsewhere.empty()) {
        return {"it belongs to " + elsewhere};
    }
    return {std::string(find_rule("WP008")->fix)};
}

}  // namespace wasmplug::manifest
