#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>

#include "istio/go_url.hpp"
#include "istio/plugin_url.hpp"
#include "manifest/layers.hpp"

// istiod's webhook: crd.FromJSON (strict jsonpb, then again with unknown fields allowed, so that
// only types and enums count) and then ValidateWasmPlugin / ValidateTrafficExtension. It sees the
// object as the client sent it.
namespace wasmplug::manifest {
namespace {

using istio::go_quote;
using yaml::Node;

constexpr auto npos = std::string_view::npos;

// Both spellings that protobuf's JSON has for a field.
const Node* find_either(const Node& mapping, std::string_view camel) {
    if (const auto* value = mapping.find(camel)) {
        return value;
    }
    const auto is_upper = [](char c) {
        return c >= 'A' && c <= 'Z';
    };
    if (std::none_of(camel.begin(), camel.end(), is_upper)) {
        return nullptr;
    }
    std::string snake;
    for (const char c : camel) {
        if (is_upper(c)) {
            snake += '_';
            snake += static_cast<char>(c + 32);
        } else {
            snake += c;
        }
    }
    return mapping.find(snake);
}

const Node* set(const Node* mapping, std::string_view key) {
    const auto* value =
        mapping == nullptr || !mapping->is_mapping() ? nullptr : find_either(*mapping, key);
    return value == nullptr || value->is_null() ? nullptr : value;
}

std::string text_of(const Node* node) {
    return node == nullptr ? "" : std::string(node->as_string().value_or(""));
}

// A number as jsonpb takes it: quoted or not.
std::optional<std::int64_t> number_of(const Node& node) {
    if (node.is_string()) {
        const auto text = node.text();
        std::int64_t value = 0;
        const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
        return failure == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                          : std::nullopt;
    }
    if (node.type() == yaml::Type::number) {
        const auto value = node.as_double();
        return value && std::trunc(*value) == *value && std::fabs(*value) < 9e18
                   ? std::optional(static_cast<std::int64_t>(*value))
                   : std::nullopt;
    }
    return node.as_int();
}

// --- decoding ------------------------------------------------------------------------------

class Decoder {
  public:
    Decoder(int minor, Findings& findings) : minor_(minor), findings_(findings) {}

    // False when something did not decode: nothing is validated then.
    bool decode(const Field& field, const Node& node, const Trail& trail) {
        const auto before = findings_.all().size();
        value(field, node, trail);
        return findings_.all().size() == before;
    }

  private:
    void fail(std::string_view rule, const Node& node, const Trail& trail, std::string message) {
        auto& finding = findings_.add(rule, trail, node.range(),
                                      "error decoding configuration: " + std::move(message));
        finding.layer = Layer::webhook;
    }

    void wrong(const Node& node, const Trail& trail, std::string_view go_type) {
        fail("WP005", node, trail,
             fmt::format("json: cannot unmarshal {} into Go value of type {}", json_type(node),
                         go_type));
    }

    void value(const Field& field, const Node& node, const Trail& trail) {
        switch (field.type) {
            case Type::object:
                message(field, node, trail);
                break;
            case Type::free_object:
                if (!node.is_mapping()) {
                    fail("WP005", node, trail,
                         fmt::format("bad StructValue: json: cannot unmarshal {} into Go value of "
                                     "type map[string]json.RawMessage",
                                     json_type(node)));
                }
                break;
            case Type::string_map:
                string_map(node, trail);
                break;
            case Type::list:
                list(field, node, trail);
                break;
            case Type::string:
                if (!node.is_string()) {
                    wrong(node, trail, "string");
                }
                break;
            case Type::enumeration:
                enumeration(field, node, trail);
                break;
            case Type::integer:
                integer(field, node, trail);
                break;
        }
    }

    void message(const Field& field, const Node& node, const Trail& trail) {
        if (!node.is_mapping()) {
            wrong(node, trail, "map[string]json.RawMessage");
            return;
        }
        for (const auto& child : field.children) {
            if (child.since > minor_) {
                continue;  // unknown to that release, and unknown fields pass
            }
            if (const auto* below = set(&node, child.name)) {
                value(child, *below, Trail(trail, child.name));
            }
        }
    }

    void string_map(const Node& node, const Trail& trail) {
        if (!node.is_mapping()) {
            wrong(node, trail, "map[string]json.RawMessage");
            return;
        }
        each_entry(node, [&](std::string_view key, const Node&, const Node& below) {
            if (!below.is_null() && !below.is_string()) {
                wrong(below, Trail(trail, key), "string");
            }
        });
    }

