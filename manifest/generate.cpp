#include "manifest/generate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/terminal.hpp"
#include "base/yaml.hpp"
#include "base/yaml_write.hpp"
#include "manifest/validate.hpp"

namespace wasmplug::manifest {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t comment_width = 92;

std::string_view below_spec(std::string_view path) {
    if (path.starts_with("spec.")) {
        path.remove_prefix(5);
    }
    if (path.starts_with("wasm.")) {
        path.remove_prefix(5);
    }
    return path;
}

const Field& field_at(std::string_view path) {
    if (const auto* field = find_field(Kind::wasm_plugin, path)) {
        return *field;
    }
    const auto guess = closest("spec." + std::string(path), all_paths(Kind::wasm_plugin));
    throw usage_error(fmt::format("there is no field spec.{}", path),
                      guess.empty() ? "wasmplug explain lists the fields"
                                    : fmt::format("did you mean {}?", guess.substr(5)));
}

ordered_json yaml_value(std::string_view text) {
    const auto file = yaml::File::parse(std::string(text), "value");
    if (!file.problems().empty() || file.documents().size() != 1) {
        return std::string(text);
    }
    return yaml::to_json(*file.documents().front().root);
}

ordered_json typed(const Field& field, std::string_view path, std::string_view text) {
    switch (field.type) {
        case Type::string:
            return std::string(text);
        case Type::integer: {
            std::int64_t number = 0;
            const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
            if (text.empty() || result.ec != std::errc() ||
                result.ptr != text.data() + text.size()) {
                throw usage_error(fmt::format("{} is a number, not '{}'", path, text));
            }
            return number;
        }
        case Type::enumeration: {
            std::vector<std::string> names;
            for (const auto& value : field.values) {
                if (value.name == text) {
                    return std::string(text);
                }
                names.emplace_back(value.name);
            }
            const auto guess = closest(text, names);
            throw usage_error(fmt::format("{} is none of {}", path, fmt::join(names, ", ")),
                              guess.empty() ? "" : fmt::format("did you mean {}?", guess));
        }
        case Type::object:
        case Type::free_object:
        case Type::string_map:
        case Type::list:
            break;
    }
    auto value = yaml_value(text);
    const bool wanted = field.type == Type::list ? value.is_array() : value.is_object();
    if (!wanted) {
        throw usage_error(
            fmt::format("{} is {}", path, field.type == Type::list ? "a list" : "a mapping"),
            fmt::format("set what is below it, as {}.NAME=VALUE", path));
    }
    return value;
}

ordered_json& descend(ordered_json& root, const yaml::Path& path) {
    auto* at = &root;
    for (const auto& step : path.steps()) {
        if (step.is_index) {
            if (at->is_null()) {
                *at = ordered_json::array();
            }
            if (!at->is_array() || step.index > at->size()) {
                throw usage_error(fmt::format("item {} of {} does not follow the one before",
                                              step.index, path.to_string()));
            }
            if (step.index == at->size()) {
                at->push_back(nullptr);
            }
            at = &(*at)[step.index];
        } else {
            if (at->is_null()) {
                *at = ordered_json::object();
            }
            if (!at->is_object()) {
                throw usage_error(fmt::format("{} goes through a value", path.to_string()));
            }
            at = &(*at)[step.key];
        }
    }
    return *at;
}

// The fields of `field` in the table's order; what the table does not know keeps its own.
// NOLINTNEXTLINE(misc-no-recursion): as deep as the table
ordered_json in_order(const Field& field, const ordered_json& value) {
    if (value.is_array()) {
        auto items = ordered_json::array();
        for (const auto& item : value) {
            items.push_back(in_order(field, item));
        }
        return items;
    }
    if (!value.is_object() || field.children.empty()) {
        return value;
    }
    auto ordered = ordered_json::object();
    for (const auto& child : field.children) {
        if (const auto found = value.find(child.name); found != value.end()) {
            ordered[std::string(child.name)] = in_order(child, *found);
        }
    }
    for (const auto& [key, below] : value.items()) {
        if (!ordered.contains(key)) {
            ordered[key] = below;
        }
    }
    return ordered;
}

// What a person should know where the value stands.
std::string comment_for(std::string_view path, const ordered_json& value) {
    const auto* field = find_field(Kind::wasm_plugin, path);
    if (field == nullptr) {
        return {};
    }
    std::string text(field->meaning);
    if (value.is_string()) {
        for (const auto& known : field->values) {
            if (known.name == value.get<std::string>()) {
                text = known.meaning;
            }
        }
    }
    return wrap(text, comment_width);
}

std::vector<std::pair<yaml::Path, std::string>> comments_for(const ordered_json& spec,
                                                             const yaml::Path& at) {
    std::vector<std::pair<yaml::Path, std::string>> comments;
    for (const auto& [key, value] : spec.items()) {
        if (key == "wasm") {
            auto below = comments_for(value, at / key);
            comments.insert(comments.end(), below.begin(), below.end());
            continue;
        }
        if (auto text = comment_for(key, value); !text.empty()) {
            comments.emplace_back(at / key, std::move(text));
        }
    }
    return comments;
}

}  // namespace

struct Draft::Values {
    ordered_json json = ordered_json::object();
};

