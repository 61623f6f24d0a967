#include "release/change.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"
#include "manifest/splice.hpp"

namespace wasmplug::release {
namespace {

using manifest::Place;
using manifest::Splicer;
using yaml::Node;
using yaml::Path;
using yaml::Range;

constexpr auto npos = std::string::npos;

bool in_flow(const Site& site) {
    return site.place.mapping->style() == yaml::Style::flow;
}

// The value that the url has to have: with the digest in it where the text has no other place.
std::string spelled_url(const Located& located, const Site& site, const Change& change) {
    std::string url = *change.url;
    const bool scheme = site.text().find("://") != npos;
    if (located.form != Form::object && !scheme && url.starts_with("oci://")) {
        url.erase(0, 6);
    }
    const std::string digest = change.sha256.value_or("");
    const bool has_place = located.site(Role::sha256) || located.site(Role::digest);
    if (!has_place && !digest.empty() && url.find('@') == npos && !url.starts_with("http")) {
        url += "@sha256:" + digest;
    }
    return url;
}

// After a value that ends with a line break comes a new line, after any other the rest of its
// own: the text put there has to end as the one before it did.
std::string with_same_ending(const std::string& text, std::string_view old, std::string_view rest,
                             const std::string& eol) {
    if (old.ends_with('\n') && !text.ends_with('\n')) {
        return text + eol;
    }
    if (!old.ends_with('\n') && text.ends_with('\n') &&
        (rest.starts_with('\n') || rest.starts_with("\r\n"))) {
        return text.substr(0, text.size() - (text.ends_with("\r\n") ? 2 : 1));
    }
    return text;
}

// One attempt at a set of changes, and what it has to have changed.
class Attempt {
  public:
    Attempt(const std::vector<Located>& targets, const std::vector<Change>& changes, bool literal)
        : first_(targets.front()), splicer_(first_.file, *first_.text), literal_(literal) {
        for (std::size_t i = 0; i < targets.size(); ++i) {
            add(targets[i], changes[i]);
        }
    }

    Applied run() {
        Applied applied{splicer_.apply(), {}};
        if (applied.text == *first_.text) {
            return applied;
        }
        const std::string readable =
            first_.is_template ? mask_template(applied.text) : applied.text;
        const auto after = yaml::File::parse(readable, first_.file.name());
        after.checked();
        const auto& was = first_.file.documents();
        const auto& is = after.documents();
        if (was.size() != is.size()) {
            fail("the edit would change the number of documents");
        }
        for (const auto& check : checks_) {
            if (!check.holds(is[check.document].root->at(check.path))) {
                fail(fmt::format("the edit would not give {} the value asked for",
                                 check.path.to_string()));
            }
        }
        for (std::size_t i = 0; i < was.size(); ++i) {
            document_ = i;
            compare(*was[i].root, *is[i].root, {}, false);
        }
        for (const auto& path : shared_) {
            applied.notes.push_back(
                fmt::format("{} has changed too: it repeats the value through an alias", path));
        }
        return applied;
    }

  private:
    struct Check {
        std::size_t document;
        Path path;
        std::function<bool(const Node*)> holds;
    };

    [[noreturn]] void fail(const std::string& why) const {
        throw Error(fmt::format("{}: {}", first_.file.name(), why),
                    "nothing was written; edit this file by hand");
    }

    void add(const Located& located, const Change& change) {
        document_ = located.document;
        if (change.url) {
            set_url(located, change);
        }
        if (change.sha256) {
            set_digest(located, change);
        }
        if (change.config) {
            set_config(located, change);
        }
        if (change.scope) {
            set_scope(located, *change.scope);
        }
        if (!change.annotations.empty()) {
            set_annotations(located, change.annotations, change.drop_annotations);
        }
    }

    void expect_text(const Path& path, const std::string& text) {
        checks_.push_back({document_, path, [text](const Node* node) {
                               return node != nullptr && node->text() == text;
                           }});
    }

    void expect_empty(const Path& path) {
        checks_.push_back({document_, path, [](const Node* node) {
                               return node == nullptr || node->text().empty();
                           }});
    }

    void expect_none(const Path& path) {
        checks_.push_back({document_, path, [](const Node* node) {
                               return node == nullptr || node->is_null();
                           }});
    }

