#include "tests/fuzz/yaml_fuzz.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/yaml.hpp"
#include "base/yaml_edit.hpp"
#include "base/yaml_write.hpp"

namespace wasmplug::fuzz {
namespace {

using namespace yaml;
using Json = nlohmann::ordered_json;

void require(bool holds, const std::string& what, std::string_view text) {
    if (!holds) {
        throw std::logic_error(what + ":\n" + std::string(text));
    }
}

void check_ranges(const Node& node, Range outer, std::string_view text) {
    const Range range = node.full_range();
    require(range.begin <= range.end && range.begin >= outer.begin && range.end <= outer.end,
            "a range outside that of its collection", text);
    std::size_t last = range.begin;
    const auto below = [&](const Node& child) {
        require(child.full_range().begin >= last, "ranges overlap", text);
        check_ranges(child, range, text);
        last = child.range().end;
    };
    if (node.kind() == Kind::sequence) {
        for (const Node& item : node.items()) {
            below(item);
        }
    } else if (node.kind() == Kind::mapping) {
        for (const auto& entry : node.entries()) {
            below(entry.key);
            below(entry.value);
        }
    }
}

// The places of a tree, aliases not followed, up to `most`.
struct Place {
    Path path;
    const Node* key;  // nullptr: an item
    const Node* value;
};

void collect(const Node& node, const Path& path, std::vector<Place>& into, std::size_t most) {
    if (into.size() >= most) {
        return;
    }
    if (node.kind() == Kind::sequence) {
        std::size_t index = 0;
        for (const Node& item : node.items()) {
            into.push_back({path / index, nullptr, &item});
            collect(item, path / index++, into, most);
        }
    } else if (node.kind() == Kind::mapping) {
        for (const auto& entry : node.entries()) {
            if (entry.key.is_merge_key()) {
                continue;  // no key of the mapping
            }
            const Path here = path / entry.key.key_text();
            into.push_back({here, &entry.key, &entry.value});
            collect(entry.value, here, into, most);
        }
    }
}

std::size_t line_begin(std::string_view text, std::size_t at) {
    const std::size_t found = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
    return found == std::string_view::npos ? 0 : found + 1;
}

std::size_t line_end(std::string_view text, std::size_t at) {
    return std::min(text.find('\n', at), text.size());
}

// From the line of its key or dash, whose line break may go with the last entry of a file, to the
// end of the line behind it, where comments that were above it may move.
Range lines_of(const Place& place, std::string_view text) {
    const Node& first = place.key == nullptr ? *place.value : *place.key;
    std::size_t begin = first.full_range().begin;
    if (place.key == nullptr) {
        begin = std::min(begin, text.rfind('-', begin == 0 ? 0 : begin - 1));
    }
    const std::size_t end = line_end(text, place.value->range().end);
    return {line_begin(text, begin == 0 ? 0 : begin - 1),
            std::min(line_end(text, end + 1) + 1, text.size())};
}

// The bytes of `before` that are not in `after`, between what both begin and end with, lie in
// `window`.
void check_window(std::string_view before, std::string_view after, Range window) {
    std::size_t same = 0;
    while (same < std::min(before.size(), after.size()) && before[same] == after[same]) {
        ++same;
    }
    std::size_t tail = 0;
    while (tail < std::min(before.size(), after.size()) - std::min(same, after.size()) &&
           tail < before.size() - same &&
           before[before.size() - 1 - tail] == after[after.size() - 1 - tail]) {
        ++tail;
    }
    const bool fits = same + tail >= before.size() ||
                      (same >= window.begin && before.size() - tail <= window.end);
    require(fits, "bytes changed elsewhere; now:\n" + std::string(after) + "\nbefore", before);
}

Json& json_at(Json& root, const Path& path) {
    Json* at = &root;
    for (const auto& step : path.steps()) {
        at = step.is_index ? &at->at(step.index) : &(*at)[step.key];
    }
    return *at;
}

void json_erase(Json& root, const Path& path) {
    Json& parent = json_at(root, path.parent());
    if (path.last().is_index) {
        parent.erase(path.last().index);
    } else {
        parent.erase(path.last().key);
    }
}

// The text as it is now, read anew, is what was there with `wanted` done to it. Not the editor's
// own proof: that is what is on trial.
template <class Wanted>
void check_values(const File& before, std::string_view after, std::size_t document,
                  const Wanted& wanted) {
    const File now = File::parse(std::string(after), "now");
    require(now.problems().empty() && now.documents().size() == before.documents().size(),
            "no longer the same documents:\n" + std::string(after) + "\nbefore", before.text());
    for (std::size_t i = 0; i < now.documents().size(); ++i) {
        Json value = to_json(*before.documents()[i].root);
        if (i == document) {
            wanted(value);
        }
        const nlohmann::json expected = value;  // whatever the order of keys
        const nlohmann::json found = to_json(*now.documents()[i].root);
        require(expected == found,
                "reads otherwise than asked:\n" + std::string(after) + "\nbefore", before.text());
    }
}

template <class Change, class Wanted>
void attempt(const File& file, std::size_t document, Range window, const Change& change,
             const Wanted& wanted) {
    Editor editor(file);
    try {
        change(editor);
    } catch (const Error&) {
        ++edit_count().refused;
        return;
    }
    ++edit_count().made;
    check_window(file.text(), editor.text(), window);
    check_values(file, editor.text(), document, wanted);
}

}  // namespace

EditCount& edit_count() {
    static EditCount count;
    return count;
}

void read_yaml(std::string_view bytes) {
    const File file = File::parse(std::string(bytes), "t");
    for (const Problem& problem : file.problems()) {
        require(problem.range.begin <= problem.range.end && problem.range.end <= bytes.size(),
                "a problem outside the text", bytes);
        file.error(problem.range, problem.message);
    }
    file.template_at();
    for (const Document& document : file.documents()) {
        check_ranges(*document.root, {0, bytes.size()}, bytes);
        duplicate_keys(*document.root);
        if (!file.problems().empty()) {
            continue;
        }
        const Json value = to_json(*document.root);
        for (const Style layout : {Style::block, Style::flow}) {
            const File again = File::parse(write(value, {.layout = layout}), "again");
            require(again.problems().empty() && again.documents().size() == 1 &&
                        same_value(*again.documents()[0].root, *document.root),
                    "written, it reads otherwise: " + std::string(again.text()) + "\nof", bytes);
        }
    }
}

void edit_place(const File& file, std::size_t number, const Place& place) {
    const Range all{0, file.text().size()};
    const Range window = lines_of(place, file.text());
    const auto& path = place.path;
    for (const char* text : {"\"x\"", "7", "\"a\\nb\"", "{\"k\": [1, {\"l\": 2}]}", "{}"}) {
        const Json value = Json::parse(text);
        attempt(
            file, number, window, [&](Editor& editor) { editor.set(number, path, value); },
            [&](Json& json) { json_at(json, path) = value; });
    }
    attempt(
        file, number, all, [&](Editor& editor) { editor.remove(number, path); },
        [&](Json& json) { json_erase(json, path); });
    if (place.value->is_mapping() || place.value->is_null()) {
        attempt(
            file, number, window,
            [&](Editor& editor) { editor.set(number, path / "new" / "deep", "text"); },
            [&](Json& json) { json_at(json, path)["new"]["deep"] = "text"; });
    }
    if (place.key != nullptr) {
        attempt(
            file, number, window, [&](Editor& editor) { editor.rename(number, path, "other"); },
            [&](Json& json) {
                const Json value = json_at(json, path);
                json_erase(json, path);
                json_at(json, path.parent())["other"] = value;
            });
        attempt(
            file, number, all, [&](Editor& editor) { editor.merge_duplicates(number, path); },
            [](Json&) {});
    }
    if (place.value->is_mapping()) {
        attempt(
            file, number, window, [&](Editor& editor) { editor.wrap(number, path); },
            [&](Json& json) {
                const Json value = json_at(json, path);
                json_at(json, path) = Json::array({value});
            });
    }
}

void edit_yaml(std::string_view bytes) {
    const File file = File::parse(std::string(bytes), "t");
    if (!file.problems().empty() || file.template_at()) {
        return;
    }
    for (const Document& document : file.documents()) {
        std::vector<Place> places;
        collect(*document.root, {}, places, 40);
        for (const Place& place : places) {
            edit_place(file, document.index, place);
        }
    }
}

}  // namespace wasmplug::fuzz