    void list(const Field& field, const Node& node, const Trail& trail) {
        if (!node.is_sequence()) {
            wrong(node, trail, "[]json.RawMessage");
            return;
        }
        std::size_t index = 0;
        for (const auto& item : node.items()) {
            const Trail below(trail, index++);
            if (!item.is_null()) {  // a null is an empty message
                message(field, item, below);
            }
        }
    }

    void enumeration(const Field& field, const Node& node, const Trail& trail) {
        if (node.type() == yaml::Type::integer) {
            return;  // enums are open in proto3
        }
        if (!node.is_string()) {
            wrong(node, trail, "protoreflect.EnumNumber");
            return;
        }
        const auto text = *node.as_string();
        const auto known = std::any_of(
            field.values.begin(), field.values.end(),
            [&](const EnumValue& item) { return item.name == text && item.since <= minor_; });
        if (!known) {
            fail("WP007", node, trail,
                 fmt::format("unknown value {} for enum {}", go_quote(go_quote(text)),
                             field.enum_name));
        }
    }

    void integer(const Field& field, const Node& node, const Trail& trail) {
        // priority is Int32Value, a port number uint32.
        const bool is_signed = field.nullable;
        const auto number = number_of(node);
        const std::string_view go_type = is_signed ? "int32" : "uint32";
        if (!number && !node.is_string()) {
            if (node.type() == yaml::Type::number || node.type() == yaml::Type::integer) {
                fail("WP005", node, trail,
                     fmt::format("json: cannot unmarshal number {} into Go value of type {}",
                                 node.text(), go_type));
            } else {
                wrong(node, trail, go_type);
            }
            return;
        }
        if (!number) {
            fail("WP005", node, trail,
                 fmt::format("{} is not a number for Go value of type {}", go_quote(node.text()),
                             go_type));
            return;
        }
        const std::int64_t low = is_signed ? std::numeric_limits<std::int32_t>::min() : 0;
        const std::int64_t high = is_signed ? std::numeric_limits<std::int32_t>::max()
                                            : std::numeric_limits<std::uint32_t>::max();
        if (*number < low || *number > high) {
            fail("WP011", node, trail,
                 fmt::format("json: cannot unmarshal number {} into Go value of type {}", *number,
                             go_type));
        }
    }

    int minor_;
    Findings& findings_;
};

// --- validation ----------------------------------------------------------------------------

class Webhook {
  public:
    Webhook(const Object& object, const istio::Release& release, Findings& findings)
        : object_(object), minor_(release.minor), findings_(findings) {}

    void check() {
        const Trail root;
        const Trail trail(root, "spec");
        annotations(root);
        const auto* spec = object_.root->find("spec");
        if (spec != nullptr && !spec->is_null() &&
            !Decoder(minor_, findings_).decode(spec_of(object_.kind), *spec, trail)) {
            return;
        }
        if (spec != nullptr && spec->is_null()) {
            spec = nullptr;
        }
        targets(spec, trail);
        match(spec, trail);
        if (object_.kind == Kind::wasm_plugin) {
            payload(spec, trail);
            return;
        }
        // The decoder keeps the member of a oneof that comes last.
        const auto* wasm = set(spec, "wasm");
        const auto* lua = set(spec, "lua");
        if (wasm != nullptr && lua != nullptr) {
            (wasm->range().begin > lua->range().begin ? lua : wasm) = nullptr;
        }
        if (wasm != nullptr) {
            payload(wasm, Trail(trail, "wasm"));
        } else if (lua != nullptr) {
            inline_code(*lua, Trail(trail, "lua"));
        } else {
            invalid("WP019", trail, missing(spec), "exactly one of wasm or lua must be set");
        }
    }

  private:
    Finding& invalid(std::string_view rule, const Trail& trail, yaml::Range range,
                     const std::string& message) {
        auto& finding = findings_.add(rule, trail, range, "configuration is invalid: " + message);
        finding.layer = Layer::webhook;
        return finding;
    }

    // Where to point for something that is not there.
    yaml::Range missing(const Node* parent) const {
        return beginning_of(parent == nullptr ? *object_.root : *parent);
    }

    void annotations(const Trail& root) {
        const auto* metadata = object_.root->find("metadata");
        const auto* annotations = set(metadata, "annotations");
        const auto* value = set(annotations, "istio.io/dry-run");
        if (value != nullptr && object_.kind == Kind::wasm_plugin) {
            const Trail trail(root, "metadata");
            const Trail below(trail, "annotations");
            findings_
                .add("WP022", Trail(below, "istio.io/dry-run"),
                     key_range(*annotations, "istio.io/dry-run"),
                     "has unsupported annotation istio.io/dry-run, please remove the "
                     "annotation")
                .right = Right{};
        }
    }

