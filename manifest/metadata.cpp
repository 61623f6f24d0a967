#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/terminal.hpp"
#include "base/time.hpp"
#include "istio/go_url.hpp"
#include "manifest/fixes.hpp"
#include "manifest/layers.hpp"
#include "manifest/names.hpp"

// What the API server says of every object's metadata: the decoder of ObjectMeta, and
// k8s.io/apimachinery pkg/api/validation/objectmeta.go.
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

// The fields of ObjectMeta as its decoder takes them. Those without a word of their own are read
// and then replaced by the server.
struct MetaField {
    std::string_view name;
    std::string_view go_type;
};

constexpr std::array<MetaField, 15> metadata_fields = {{
    {"name", "string"},
    {"generateName", "string"},
    {"namespace", "string"},
    {"selfLink", "string"},
    {"uid", "types.UID"},
    {"resourceVersion", "string"},
    {"generation", "int64"},
    {"creationTimestamp", "time"},
    {"deletionTimestamp", "time"},
    {"deletionGracePeriodSeconds", "int64"},
    {"labels", "map[string]string"},
    {"annotations", "map[string]string"},
    {"ownerReferences", "[]v1.OwnerReference"},
    {"finalizers", "[]string"},
    {"managedFields", "[]v1.ManagedFieldsEntry"},
}};
constexpr std::array<MetaField, 6> owner_fields = {{
    {"apiVersion", "string"},
    {"kind", "string"},
    {"name", "string"},
    {"uid", "types.UID"},
    {"controller", "bool"},
    {"blockOwnerDeletion", "bool"},
}};
constexpr std::array<MetaField, 7> managed_fields = {{
    {"manager", "string"},
    {"operation", "v1.ManagedFieldsOperationType"},
    {"apiVersion", "string"},
    {"time", "time"},
    {"fieldsType", "string"},
    {"fieldsV1", ""},
    {"subresource", "string"},
}};

template <std::size_t N>
constexpr std::array<std::string_view, N> names_of(const std::array<MetaField, N>& fields) {
    std::array<std::string_view, N> names;
    std::transform(fields.begin(), fields.end(), names.begin(),
                   [](const MetaField& field) { return field.name; });
    return names;
}

constexpr auto metadata_names = names_of(metadata_fields);

bool has_go_type(const Node& node, std::string_view type) {
    return node.is_null() || type.empty() ||
           (type.starts_with("[]")    ? node.is_sequence()
            : type.starts_with("map") ? node.is_mapping()
            : type == "bool"          ? node.type() == yaml::Type::boolean
            : type == "int64"         ? node.as_int().has_value()
                                      : node.is_string());
}

void cannot_unmarshal(const Node& node, const Trail& trail, std::string_view field,
                      std::string_view type, Findings& findings) {
    const auto wanted = type == "time" ? "string" : type;
    auto& finding =
        findings.add("WP005", trail, node.range(),
                     fmt::format("json: cannot unmarshal {} into Go struct field {} of type {}",
                                 json_type(node), field, wanted));
    const bool quotable =
        node.kind() == yaml::Kind::scalar && (wanted == "string" || type == "types.UID");
    finding.remedy(quotable ? quoted(node) : Remedy{fmt::format("write a {}", wanted)});
}

// The values of a struct that its decoder does not take.
void check_types(const Node& node, std::span<const MetaField> fields, std::string_view go_struct,
                 const Trail& trail, Findings& findings) {
    each_entry(node, [&](std::string_view key, const Node&, const Node& value) {
        const auto field = std::find_if(fields.begin(), fields.end(),
                                        [&](const MetaField& one) { return one.name == key; });
        if (field != fields.end() && !has_go_type(value, field->go_type)) {
            cannot_unmarshal(value, Trail(trail, key), fmt::format("{}.{}", go_struct, key),
                             field->go_type, findings);
        }
    });
}

std::string name_fix(std::string_view name) {
    const auto better = similar_subdomain(name);
    return better.empty() ? "use lower-case letters, digits and '-'" : "write " + better;
}

// `name` is what to spell better, where a better spelling is what mends it.
void add_all(const Complaints& wrong, const Trail& trail, yaml::Range range, std::string_view field,
             std::string_view value, std::string_view name, Findings& findings) {
    for (const auto& complaint : wrong) {
        auto& finding = findings.add(
            "WP010", trail, range,
            fmt::format("{}: Invalid value: {}: {}", field, go_quote(value), complaint));
        if (!name.empty()) {
            finding.fix = name_fix(name);
        }
    }
}

// The string at `key`; nothing when it is missing, null, empty or of another type.
std::string_view written(const Node& metadata, std::string_view key) {
    return text_at(&metadata, key);
}

// apimachinery's maskTrailingDash: the server appends to it.
std::string masked(std::string_view stem) {
    std::string name(stem);
    if (name.size() > 1 && name.ends_with('-')) {
        name.replace(name.size() - 2, 2, "a");
    }
    return name;
}

