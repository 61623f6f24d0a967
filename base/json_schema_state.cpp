#include "base/json_schema_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/error.hpp"
#include "base/text.hpp"

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

bool is_text(const Json& value) {
    return value.is_string();
}

bool is_texts(const Json& value) {
    return value.is_array() && std::ranges::all_of(value, is_text);
}

bool is_number(const Json& value) {
    return value.is_number();
}

bool is_positive(const Json& value) {
    return value.is_number() && value.get<double>() > 0;
}

bool is_count(const Json& value) {
    return value.is_number() && value.get<double>() >= 0 &&
           std::trunc(value.get<double>()) == value.get<double>();
}

bool is_flag(const Json& value) {
    return value.is_boolean();
}

bool is_list(const Json& value) {
    return value.is_array();
}

bool is_type(const Json& value) {
    constexpr std::array types = {"object", "array",  "string", "boolean",
                                  "null",   "number", "integer"};
    return value.is_string() && std::ranges::find(types, value) != types.end();
}

bool is_type_or_types(const Json& value) {
    return is_type(value) || (value.is_array() && std::ranges::all_of(value, is_type));
}

bool is_requirements(const Json& value) {
    return value.is_object() && std::ranges::all_of(value, is_texts);
}

// Keywords that hold no schema, and what they hold (2020-12 validation, section 6).
struct Leaf {
    const char* keyword;
    bool (*fits)(const Json&);
    const char* wanted;
};

constexpr std::array leaves{
    Leaf{"type", is_type_or_types, "type"},
    Leaf{"enum", is_list, "list"},
    Leaf{"minimum", is_number, "number"},
    Leaf{"maximum", is_number, "number"},
    Leaf{"exclusiveMinimum", is_number, "number"},
    Leaf{"exclusiveMaximum", is_number, "number"},
    Leaf{"multipleOf", is_positive, "number above 0"},
    Leaf{"minLength", is_count, "count"},
    Leaf{"maxLength", is_count, "count"},
    Leaf{"pattern", is_text, "text"},
    Leaf{"minItems", is_count, "count"},
    Leaf{"maxItems", is_count, "count"},
    Leaf{"uniqueItems", is_flag, "true or false"},
    Leaf{"minContains", is_count, "count"},
    Leaf{"maxContains", is_count, "count"},
    Leaf{"minProperties", is_count, "count"},
    Leaf{"maxProperties", is_count, "count"},
    Leaf{"required", is_texts, "list of names"},
    Leaf{"dependentRequired", is_requirements, "mapping to lists of names"},
    Leaf{"$ref", is_text, "text"},
    Leaf{"$anchor", is_text, "text"},
    Leaf{"$dynamicAnchor", is_text, "text"},
};

// Keywords that hold schemas (2020-12 core, section 10; older drafts' beside them).
enum class Branch {
    schema,
    list,
    schema_or_list,
    mapping,
    schema_or_names_mapping,
};

constexpr std::array<std::pair<const char*, Branch>, 21> branches{{
    {"items", Branch::schema_or_list},
    {"prefixItems", Branch::list},
    {"additionalItems", Branch::schema},
    {"contains", Branch::schema},
    {"properties", Branch::mapping},
    {"patternProperties", Branch::mapping},
    {"propertyNames", Branch::schema},
    {"additionalProperties", Branch::schema},
    {"allOf", Branch::list},
    {"anyOf", Branch::list},
    {"oneOf", Branch::list},
    {"not", Branch::schema},
    {"if", Branch::schema},
    {"then", Branch::schema},
    {"else", Branch::schema},
    {"unevaluatedItems", Branch::schema},
    {"unevaluatedProperties", Branch::schema},
    {"dependentSchemas", Branch::mapping},
    {"dependencies", Branch::schema_or_names_mapping},
    {"$defs", Branch::mapping},
    {"definitions", Branch::mapping},
}};

}  // namespace

std::string shown_text(std::string text) {
    if (text.size() <= 60) {
        return text;
    }
    return std::string(whole_characters(text, 57)) + "…";
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
    if (!bases.emplace(&schema, base).second) {
        return;
    }
    in_order.push_back(&schema);
    check_leaves(schema);
    for (const char* key : {"$anchor", "$dynamicAnchor"}) {
        if (const auto anchor = schema.find(key); anchor != schema.end()) {
            known[resolved(base, "#" + anchor->get<std::string>())] = &schema;
        }
    }
    if (const auto one = schema.find("pattern"); one != schema.end()) {
        learn_pattern(*one);
    }
    learn_children(schema, base, depth + 1);
}

void JsonSchema::State::check_leaves(const Json& schema) const {
    for (const auto& leaf : leaves) {
        if (const auto found = schema.find(leaf.keyword);
            found != schema.end() && !leaf.fits(*found)) {
            refuse(fmt::format("{}: {} is no {}", leaf.keyword, shown(*found), leaf.wanted));
        }
    }
}

void JsonSchema::State::learn_children(const Json& schema, const std::string& base, int depth) {
    for (const auto& [key, branch] : branches) {
        const auto found = schema.find(key);
        if (found == schema.end()) {
            continue;
        }
        const bool is_one =
            branch == Branch::schema || (branch == Branch::schema_or_list && !found->is_array());
        if (is_one) {
            learn(*found, base, depth);
            continue;
        }
        const bool in_list = branch == Branch::list || branch == Branch::schema_or_list;
        if (in_list ? !found->is_array() : !found->is_object()) {
            refuse(fmt::format("{}: {} is no {} of schemas", key, shown(*found),
                               in_list ? "list" : "mapping"));
        }
        for (const auto& one : *found) {
            if (branch != Branch::schema_or_names_mapping || !one.is_array()) {
                learn(one, base, depth);
            } else if (!is_texts(one)) {
                refuse(fmt::format("{}: {} is no list of names", key, shown(one)));
            }
        }
    }
    if (const auto found = schema.find("patternProperties"); found != schema.end()) {
        for (const auto& member : found->items()) {
            learn_pattern(member.key());
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
    for (std::size_t i = 0; i < in_order.size(); ++i) {  // learn() adds to it
        const Json& schema = *in_order[i];
        if (schema.contains("$dynamicRef") || schema.contains("$recursiveRef")) {
            refuse("$dynamicRef is for schemas of schemas, and not understood here");
        }
        if (const auto ref = schema.find("$ref"); ref != schema.end()) {
            learn(target(schema, *ref), bases.at(&schema), 0);
        }
    }
}

const Json& JsonSchema::State::target(const Json& schema, const Json& ref) const {
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
