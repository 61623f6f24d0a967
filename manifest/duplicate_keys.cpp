#include <fmt/format.h>

#include "manifest/layers.hpp"

namespace wasmplug::manifest {
namespace {

using yaml::Node;

constexpr std::size_t looked_through = 1000;  // keys, for each one that stands twice

// Whether the key has the same value each time it stands in the mapping. No for what is too large
// to be looked through.
bool all_equal(const Node& mapping, std::string_view key) {
    const Node* first = nullptr;
    if (mapping.size() > looked_through) {
        return false;
    }
    for (const auto& entry : mapping.entries()) {
        if (entry.key.is_merge_key() || entry.key.key_text() != key) {
            continue;
        }
        if (first != nullptr && !yaml::same_value(*first, entry.value)) {
            return false;
        }
        first = &entry.value;
    }
    return first != nullptr;
}

}  // namespace

void check_duplicate_keys(const Object& object, Findings& findings) {
    for (const auto& duplicate : yaml::duplicate_keys(*object.root)) {
        if (findings.is_full("WP009")) {
            findings.add("WP009", {}, duplicate.key.range(), {});
            continue;
        }
        const auto first = object.file.position(duplicate.first.range().begin);
        // The path of a key is that of its value, below the document: a List's item begins there.
        const auto& document = object.file.documents()[object.index];
        std::string path = object.file.path_of(document, duplicate.key).to_string();
        if (object.item) {
            const auto prefix = fmt::format("items[{}].", *object.item);
            if (path.starts_with(prefix)) {
                path.erase(0, prefix.size());
            }
        }
        auto& finding = findings.add("WP009", {}, duplicate.key.range(),
                                     fmt::format("duplicate field \"{}\"", path));
        finding.path = path;
        finding.fix = fmt::format("keep one of them; the first is in line {}", first.line);
        if (all_equal(duplicate.mapping, duplicate.key.key_text())) {
            finding.right = Right{};
        }
    }
}

}  // namespace wasmplug::manifest
