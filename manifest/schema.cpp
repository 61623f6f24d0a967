#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "istio/go_url.hpp"
#include "istio/plugin_url.hpp"
#include "manifest/fields.hpp"
#include "manifest/fixes.hpp"
#include "manifest/layers.hpp"
#include "manifest/names.hpp"

namespace wasmplug::manifest {
namespace {

using istio::go_quote;
using yaml::Node;

constexpr auto npos = std::string_view::npos;

// As kube-openapi names what it was given.
std::string_view given_type(const Node& node) {
    switch (node.type()) {
        case yaml::Type::null:
            return "null";
        case yaml::Type::boolean:
            return "boolean";
        case yaml::Type::integer:
            return "integer";
        case yaml::Type::number:
            return "number";
        case yaml::Type::string:
            return "string";
        case yaml::Type::sequence:
            return "array";
        case yaml::Type::mapping:
            break;
    }
    return "object";
}

// 80.0 and 1e3 are 80 and 1000 by the time they are JSON.
std::optional<std::int64_t> as_integer(const Node& node) {
    if (const auto value = node.as_int()) {
        return value;
    }
    if (node.type() == yaml::Type::number) {
        const auto value = node.as_double();
        if (value && std::trunc(*value) == *value && std::fabs(*value) < 9.2e18) {
            return static_cast<std::int64_t>(*value);
        }
    }
    return std::nullopt;
}

bool letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool matches(Pattern pattern, std::string_view text) {
    switch (pattern) {
        case Pattern::none:
            return true;
        case Pattern::sha256:
            return text.empty() ||
                   (text.size() == 64 && text.find_first_not_of("0123456789abcdef") == npos);
        case Pattern::group:
            return text.empty() || is_subdomain(text);
        case Pattern::kind:
            break;
    }
    const auto letter_or_digit = [](char c) {
        return letter(c) || (c >= '0' && c <= '9');
    };
    return !text.empty() && letter(text.front()) && letter_or_digit(text.back()) &&
           std::all_of(text.begin(), text.end(),
                       [&](char c) { return letter_or_digit(c) || c == '-'; });
}

class Schema {
  public:
    Schema(const Object& object, const istio::Release& release, Findings& findings)
        : object_(object), minor_(release.minor), findings_(findings) {}

    void check() {
        const Trail root;
        const Trail trail(root, "spec");
        const auto& field = spec_of(object_.kind);
        const auto* spec = object_.root->find("spec");
        if (spec == nullptr || spec->is_null()) {
            if (minor_ >= field.rules_since) {
                const auto at = spec == nullptr ? beginning_of(*object_.root)
                                                : key_range(*object_.root, "spec");
                findings_.add("WP006", trail, at, "spec: Required value");
            }
            return;
        }
        check_value(field, *spec, trail);
    }

  private:
    void check_value(const Field& field, const Node& node, const Trail& trail) {
        if (!has_type(field, node)) {
            findings_.add("WP005", trail, node.range(), wrong_type(field, node, trail.to_string()))
                .remedy(type_fix(field, node));
            if (field.type != Type::free_object) {
                unknown_below(node, trail);
            }
            return;
        }
        switch (field.type) {
            case Type::object:
                check_object(field, node, trail);
                break;
            case Type::free_object:
                break;
            case Type::string_map:
                check_map(field, node, trail);
                break;
            case Type::list:
                check_list(field, node, trail);
                break;
            case Type::string:
                check_string(field, node, trail);
                break;
            case Type::enumeration:
                check_enum(field, node, trail);
                break;
            case Type::integer:
                check_integer(field, node, trail);
                break;
        }
    }

    // Every name below a value of the wrong type is unknown to the decoder too.
    // NOLINTNEXTLINE(misc-no-recursion): as deep as the reader allows
    void unknown_below(const Node& node, const Trail& trail) {
        if (node.is_mapping()) {
            each_entry(node, [&](std::string_view key, const Node& key_node, const Node&) {
                unknown(Trail(trail, key), key_node).right.reset();
            });
        } else if (node.is_sequence()) {
            std::size_t index = 0;
            for (const auto& item : node.items()) {
                unknown_below(item, Trail(trail, index++));
            }
        }
    }