void check_names(const Node& metadata, const Trail& trail, Findings& findings) {
    const auto* name = metadata.find("name");
    const auto* generate = metadata.find("generateName");
    const auto is_text = [](const Node* node) {
        return node == nullptr || node->is_null() || node->is_string();
    };
    const auto stem = written(metadata, "generateName");
    if (!stem.empty()) {
        add_all(check_subdomain(masked(stem)), Trail(trail, "generateName"), generate->range(),
                "metadata.generateName", stem, stem, findings);
    }
    if (const auto text = written(metadata, "name"); !text.empty()) {
        add_all(check_subdomain(text), Trail(trail, "name"), name->range(), "metadata.name", text,
                text, findings);
    } else if (!stem.empty() && check_subdomain(masked(stem)).empty()) {
        // Five characters are appended to what fits.
        const auto made = std::string(stem.substr(0, 58)) + "xxxxx";
        add_all(check_subdomain(made), Trail(trail, "generateName"), generate->range(),
                "metadata.name", made, stem, findings);
    } else if (stem.empty() && is_text(name) && is_text(generate)) {
        findings
            .add("WP010", Trail(trail, "name"),
                 name == nullptr ? beginning_of(metadata) : name->range(),
                 "metadata.name: Required value: name or generateName is required")
            .fix = "add name";
    }
    if (const auto ns = written(metadata, "namespace"); !ns.empty()) {
        add_all(check_label(ns), Trail(trail, "namespace"), metadata.find("namespace")->range(),
                "metadata.namespace", ns, ns, findings);
    }
}

void check_string_map(const Node& metadata, std::string_view key, const Trail& up,
                      Findings& findings) {
    const auto* map = metadata.find(key);
    if (map == nullptr || !map->is_mapping()) {
        return;
    }
    const Trail trail(up, key);
    const bool labels = key == "labels";
    const std::string_view field = labels ? "metadata.labels" : "metadata.annotations";
    std::size_t total = 0;
    each_entry(*map, [&](std::string_view name, const Node& key_node, const Node& value) {
        const Trail below(trail, name);
        total += name.size() + value.text().size();
        std::string lower(name);
        if (!labels) {
            std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
                return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
            });
        }
        add_all(check_qualified_name(lower), below, key_node.range(), field, name, {}, findings);
        if (value.is_null()) {
            return;  // decodes as ""
        }
        if (!value.is_string()) {
            cannot_unmarshal(value, below, fmt::format("ObjectMeta.{}", key), "string", findings);
        } else if (labels) {
            const auto text = *value.as_string();
            add_all(check_label_value(text), below, value.range(), field, text, {}, findings);
        }
    });
    if (!labels && total > std::size_t{256} << 10) {
        findings.add("WP011", trail, key_range(metadata, key),
                     "metadata.annotations: Too long: may not be more than 262144 bytes");
    }
}

void check_known(const Node& node, std::span<const std::string_view> known, const Trail& trail,
                 Findings& findings) {
    each_entry(node, [&](std::string_view key, const Node& key_node, const Node&) {
        if (std::find(known.begin(), known.end(), key) != known.end()) {
            return;
        }
        const Trail below(trail, key);
        const bool only_counted = findings.is_full("WP008");
        auto& finding = findings.add("WP008", below, key_node.range(),
                                     fmt::format("unknown field \"{}\"", below.to_string()));
        if (only_counted) {
            return;
        }
        if (auto remedy = spelled(key, known)) {
            finding.remedy(std::move(*remedy));
        } else if (trail.to_string().empty() &&
                   find_field(Kind::wasm_plugin, fmt::format("spec.{}", key)) != nullptr) {
            finding.fix = "it belongs below spec: indent it";
        } else if (trail.to_string().empty() &&
                   std::find(metadata_names.begin(), metadata_names.end(), key) !=
                       metadata_names.end()) {
            finding.fix = "it belongs below metadata: indent it";
        }
    });
}

// Unknown names in a list of structs, and values that its decoder does not take.
template <std::size_t N>
void check_structs(const Node& metadata, std::string_view key, std::string_view type,
                   const std::array<MetaField, N>& fields, const Trail& up, Findings& findings) {
    const auto* list = metadata.find(key);
    if (list == nullptr || !list->is_sequence()) {
        return;
    }
    const Trail trail(up, key);
    std::size_t index = 0;
    for (const auto& item : list->items()) {
        const Trail below(trail, index++);
        if (!item.is_mapping()) {
            if (!item.is_null()) {
                cannot_unmarshal(item, below, fmt::format("ObjectMeta.{}", key),
                                 fmt::format("v1.{}", type), findings);
            }
            continue;
        }
        check_known(item, names_of(fields), below, findings);
        check_types(item, fields, fmt::format("{}.{}", type, key), below, findings);
    }
}

