#include "base/yaml_edit.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

#include "base/yaml_splice.hpp"

namespace wasmplug::yaml {
namespace {

using Json = nlohmann::ordered_json;

// The first place at which two values differ.
std::optional<Path> difference(const Json& a, const Json& b, const Path& path = {}) {
    if (a.is_object() && b.is_object()) {
        for (const auto& [key, value] : a.items()) {
            const auto other = b.find(key);
            if (other == b.end()) {
                return path / key;
            }
            if (auto found = difference(value, *other, path / key)) {
                return found;
            }
        }
        for (const auto& [key, value] : b.items()) {
            if (!a.contains(key)) {
                return path / key;
            }
        }
        return std::nullopt;
    }
    if (a.is_array() && b.is_array()) {
        for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
            if (i >= a.size() || i >= b.size()) {
                return path / i;
            }
            if (auto found = difference(a[i], b[i], path / i)) {
                return found;
            }
        }
        return std::nullopt;
    }
    return a == b ? std::nullopt : std::optional(path);
}

Json& json_at(Json& root, const Path& path) {
    Json* at = &root;
    for (const auto& step : path.steps()) {
        if (step.is_index) {
            if (at->is_null() || step.index == at->size()) {
                at->push_back(nullptr);
            }
            at = &at->at(step.index);
        } else {
            at = &(*at)[step.key];
        }
    }
    return *at;
}

void json_remove(Json& root, const Path& path) {
    Json& parent = json_at(root, path.parent());
    if (path.last().is_index) {
        parent.erase(path.last().index);
    } else {
        parent.erase(path.last().key);
    }
}

// The value that `payload` is, `steps` deep in new mappings.
Payload wrapped(Payload payload, const Path& path, std::size_t from) {
    for (std::size_t i = path.steps().size(); i > from; --i) {
        const auto& step = path.steps()[i - 1];
        Json outer;
        if (step.is_index) {
            outer.push_back(std::move(payload.value));
        } else {
            outer[step.key] = std::move(payload.value);
        }
        payload.value = std::move(outer);
    }
    return payload;
}

// How far a path leads into what is written.
struct Walk {
    std::vector<Slot> slots;  // the root's, then one for each step that exists
    bool found = false;
};

void refuse_duplicates(const File& file, const Node& mapping, std::string_view key) {
    const Node* first = nullptr;
    for (const auto& entry : mapping.entries()) {
        if (entry.key.is_merge_key() || entry.key.key_text() != key) {
            continue;
        }
        if (first != nullptr) {
            throw file.error(entry.key.range(),
                             "the key '" + std::string(key) + "' stands here a second time",
                             "keep one of the two: Kubernetes takes the last");
        }
        first = &entry.key;
    }
}

Walk walk(const File& file, const Node& root, const Path& path) {
    Walk walk;
    walk.slots.push_back({.value = &root});
    for (const auto& step : path.steps()) {
        const Node& at = *walk.slots.back().value;
        if (at.kind() == Kind::alias) {
            throw file.error(at.range(),
                             "the value of '" + path.to_string() + "' lies behind an alias",
                             "edit what " + file.where(at.target().range().begin) +
                                 " says, or write the value out here");
        }
        if (at.is_null()) {
            return walk;
        }
        if (step.is_index) {
            if (!at.is_sequence()) {
                throw file.error(at.range(),
                                 std::string(type_name(at.type())) + ", where a list was expected");
            }
            const Node* item = at.item(step.index);
            if (item == nullptr && step.index != at.size()) {
                throw file.error(
                    at.range(), "there is no item " + std::to_string(step.index) + " in this list");
            }
            if (item == nullptr) {
                return walk;
            }
            walk.slots.push_back({.parent = &at, .value = item});
            continue;
        }
        if (!at.is_mapping()) {
            throw file.error(at.range(),
                             std::string(type_name(at.type())) + ", where a mapping was expected");
        }
        refuse_duplicates(file, at, step.key);
        const auto entry = at.own_entry(step.key);
        if (!entry) {
            return walk;
        }
        if (file.text()[entry->key.full_range().begin] != '?' &&
            file.text().substr(0, entry->key.full_range().begin).ends_with("? ")) {
            throw file.error(entry->key.range(), "a key written with '?'",
                             "write it as 'key: value'");
        }
        walk.slots.push_back({.parent = &at, .key = &entry->key, .value = &entry->value});
    }
    walk.found = true;
    return walk;
}

// Behind which value a new one of `collection` goes; null for the last.
const Node* neighbour(const Node& collection, std::initializer_list<std::string_view> after) {
    for (const auto name : after) {
        if (const auto entry = collection.own_entry(name)) {
            return &entry->value;
        }
    }
    return nullptr;
}

std::vector<Edit> edits_for(const File& file, const Document& document, const Path& path,
                            const Payload& payload, std::initializer_list<std::string_view> after) {
    Splicer splicer(file, document);
    const Walk way = walk(file, *document.root, path);
    const Slot& slot = way.slots.back();
    if (way.found) {
        splicer.set(slot, payload);
        return splicer.edits();
    }
    const std::size_t depth = way.slots.size() - 1;
    const auto& missing = path.steps()[depth];
    const Node& collection = *slot.value;
    const bool is_empty_in_block =
        collection.size() == 0 && (slot.parent == nullptr || slot.parent->style() == Style::block);
    if (collection.is_null() || is_empty_in_block) {
        splicer.set(slot, wrapped(payload, path, depth));
        return splicer.edits();
    }
    const Node* const behind =
        neighbour(collection, missing.is_index ? std::initializer_list<std::string_view>{} : after);
    splicer.insert(slot, behind, missing.key, wrapped(payload, path, depth + 1));
    return splicer.edits();
}

}  // namespace