    void targets(const Node* spec, const Trail& trail) {
        const auto* selector = set(spec, "selector");
        const auto* one =
            object_.kind == Kind::wasm_plugin && minor_ >= 20 ? set(spec, "targetRef") : nullptr;
        const auto* many = minor_ >= istio::since::target_refs ? set(spec, "targetRefs") : nullptr;
        const bool some = many != nullptr && many->size() > 0;
        if ((selector != nullptr) + (one != nullptr) + some > 1) {
            const auto* second = some ? many : one;
            invalid("WP014", trail, second->range().empty() ? missing(spec) : beginning_of(*second),
                    "only one of targetRefs or workloadSelector can be set");
        }
        if (selector != nullptr) {
            check_selector(*selector, Trail(trail, "selector"));
        }
        if (one != nullptr) {
            target(one, *one, Trail(trail, "targetRef"));
        }
        if (some) {
            std::size_t index = 0;
            const Trail list(trail, "targetRefs");
            for (const auto& item : many->items()) {
                target(item.is_null() ? nullptr : &item, item, Trail(list, index++));
            }
        }
    }

    void check_selector(const Node& selector, const Trail& trail) {
        const auto* labels = set(&selector, "matchLabels");
        const Trail below(trail, "matchLabels");
        if (labels == nullptr || labels->size() == 0) {
            auto& finding = findings_.add("WP023", trail, key_range(*object_.spec(), "selector"),
                                          "workload selector specified without labels");
            if (selector.find("labels") != nullptr) {
                finding.fix = "selector.labels does not exist: write selector.matchLabels";
            }
            return;
        }
        each_entry(*labels, [&](std::string_view key, const Node& key_node, const Node& value) {
            const auto text = text_of(&value);
            const auto pair = go_quote(fmt::format("{}={}", key, text));
            if (key.empty()) {
                invalid("WP015", Trail(below, key), key_node.range(),
                        "empty key is not supported in selector: " + pair);
            }
            if (key.find('*') != npos || text.find('*') != npos) {
                invalid("WP015", Trail(below, key),
                        key.find('*') != npos ? key_node.range() : value.range(),
                        "wildcard is not supported in selector: " + pair);
            }
        });
    }

    void target(const Node* reference, const Node& at, const Trail& trail) {
        const auto group = text_of(set(reference, "group"));
        const auto kind = text_of(set(reference, "kind"));
        if (text_of(set(reference, "name")).empty()) {
            invalid("WP024", trail, beginning_of(at), "targetRef name must be set");
        }
        if (const auto* ns = set(reference, "namespace"); !text_of(ns).empty()) {
            invalid("WP016", Trail(trail, "namespace"), ns->range(),
                    "targetRef namespace must not be set; cross namespace referencing is not "
                    "supported");
        }
        if (!allowed_target(group, kind)) {
            const auto* value = set(reference, "kind");
            invalid("WP021", Trail(trail, "kind"),
                    value == nullptr ? beginning_of(at) : value->range(),
                    fmt::format("targetRef must be to one of [core/v1/Service "
                                "networking.istio.io/v1/ServiceEntry "
                                "gateway.networking.k8s.io/v1/Gateway "
                                "gateway.networking.k8s.io/v1/GatewayClass] but was {}/{}",
                                group, kind));
        }
    }

    bool allowed_target(std::string_view group, std::string_view kind) const {
        if (kind == "Service") {
            return group.empty() || group == "core";
        }
        if (kind == "ServiceEntry") {
            return group == "networking.istio.io" && minor_ >= 24;
        }
        if (kind == "GatewayClass") {
            return group == "gateway.networking.k8s.io" && minor_ >= 25;
        }
        return kind == "Gateway" && group == "gateway.networking.k8s.io";
    }

    void payload(const Node* payload, const Trail& trail) {
        const auto* url = set(payload, "url");
        const auto text = text_of(url);
        if (const auto verdict = istio::read_plugin_url(text).webhook; !verdict.empty()) {
            invalid(text.empty() ? "WP006" : "WP013", Trail(trail, "url"),
                    url == nullptr ? missing(payload) : url->range(), verdict);
        }
        sha256(set(payload, "sha256"), Trail(trail, "sha256"));
        lengths(payload, trail);
        environment(payload, trail);
    }