// ValidateOwnerReferences.
void check_owners(const Node& metadata, const Trail& up, Findings& findings) {
    const auto* owners = metadata.find("ownerReferences");
    if (owners == nullptr || !owners->is_sequence()) {
        return;
    }
    const Trail trail(up, "ownerReferences");
    std::size_t index = 0;
    std::vector<std::string> controllers;
    for (const auto& owner : owners->items()) {
        const Trail below(trail, index++);
        if (!owner.is_mapping()) {
            continue;
        }
        for (const std::string_view name : {"apiVersion", "kind", "name", "uid"}) {
            const auto* value = owner.find(name);
            const bool of_other_type = value != nullptr && !value->is_null() && !value->is_string();
            if (written(owner, name).empty() && !of_other_type) {
                findings.add("WP010", Trail(below, name), key_range(owner, name),
                             fmt::format("metadata.ownerReferences.{}: Invalid value: \"\": {}must "
                                         "not be empty",
                                         name, name == "apiVersion" ? "version " : ""));
            }
        }
        const auto* controller = owner.find("controller");
        if (controller != nullptr && controller->as_bool().value_or(false)) {
            controllers.push_back(
                fmt::format("{}/{}", written(owner, "kind"), written(owner, "name")));
        }
    }
    if (controllers.size() > 1) {
        findings.add(
            "WP010", trail, key_range(metadata, "ownerReferences"),
            fmt::format("metadata.ownerReferences: Invalid value: {}: Only one reference "
                        "can have Controller set to true. Found \"true\" in references "
                        "for {} and {}",
                        compact_json(yaml::to_json(*owners)), controllers[0], controllers[1]));
    }
}

void check_finalizers(const Node& metadata, const Trail& up, Findings& findings) {
    const auto* finalizers = metadata.find("finalizers");
    if (finalizers == nullptr || !finalizers->is_sequence()) {
        return;
    }
    const Trail trail(up, "finalizers");
    std::size_t index = 0;
    for (const auto& item : finalizers->items()) {
        const Trail below(trail, index++);
        if (item.is_string()) {
            add_all(check_qualified_name(*item.as_string()), below, item.range(),
                    "metadata.finalizers", *item.as_string(), {}, findings);
        } else if (!item.is_null()) {
            cannot_unmarshal(item, below, "ObjectMeta.finalizers", "string", findings);
        }
    }
}

// metav1.Time's decoder; RFC 3339.
void check_times(const Node& metadata, const Trail& up, Findings& findings) {
    for (const std::string_view key : {"creationTimestamp", "deletionTimestamp"}) {
        const auto text = written(metadata, key);
        if (!text.empty() && !parse_time(text)) {
            const bool year =
                text.size() > 3 && text.substr(0, 4).find_first_not_of("0123456789") == npos;
            findings.add("WP010", Trail(up, key), metadata.find(key)->range(),
                         fmt::format("parsing time \"{}\" as \"2006-01-02T15:04:05Z07:00\": cannot "
                                     "parse{}",
                                     text, year ? "" : fmt::format(" \"{}\" as \"2006\"", text)));
        }
    }
}

// The server drops the status that a client sends, but not before it has looked for names that
// its lists do not have; beside those lists anything goes.
void check_status(const Node& root, Findings& findings) {
    constexpr std::array<std::string_view, 7> condition = {
        "type",   "status",  "observedGeneration", "lastProbeTime", "lastTransitionTime",
        "reason", "message",
    };
    constexpr std::array<std::string_view, 3> message = {"type", "level", "documentationUrl"};
    const auto* status = root.find("status");
    if (status == nullptr || !status->is_mapping()) {
        return;
    }
    const Trail top;
    const Trail trail(top, "status");
    const auto check = [&](std::string_view key, std::span<const std::string_view> known) {
        const auto* list = status->find(key);
        const Trail below(trail, key);
        if (list != nullptr && list->is_mapping()) {
            check_known(*list, {}, below, findings);
        } else if (list != nullptr && list->is_sequence()) {
            std::size_t index = 0;
            for (const auto& item : list->items()) {
                check_known(item, known, Trail(below, index++), findings);
            }
        }
    };
    check("conditions", condition);
    check("validationMessages", message);
}

}  // namespace

void check_metadata(const Object& object, Findings& findings) {
    const Trail root;
    const Trail trail(root, "metadata");
    check_known(*object.root, top_fields, root, findings);
    check_status(*object.root, findings);
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
        findings
            .add("WP005", trail, metadata->range(),
                 fmt::format("json: cannot unmarshal {} into Go value of type v1.ObjectMeta",
                             json_type(*metadata)))
            .fix = "write a mapping with a name";
        return;
    }
    check_known(*metadata, metadata_names, trail, findings);
    check_types(*metadata, metadata_fields, "ObjectMeta", trail, findings);
    check_names(*metadata, trail, findings);
    check_string_map(*metadata, "labels", trail, findings);
    check_string_map(*metadata, "annotations", trail, findings);
    check_structs(*metadata, "ownerReferences", "OwnerReference", owner_fields, trail, findings);
    check_structs(*metadata, "managedFields", "ManagedFieldsEntry", managed_fields, trail,
                  findings);
    check_owners(*metadata, trail, findings);
    check_finalizers(*metadata, trail, findings);
    check_times(*metadata, trail, findings);
}

}  // namespace wasmplug::manifest
