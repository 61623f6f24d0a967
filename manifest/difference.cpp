#include "manifest/difference.hpp"

#include <algorithm>

#include "manifest/finding.hpp"

namespace wasmplug::manifest {
namespace {

using nlohmann::ordered_json;

// NOLINTNEXTLINE(misc-no-recursion): the reader bounds the depth
void compare(const ordered_json& a, const ordered_json& b, const Trail& trail,
             std::vector<Change>& into) {
    // The order of keys says nothing, and 1 and 1.0 are one number.
    if (nlohmann::json(a) == nlohmann::json(b)) {
        return;
    }
    if (a.is_object() && b.is_object()) {
        for (const auto& [key, value] : a.items()) {
            const auto other = b.find(key);
            compare(value, other == b.end() ? ordered_json() : *other, Trail(trail, key), into);
        }
        for (const auto& [key, value] : b.items()) {
            if (!a.contains(key)) {
                compare(ordered_json(), value, Trail(trail, key), into);
            }
        }
        return;
    }
    if (a.is_array() && b.is_array()) {
        for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
            compare(i < a.size() ? a[i] : ordered_json(), i < b.size() ? b[i] : ordered_json(),
                    Trail(trail, i), into);
        }
        return;
    }
    into.push_back({trail.to_string(), a, b});
}

}  // namespace

std::vector<Change> differences(const ordered_json& before, const ordered_json& after) {
    std::vector<Change> changes;
    compare(before, after, {}, changes);
    return changes;
}

}  // namespace wasmplug::manifest