std::string apply(std::string_view text, std::vector<Edit> edits) {
    std::ranges::stable_sort(
        edits, {}, [](const Edit& edit) { return std::pair(edit.range.begin, edit.range.end); });
    std::string result;
    std::size_t at = 0;
    for (const Edit& edit : edits) {
        if (edit.range.begin < at || edit.range.end > text.size()) {
            throw std::logic_error("edits overlap");
        }
        result += text.substr(at, edit.range.begin - at);
        result += edit.text;
        at = edit.range.end;
    }
    result += text.substr(at);
    return result;
}

Editor::Editor(File file) : original_(std::move(file)), file_(original_) {
    if (const auto at = original_.template_at()) {
        throw original_.error({*at, *at + 2}, "a template, not a manifest",
                              "edit the values it is rendered from, or the rendered file");
    }
    original_.checked();
}

const Document& Editor::document(std::size_t index) const {
    if (index >= file_.documents().size()) {
        throw std::logic_error("no such document");
    }
    return file_.documents()[index];
}

void Editor::set(std::size_t index, const Path& path, const nlohmann::ordered_json& value,
                 std::initializer_list<std::string_view> after) {
    const Node& root = *document(index).root;
    Json expected = to_json(root);
    if (const Node* old = root.at(path); old != nullptr && !difference(to_json(*old), value)) {
        return;
    }
    auto edits = edits_for(file_, document(index), path, {.value = value}, after);
    json_at(expected, path) = value;
    commit(index, std::move(edits), expected, path);
}

void Editor::remove(std::size_t index, const Path& path) {
    const Walk way = walk(file_, *document(index).root, path);
    if (!way.found || path.empty()) {
        throw file_.error(way.slots.back().value->range(),
                          "there is no '" + path.to_string() + "' here");
    }
    const Slot& slot = way.slots.back();
    const Slot& outer = way.slots[way.slots.size() - 2];
    Json expected = to_json(*document(index).root);
    json_remove(expected, path);
    Splicer splicer(file_, document(index));
    if (slot.parent->size() == 1 && slot.parent->style() == Style::block) {
        splicer.set(outer, {.value = slot.key == nullptr ? Json::array() : Json::object()});
    } else {
        splicer.remove(slot);
    }
    commit(index, splicer.edits(), expected, path);
}