    void set_url(const Located& located, const Change& change) {
        if (const Site* tag = located.site(Role::tag)) {
            // "1.4.0", and the digest behind it where it has no place of its own.
            const std::size_t slash = change.url->rfind('/');
            const std::size_t colon = change.url->find(':', slash == npos ? 0 : slash);
            std::string text = colon == npos ? *change.url : change.url->substr(colon + 1);
            if (!located.site(Role::digest) && !located.site(Role::sha256) && change.sha256 &&
                !change.sha256->empty()) {
                text += "@sha256:" + *change.sha256;
            }
            return set_text(located, *tag, text, std::nullopt);
        }
        for (const auto& site : located.sites) {
            if (site.role == Role::url) {
                set_text(located, site, spelled_url(located, site, change), change.url_text);
            }
        }
    }

    void set_digest(const Located& located, const Change& change) {
        for (const auto& site : located.sites) {
            if (site.role == Role::sha256) {
                set_text(located, site, *change.sha256, change.sha256_text);
            } else if (site.role == Role::digest) {
                set_text(located, site, change.sha256->empty() ? "" : "sha256:" + *change.sha256,
                         std::nullopt);
            }
        }
    }

    void set_text(const Located& located, const Site& site, const std::string& text,
                  const std::optional<std::string>& spelling) {
        text.empty() ? expect_empty(site.path) : expect_text(site.path, text);
        const bool inherited = spelling && *spelling == inherited_text;
        if (literal_ && spelling && !inherited) {
            return put_region(site, *spelling);
        }
        if (text.empty() || (literal_ && inherited)) {
            return site.own ? splicer_.remove(*site.place.mapping, {site.key}) : void();
        }
        if (site.own) {
            return splicer_.set_string(*site.place.mapping, *site.value, text);
        }
        const bool digest = site.role == Role::sha256;
        splicer_.insert(site.place,
                        {{site.key, digest ? manifest::double_quoted(text)
                                           : splicer_.string_text(text, in_flow(site))}},
                        digest ? located.site(Role::url)->key : "");
    }

    // Replaces everything between the ':' and the value's end.
    void put_region(const Site& site, const std::string& text) {
        if (!site.own) {
            const std::string trimmed = text.starts_with(' ') ? text.substr(1) : text;
            return splicer_.insert(site.place, {{site.key, trimmed}});
        }
        const Range region = splicer_.value_region({*site.key_node, *site.value});
        const std::string_view all = *first_.text;
        splicer_.replace(region, with_same_ending(text, all.substr(region.begin, region.size()),
                                                  all.substr(region.end), splicer_.eol()));
    }

    void set_config(const Located& located, const Change& change) {
        const Site* site = located.site(Role::config);
        if (site == nullptr) {
            throw Error(fmt::format("{}: {} has no place for a configuration", located.file.name(),
                                    located.title()),
                        "change it by hand, and leave --config and --set out");
        }
        const auto& wanted = *change.config;
        const std::string hash = change.config_hash;
        checks_.push_back({document_, site->path, [hash](const Node* node) {
                               return config_hash(node) == hash;
                           }});
        if (!wanted || *wanted == inherited_text) {
            return site->own ? splicer_.remove(*site->place.mapping, {site->key}) : void();
        }
        const std::string text = literal_ ? *wanted : reindented_config(located, *wanted);
        if (site->own) {
            return put_region(*site, text);
        }
        const Site* digest = located.site(Role::sha256);
        const bool has_digest = digest != nullptr && digest->own;
        splicer_.insert(site->place, {{site->key, text.starts_with(' ') ? text.substr(1) : text}},
                        has_digest                           ? digest->key
                        : change.sha256.value_or("").empty() ? located.site(Role::url)->key
                                                             : "sha256");
    }

    // Everything nested below `key` in flow or block, down to the label that nothing carries.
    std::string narrowing(const Node& mapping, std::initializer_list<std::string_view> keys) const {
        const bool flow = mapping.style() == yaml::Style::flow;
        std::string indent(
            mapping.size() > 0 ? splicer_.column((*mapping.entries().begin()).key) : 0, ' ');
        std::string text;
        for (const auto key : keys) {
            indent += std::string(splicer_.step(), ' ');
            text += flow ? "{" + manifest::double_quoted(key) + ": "
                         : splicer_.eol() + indent + std::string(key) + ":";
        }
        return text + (flow ? "\"true\"" + std::string(keys.size(), '}') : " \"true\"");
    }

