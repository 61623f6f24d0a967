#include "release/located.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"

namespace wasmplug::release {
namespace {

using yaml::Entry;
using yaml::Node;
using yaml::Path;
using yaml::Slot;

constexpr auto npos = std::string_view::npos;

std::string text_at(const Node* mapping, std::string_view key) {
    const Node* value = mapping == nullptr ? nullptr : mapping->find(key);
    return value == nullptr || value->is_mapping() || value->is_sequence()
               ? std::string()
               : std::string(value->text());
}

Slot place_at(const Node& parent, std::string_view key) {
    const auto entry = parent.own_entry(key);
    return entry ? Slot{&parent, &entry->key, &entry->value} : Slot{.value = parent.find(key)};
}

Site site_in(Role role, const Slot& place, std::string_view key, const Path& mapping_path) {
    Site site;
    site.role = role;
    site.place = place;
    site.key = key;
    site.path = mapping_path / key;
    if (!place.value->is_mapping()) {
        return site;
    }
    site.value = place.value->find(key);
    if (place.value->kind() != yaml::Kind::alias) {
        if (const auto entry = place.value->own_entry(key)) {
            site.key_node = &entry->key;
            site.value = &entry->value;
            site.own = true;
        }
    }
    return site;
}

bool is_istio_plugin(std::string_view api, std::string_view kind) {
    return api.starts_with("extensions.istio.io/") &&
           (kind == "WasmPlugin" || kind == "TrafficExtension");
}

void refuse(Located& located, yaml::Range range, std::string why, std::string hint) {
    if (located.refusal.empty()) {
        located.refusal = std::move(why);
        located.refusal_hint = std::move(hint);
        located.range = range;
    }
}

// A key that one mapping has twice; what a merge key brings besides is overridden, which is how an
// update of such a value is written.
const Node* repeated_key(const Node& node) {
    std::set<std::string> seen;
    for (const auto& slot : yaml::slots_of(node)) {
        if (slot.key != nullptr && !slot.key->is_merge_key() &&
            !seen.insert(slot.key->key_text()).second) {
            return slot.key;
        }
        if (const Node* below = repeated_key(*slot.value)) {
            return below;
        }
    }
    return nullptr;
}

void refuse_duplicates(Located& located, const Node& mapping) {
    if (const Node* twice = repeated_key(mapping)) {
        refuse(located, twice->range(), fmt::format("'{}' is written twice", twice->key_text()),
               "Kubernetes takes the last one; take the other away");
    }
}

// What is one object: a document, or an item of a List.
class Finder {
  public:
    Finder(const yaml::File& file, const LocateOptions& options) : file_(file), options_(options) {}

    std::vector<Located> run() {
        for (const auto& document : file_.documents()) {
            document_ = document.index;
            if (document.root == nullptr) {
                continue;
            }
            if (!options_.values_path.empty()) {
                add_values(*document.root);
            } else {
                add_document(*document.root);
            }
            add_markers(document);
            refuse_encrypted(*document.root);
        }
        return std::move(found_);
    }

  private:
    // Of what was found in this document, in whatever form.
    void refuse_encrypted(const Node& root) {
        const Node* sops = root.is_mapping() ? root.find("sops") : nullptr;
        if (sops == nullptr || !sops->is_mapping() || sops->find("mac") == nullptr) {
            return;
        }
        for (auto& located : found_) {
            if (located.document == document_) {
                refuse(located, sops->range(),
                       "this file is encrypted with SOPS, which signs its values",
                       "change it with 'sops edit', or keep the plugin in a file of its own");
            }
        }
    }

    Located begin(Form form, std::string kind, const Node* metadata) {
        Located located;
        located.file = file_;
        located.document = document_;
        located.form = form;
        located.kind = std::move(kind);
        located.ns = text_at(metadata, "namespace");
        located.name = text_at(metadata, "name");
        return located;
    }

    bool wanted(const Located& located) const {
        const auto& name = options_.name;
        const std::size_t slash = name.find('/');
        return name.empty() || (slash == npos ? name == located.name
                                              : name.substr(slash + 1) == located.name &&
                                                    name.substr(0, slash) == located.ns);
    }

    void add(Located located) {
        if (wanted(located)) {
            found_.push_back(std::move(located));
        }
    }