    // All that the server says of it: the type, the format of an integer, the words of an
    // enumeration.
    std::string wrong_type(const Field& field, const Node& node, const std::string& path) const {
        const auto message = [&](std::string_view given, std::string_view wanted) {
            return fmt::format("{}: Invalid value: \"{}\": {} in body must be of type {}: \"{}\"",
                               path, given, path, wanted, given);
        };
        const bool is_number =
            node.type() == yaml::Type::number || node.type() == yaml::Type::integer;
        const bool is_int32 = field.int32 && minor_ >= field.rules_since;
        if (field.type == Type::integer && is_number) {
            return message(is_int32 ? "float64" : "number", is_int32 ? "int32" : "integer") +
                   fmt::format("; Checked value must be of type integer {} in {}",
                               is_int32 ? "with format int32" : "(default format)", path);
        }
        if (is_int32 && node.type() == yaml::Type::boolean) {
            return message("", "int32");
        }
        if (field.type == Type::enumeration) {
            return message(given_type(node), wanted_type(field.type)) +
                   fmt::format("; {}: Unsupported value: {}: supported values: {}", path,
                               node.is_mapping() ? "{}" : compact_json(yaml::to_json(node)),
                               known_values(field));
        }
        return message(given_type(node), wanted_type(field.type));
    }

    std::string known_values(const Field& field) const {
        std::string known;
        for (const auto& value : field.values) {
            if (value.since <= minor_) {
                known += fmt::format("{}\"{}\"", known.empty() ? "" : ", ", value.name);
            }
        }
        return known;
    }

    static bool has_type(const Field& field, const Node& node) {
        switch (field.type) {
            case Type::object:
            case Type::free_object:
            case Type::string_map:
                return node.is_mapping();
            case Type::list:
                return node.is_sequence();
            case Type::string:
            case Type::enumeration:
                return node.is_string();
            case Type::integer:
                break;
        }
        return as_integer(node).has_value();
    }

    void check_object(const Field& field, const Node& node, const Trail& trail) {
        each_entry(node, [&](std::string_view key, const Node& key_node, const Node& value) {
            const Trail below(trail, key);
            const auto* child = find_child(field, key);
            if (child == nullptr) {
                auto& finding = unknown(below, key_node);
                const auto* meant =
                    finding.right ? find_child(field, finding.right->text) : nullptr;
                if (meant != nullptr && !has_type(*meant, value)) {
                    finding.right.reset();  // another name would not be all
                }
            } else if (child->since > minor_) {
                auto& finding = findings_.add(
                    "WP020", below, key_node.range(),
                    fmt::format("unknown field \"{}\" (in the API since istio-1.{}, asked for "
                                "istio-1.{})",
                                below.to_string(), child->since, minor_));
                finding.layer = Layer::strict;
            } else if (!value.is_null()) {
                check_value(*child, value, below);
            }
        });
        for (const auto& child : field.children) {
            if (!child.required || child.rules_since > minor_ || child.since > minor_) {
                continue;
            }
            const auto* value = node.find(child.name);
            if (value == nullptr || value->is_null()) {
                const Trail below(trail, child.name);
                auto& finding = findings_.add(
                    "WP006", below,
                    value == nullptr ? beginning_of(node) : key_range(node, child.name),
                    below.to_string() + ": Required value");
                finding.fix = fmt::format("add {}: {}", child.name, child.meaning);
            }
        }
        check_object_cel(field, node, trail);
    }

    static bool set(const Node& node, std::string_view key) {
        const auto* value = node.find(key);
        return value != nullptr && !value->is_null();
    }