    void set_scope(const Located& located, const ScopeChange& change) {
        const Place& spec = located.spec;
        const Path selector_path = located.object_path / "spec" / "selector";
        const auto selector = spec.mapping->own_entry("selector");
        const auto labels = selector ? selector->value.own_entry("matchLabels") : std::nullopt;
        if (change.narrow) {
            expect_text(selector_path / "matchLabels" / off_label, "true");
            if (!selector) {
                return splicer_.insert(
                    spec, {{"selector", narrowing(*spec.mapping, {"matchLabels", off_label})}});
            }
            const Place in_selector{&selector->key, &selector->value};
            if (!labels) {
                const bool empty = selector->value.size() == 0;
                return splicer_.insert(
                    in_selector, {{"matchLabels",
                                   empty ? "{" + manifest::double_quoted(off_label) + ": \"true\"}"
                                         : narrowing(selector->value, {off_label})}});
            }
            return splicer_.insert({&labels->key, &labels->value},
                                   {{std::string(off_label), "\"true\""}});
        }
        if (change.added == "selector") {
            expect_none(selector_path);
            return splicer_.remove(*spec.mapping, {"selector"});
        }
        if (!selector || (change.added == "label" && !labels)) {
            fail("the selector was edited while the plugin was switched off");
        }
        if (change.added == "matchLabels") {
            expect_none(selector_path / "matchLabels");
            return splicer_.remove(selector->value, {"matchLabels"});
        }
        expect_none(selector_path / "matchLabels" / off_label);
        splicer_.remove(labels->value, {std::string(off_label)});
    }

    void set_annotations(const Located& located, const AnnotationChanges& changes, bool drop) {
        const Node& metadata = *located.metadata.mapping;
        const Path base = located.object_path / "metadata" / "annotations";
        for (const auto& [key, value] : changes.set) {
            expect_text(base / key, value);
        }
        for (const auto& key : changes.remove) {
            expect_none(base / key);
        }
        const auto own = metadata.is_mapping() && metadata.kind() != yaml::Kind::alias
                             ? metadata.own_entry("annotations")
                             : std::nullopt;
        if (!own) {
            if (metadata.is_mapping() && metadata.find("annotations") != nullptr) {
                throw located.file.error(metadata.range(), "the annotations come from a merge key",
                                         "write them out here, or use --history none");
            }
            return add_annotations(located.metadata, changes.set);
        }
        if (drop && changes.set.empty() && own->value.size() == changes.remove.size()) {
            expect_none(base);
            return splicer_.remove(metadata, {"annotations"});
        }
        Splicer::NewEntries fresh;
        std::string after;
        for (const auto& [key, value] : own->value.effective_entries()) {
            after = key.key_text().starts_with("wasmplug.dev/") ? key.key_text() : after;
        }
        for (const auto& [key, value] : changes.set) {
            const auto old = own->value.own_entry(key);
            if (old) {
                splicer_.set_string(own->value, old->value, value);
            } else {
                fresh.emplace_back(key, annotation_text(value));
            }
        }
        splicer_.insert({&own->key, &own->value}, fresh, after);
        splicer_.remove(own->value, changes.remove);
    }

    // Single quotes leave JSON readable; everything else is quoted as Kubernetes' pages do it.
    std::string annotation_text(const std::string& value) const {
        return value.find('"') == npos ? manifest::double_quoted(value) : splicer_.quoted(value);
    }

    void add_annotations(const Place& metadata, const Annotations& set) {
        if (metadata.mapping->kind() == yaml::Kind::alias || !metadata.mapping->is_mapping() ||
            metadata.mapping->size() == 0) {
            throw first_.file.error(metadata.mapping->range(),
                                    "there is no metadata here to keep a history in",
                                    "use --history none, and git keeps it");
        }
        const Node& first_key = (*metadata.mapping->entries().begin()).key;
        const std::string indent(splicer_.column(first_key) + splicer_.step(), ' ');
        const bool flow = metadata.mapping->style() == yaml::Style::flow;
        const bool one_line = flow && first_.text->find('\n') >= first_.text->size() - 1;
        std::string text = flow ? "{" : "";
        for (const auto& [key, value] : set) {
            text += flow && text.size() > 1 ? "," : "";
            text += one_line ? (text.size() > 1 ? " " : "") : splicer_.eol() + indent;
            text += (splicer_.is_json() ? manifest::double_quoted(key) : key) + ": " +
                    annotation_text(value);
        }
        if (flow) {
            text += one_line ? "}" : splicer_.eol() + indent.substr(splicer_.step()) + "}";
        }
        splicer_.insert(metadata, {{"annotations", text}});
    }

