#include "manifest/objects.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace wasmplug::manifest {
namespace {

constexpr auto npos = std::string_view::npos;

// Documents after a broken one are read again from the text, one by one; this bounds that work.
constexpr std::size_t reread_limit = std::size_t{64} << 20;

bool names_ours(std::string_view text) {
    constexpr std::array<std::string_view, 3> words = {"WasmPlugin", "TrafficExtension",
                                                       "extensions.istio.io"};
    return std::any_of(words.begin(), words.end(),
                       [&](std::string_view word) { return text.find(word) != npos; });
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        return std::tolower(static_cast<unsigned char>(x)) ==
               std::tolower(static_cast<unsigned char>(y));
    });
}

Identity identify(std::string_view version, std::string_view kind, Kind& into) {
    const bool plugin = same_ignoring_case(kind, "WasmPlugin");
    const bool extension = same_ignoring_case(kind, "TrafficExtension");
    const auto group = version.substr(0, version.find('/'));
    if (version == api_version && (kind == "WasmPlugin" || kind == "TrafficExtension")) {
        into = plugin ? Kind::wasm_plugin : Kind::traffic_extension;
        return Identity::ours;
    }
    if (group == "extensions.istio.io") {
        return Identity::unserved;
    }
    // A group of Istio's, or none: the kind is so much ours that it was meant.
    const bool near = group.ends_with("istio.io") || version.find('/') == npos;
    return near && (plugin || extension) ? Identity::unserved : Identity::foreign;
}

void fill(Object& object) {
    const auto& root = *object.root;
    if (!root.is_mapping()) {
        object.identity = Identity::unidentified;
        return;
    }
    object.api_version = text_at(&root, "apiVersion");
    object.kind_name = text_at(&root, "kind");
    const auto* metadata = root.find("metadata");
    object.ns = text_at(metadata, "namespace");
    object.name = text_at(metadata, "name");
    if (object.api_version.empty() || object.kind_name.empty()) {
        object.identity = Identity::unidentified;
        return;
    }
    object.identity = identify(object.api_version, object.kind_name, object.kind);
}

// List, or the List of a kind; its items, or nullptr.
const yaml::Node* list_items(const Object& object) {
    const bool list = (object.kind_name == "List" && object.api_version == "v1") ||
                      object.kind_name == "WasmPluginList" ||
                      object.kind_name == "TrafficExtensionList";
    const auto* items = list ? object.root->find("items") : nullptr;
    return items != nullptr && items->is_sequence() ? items : nullptr;
}

void add_document(const yaml::File& file, const yaml::Document& document, std::size_t index,
                  std::vector<Object>& into) {
    Object object{.file = file, .root = document.root, .index = index, .range = document.range};
    fill(object);
    const auto text = file.text().substr(document.range.begin, document.range.size());
    object.mentions_ours = object.identity == Identity::unidentified && names_ours(text);
    const auto* items = list_items(object);
    if (items == nullptr) {
        into.push_back(std::move(object));
        return;
    }
    std::size_t number = 0;
    for (const auto& item : items->items()) {
        Object one{
            .file = file, .root = &item, .index = index, .item = number++, .range = item.range()};
        fill(one);
        // Items of a WasmPluginList may leave out what the list says.
        if (one.identity == Identity::unidentified && object.kind_name != "List" &&
            item.is_mapping()) {
            if (one.api_version.empty()) {
                one.api_version = object.api_version;
            }
            if (one.kind_name.empty()) {
                one.kind_name = object.kind_name.substr(0, object.kind_name.size() - 4);
            }
            one.identity = identify(one.api_version, one.kind_name, one.kind);
        }
        one.mentions_ours = one.identity == Identity::unidentified;
        into.push_back(std::move(one));
    }
}

// The first byte of the line after `from` that begins with "---", or the end.
std::size_t next_separator(std::string_view text, std::size_t from) {
    const auto found = text.find("\n---", from);
    return found == npos ? text.size() : found + 1;
}

std::size_t last_separator(std::string_view text, std::size_t before) {
    if (before == 0) {
        return 0;
    }
    const auto found = text.rfind("\n---", before - 1);
    return found == npos ? 0 : found + 1;
}

// The same lines with nothing before `begin` and after `end`: positions stay true.
std::string only_lines(std::string_view text, std::size_t begin, std::size_t end) {
    std::string lines(text.substr(0, end));
    std::transform(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(begin), lines.begin(),
                   [](char c) { return c == '\n' ? '\n' : ' '; });
    return lines;
}

// Reading ended there.
const yaml::Problem* fatal_problem(const yaml::File& file) {
    for (const auto& problem : file.problems()) {
        using enum yaml::Problem::Kind;
        if (problem.kind == syntax || problem.kind == encoding || problem.kind == limit) {
            return &problem;
        }
    }
    return nullptr;
}

void add_documents(const yaml::File& file, std::size_t& index, std::vector<Object>& into) {
    for (const auto& document : file.documents()) {
        if (!document.is_empty() && !(document.root->is_null())) {
            add_document(file, document, index, into);
        }
        ++index;
    }
}

void add_broken(const yaml::File& file, yaml::Range range, std::size_t index,
                std::vector<Object>& into) {
    into.push_back({.file = file,
                    .index = index,
                    .range = range,
                    .identity = Identity::broken,
                    .mentions_ours = names_ours(file.text().substr(range.begin, range.size()))});
}

}  // namespace

std::string_view text_at(const yaml::Node* mapping, std::string_view key) {
    const auto* value = mapping == nullptr ? nullptr : mapping->find(key);
    return value == nullptr ? std::string_view() : value->as_string().value_or("");
}

const yaml::Node* Object::spec() const {
    const auto* value = root == nullptr ? nullptr : root->find("spec");
    return value != nullptr && value->is_mapping() ? value : nullptr;
}

const yaml::Node* Object::payload() const {
    const auto* value = spec();
    if (value != nullptr && kind == Kind::traffic_extension) {
        value = value->find("wasm");
    }
    return value != nullptr && value->is_mapping() ? value : nullptr;
}

std::string_view Object::payload_path() const {
    return kind == Kind::wasm_plugin ? "spec." : "spec.wasm.";
}

std::string full_name(const Object& object) {
    return object.ns.empty() || object.name.empty()
               ? std::string(object.name)
               : std::string(object.ns) + '/' + std::string(object.name);
}

std::vector<Object> objects_in(const yaml::File& file) {
    std::vector<Object> objects;
    std::size_t index = 0;
    add_documents(file, index, objects);
    const auto text = file.text();
    const auto* problem = fatal_problem(file);
    if (problem == nullptr) {
        return objects;
    }
    std::size_t end = next_separator(text, problem->range.begin);
    const auto chunk = last_separator(text, problem->range.begin);
    // Go's decoder takes the first document between two "---" and never reads on.
    const auto& read = file.documents();
    if (read.empty() || read.back().is_empty() || read.back().range.begin < chunk) {
        add_broken(file, {chunk, end}, index++, objects);
    }
    std::size_t work = 0;
    while (end < text.size() && (work += text.size()) < reread_limit) {
        const auto begin = end;
        end = next_separator(text, begin);
        const auto again = yaml::File::parse(only_lines(text, begin, end), file.name());
        if (fatal_problem(again) != nullptr) {
            add_broken(again, {begin, end}, index++, objects);
        } else {
            add_documents(again, index, objects);
        }
    }
    return objects;
}

}  // namespace wasmplug::manifest