Draft::Draft(Kind kind, std::string ns, std::string name)
    : kind_(kind),
      ns_(std::move(ns)),
      name_(std::move(name)),
      values_(std::make_unique<Values>()) {}

Draft::Draft(const Draft& other)
    : kind_(other.kind_),
      ns_(other.ns_),
      name_(other.name_),
      values_(std::make_unique<Values>(*other.values_)) {}

Draft& Draft::operator=(const Draft& other) {
    if (this != &other) {
        kind_ = other.kind_;
        ns_ = other.ns_;
        name_ = other.name_;
        *values_ = *other.values_;
    }
    return *this;
}

Draft::~Draft() = default;

void Draft::put(std::string_view path, ordered_json value) {
    path = below_spec(path);
    field_at(path);
    const auto parsed = yaml::Path::parse(path);
    if (!parsed) {
        throw usage_error(fmt::format("'{}' is no path", path));
    }
    descend(values_->json, *parsed) = std::move(value);
}

void Draft::append(std::string_view path, ordered_json item) {
    path = below_spec(path);
    field_at(path);
    auto& list = descend(values_->json, *yaml::Path::parse(path));
    list.push_back(std::move(item));
}

void Draft::set(std::string_view assignment, bool as_string) {
    const auto equals = assignment.find('=');
    if (equals == std::string_view::npos || equals == 0) {
        throw usage_error(fmt::format("'{}' is no PATH=VALUE", assignment));
    }
    const auto path = below_spec(assignment.substr(0, equals));
    const auto text = assignment.substr(equals + 1);
    const auto& field = field_at(path);
    const auto parsed = yaml::Path::parse(path);
    if (!parsed) {
        throw usage_error(fmt::format("'{}' is no path", path));
    }
    const bool free = field.type == Type::free_object || field.type == Type::string_map;
    const bool below_free = free && parsed->last().key != field.name;
    if (as_string || (below_free && field.type == Type::string_map)) {
        put(path, std::string(text));
    } else if (below_free) {
        put(path, yaml_value(text));
    } else {
        put(path, typed(field, path, text));
    }
}

ordered_json Draft::get(std::string_view path) const {
    const auto* at = &values_->json;
    const auto parsed = yaml::Path::parse(path);
    for (const auto& step : parsed->steps()) {
        if (!at->is_object() || !at->contains(step.key)) {
            return nullptr;
        }
        at = &(*at)[step.key];
    }
    return *at;
}

ordered_json Draft::spec() const {
    if (kind_ == Kind::wasm_plugin) {
        return in_order(spec_of(kind_), values_->json);
    }
    const auto& wasm = *find_child(spec_of(kind_), "wasm");
    auto spec = ordered_json::object();
    for (const auto& [key, value] : values_->json.items()) {
        if (find_child(wasm, key) != nullptr) {
            spec["wasm"][key] = value;
        } else if (key == "targetRef") {
            spec["targetRefs"] = ordered_json::array({value});
        } else if (key == "phase" && value == "UNSPECIFIED_PHASE") {
            spec["phase"] = "UNSPECIFIED";
        } else {
            spec[key] = value;
        }
    }
    return in_order(spec_of(kind_), spec);
}

std::string write_manifest(const Draft& draft, const istio::Release& release) {
    ordered_json document = {{"apiVersion", api_version}, {"kind", to_string(draft.kind())}};
    document["metadata"]["name"] = draft.name();
    if (!draft.ns().empty()) {
        document["metadata"]["namespace"] = draft.ns();
    }
    document["spec"] = draft.spec();
    auto text = yaml::write(document, {.comments = comments_for(document["spec"], {"spec"})});
    const auto file = yaml::File::parse(text, draft.name() + ".yaml");
    ValidateSettings settings;
    settings.releases = {release};
    for (const auto& checked : validate(file, settings)) {
        for (const auto& finding : checked.findings) {
            if (finding.level == Level::error) {
                throw Error(fmt::format("this would be refused: {}", finding.message), finding.fix);
            }
        }
    }
    return text;
}

std::pair<std::string, std::string> split_name(std::string_view text) {
    const auto slash = text.find('/');
    std::string ns(slash == std::string_view::npos ? "" : text.substr(0, slash));
    std::string name(slash == std::string_view::npos ? text : text.substr(slash + 1));
    if (name.empty() || (slash != std::string_view::npos && ns.empty())) {
        throw usage_error(fmt::format("'{}' is no name", text), "write NAMESPACE/NAME or NAME");
    }
    return {std::move(ns), std::move(name)};
}

std::string name_from_reference(std::string_view reference) {
    auto text = reference.substr(0, reference.find('@'));
    text = text.substr(text.rfind('/') + 1);
    text = text.substr(0, text.find(':'));
    for (const std::string_view ending : {".wasm", ".tar.gz", ".gz"}) {
        if (text.ends_with(ending)) {
            text.remove_suffix(ending.size());
        }
    }
    std::string name;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) != 0) {
            name += static_cast<char>(std::tolower(byte));
        } else if (!name.empty() && name.back() != '-') {
            name += '-';
        }
    }
    while (name.ends_with('-')) {
        name.pop_back();
    }
    return name.empty() ? "plugin" : name;
}

}  // namespace wasmplug::manifest