    bool expected(const Path& path) const {
        return std::ranges::any_of(checks_, [&](const Check& check) {
            return check.document == document_ && path.starts_with(check.path);
        });
    }

    bool leads_to_expected(const Path& path) const {
        return std::ranges::any_of(checks_, [&](const Check& check) {
            return check.document == document_ && check.path.starts_with(path);
        });
    }

    // Walks both trees and fails at a difference that nobody asked for. Below an alias or a merge
    // key a difference is one that was asked for elsewhere.
    void compare(const Node& was, const Node& is, const Path& path, bool shared) {
        if (expected(path)) {
            return;
        }
        shared = shared || was.kind() == yaml::Kind::alias || !was.anchor().empty();
        if (!leads_to_expected(path) && yaml::same_value(was, is)) {
            return;
        }
        if (was.is_mapping() && (is.is_mapping() || is.is_null())) {
            return compare_mappings(was, is, path, shared);
        }
        if (was.is_sequence() && is.is_sequence() && was.size() == is.size()) {
            for (std::size_t i = 0; i < was.size(); ++i) {
                compare(*was.item(i), *is.item(i), path / i, shared);
            }
            return;
        }
        if (was.is_null() && is.is_mapping() && leads_to_expected(path)) {
            return compare_mappings(was, is, path, shared);
        }
        differ(path, shared);
    }

    void compare_mappings(const Node& was, const Node& is, const Path& path, bool shared) {
        bool merged = shared;
        for (const auto& [key, value] : was.entries()) {
            merged = merged || key.is_merge_key();
        }
        for (const auto& [key, value] : was.effective_entries()) {
            const std::string name = key.key_text();
            const Node* now = is.find(name);
            if (now == nullptr) {
                leads_to_expected(path / name) ? void() : differ(path / name, merged);
            } else {
                compare(value, *now, path / name, merged);
            }
        }
        for (const auto& [key, value] : is.effective_entries()) {
            const std::string name = key.key_text();
            if (was.find(name) == nullptr && !leads_to_expected(path / name)) {
                differ(path / name, merged);
            }
        }
    }

    void differ(const Path& path, bool shared) {
        if (!shared) {
            fail(fmt::format("the edit would change {} as well", path.to_string()));
        }
        shared_.push_back(path.to_string());
    }