    void check_object_cel(const Field& field, const Node& node, const Trail& trail) {
        const bool targets = field.cel == Cel::one_of_targets || field.cel == Cel::one_of_payload;
        if (targets && minor_ >= 24) {
            int count = 0;
            std::string_view second;
            for (const std::string_view name : {"selector", "targetRef", "targetRefs"}) {
                // A field that the schema does not have is pruned before CEL looks.
                if (find_child(field, name) != nullptr && set(node, name)) {
                    ++count;
                    second = name;
                }
            }
            if (count > 1) {
                findings_.add("WP014", trail, key_range(node, second),
                              trail.to_string() +
                                  ": Invalid value: only one of targetRefs or selector can be set");
            }
        }
        if (field.cel == Cel::one_of_payload && minor_ >= field.cel_since &&
            set(node, "wasm") == set(node, "lua")) {
            const bool both = set(node, "lua");
            findings_.add("WP019", trail, both ? key_range(node, "lua") : beginning_of(node),
                          fmt::format("{}: Invalid value: exactly one of wasm or lua must be set{}",
                                      trail.to_string(),
                                      both ? "; \"spec\" must validate one and only one schema "
                                             "(oneOf). Found 2 valid alternatives"
                                           : ""));
        }
    }

    void check_map(const Field& field, const Node& node, const Trail& trail) {
        const bool limited = minor_ >= field.rules_since;
        std::size_t count = 0;
        each_entry(node, [&](std::string_view key, const Node& key_node, const Node& value) {
            if (value.is_null()) {
                return;
            }
            ++count;
            const Trail below(trail, key);
            if (!value.is_string()) {
                const auto path = below.to_string();
                findings_
                    .add("WP005", below, value.range(),
                         fmt::format(
                             "{}: Invalid value: \"{}\": {} in body must be of type string: \"{}\"",
                             path, given_type(value), path, given_type(value)))
                    .remedy(value.kind() == yaml::Kind::scalar ? quoted(value, key)
                                                               : Remedy{"write a string"});
                unknown_below(value, below);
                return;
            }
            const auto text = value.as_string().value_or("");
            if (limited && code_points(text) > 63) {
                findings_.add("WP011", below, value.range(),
                              below.to_string() + ": Too long: may not be more than 63 bytes");
            }
            if (field.cel != Cel::label_keys || minor_ < field.cel_since) {
                return;
            }
            if (text.find('*') != npos) {
                findings_.add("WP015", below, value.range(),
                              fmt::format("{}[{}]: Invalid value: {}: wildcard not allowed in "
                                          "label value match",
                                          trail.to_string(), key, go_quote(text)));
            }
            if (key.find('*') != npos || key.empty()) {
                findings_.add("WP015", below, key_node.range(),
                              fmt::format("{}: Invalid value: {}", trail.to_string(),
                                          key.empty() ? "key must not be empty"
                                                      : "wildcard not allowed in label key match"));
            }
        });
        if (limited && count > field.max_length) {
            findings_.add("WP011", trail, beginning_of(node),
                          fmt::format("{}: Too many: {}: must have at most {} items",
                                      trail.to_string(), count, field.max_length));
        }
    }

    void check_list(const Field& field, const Node& node, const Trail& trail) {
        if (minor_ >= field.rules_since && node.size() > field.max_length) {
            findings_.add("WP011", trail, beginning_of(node),
                          fmt::format("{}: Too many: {}: must have at most {} items",
                                      trail.to_string(), node.size(), field.max_length));
        }
        std::unordered_map<std::string, std::size_t> keys;
        std::size_t index = 0;
        for (const auto& item : node.items()) {
            const Trail below(trail, index++);
            if (!item.is_mapping()) {
                wrong_item(field, item, below);
                continue;
            }
            check_object(field, item, below);
            if (field.cel == Cel::inline_value && minor_ >= field.cel_since) {
                check_inline_value(item, below);
            }
            if (node.size() > 1 && !field.list_key.empty() && minor_ >= field.rules_since) {
                check_duplicate(field, item, below, keys);
            }
        }
    }