    void add_document(const Node& root) {
        if (root.is_sequence()) {
            return add_json_patch(root);
        }
        const std::string kind = text_at(&root, "kind");
        const Node* items = kind.ends_with("List") ? root.find("items") : nullptr;
        if (items == nullptr || !items->is_sequence()) {
            return add_object(root, {}, {}, {});
        }
        std::size_t index = 0;
        for (const auto& item : items->items()) {
            const bool typed = kind != "List";
            add_object(item, Path{"items"} / index++, typed ? text_at(&root, "apiVersion") : "",
                       typed ? kind.substr(0, kind.size() - 4) : "");
        }
    }

    void add_object(const Node& root, const Path& path, std::string api, std::string kind) {
        if (!root.is_mapping()) {
            return;
        }
        const std::string own_api = text_at(&root, "apiVersion");
        const std::string own_kind = text_at(&root, "kind");
        api = own_api.empty() ? api : own_api;
        kind = own_kind.empty() ? kind : own_kind;
        if (is_istio_plugin(api, kind)) {
            add_plugin(root, path, kind);
        } else if (api.starts_with("gateway.envoyproxy.io/") && kind == "EnvoyExtensionPolicy") {
            add_policy(root, path);
        } else if (kind == "Kustomization") {
            add_inline_patches(root);
        }
    }

    void check_object(Located& located, const Node& root) {
        refuse_duplicates(located, root);
        if (text_at(root.find("metadata"), "name").empty() && !root.find("metadata")) {
            refuse(located, root.range(), "this object has no metadata", "give it a name");
        }
    }

    void add_plugin(const Node& root, const Path& path, const std::string& kind) {
        Located located = begin(Form::object, kind, root.find("metadata"));
        located.object_path = path;
        located.metadata = place_at(root, "metadata");
        located.spec = place_at(root, "spec");
        located.range = root.range();
        check_object(located, root);
        if (located.spec.value == nullptr) {
            refuse(located, root.range(), "this object has no spec", "write 'spec:' below it");
            return add(std::move(located));
        }
        Slot payload = located.spec;
        Path payload_path = path / "spec";
        if (kind == "TrafficExtension") {
            if (payload.value->find("lua") != nullptr) {
                return;
            }
            payload = payload.value->is_mapping() ? place_at(*payload.value, "wasm") : payload;
            payload_path = payload_path / "wasm";
            if (payload.value == nullptr) {
                refuse(located, located.spec.value->range(), "this object has no spec.wasm", "");
                return add(std::move(located));
            }
        }
        if (!payload.value->is_mapping() && !payload.value->is_null()) {
            refuse(located, payload.value->range(), "the spec is no mapping", "");
        }
        for (const auto& [role, key] : {std::pair{Role::url, "url"},
                                        {Role::sha256, "sha256"},
                                        {Role::config, "pluginConfig"}}) {
            located.sites.push_back(site_in(role, payload, key, payload_path));
        }
        add(std::move(located));
    }

    // Envoy Gateway: spec.wasm[], each with code.image.{url,sha256} or code.http.{url,sha256}.
    void add_policy(const Node& root, const Path& path) {
        const Node* spec = root.find("spec");
        const Node* list = spec == nullptr ? nullptr : spec->find("wasm");
        if (list == nullptr || !list->is_sequence()) {
            return;
        }
        std::size_t index = 0;
        for (const auto& item : list->items()) {
            const Path entry = path / "spec" / "wasm" / index++;
            Located located = begin(Form::policy, "EnvoyExtensionPolicy", root.find("metadata"));
            located.object_path = path;
            located.range = item.range();
            check_object(located, root);
            if (list->size() == 1) {
                located.metadata = place_at(root, "metadata");
            } else {
                located.name += "#" + text_at(&item, "name");
            }
            const Node* code = item.find("code");
            for (const char* source : {"image", "http"}) {
                const Node* from = code == nullptr ? nullptr : code->find(source);
                if (from == nullptr || !from->is_mapping()) {
                    continue;
                }
                const Slot place = place_at(*code, source);
                const Path below = entry / "code" / source;
                located.sites.push_back(site_in(Role::url, place, "url", below));
                located.sites.push_back(site_in(Role::sha256, place, "sha256", below));
            }
            located.sites.push_back(site_in(Role::config, Slot{.value = &item}, "config", entry));
            add(std::move(located));
        }
    }