    const Located& first_;
    Splicer splicer_;
    bool literal_;
    std::size_t document_ = 0;
    std::vector<Check> checks_;
    std::vector<std::string> shared_;
};

// Whether the value ends its line, or ends with it.
bool ends_line(const Located& located, const Site& site) {
    const std::string_view text = *located.text;
    const std::size_t end = site.value->range().end;
    const std::string_view rest = text.substr(end);
    return rest.starts_with('\n') || rest.starts_with("\r\n") || (end > 0 && text[end - 1] == '\n');
}

// `node` of `file` as source text behind a ':' in `located`.
std::string config_text(const Located& located, const yaml::File& file, const Node& node) {
    const Site* site = located.site(Role::config);
    if (site == nullptr) {
        return {};
    }
    const Splicer here(located.file, *located.text);
    const bool flow = in_flow(*site);
    const std::size_t key_column =
        site->own ? here.column(*site->key_node)
                  : here.column(site->place.mapping->is_mapping() && site->place.mapping->size() > 0
                                    ? (*site->place.mapping->entries().begin()).key
                                    : *site->place.mapping);
    if (flow || node.style() == yaml::Style::flow || !node.is_mapping()) {
        const bool lines = flow && here.is_json() && located.text->find("\n ") != npos;
        const auto json = yaml::to_json(node);
        std::string text = lines ? json.dump(static_cast<int>(here.step())) : json.dump();
        if (!lines) {
            const std::string_view source =
                file.text().substr(node.range().begin, node.range().size());
            const bool as_written = !flow && source.find('\n') == npos && !source.empty();
            return " " + (as_written ? std::string(source) : text);
        }
        for (std::size_t at = text.find('\n'); at != npos; at = text.find('\n', at + 1)) {
            text.insert(at + 1, std::string(key_column, ' '));
        }
        return " " + text;
    }
    // A block: the lines as they are, moved to where they belong.
    const Splicer there(file);
    const bool beside = site->own && site->value->is_mapping() && site->value->size() > 0 &&
                        site->value->style() != yaml::Style::flow &&
                        site->value->kind() != yaml::Kind::alias;
    std::string prefix;
    std::string indent(key_column + here.step(), ' ');
    if (beside) {
        const Node& first = (*site->value->entries().begin()).key;
        const auto region = here.value_region({*site->key_node, *site->value});
        indent = std::string(here.column(first), ' ');
        prefix = located.text->substr(region.begin, site->value->range().begin - region.begin);
        const std::size_t line = prefix.rfind('\n');
        prefix = line == npos ? "" : prefix.substr(0, line + 1);
    }
    const std::size_t base = there.column((*node.entries().begin()).key);
    const Range range = node.range();
    std::string_view source = file.text().substr(range.begin - base, range.size() + base);
    std::string text = prefix.empty() ? here.eol() : prefix;
    while (!source.empty()) {
        const std::size_t end = std::min(source.find('\n'), source.size());
        std::string_view line = source.substr(0, end);
        const bool ended = end < source.size();
        source.remove_prefix(std::min(end + 1, source.size()));
        line = line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
        const std::size_t blank = std::min(line.find_first_not_of(' '), line.size());
        line.remove_prefix(std::min(base, blank));
        text += (line.empty() ? "" : indent) + std::string(line) + (ended ? here.eol() : "");
    }
    // Nothing can follow a block scalar on its line.
    if (text.ends_with('\n') && site->own && !ends_line(located, *site)) {
        return " " + yaml::to_json(node).dump();
    }
    return text;
}

}  // namespace

Applied apply_changes(const std::vector<Located>& targets, const std::vector<Change>& changes) {
    try {
        return Attempt(targets, changes, true).run();
    } catch (const std::exception&) {
        const bool odd = std::ranges::any_of(changes, [](const Change& change) {
            return change.url_text || change.sha256_text ||
                   (change.config && *change.config && **change.config != inherited_text);
        });
        if (!odd) {
            throw;
        }
    }
    return Attempt(targets, changes, false).run();
}

OddSpellings odd_spellings(const Located& located, const Change& next) {
    OddSpellings odd;
    const Splicer splicer(located.file, *located.text);
    const auto spelling = [&](Role role,
                              const std::optional<std::string>& to) -> std::optional<std::string> {
        const Site* site = located.site(role);
        if (site == nullptr || site->value == nullptr) {
            return std::nullopt;
        }
        if (!site->own) {
            return std::string(inherited_text);
        }
        const std::string_view source =
            std::string_view(*located.text)
                .substr(site->value->range().begin, site->value->range().size());
        const std::string value = site->text();
        const auto style = site->value->style();
        const bool back = (style == yaml::Style::plain && !value.empty() && source == value &&
                           source == splicer.plain_text(value, in_flow(*site)) &&
                           (!to || *to == splicer.plain_text(*to, in_flow(*site)))) ||
                          (style == yaml::Style::single_quoted && !value.empty() &&
                           source == splicer.quoted(value)) ||
                          (style == yaml::Style::double_quoted && !value.empty() &&
                           source == manifest::double_quoted(value));
        if (back && site->value->kind() == yaml::Kind::scalar) {
            return std::nullopt;
        }
        const auto region = splicer.value_region({*site->key_node, *site->value});
        return located.text->substr(region.begin, region.size());
    };
    odd.url = spelling(Role::url, next.url);
    odd.sha256 = spelling(Role::sha256, next.sha256);
    return odd;
}

OddSpellings all_spellings(const Located& located) {
    const Splicer splicer(located.file, *located.text);
    const auto spelling = [&](Role role) -> std::optional<std::string> {
        const Site* site = located.site(role);
        if (site == nullptr || !site->own) {
            return std::nullopt;
        }
        const auto region = splicer.value_region({*site->key_node, *site->value});
        return located.text->substr(region.begin, region.size());
    };
    return {spelling(Role::url), spelling(Role::sha256)};
}

std::string config_text_for(const Located& located, const yaml::File& file, const Node& config) {
    if (!config.is_mapping()) {
        throw file.error(config.range(), fmt::format("a configuration is a mapping, and this is {}",
                                                     yaml::type_name(config.type())));
    }
    return config_text(located, file, config.target());
}

std::string reindented_config(const Located& located, const std::string& text) {
    const auto file = yaml::File::parse("x:" + text, "the recorded configuration");
    const Node* value = file.single().find("x");
    return value == nullptr ? text : config_text(located, file, *value);
}

}  // namespace wasmplug::release