    void wrong_item(const Field& field, const Node& item, const Trail& trail) {
        const auto path = trail.to_string();
        auto message =
            fmt::format("{}: Invalid value: \"{}\": {} in body must be of type object: \"{}\"",
                        path, given_type(item), path, given_type(item));
        if (!field.list_key.empty() && !item.is_null()) {
            message += fmt::format(
                "; {}: Invalid value: {}: must be an object for an array of list-type map", path,
                item.is_sequence() ? "[{}]" : compact_json(yaml::to_json(item)));
        }
        auto& finding = findings_.add(item.is_null() ? "WP025" : "WP005", trail, item.range(),
                                      std::move(message));
        if (item.is_null()) {
            finding.right = Right{};
        }
        unknown_below(item, trail);
    }

    void check_inline_value(const Node& item, const Trail& trail) {
        if (text_at(&item, "valueFrom") == "HOST" && set(item, "value")) {
            findings_.add("WP017", trail, key_range(item, "value"),
                          trail.to_string() +
                              ": Invalid value: value may only be set when valueFrom is INLINE");
        }
    }

    // Each key once, however often it is there.
    void check_duplicate(const Field& field, const Node& item, const Trail& trail,
                         std::unordered_map<std::string, std::size_t>& keys) {
        const auto* key = item.find(field.list_key);
        const bool is_set = key != nullptr && !key->is_null();
        const auto number = is_set ? as_integer(*key) : std::nullopt;
        const auto value = !is_set  ? std::string()
                           : number ? std::to_string(*number)
                                    : go_quote(key->text());
        if (++keys[value] == 2) {
            const auto text = is_set ? fmt::format("\"{}\":{}", field.list_key, value) : "";
            findings_.add("WP018", trail, is_set ? key->range() : beginning_of(item),
                          fmt::format("{}: Duplicate value: {{{}}}", trail.to_string(), text));
        }
    }

    void check_string(const Field& field, const Node& node, const Trail& trail) {
        const auto text = *node.as_string();
        if (minor_ >= field.rules_since) {
            check_text_limits(field, node, text, trail);
        }
        if (field.cel == Cel::url_scheme && minor_ >= field.cel_since) {
            const auto verdict = istio::read_plugin_url(text).api_server;
            if (!verdict.empty()) {
                findings_
                    .add("WP013", trail, node.range(),
                         fmt::format("{}: Invalid value: {}: {}", trail.to_string(), go_quote(text),
                                     verdict))
                    .remedy(url_fix(text));
            }
        }
        if (field.cel == Cel::no_namespace && minor_ >= field.cel_since && !text.empty()) {
            findings_.add("WP016", trail, node.range(),
                          fmt::format("{}: Invalid value: {}: cross namespace referencing is not "
                                      "currently supported",
                                      trail.to_string(), go_quote(text)));
        }
    }

    void check_text_limits(const Field& field, const Node& node, std::string_view text,
                           const Trail& trail) {
        const bool bounded = field.max_length != std::numeric_limits<std::size_t>::max();
        const auto length = text.size() < field.min_length || bounded ? code_points(text) : 0;
        if (field.min_length > 0 && text.size() < field.min_length) {
            const auto path = trail.to_string();
            findings_
                .add("WP011", trail, node.range(),
                     fmt::format("{}: Invalid value: {}: {} in body should be at least {} chars "
                                 "long",
                                 path, go_quote(text), path, field.min_length))
                .fix = field.required ? fmt::format("write the {}", field.name)
                                      : fmt::format("write a value, or leave {} out", field.name);
            return;  // the server stops at the first objection
        }
        if (bounded && length > field.max_length) {
            findings_.add("WP011", trail, node.range(),
                          fmt::format("{}: Too long: may not be more than {} bytes",
                                      trail.to_string(), field.max_length));
        }
        if (!matches(field.pattern, text)) {
            const auto path = trail.to_string();
            auto& finding = findings_.add(
                field.pattern == Pattern::sha256 ? "WP012" : "WP011", trail, node.range(),
                fmt::format("{}: Invalid value: {}: {} in body should match '{}'", path,
                            go_quote(text), path, to_string(field.pattern)));
            if (field.pattern == Pattern::sha256) {
                finding.remedy(sha_fix(text));
            }
        }
    }

