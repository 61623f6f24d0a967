#include <cmath>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/yaml.hpp"

namespace wasmplug::yaml {
namespace {

nlohmann::ordered_json scalar_json(const Node& node) {
    switch (node.type()) {
        case Type::boolean:
            return *node.as_bool();
        case Type::integer:
            if (const auto value = node.as_int()) {
                return *value;
            }
            return *node.as_uint();
        case Type::number:
            if (const auto value = node.as_double(); value && std::isfinite(*value)) {
                return *value;
            }
            return nullptr;
        case Type::string:
            return std::string(*node.as_string());
        default:
            return nullptr;
    }
}

bool is_scalar(const Node& node) {
    return !node.is_mapping() && !node.is_sequence();
}

bool same_items(const Node& a, const Node& b) {
    if (a.size() != b.size()) {
        return false;
    }
    auto other = b.items().begin();
    for (const Node& item : a.items()) {
        if (!same_value(item, *other)) {
            return false;
        }
        ++other;
    }
    return true;
}

bool same_entries(const Node& a, const Node& b) {
    const auto left = a.effective_entries();
    const auto right = b.effective_entries();
    if (left.size() != right.size()) {
        return false;
    }
    for (std::size_t i = 0; i < left.size(); ++i) {
        const std::string key = left[i].key.key_text();
        // Mostly in the same order.
        const Node* other = right[i].key.key_text() == key ? &right[i].value : b.find(key);
        if (other == nullptr || !same_value(left[i].value, *other)) {
            return false;
        }
    }
    return true;
}

}  // namespace

nlohmann::ordered_json to_json(const Node& node) {
    if (node.is_sequence()) {
        auto array = nlohmann::ordered_json::array();
        auto& items = array.get_ref<nlohmann::ordered_json::array_t&>();
        items.reserve(node.size());
        for (const Node& item : node.items()) {
            items.push_back(to_json(item));
        }
        return array;
    }
    if (node.is_mapping()) {
        auto object = nlohmann::ordered_json::object();
        // The keys are known to differ, so that ordered_map need not compare them again.
        auto& entries =
            static_cast<std::vector<std::pair<const std::string, nlohmann::ordered_json>>&>(
                object.get_ref<nlohmann::ordered_json::object_t&>());
        entries.reserve(node.size());
        for (const auto& entry : node.effective_entries()) {
            if (is_scalar(entry.key) && !entry.key.is_null()) {
                entries.emplace_back(entry.key.key_text(), to_json(entry.value));
            }
        }
        return object;
    }
    return scalar_json(node);
}

bool same_value(const Node& a, const Node& b) {
    if (a.is_sequence() || b.is_sequence()) {
        return a.is_sequence() && b.is_sequence() && same_items(a, b);
    }
    if (a.is_mapping() || b.is_mapping()) {
        return a.is_mapping() && b.is_mapping() && same_entries(a, b);
    }
    if (a.is_string() && b.is_string()) {
        return *a.as_string() == *b.as_string();
    }
    return scalar_json(a) == scalar_json(b);
}

}  // namespace wasmplug::yaml