    void sha256(const Node* node, const Trail& trail) {
        const auto text = text_of(node);
        if (text.empty()) {
            return;
        }
        if (text.size() != 64) {
            invalid("WP012", trail, node->range(), "sha256 field must be 64 characters long");
        } else if (text.find_first_not_of("0123456789abcdef") != npos) {
            invalid("WP012", trail, node->range(), "sha256 field must match [a-f0-9]{64} pattern");
        }
    }

    void lengths(const Node* payload, const Trail& trail) {
        if (minor_ < 24) {
            return;
        }
        const auto* secret = set(payload, "imagePullSecret");
        if (text_of(secret).size() > 253) {
            invalid("WP011", Trail(trail, "imagePullSecret"), secret->range(),
                    "imagePullSecret field must be less than 253 characters long");
        }
        const auto* name = set(payload, "pluginName");
        if (text_of(name).size() > 256) {
            invalid("WP011", Trail(trail, "pluginName"), name->range(),
                    fmt::format("pluginName field must be less than {} characters long",
                                object_.kind == Kind::wasm_plugin ? 255 : 256));
        }
    }

    void environment(const Node* payload, const Trail& trail) {
        const Trail vm_trail(trail, "vmConfig");
        const Trail env_trail(vm_trail, "env");
        const auto* env = set(set(payload, "vmConfig"), "env");
        if (env == nullptr || minor_ < 20) {
            return;
        }
        if (env->size() > 256) {
            invalid("WP011", env_trail, beginning_of(*env),
                    "too many environment variables: at most 256");
            return;
        }
        std::unordered_set<std::string> names;
        std::size_t index = 0;
        for (const auto& item : env->items()) {
            const Trail below(env_trail, index++);
            const auto* variable = item.is_null() ? nullptr : &item;
            const auto* name = set(variable, "name");
            const auto* value = set(variable, "value");
            if (text_of(name).empty()) {
                invalid("WP006", Trail(below, "name"),
                        name == nullptr ? item.range() : name->range(),
                        "spec.vmConfig.env invalid");
                return;
            }
            if (!names.insert(text_of(name)).second) {
                invalid("WP018", below, name->range(), "duplicate env");
                return;
            }
            const auto* source = set(variable, "valueFrom");
            const bool host = text_of(source) == "HOST" ||
                              (source != nullptr && source->as_int().value_or(0) != 0);
            if (host && !text_of(value).empty()) {
                invalid("WP017", Trail(below, "value"), value->range(),
                        "value may only be set when valueFrom is INLINE");
                return;
            }
        }
    }

    void match(const Node* spec, const Trail& trail) {
        const auto* items = set(spec, "match");
        if (items == nullptr || minor_ < istio::since::match) {
            return;
        }
        const Trail list(trail, "match");
        std::size_t i = 0;
        for (const auto& item : items->items()) {
            const Trail item_trail(list, i);
            const Trail ports_trail(item_trail, "ports");
            const auto* ports = item.is_null() ? nullptr : set(&item, "ports");
            std::size_t j = 0;
            for (std::size_t n = ports == nullptr ? 0 : ports->size(); j < n; ++j) {
                const auto& port = *ports->item(j);
                const auto* number = set(&port, "number");
                const auto value = number == nullptr ? 0 : number_of(*number).value_or(0);
                if (value < 1 || value > 65535) {
                    const Trail port_trail(ports_trail, j);
                    invalid(
                        "WP011", Trail(port_trail, "number"),
                        number == nullptr ? port.range() : number->range(),
                        fmt::format("spec.Match[{}].Ports[{}] is out of range: {}", i, j, value));
                }
            }
            ++i;
        }
    }

    void inline_code(const Node& lua, const Trail& trail) {
        const auto* code = set(&lua, "inlineCode");
        const auto text = text_of(code);
        if (text.empty()) {
            invalid("WP011", Trail(trail, "inlineCode"),
                    code == nullptr ? beginning_of(lua) : code->range(),
                    "lua.inlineCode cannot be empty");
        } else if (text.size() > 65536) {
            invalid("WP011", Trail(trail, "inlineCode"), code->range(),
                    "lua.inlineCode exceeds maximum size of 64KB");
        }
    }

    const Object& object_;
    int minor_;
    Findings& findings_;
};

}  // namespace

void check_webhook(const Object& object, const istio::Release& release, Findings& findings) {
    if (object.kind == Kind::traffic_extension && release.minor < istio::since::traffic_extension) {
        return;  // that istiod does not know the kind
    }
    Webhook(object, release, findings).check();
}

}  // namespace wasmplug::manifest