    void add_json_patch(const Node& root) {
        Located located = begin(Form::json_patch, "JSON6902 patch", nullptr);
        located.range = root.range();
        std::size_t index = 0;
        for (const auto& item : root.items()) {
            const Path path = Path{} / index++;
            const std::string pointer = text_at(&item, "path");
            for (const auto& [role, suffix] : {std::pair{Role::url, "/url"},
                                               {Role::sha256, "/sha256"},
                                               {Role::config, "/pluginConfig"}}) {
                if ((pointer == std::string("/spec") + suffix ||
                     pointer == std::string("/spec/wasm") + suffix) &&
                    item.find("value") != nullptr) {
                    located.sites.push_back(site_in(role, Slot{.value = &item}, "value", path));
                }
            }
        }
        if (located.site(Role::url) != nullptr) {
            refuse_duplicates(located, root);
            add(std::move(located));
        }
    }

    void add_inline_patches(const Node& root) {
        for (const char* list : {"patches", "patchesJson6902", "patchesStrategicMerge"}) {
            const Node* patches = root.find(list);
            if (patches == nullptr || !patches->is_sequence()) {
                continue;
            }
            for (const auto& item : patches->items()) {
                const Node* patch = item.is_mapping() ? item.find("patch") : &item;
                if (patch == nullptr || !patch->is_string() ||
                    (patch->text().find("WasmPlugin") == npos &&
                     patch->text().find("/spec/url") == npos)) {
                    continue;
                }
                Located located = begin(Form::json_patch, "inline patch", nullptr);
                refuse(located, patch->range(),
                       "a patch inside a kustomization is a text, which is not edited",
                       "move it to a file of its own and name that with 'path:'");
                add(std::move(located));
            }
        }
    }

    // The role of a value that nobody explained, by the name of its key.
    static Role role_of(std::string_view key) {
        return key == "tag"      ? Role::tag
               : key == "sha256" ? Role::sha256
               : key == "digest" ? Role::digest
                                 : Role::url;
    }

    void add_values(const Node& root) {
        const auto path = Path::parse(options_.values_path);
        if (!path || path->empty() || path->last().is_index) {
            throw usage_error(fmt::format("--path {} is no path", options_.values_path),
                              "write it as wasm.url");
        }
        const Node* mapping = root.at(path->parent());
        if (mapping == nullptr || !mapping->is_mapping() ||
            mapping->find(path->last().key) == nullptr) {
            return;
        }
        Located located = begin(Form::values, "values", nullptr);
        located.name = options_.values_path;
        located.range = mapping->range();
        Slot place{.value = mapping};
        located.sites.push_back(
            site_in(role_of(path->last().key), place, path->last().key, path->parent()));
        // {repository, tag, digest}; beside a registry of its own the name is in two places, and
        // then only the tag is ours.
        if (located.sites[0].role == Role::tag && mapping->find("repository") != nullptr &&
            mapping->find("registry") == nullptr) {
            located.sites.push_back(site_in(Role::url, place, "repository", path->parent()));
        }
        for (const auto& [role, key] : {std::pair{Role::sha256, "sha256"},
                                        {Role::digest, "digest"},
                                        {Role::config, "pluginConfig"}}) {
            if (mapping->find(key) != nullptr && path->last().key != key) {
                located.sites.push_back(site_in(role, place, key, path->parent()));
            }
        }
        refuse_duplicates(located, *mapping);
        found_.push_back(std::move(located));
    }

    void add_markers(const yaml::Document& document) {
        const auto text = file_.text().substr(document.range.begin, document.range.size());
        if (text.find("# wasmplug: {") != npos || text.find("# wasmplug:{") != npos) {
            add_marked(*document.root, {});
        }
    }

    void add_marked(const Node& node, const Path& path) {
        if (node.kind() == yaml::Kind::sequence) {
            std::size_t index = 0;
            for (const auto& item : node.items()) {
                add_marked(item, path / index++);
            }
        }
        if (node.kind() != yaml::Kind::mapping) {
            return;
        }
        for (const auto& [key, value] : node.entries()) {
            if (value.kind() != yaml::Kind::scalar) {
                add_marked(value, path / key.key_text());
            } else if (const auto image = marker_after(value)) {
                Site site =
                    site_in(role_of(key.key_text()), Slot{.value = &node}, key.key_text(), path);
                add_to_marked(*image, std::move(site), value.range());
            }
        }
    }

    // The sites of one image in one document are one target.
    void add_to_marked(const std::string& image, Site site, yaml::Range range) {
        const auto same = std::ranges::find_if(found_, [&](const Located& l) {
            return l.form == Form::marker && l.name == image && l.document == document_;
        });
        if (same != found_.end()) {
            same->sites.push_back(std::move(site));
            return;
        }
        Located located = begin(Form::marker, "marker", nullptr);
        located.name = image;
        located.range = range;
        located.sites.push_back(std::move(site));
        add(std::move(located));
    }

