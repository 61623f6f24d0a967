#include "base/yaml.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <unordered_map>
#include <utility>

#include "base/yaml_content.hpp"
#include "base/yaml_scalar.hpp"

namespace wasmplug::yaml {
namespace {

// The typed value of a scalar node; of a quoted one only when its tag says so.
Scalar value_of(const Node& node) {
    const auto tag = node.tag();
    if (tag.empty() || tag == "!") {
        return resolve_plain(node.text());
    }
    return resolve_tagged(tag, node.text()).value_or(Scalar{});
}

// Whether `key`, as written, is the JSON key `wanted`.
bool is_key(const Node& key, std::string_view wanted) {
    return key.is_string() && key.tag().empty() ? key.text() == wanted : key.key_text() == wanted;
}

const Node* find_merged(const Node& value, std::string_view key);

const Node* find_in_mapping(const Node& mapping, std::string_view key) {
    const Node* found = nullptr;
    for (const auto& entry : mapping.entries()) {
        if (entry.key.is_merge_key()) {
            // Decoded in the order of writing: a merge replaces what stands before it.
            if (const Node* merged = find_merged(entry.value, key)) {
                found = merged;
            }
        } else if (is_key(entry.key, key)) {
            found = &entry.value;
        }
    }
    return found;
}

const Node* find_merged(const Node& value, std::string_view key) {
    if (value.is_mapping()) {
        return find_in_mapping(value, key);
    }
    for (const Node& item : value.items()) {  // earlier ones take precedence
        if (const Node* found = find_in_mapping(item, key)) {
            return found;
        }
    }
    return nullptr;
}

// Entries in the order in which the decoder sets them, merges unrolled.
template <class Visit>
void visit_entries(const Node& mapping, const Visit& visit) {
    for (const auto& entry : mapping.entries()) {
        if (!entry.key.is_merge_key()) {
            visit(entry);
            continue;
        }
        if (entry.value.is_mapping()) {
            visit_entries(entry.value, visit);
            continue;
        }
        std::vector<const Node*> items;
        for (const Node& item : entry.value.items()) {
            items.push_back(&item);
        }
        // No std::views: clang 14, which builds the fuzzers, does not compile libstdc++'s.
        for (auto item = items.rbegin(); item != items.rend(); ++item) {
            visit_entries(**item, visit);
        }
    }
}

// Equal exactly when go-yaml's map keys are: typed, so that `1` and `"1"` differ.
std::string typed_key(const Node& key) {
    switch (key.type()) {
        case Type::string:
            return "s" + key.key_text();
        case Type::boolean:
            return "b" + key.key_text();
        case Type::null:
            return "n";
        case Type::integer:
        case Type::number:
            return (value_of(key.target()).is_float ? "f" : "i") + key.key_text();
        default:
            return "c" + std::to_string(key.target().range().begin);
    }
}

// The keys of one mapping that has no plain ones.
void collect_duplicates(const Node& mapping, std::vector<Duplicate>& into) {
    std::unordered_map<std::string, const Node*> seen;
    visit_entries(mapping, [&](const Entry& entry) {
        const auto [first, is_new] = seen.try_emplace(typed_key(entry.key), &entry.key);
        if (!is_new) {
            into.push_back({entry.key, *first->second, mapping});
        }
    });
}

}  // namespace

bool all_keys_are_plain(const Node& mapping) {
    std::array<std::string_view, 24> keys;
    if (mapping.size() > keys.size()) {
        return false;
    }
    auto* end = keys.begin();
    for (const auto& entry : mapping.entries()) {
        const Node& key = entry.key;
        if (key.kind() != Kind::scalar || !key.is_string() || !key.tag().empty() ||
            key.text() == "<<" || std::find(keys.begin(), end, key.text()) != end) {
            return false;
        }
        *end++ = key.text();
    }
    return true;
}

std::string_view type_name(Type type) {
    switch (type) {
        case Type::null:
            return "null";
        case Type::boolean:
            return "a boolean";
        case Type::integer:
            return "an integer";
        case Type::number:
            return "a number";
        case Type::string:
            return "a string";
        case Type::sequence:
            return "a list";
        case Type::mapping:
            return "a mapping";
    }
    return "";
}

Range Node::full_range() const {
    std::size_t begin = begin_;
    for (const Range& range : {anchor_range(), tag_range()}) {
        if (!range.empty()) {
            begin = std::min(begin, range.begin);
        }
    }
    return {begin, end_};
}

std::string_view Node::anchor() const {
    return properties_ == nullptr ? std::string_view() : properties_->anchor;
}

std::string_view Node::tag() const {
    return properties_ == nullptr ? std::string_view() : properties_->tag;
}

Range Node::anchor_range() const {
    return properties_ == nullptr ? Range{} : properties_->anchor_range;
}

Range Node::tag_range() const {
    return properties_ == nullptr ? Range{} : properties_->tag_range;
}

std::optional<std::string_view> Node::as_string() const {
    const Node& node = target();
    if (node.type_ != Type::string) {
        return std::nullopt;
    }
    return node.tag() == "tag:yaml.org,2002:binary" ? std::string_view(node.properties_->decoded)
                                                    : node.text_;
}

std::optional<bool> Node::as_bool() const {
    if (type() != Type::boolean) {
        return std::nullopt;
    }
    return value_of(target()).boolean;
}

std::optional<std::int64_t> Node::as_int() const {
    if (type() != Type::integer) {
        return std::nullopt;
    }
    const Scalar value = value_of(target());
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (value.negative) {
        return value.magnitude == 0 ? 0 : -static_cast<std::int64_t>(value.magnitude - 1) - 1;
    }
    if (value.magnitude > most) {
        return std::nullopt;
    }
    return static_cast<std::int64_t>(value.magnitude);
}

std::optional<std::uint64_t> Node::as_uint() const {
    if (type() != Type::integer) {
        return std::nullopt;
    }
    const Scalar value = value_of(target());
    if (value.negative && value.magnitude != 0) {
        return std::nullopt;
    }
    return value.magnitude;
}

std::optional<double> Node::as_double() const {
    if (type() != Type::integer && type() != Type::number) {
        return std::nullopt;
    }
    const Scalar value = value_of(target());
    if (value.is_float) {
        return value.number;
    }
    const auto magnitude = static_cast<double>(value.magnitude);
    return value.negative ? -magnitude : magnitude;
}

Items Node::items() const {
    const Node& node = target();
    const bool fits = node.kind_ == Kind::sequence;
    return {&node + 1, fits ? &node + node.extent_ : &node + 1, fits ? node.count_ : 0};
}

Entries Node::entries() const {
    const Node& node = target();
    const bool fits = node.kind_ == Kind::mapping;
    return {&node + 1, fits ? &node + node.extent_ : &node + 1, fits ? node.count_ : 0};
}

std::vector<Entry> Node::effective_entries() const {
    std::vector<Entry> entries;
    entries.reserve(size());
    if (has_plain_keys()) {
        for (const auto& entry : this->entries()) {
            entries.push_back(entry);
        }
        return entries;
    }
    std::vector<const Node*> keys;
    std::vector<const Node*> values;
    std::unordered_map<std::string, std::size_t> places;
    visit_entries(*this, [&](const Entry& entry) {
        const auto [place, is_new] = places.try_emplace(entry.key.key_text(), keys.size());
        if (is_new) {
            keys.push_back(&entry.key);
            values.push_back(&entry.value);
        } else {
            values[place->second] = &entry.value;
        }
    });
    for (std::size_t i = 0; i < keys.size(); ++i) {
        entries.push_back({*keys[i], *values[i]});
    }
    return entries;
}

const Node* Node::find(std::string_view key) const {
    if (!has_plain_keys()) {
        return find_in_mapping(*this, key);
    }
    const Node* found = find_plain_key(key);
    return found == nullptr ? nullptr : found + 1;
}

// In a mapping with plain keys: each is one node, and its value stands behind it.
const Node* Node::find_plain_key(std::string_view wanted) const {
    const Node& mapping = target();
    const Node* const end = &mapping + mapping.extent_;
    for (const Node* key = &mapping + 1; key != end; key += 1 + key[1].extent_) {
        if (key->text_ == wanted) {
            return key;
        }
    }
    return nullptr;
}

std::optional<Entry> Node::own_entry(std::string_view key) const {
    if (has_plain_keys()) {
        const Node* found = find_plain_key(key);
        return found == nullptr ? std::nullopt : std::optional(Entry{*found, found[1]});
    }
    const Node* found_key = nullptr;
    const Node* found_value = nullptr;
    for (const auto& entry : entries()) {
        if (!entry.key.is_merge_key() && is_key(entry.key, key)) {
            found_key = &entry.key;
            found_value = &entry.value;
        }
    }
    if (found_key == nullptr) {
        return std::nullopt;
    }
    return Entry{*found_key, *found_value};
}

const Node* Node::item(std::size_t index) const {
    for (const Node& node : items()) {
        if (index-- == 0) {
            return &node;
        }
    }
    return nullptr;
}

const Node* Node::at(const Path& path) const {
    const Node* node = this;
    for (const auto& step : path.steps()) {
        node = step.is_index ? node->item(step.index) : node->find(step.key);
        if (node == nullptr) {
            return nullptr;
        }
    }
    return node;
}

std::string Node::key_text() const {
    const Node& node = target();
    switch (node.type_) {
        case Type::string:
            return std::string(*node.as_string());
        case Type::boolean:
            return *node.as_bool() ? "true" : "false";
        case Type::null:
            return "null";
        case Type::integer:
        case Type::number: {
            const Scalar value = value_of(node);
            if (value.is_float) {
                return float_key(value.number);
            }
            return (value.negative && value.magnitude != 0 ? "-" : "") +
                   std::to_string(value.magnitude);
        }
        default:
            return {};
    }
}

bool Node::is_merge_key() const {
    if (kind_ != Kind::scalar || text_ != "<<") {
        return false;
    }
    const auto own_tag = tag();
    return own_tag == "tag:yaml.org,2002:merge" || own_tag == "!" ||
           (own_tag.empty() && style_ == Style::plain);
}

bool Document::is_empty() const {
    return root->kind() == Kind::scalar && root->full_range().empty();
}

std::vector<Duplicate> duplicate_keys(const Node& node) {
    std::vector<Duplicate> duplicates;
    for (const Node* at = &node; node.holds(*at); ++at) {
        if (at->kind() == Kind::mapping && !at->has_plain_keys()) {
            collect_duplicates(*at, duplicates);
        }
    }
    return duplicates;
}

Type plain_type(std::string_view text) {
    return resolve_plain(text).type;
}

}  // namespace wasmplug::yaml
