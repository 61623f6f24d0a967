#include "manifest/placement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "istio/plugin_url.hpp"
#include "manifest/layers.hpp"

namespace wasmplug::manifest {
namespace {

using yaml::Node;

Phase phase_named(std::string_view name) {
    return name == "AUTHN"   ? Phase::authn
           : name == "AUTHZ" ? Phase::authz
           : name == "STATS" ? Phase::stats
                             : Phase::unspecified;
}

void read_scope(const Node& spec, Placement& into) {
    const auto* selector = spec.find("selector");
    const auto* labels =
        selector != nullptr && selector->is_mapping() ? selector->find("matchLabels") : nullptr;
    if (labels != nullptr && labels->is_mapping()) {
        each_entry(*labels, [&](std::string_view key, const Node&, const Node& value) {
            into.labels.emplace_back(key, value.as_string().value_or(""));
        });
        std::sort(into.labels.begin(), into.labels.end());
    }
    const auto add = [&](const Node& target) {
        if (target.is_mapping()) {
            into.targets.push_back(
                {std::string(text_at(&target, "kind")), std::string(text_at(&target, "name"))});
        }
    };
    if (const auto* many = spec.find("targetRefs"); many != nullptr && many->is_sequence()) {
        for (const auto& target : many->items()) {
            add(target);
        }
    }
    if (const auto* one = spec.find("targetRef"); one != nullptr && into.targets.empty()) {
        add(*one);
    }
}

void read_matches(const Node& spec, Placement& into) {
    const auto* match = spec.find("match");
    if (match == nullptr || !match->is_sequence()) {
        return;
    }
    for (const auto& item : match->items()) {
        std::string text(text_at(item.is_mapping() ? &item : nullptr, "mode"));
        if (text.empty()) {
            text = "UNDEFINED";
        }
        const auto* ports = item.is_mapping() ? item.find("ports") : nullptr;
        char separator = ':';
        if (ports != nullptr && ports->is_sequence()) {
            for (const auto& port : ports->items()) {
                const auto* number = port.is_mapping() ? port.find("number") : nullptr;
                if (number != nullptr) {
                    text += separator;
                    text += number->text();
                    separator = ',';
                }
            }
        }
        into.matches.push_back(text);
    }
}

void read_payload(const Node& payload, Placement& into) {
    into.url = text_at(&payload, "url");
    into.sha256 = text_at(&payload, "sha256");
    into.fail_strategy = text_at(&payload, "failStrategy");
    into.network = text_at(&payload, "type") == "NETWORK";
    const auto read = istio::read_plugin_url(into.url);
    if (read.image) {
        into.repository = read.image->registry + "/" + read.image->repository;
        into.version = !read.image->tag.empty() ? read.image->tag : read.image->digest;
    } else {
        into.repository = into.url;
    }
    if (into.version.empty() && !into.sha256.empty()) {
        into.version = "sha256:" + into.sha256;
    }
}

}  // namespace

std::string_view to_string(Phase phase) {
    constexpr std::array<std::string_view, 4> names = {"AUTHN", "AUTHZ", "STATS", "UNSPECIFIED"};
    return names.at(static_cast<std::size_t>(phase));
}

Placement place(const Object& object, std::size_t document) {
    Placement placement;
    placement.file = object.file.name();
    placement.document = document;
    placement.kind = object.kind;
    placement.ns = object.ns;
    placement.name = object.name;
    const auto* metadata = object.root->find("metadata");
    const auto* name = metadata == nullptr ? nullptr : metadata->find("name");
    placement.at =
        object.file.position((name == nullptr ? beginning_of(*object.root) : name->range()).begin);
    if (const auto* spec = object.spec()) {
        placement.phase = phase_named(text_at(spec, "phase"));
        if (const auto* priority = spec->find("priority")) {
            placement.priority = priority->as_int();
        }
        read_scope(*spec, placement);
        read_matches(*spec, placement);
        placement.lua = spec->find("lua") != nullptr;
    }
    if (const auto* payload = object.payload()) {
        read_payload(*payload, placement);
    }
    return placement;
}

Overlap overlap(const Placement& a, const Placement& b, std::string_view root_namespace) {
    if (a.ns != b.ns && a.ns != root_namespace && b.ns != root_namespace) {
        return Overlap::none;
    }
    if (!a.targets.empty() || !b.targets.empty()) {
        const bool shared =
            a.ns == b.ns && std::any_of(a.targets.begin(), a.targets.end(), [&](const Target& one) {
                return std::find(b.targets.begin(), b.targets.end(), one) != b.targets.end();
            });
        return shared ? Overlap::certain : Overlap::none;
    }
    bool only_a = false;
    for (const auto& [key, value] : a.labels) {
        const auto other =
            std::find_if(b.labels.begin(), b.labels.end(),
                         [&, &name = key](const auto& label) { return label.first == name; });
        if (other == b.labels.end()) {
            only_a = true;
        } else if (other->second != value) {
            return Overlap::none;
        }
    }
    const bool only_b = std::any_of(b.labels.begin(), b.labels.end(), [&](const auto& label) {
        return std::none_of(a.labels.begin(), a.labels.end(),
                            [&](const auto& other) { return other.first == label.first; });
    });
    return only_a && only_b ? Overlap::possible : Overlap::certain;
}

std::optional<bool> runs_before(const Placement& a, const Placement& b,
                                std::string_view root_namespace) {
    if (a.phase != b.phase) {
        return a.phase < b.phase;
    }
    constexpr auto unset = std::numeric_limits<std::int64_t>::min();
    const auto first = a.priority.value_or(unset);
    const auto second = b.priority.value_or(unset);
    if (first != second) {
        return first > second;
    }
    if (a.ns != b.ns && (a.ns == root_namespace || b.ns == root_namespace)) {
        return b.ns == root_namespace;  // the proxy's own namespace comes first
    }
    return std::nullopt;
}

bool stands_before(const Placement& a, const Placement& b, std::string_view root_namespace) {
    // istiod >= 1.30 compares with this suffix behind the name of a WasmPlugin.
    const auto sort_name = [](const Placement& plugin) {
        return plugin.name +
               (plugin.kind == Kind::wasm_plugin ? "~istio-translated-wasmplugin" : "");
    };
    return runs_before(a, b, root_namespace).value_or(sort_name(a) < sort_name(b));
}

std::string label_text(const Placement& placement) {
    std::string text;
    for (const auto& [key, value] : placement.labels) {
        text += fmt::format("{}{}={}", text.empty() ? "" : ",", key, value);
    }
    return text;
}

}  // namespace wasmplug::manifest