    std::optional<std::string> marker_after(const Node& value) const {
        const std::size_t end = file_.text().find('\n', value.range().end);
        std::string_view rest =
            file_.text().substr(value.range().end, end == npos ? npos : end - value.range().end);
        const std::size_t mark = rest.find("# wasmplug:");
        if (mark == npos || rest.substr(0, mark).find_first_not_of(" \t,}]") != npos) {
            return std::nullopt;
        }
        rest.remove_prefix(mark + std::string_view("# wasmplug:").size());
        try {
            const auto json = parse_json(rest, "the marker behind this value");
            if (const auto image = json.find("image"); image != json.end() && image->is_string()) {
                return image->get<std::string>();
            }
        } catch (const Error& error) {
            throw file_.error(value.range(), error.what());
        }
        return std::nullopt;
    }

    const yaml::File& file_;
    const LocateOptions& options_;
    std::size_t document_ = 0;
    std::vector<Located> found_;
};

// Values that a template fills in cannot be told, and so cannot be changed.
void refuse_templated(std::vector<Located>& all, std::string_view original) {
    for (auto& located : all) {
        for (const auto& site : located.sites) {
            if (site.own &&
                original.substr(site.value->range().begin, site.value->range().size()).find("{{") !=
                    npos) {
                refuse(located, site.value->range(), "a template fills this value in",
                       "change the values file instead, with --path");
            }
        }
        located.metadata = {};
    }
}

}  // namespace

yaml::Layout Located::layout() const {
    return {file, file.documents()[document], *text};
}

std::string_view to_string(Form form) {
    switch (form) {
        case Form::object:
            return "object";
        case Form::policy:
            return "policy";
        case Form::json_patch:
            return "patch";
        case Form::values:
            return "values";
        case Form::marker:
            return "marker";
    }
    return "";
}

std::string Site::text() const {
    return value == nullptr || value->is_mapping() || value->is_sequence()
               ? std::string()
               : std::string(value->text());
}

const Site* Located::site(Role role) const {
    const auto found = std::ranges::find(sites, role, &Site::role);
    return found == sites.end() ? nullptr : &*found;
}

std::string Located::title() const {
    if (form == Form::object || form == Form::policy) {
        std::string lower = kind;
        std::ranges::transform(lower, lower.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        return fmt::format("{}.{}/{}", lower,
                           form == Form::object ? "extensions.istio.io" : "gateway.envoyproxy.io",
                           name);
    }
    return name.empty() ? kind : kind + " " + name;
}

std::string mask_template(std::string_view text) {
    std::string masked(text);
    std::size_t at = 0;
    while ((at = masked.find("{{", at)) != std::string::npos) {
        std::size_t end = masked.find("}}", at + 2);
        end = end == std::string::npos ? masked.size() : end + 2;
        for (std::size_t i = at; i < end; ++i) {
            masked[i] = masked[i] == '\n' || masked[i] == '\r' ? masked[i] : 'x';
        }
        at = end;
    }
    std::size_t line = 0;
    while (line < masked.size()) {
        const std::size_t end = std::min(masked.find('\n', line), masked.size());
        const std::size_t begin = text.find_first_not_of(" \t", line);
        if (begin < end && text.substr(begin, 2) == "{{") {
            bool only_actions = true;
            for (std::size_t i = begin; i < end; ++i) {
                only_actions = only_actions && (masked[i] == 'x' || masked[i] == ' ' ||
                                                masked[i] == '\r' || masked[i] == '\t');
            }
            if (only_actions) {
                masked[begin] = '#';
            }
        }
        line = end + 1;
    }
    return masked;
}

std::vector<Located> locate(const yaml::File& file, const LocateOptions& options) {
    const bool is_template = file.template_at().has_value();
    const auto text = std::make_shared<const std::string>(file.text());
    const yaml::File readable =
        is_template ? yaml::File::parse(mask_template(*text), file.name()) : file;
    auto found = Finder(readable.checked(), options).run();
    for (auto& located : found) {
        located.text = text;
        located.is_template = is_template;
    }
    if (is_template) {
        refuse_templated(found, *text);
    }
    return found;
}

std::optional<Located> locate_again(const Located& located, const std::string& text) {
    for (auto& again : locate(yaml::File::parse(text, located.file.name()),
                              {.values_path = located.values_path()})) {
        if (again.document == located.document && again.form == located.form &&
            again.object_path == located.object_path && again.name == located.name) {
            return std::move(again);
        }
    }
    return std::nullopt;
}

}  // namespace wasmplug::release
