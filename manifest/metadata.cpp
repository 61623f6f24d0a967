#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/terminal.hpp"
#include "istio/go_url.hpp"
#include "manifest/fixes.hpp"
#include "manifest/layers.hpp"

// What k8s.io/apimachinery says of every object (pkg/api/validation/objectmeta.go,
// pkg/util/validation/validation.go), and its decoder of ObjectMeta.
namespace wasmplug::manifest {

std::string_view json_type(const yaml::Node& node) {
    switch (node.type()) {
        case yaml::Type::boolean:
            return "bool";
        case yaml::Type::integer:
        case yaml::Type::number:
            return "number";
        case yaml::Type::sequence:
            return "array";
        case yaml::Type::mapping:
            return "object";
        case yaml::Type::null:
            return "null";
        case yaml::Type::string:
            break;
    }
    return "string";
}

namespace {

using istio::go_quote;
using yaml::Node;

constexpr auto npos = std::string_view::npos;

constexpr std::array<std::string_view, 5> top_fields = {"apiVersion", "kind", "metadata", "spec",
                                                        "status"};
constexpr std::array<std::string_view, 15> metadata_fields = {"name",
                                                              "generateName",
                                                              "namespace",
                                                              "selfLink",
                                                              "uid",
                                                              "resourceVersion",
                                                              "generation",
                                                              "creationTimestamp",
                                                              "deletionTimestamp",
                                                              "labels",
                                                              "annotations",
                                                              "deletionGracePeriodSeconds",
                                                              "ownerReferences",
                                                              "finalizers",
                                                              "managedFields"};

constexpr std::string_view subdomain_rule =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
constexpr std::string_view label_rule =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

bool lower_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool alphanumeric(char c) {
    return lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

bool label(std::string_view text) {
    return !text.empty() && lower_or_digit(text.front()) && lower_or_digit(text.back()) &&
           std::all_of(text.begin(), text.end(),
                       [](char c) { return lower_or_digit(c) || c == '-'; });
}

bool subdomain(std::string_view text) {
    for (;;) {
        const auto dot = text.find('.');
        if (!label(text.substr(0, dot))) {
            return false;
        }
        if (dot == npos) {
            return true;
        }
        text.remove_prefix(dot + 1);
    }
}

// The name part of a label or annotation, and a label's value.
bool qualified(std::string_view text) {
    return text.size() <= 63 && !text.empty() && alphanumeric(text.front()) &&
           alphanumeric(text.back()) && std::all_of(text.begin(), text.end(), [](char c) {
               return alphanumeric(c) || c == '-' || c == '_' || c == '.';
           });
}

bool qualified_key(std::string_view key) {
    const auto slash = key.find('/');
    if (slash == npos) {
        return qualified(key);
    }
    const auto prefix = key.substr(0, slash);
    return prefix.size() <= 253 && subdomain(prefix) && qualified(key.substr(slash + 1));
}

void wrong_type(const Node& node, const Trail& trail, std::string_view wanted, Findings& findings) {
    auto& finding = findings.add(
        "WP005", trail, node.range(),
        fmt::format("cannot unmarshal {} into Go struct field ObjectMeta.{} of type {}",
                    json_type(node), trail.to_string(), wanted));
    finding.remedy(node.kind() == yaml::Kind::scalar && wanted == "string"
                       ? quoted(node)
                       : Remedy{fmt::format("write a {}", wanted)});
}

std::string name_fix(std::string_view name) {
    std::string better;
    char before = '\0';
    for (const char c : name) {
        const bool word_ends = lower_or_digit(std::exchange(before, c));
        if (lower_or_digit(c) || c == '-' || c == '.') {
            better += c;
        } else if (c >= 'A' && c <= 'Z') {
            if (word_ends) {
                better += '-';  // camelCase
            }
            better += static_cast<char>(c + 32);
        } else if (!better.empty() && better.back() != '-') {
            better += '-';
        }
    }
    while (!better.empty() && !lower_or_digit(better.back())) {
        better.pop_back();
    }
    return subdomain(better) ? "write " + better : "use lower-case letters, digits and '-'";
}

void check_names(const Node& metadata, const Trail& trail, Findings& findings) {
    const auto text = [&](std::string_view key) -> const Node* {
        const auto* value = metadata.find(key);
        if (value == nullptr || value->is_null()) {
            return nullptr;
        }
        if (!value->is_string()) {
            wrong_type(*value, Trail(trail, key), "string", findings);
        }
        return value;
    };
    const auto* name = text("name");
    const auto* generate = text("generateName");
    const auto* ns = text("namespace");
    const auto written = [](const Node* node) {
        return node == nullptr ? std::string_view() : node->as_string().value_or("");
    };
    if (name != nullptr && name->is_string() && !written(name).empty()) {
        if (written(name).size() > 253) {
            findings.add("WP010", Trail(trail, "name"), name->range(),
                         fmt::format("metadata.name: Invalid value: {}: must be no more than 253 "
                                     "bytes",
                                     go_quote(written(name))));
        } else if (!subdomain(written(name))) {
            findings
                .add("WP010", Trail(trail, "name"), name->range(),
                     fmt::format("metadata.name: Invalid value: {}: {}", go_quote(written(name)),
                                 subdomain_rule))
                .fix = name_fix(written(name));
        }
    } else if ((name == nullptr || name->is_string()) && written(generate).empty() &&
               (generate == nullptr || generate->is_string())) {
        findings
            .add("WP010", Trail(trail, "name"),
                 name == nullptr ? beginning_of(metadata) : name->range(),
                 "metadata.name: Required value: name or generateName is required")
            .fix = "add name";
    }
    if (!written(generate).empty()) {
        auto stem = std::string(written(generate));
        if (stem.ends_with('-')) {
            stem.back() = 'a';  // the server appends to it
        }
        if (!subdomain(stem)) {
            findings.add("WP010", Trail(trail, "generateName"), generate->range(),
                         fmt::format("metadata.generateName: Invalid value: {}: {}",
                                     go_quote(written(generate)), subdomain_rule));
        }
    }
    if (!written(ns).empty() && (!label(written(ns)) || written(ns).size() > 63)) {
        findings
            .add("WP010", Trail(trail, "namespace"), ns->range(),
                 fmt::format("metadata.namespace: Invalid value: {}: {}", go_quote(written(ns)),
                             label_rule))
            .fix = name_fix(written(ns));
    }
}

void check_string_map(const Node& metadata, std::string_view key, const Trail& up,
                      Findings& findings) {
    const auto* map = metadata.find(key);
    if (map == nullptr || map->is_null()) {
        return;
    }
    const Trail trail(up, key);
    if (!map->is_mapping()) {
        wrong_type(*map, trail, "map[string]string", findings);
        return;
    }
    const bool labels = key == "labels";
    std::size_t total = 0;
    each_entry(*map, [&](const std::string& name, const Node& key_node, const Node& value) {
        const Trail below(trail, name);
        total += name.size() + value.text().size();
        std::string lower(name);
        if (!labels) {
            std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
                return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
            });
        }
        if (!qualified_key(lower)) {
            findings.add("WP010", below, key_node.range(),
                         fmt::format("{}: Invalid value: {}: name part must consist of "
                                     "alphanumeric characters, '-', '_' or '.', at most 63, after "
                                     "an optional DNS prefix and '/'",
                                     trail.to_string(), go_quote(name)));
        }
        if (value.is_null()) {
            return;  // decodes as ""
        }
        if (!value.is_string()) {
            wrong_type(value, below, "string", findings);
            return;
        }
        const auto text = value.as_string().value_or("");
        if (labels && !text.empty() && !qualified(text)) {
            findings.add(
                "WP010", below, value.range(),
                fmt::format("{}: Invalid value: {}: a valid label must be an empty string or "
                            "consist of alphanumeric characters, '-', '_' or '.', and must start "
                            "and end with an alphanumeric character, at most 63",
                            trail.to_string(), go_quote(text)));
        }
    });
    if (!labels && total > std::size_t{256} << 10) {
        findings.add("WP011", trail, key_range(metadata, key),
                     "metadata.annotations: Too long: may not be more than 262144 bytes");
    }
}

template <std::size_t N>
void check_known(const Node& node, const std::array<std::string_view, N>& known, const Trail& trail,
                 Findings& findings) {
    each_entry(node, [&](const std::string& key, const Node& key_node, const Node&) {
        if (std::find(known.begin(), known.end(), key) != known.end()) {
            return;
        }
        const Trail below(trail, key);
        auto& finding = findings.add("WP008", below, key_node.range(),
                                     fmt::format("unknown field \"{}\"", below.to_string()));
        const auto guess = closest(key, known);
        if (!guess.empty()) {
            finding.fix = "did you mean " + guess + "?";
            if (same_word(guess, key)) {
                finding.right = Right{guess};
            }
        } else if (trail.to_string().empty() &&
                   find_field(Kind::wasm_plugin, "spec." + key) != nullptr) {
            finding.fix = "it belongs below spec: indent it";
        } else if (trail.to_string().empty() &&
                   std::find(metadata_fields.begin(), metadata_fields.end(), key) !=
                       metadata_fields.end()) {
            finding.fix = "it belongs below metadata: indent it";
        }
    });
}

}  // namespace

void check_metadata(const Object& object, Findings& findings) {
    const Trail root;
    const Trail trail(root, "metadata");
    check_known(*object.root, top_fields, root, findings);
    const auto* metadata = object.root->find("metadata");
    if (metadata == nullptr || metadata->is_null()) {
        findings
            .add("WP010", Trail(trail, "name"),
                 metadata == nullptr ? beginning_of(*object.root)
                                     : key_range(*object.root, "metadata"),
                 "metadata.name: Required value: name or generateName is required")
            .fix = "add metadata with a name";
        return;
    }
    if (!metadata->is_mapping()) {
        wrong_type(*metadata, trail, "mapping", findings);
        return;
    }
    check_known(*metadata, metadata_fields, trail, findings);
    check_names(*metadata, trail, findings);
    check_string_map(*metadata, "labels", trail, findings);
    check_string_map(*metadata, "annotations", trail, findings);
}

}  // namespace wasmplug::manifest