    void check_enum(const Field& field, const Node& node, const Trail& trail) {
        const auto text = *node.as_string();
        const auto is_text = [&](const EnumValue& value) {
            return value.since <= minor_ && value.name == text;
        };
        if (std::any_of(field.values.begin(), field.values.end(), is_text)) {
            return;
        }
        const auto message = fmt::format("{}: Unsupported value: {}: supported values: {}",
                                         trail.to_string(), go_quote(text), known_values(field));
        for (const auto& value : field.values) {
            if (value.name == text) {
                auto& finding = findings_.add(
                    "WP020", trail, node.range(),
                    fmt::format("{} ({} since istio-1.{})", message, text, value.since));
                finding.layer = Layer::api_server;
                return;
            }
        }
        findings_.add("WP007", trail, node.range(), message).remedy(enum_fix(field, text));
    }

    void check_integer(const Field& field, const Node& node, const Trail& trail) {
        if (minor_ < field.rules_since) {
            return;
        }
        const auto value = *as_integer(node);
        if (value >= field.minimum && value <= field.maximum) {
            return;
        }
        const auto path = trail.to_string();
        if (field.int32) {
            findings_.add("WP011", trail, node.range(),
                          fmt::format("{}: Invalid value: {}: Checked value must be of type "
                                      "integer with format int32 in {}",
                                      path, value, path));
        } else if (value < field.minimum) {
            findings_.add("WP011", trail, node.range(),
                          fmt::format("{}: Invalid value: {}: {} in body should be greater than or "
                                      "equal to {}",
                                      path, value, path, field.minimum));
        } else {
            findings_.add(
                "WP011", trail, node.range(),
                fmt::format("{}: Invalid value: {}: {} in body should be less than or equal to {}",
                            path, value, path, field.maximum));
        }
    }

    Finding& unknown(const Trail& trail, const Node& key) {
        const auto path = trail.to_string();
        const bool only_counted = findings_.is_full("WP008");
        auto& finding =
            findings_.add("WP008", trail, key.range(), fmt::format("unknown field \"{}\"", path));
        if (!only_counted) {
            finding.remedy(unknown_fix(object_.kind, path));
        }
        return finding;
    }

    const Object& object_;
    int minor_;
    Findings& findings_;
};

}  // namespace

yaml::Range beginning_of(const Node& node) {
    const auto range = node.range();
    // A block collection is long; its first key is what an editor should jump to.
    if (node.is_mapping() && node.style() == yaml::Style::block && !node.entries().empty()) {
        return (*node.entries().begin()).key.range();
    }
    return range;
}

yaml::Range key_range(const Node& mapping, std::string_view key) {
    const auto entry = mapping.own_entry(key);
    return entry ? entry->key.range() : beginning_of(mapping);
}

void check_api_server(const Object& object, const istio::Release& release, Findings& findings) {
    if (object.kind == Kind::traffic_extension && release.minor < istio::since::traffic_extension) {
        auto& finding = findings.add(
            "WP020", {}, key_range(*object.root, "kind"),
            fmt::format("no matches for kind \"TrafficExtension\" in version \"{}\" (since "
                        "istio-1.{}, asked for istio-1.{})",
                        api_version, istio::since::traffic_extension, release.minor));
        finding.layer = Layer::api_server;
        finding.fix = "wasmplug convert FILE makes a WasmPlugin of it";
        return;
    }
    check_metadata(object, findings);
    Schema(object, release, findings).check();
    check_duplicate_keys(object, findings);
}

}  // namespace wasmplug::manifest
