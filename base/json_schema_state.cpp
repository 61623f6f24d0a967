#include "base/json_schema_state.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "base/error.hpp"

namespace wasmplug {
namespace {

using Json = nlohmann::json;

// "a/b#c" against "http://x/y/z": enough of RFC 3986 for names inside one document.
std::string resolved(const std::string& base, const std::string& reference) {
    if (reference.find("://") != std::string::npos || reference.starts_with("urn:")) {
        return reference;
    }
    const auto document = base.substr(0, base.find('#'));
    if (reference.empty() || reference.starts_with('#')) {
        return document + reference;
    }
    const auto scheme = document.find("://");
    const auto root = scheme == std::string::npos ? 0 : document.find('/', scheme + 3);
    if (reference.starts_with('/')) {
        return document.substr(0, root) + reference;
    }
    const auto slash = document.rfind('/');
    return (slash == std::string::npos || slash < root ? "" : document.substr(0, slash + 1)) +
           reference;
}

std::string unescaped(std::string text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned code = 0;
        const auto* digits = text.data() + i + 1;
        if (text[i] == '%' && i + 2 < text.size() &&
            std::from_chars(digits, digits + 2, code, 16).ptr == digits + 2) {
            plain += static_cast<char>(code);
            i += 2;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

// Keywords whose value is a schema, a list of schemas, or a map of them.
constexpr std::array one_schema = {"items",
                                   "additionalItems",
                                   "contains",
                                   "propertyNames",
                                   "additionalProperties",
                                   "not",
                                   "if",
                                   "then",
                                   "else",
                                   "unevaluatedItems",
                                   "unevaluatedProperties"};
constexpr std::array schema_lists = {"allOf", "anyOf", "oneOf", "prefixItems", "items"};
constexpr std::array schema_maps = {
    "properties", "patternProperties", "dependentSchemas", "definitions", "$defs", "dependencies"};

}  // namespace

std::string shown_text(std::string text) {
    if (text.size() <= 60) {
        return text;
    }
    std::size_t end = 57;
    while ((static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) {
        --end;  // not within a character
    }
    return text.substr(0, end) + "…";
}

std::string shown(const Json& value) {
    return shown_text(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void JsonSchema::State::refuse(const std::string& why) const {
    throw Error(fmt::format("{}: {}", name, why));
}

void JsonSchema::State::learn_pattern(const std::string& text) {
    const auto [found, is_new] = patterns.try_emplace(text, text);
    if (!is_new) {
        return;
    }
    const auto& pattern = found->second;
    pattern_size += pattern.size();
    if (pattern.reading() == Pattern::Reading::wrong) {
        refuse(fmt::format("{} is no regular expression: {}", shown(text), pattern.problem()));
    }
    if (pattern.reading() == Pattern::Reading::beyond) {
        not_judged.push_back(
            fmt::format("the pattern {} ({})", shown(text), shown_text(pattern.problem())));
    }
    if (pattern_size > patterns_limit) {
        refuse("its patterns are too large");
    }
}

// Names, bases and patterns of a schema and all below it.
void JsonSchema::State::learn(const Json& schema, std::string base, int depth) {
    if (depth > schema_depth_limit) {
        refuse("nested too deep");
    }
    if (schema.is_boolean()) {
        return;
    }
    if (!schema.is_object()) {
        refuse(fmt::format("{} is no schema", shown(schema)));
    }
    const bool hidden = old && schema.contains("$ref");
    if (const auto id = schema.find("$id"); id != schema.end() && id->is_string() && !hidden) {
        base = resolved(base, id->get<std::string>());
        known[base.ends_with('#') ? base.substr(0, base.size() - 1) : base] = &schema;
    }
    bases[&schema] = base;
    for (const char* key : {"$anchor", "$dynamicAnchor"}) {
        if (const auto anchor = schema.find(key); anchor != schema.end()) {
            known[resolved(base, "#" + anchor->get<std::string>())] = &schema;
        }
    }
    if (const auto one = schema.find("pattern"); one != schema.end() && one->is_string()) {
        learn_pattern(*one);
    }
    learn_children(schema, base, depth + 1);
}

void JsonSchema::State::learn_children(const Json& schema, const std::string& base, int depth) {
    for (const char* key : one_schema) {
        if (const auto one = schema.find(key); one != schema.end() && !one->is_array()) {
            learn(*one, base, depth);
        }
    }
    for (const char* key : schema_lists) {
        if (const auto list = schema.find(key); list != schema.end() && list->is_array()) {
            for (const auto& one : *list) {
                learn(one, base, depth);
            }
        }
    }
    for (const char* key : schema_maps) {
        const auto map = schema.find(key);
        if (map == schema.end() || !map->is_object()) {
            continue;
        }
        for (const auto& [name_of_one, one] : map->items()) {
            if (std::string_view(key) == "patternProperties") {
                learn_pattern(name_of_one);
            }
            if (!one.is_array()) {
                learn(one, base, depth);
            }
        }
    }
}

void JsonSchema::State::learn() {
    known[""] = &root;
    learn(root, "", 0);
    learn_references();
}

// Every reference leads somewhere: said when the schema is read, not when a value needs it. It may
// lead to what stands under no keyword of ours, and that has references of its own.
void JsonSchema::State::learn_references() {
    for (std::size_t done = 0; done < bases.size();) {
        done = bases.size();
        const std::vector<std::pair<const Json*, std::string>> now(bases.begin(), bases.end());
        for (const auto& [schema, base] : now) {
            if (schema->contains("$dynamicRef") || schema->contains("$recursiveRef")) {
                refuse("$dynamicRef is for schemas of schemas, and not understood here");
            }
            const auto ref = schema->find("$ref");
            if (ref == schema->end()) {
                continue;
            }
            const auto& found = target(*schema, *ref);
            if (!found.is_boolean() && !bases.contains(&found)) {
                learn(found, base, 0);
            }
        }
    }
}

const Json& JsonSchema::State::target(const Json& schema, const Json& ref) const {
    if (!ref.is_string()) {
        refuse("a $ref is no text");
    }
    const auto base = bases.find(&schema);
    const auto full = resolved(base == bases.end() ? "" : base->second, ref);
    if (const auto found = known.find(full); found != known.end()) {
        return *found->second;
    }
    const auto hash = full.find('#');
    const auto document = full.substr(0, hash);
    const auto in = document.empty() ? known.find("") : known.find(document);
    if (in == known.end()) {
        refuse(fmt::format("$ref {} leads out of the schema: nothing is fetched",
                           ref.get<std::string>()));
    }
    const auto fragment = hash == std::string::npos ? "" : unescaped(full.substr(hash + 1));
    if (fragment.empty()) {
        return *in->second;
    }
    try {
        return in->second->at(Json::json_pointer(fragment));
    } catch (const Json::exception&) {
        refuse(fmt::format("$ref {} leads nowhere", ref.get<std::string>()));
    }
}

}  // namespace wasmplug