void Editor::rename(std::size_t index, const Path& path, std::string_view key) {
    const Walk way = walk(file_, *document(index).root, path);
    const Slot& slot = way.slots.back();
    if (!way.found || slot.key == nullptr || slot.key->kind() == Kind::alias) {
        throw file_.error(way.slots.back().value->range(),
                          "there is no key '" + path.to_string() + "' here");
    }
    if (const auto other = slot.parent->own_entry(key)) {
        throw file_.error(other->key.range(), "the key '" + std::string(key) + "' is taken");
    }
    Json expected = to_json(*document(index).root);
    Json value = json_at(expected, path);
    json_remove(expected, path);
    json_at(expected, path.parent() / key) = std::move(value);
    const Splicer splicer(file_, document(index));
    const Style style = slot.key->style();
    const std::string text = style == Style::plain ? splicer.key_text(*slot.parent, key)
                                                   : write_scalar(std::string(key), style);
    commit(index, {{slot.key->range(), text}}, expected, path);
}

void Editor::wrap(std::size_t index, const Path& path) {
    const Walk way = walk(file_, *document(index).root, path);
    const Slot& slot = way.slots.back();
    const Node& value = *slot.value;
    if (!way.found || !value.is_mapping() || value.kind() == Kind::alias) {
        throw file_.error(value.range(), "there is no mapping '" + path.to_string() + "' here");
    }
    Json expected = to_json(*document(index).root);
    Json& place = json_at(expected, path);
    place = Json::array({std::move(place)});
    const auto begin = value.range().begin;
    if (value.style() == Style::flow) {
        return commit(index, {{{begin, begin}, "["}, {{value.range().end, value.range().end}, "]"}},
                      expected, path);
    }
    const Layout layout(file_, document(index));
    if (!layout.begins_line(begin) || slot.key == nullptr ||
        layout.column(begin) < layout.column(slot.key->full_range().begin) + 2) {
        throw file_.error(value.range(), "there is no room for a \"- \" before this key",
                          "indent the mapping by two more");
    }
    commit(index, {{{begin - 2, begin}, "- "}}, expected, path);
}

void Editor::merge_duplicates(std::size_t index, const Path& path) {
    const Walk way = walk(file_, *document(index).root, path.parent());
    const Node& mapping = *way.slots.back().value;
    if (!way.found || !mapping.is_mapping() || path.last().is_index) {
        throw file_.error(mapping.range(), "there is no key '" + path.to_string() + "' here");
    }
    Splicer splicer(file_, document(index));
    const Node* first = nullptr;
    for (const Slot& slot : slots_of(mapping)) {
        if (slot.key->is_merge_key() || slot.key->key_text() != path.last().key) {
            continue;
        }
        if (first == nullptr) {
            first = slot.value;
        } else if (same_value(*first, *slot.value)) {
            splicer.remove(slot);
        } else {
            throw file_.error(slot.key->range(),
                              "the key '" + path.last().key + "' has two values here",
                              "keep one of them");
        }
    }
    auto edits = splicer.edits();
    if (!edits.empty()) {
        commit(index, std::move(edits), to_json(*document(index).root), path);
    }
}

void Editor::commit(std::size_t index, std::vector<Edit> edits,
                    const nlohmann::ordered_json& expected, const Path& path) {
    const Range place{edits.front().range.begin, edits.front().range.begin};
    const auto refuse = [&](const std::string& why) {
        throw file_.error(place, "cannot edit '" + path.to_string() + "' here: " + why,
                          "write this part of the file more plainly, or edit it by hand");
    };
    const File edited = File::parse(apply(file_.text(), std::move(edits)), file_.name());
    if (!edited.problems().empty()) {
        refuse("the result would not be YAML (" + edited.problems().front().message + ")");
    }
    if (edited.documents().size() != file_.documents().size()) {
        refuse("the result would have another number of documents");
    }
    for (std::size_t i = 0; i < edited.documents().size(); ++i) {
        const Node& now = *edited.documents()[i].root;
        if (i != index && !same_value(now, *file_.documents()[i].root)) {
            refuse("another document would change");
        }
        if (i == index) {
            if (const auto where = difference(expected, to_json(now))) {
                refuse("'" + where->to_string() + "' would not read as it should");
            }
        }
    }
    file_ = edited;
}

}  // namespace wasmplug::yaml
