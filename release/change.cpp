#include "release/change.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/yaml_splice.hpp"
#include "release/entry_place.hpp"

namespace wasmplug::release {
namespace {

using yaml::Node;
using yaml::Path;
using yaml::Range;
using yaml::Slot;
using yaml::Splicer;

constexpr auto npos = std::string::npos;
constexpr std::string_view off_label = "wasmplug.dev/disabled";

// A value that stands behind its ':' as it is.
yaml::Payload as_written(const std::string& text) {
    return {.raw = text.starts_with(' ') || text.starts_with('\n') || text.starts_with('\r')
                       ? text
                       : " " + text};
}

// The value of `key`, behind which another goes.
const Node* after(const Slot& place, std::string_view key) {
    const auto entry = place.value->is_mapping() ? place.value->own_entry(key) : std::nullopt;
    return entry ? &entry->value : nullptr;
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
        : first_(targets.front()), literal_(literal) {
        for (std::size_t i = 0; i < targets.size(); ++i) {
            add(targets[i], changes[i]);
        }
    }

    Applied run() {
        std::vector<yaml::Edit> edits;
        for (const auto& [document, splicer] : splicers_) {
            const auto some = splicer.edits();
            edits.insert(edits.end(), some.begin(), some.end());
        }
        Applied applied{yaml::apply(*first_.text, std::move(edits)), {}};
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

    // Of the document that is being changed.
    Splicer& splicer() {
        return splicers_
            .try_emplace(document_, first_.file, first_.file.documents()[document_], *first_.text)
            .first->second;
    }

    void add(const Located& located, const Change& change) {
        document_ = located.document;
        if (change.url) {
            set_url(located, change);
        }
        // Two entries that come back to one line come in their order.
        const Site* config = located.site(Role::config);
        const bool config_first = change.config && change.sha256_place && config != nullptr &&
                                  change.sha256_place->behind == config->key;
        if (config_first) {
            set_config(located, change);
        }
        if (change.sha256) {
            set_digest(located, change);
        }
        if (change.config && !config_first) {
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
            return set_name_and_tag(located, *tag, change);
        }
        refuse_other_source(located, *change.url);
        for (const auto& site : located.sites) {
            if (site.role == Role::url) {
                set_text(located, site, spelled_url(located, site, change), change.url_text);
            }
        }
    }

    // Envoy Gateway has a place for images and another for what is fetched over http.
    void refuse_other_source(const Located& located, const std::string& url) const {
        const Site* site = located.form == Form::policy ? located.site(Role::url) : nullptr;
        if (site == nullptr) {
            return;
        }
        const bool http = site->path.parent().last().key == "http";
        if (http != (url.starts_with("http://") || url.starts_with("https://"))) {
            throw located.file.error(site->place.value->range(),
                                     fmt::format("this plugin is {}, and {} is not",
                                                 http ? "fetched over http" : "an image", url),
                                     "change 'type' and what is below it by hand");
        }
    }

    // "1.4.0", and the digest behind it where it has no place of its own.
    void set_name_and_tag(const Located& located, const Site& tag, const Change& change) {
        const std::size_t slash = change.url->rfind('/');
        const std::size_t colon = change.url->find(':', slash == npos ? 0 : slash);
        std::string text = colon == npos ? *change.url : change.url->substr(colon + 1);
        if (!located.site(Role::digest) && !located.site(Role::sha256) && change.sha256 &&
            !change.sha256->empty()) {
            text += "@sha256:" + *change.sha256;
        }
        set_text(located, tag, text, std::nullopt);
        if (const Site* name = located.site(Role::url); name != nullptr && colon != npos) {
            Change named = change;
            named.url = change.url->substr(0, colon);
            named.sha256.reset();
            const std::string spelled = spelled_url(located, *name, named);
            if (spelled != name->text()) {
                set_text(located, *name, spelled, std::nullopt);
            }
        }
    }

    void set_digest(const Located& located, const Change& change) {
        for (const auto& site : located.sites) {
            if (site.role == Role::sha256) {
                set_text(located, site, *change.sha256, change.sha256_text, &change);
            } else if (site.role == Role::digest) {
                set_text(located, site, change.sha256->empty() ? "" : "sha256:" + *change.sha256,
                         std::nullopt);
            }
        }
    }

    void set_text(const Located& located, const Site& site, const std::string& text,
                  const std::optional<std::string>& spelling, const Change* places = nullptr) {
        text.empty() ? expect_empty(site.path) : expect_text(site.path, text);
        const bool inherited = spelling && *spelling == inherited_text;
        if (literal_ && spelling && !inherited) {
            return places != nullptr &&
                           put_back(located, site, places->sha256_place, places->config_place,
                                    as_written(*spelling).raw.value())
                       ? void()
                       : put_region(site, *spelling);
        }
        if (text.empty() || (literal_ && inherited)) {
            return site.own ? splicer().remove(site.slot()) : void();
        }
        // Whether 64 digits are a number depends on the reader: a new digest stands in quotes.
        const bool digest = site.role == Role::sha256;
        const std::string new_text =
            yaml::write_scalar(text, digest ? yaml::Style::double_quoted : yaml::Style::plain,
                               splicer().layout().context(site.place.value));
        if (site.own && site.value->is_null() && digest) {
            return put_region(site, " " + new_text);
        }
        if (site.own) {
            return splicer().set(site.slot(), {.value = text});
        }
        if (places != nullptr &&
            put_back(located, site, places->sha256_place, places->config_place, " " + new_text)) {
            return;
        }
        splicer().insert(site.place,
                         digest ? after(site.place, located.site(Role::url)->key) : nullptr,
                         site.key, as_written(new_text));
    }

    // To where it stood before it was taken away; false when that is not known or not there.
    // `other` is the place of the other entry that a version can lack.
    bool put_back(const Located& located, const Site& site, const std::optional<EntryPlace>& place,
                  const std::optional<EntryPlace>& other, const std::string& text) {
        const auto edit = literal_ && place && !site.own
                              ? entry_at(located, site, *place, other ? &*other : nullptr, text)
                              : std::nullopt;
        if (edit) {
            splicer().replace(edit->range, edit->text);
        }
        return edit.has_value();
    }

    // Replaces everything between the ':' and the value's end.
    void put_region(const Site& site, const std::string& text) {
        if (!site.own) {
            return splicer().insert(site.place, nullptr, site.key, as_written(text));
        }
        const auto& layout = splicer().layout();
        const Range region = layout.value_region(site.slot());
        const std::string_view all = *first_.text;
        splicer().replace(region, with_same_ending(text, all.substr(region.begin, region.size()),
                                                   all.substr(region.end), layout.line_break()));
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
            return site->own ? splicer().remove(site->slot()) : void();
        }
        const std::string text = literal_ ? *wanted : reindented_config(located, *wanted);
        if (site->own) {
            return put_region(*site, text);
        }
        if (put_back(located, *site, change.config_place, change.sha256_place, text)) {
            return;
        }
        const Site* digest = located.site(Role::sha256);
        const bool has_digest = digest != nullptr && digest->own;
        splicer().insert(
            site->place,
            after(site->place, has_digest ? digest->key : located.site(Role::url)->key), site->key,
            as_written(text));
    }

    void set_scope(const Located& located, const ScopeChange& change) {
        const Slot& spec = located.spec;
        const Path selector_path = located.object_path / "spec" / "selector";
        const nlohmann::ordered_json nothing = {{off_label, "true"}};
        const auto selector = spec.value->own_entry("selector");
        const auto labels = selector ? selector->value.own_entry("matchLabels") : std::nullopt;
        const Slot in_selector =
            selector ? Slot{spec.value, &selector->key, &selector->value} : Slot{};
        const Slot in_labels =
            labels ? Slot{in_selector.value, &labels->key, &labels->value} : Slot{};
        if (change.narrow) {
            expect_text(selector_path / "matchLabels" / off_label, "true");
            return labels ? splicer().insert(in_labels, nullptr, off_label, {.value = "true"})
                   : selector
                       ? splicer().insert(in_selector, nullptr, "matchLabels", {.value = nothing})
                       : splicer().insert(
                             spec, nullptr, "selector",
                             {.value = {{"matchLabels", nothing}}, .before_the_end = true});
        }
        if (change.added == "selector" && selector) {
            expect_none(selector_path);
            return splicer().remove(in_selector);
        }
        const auto label = labels ? labels->value.own_entry(off_label) : std::nullopt;
        if (!label) {
            fail("the selector was edited while the plugin was switched off");
        }
        if (change.added == "matchLabels") {
            expect_none(selector_path / "matchLabels");
            return splicer().remove(in_labels);
        }
        expect_none(selector_path / "matchLabels" / off_label);
        splicer().remove({in_labels.value, &label->key, &label->value});
    }

    void set_annotations(const Located& located, const AnnotationChanges& changes, bool drop) {
        const Node& metadata = *located.metadata.value;
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
        const Slot annotations{&metadata, &own->key, &own->value};
        if (drop && changes.set.empty() && own->value.size() == changes.remove.size()) {
            expect_none(base);
            return splicer().remove(annotations);
        }
        const Node* last = nullptr;  // of ours
        for (const auto& slot : yaml::slots_of(own->value)) {
            const std::string key = slot.key->key_text();
            last = key.starts_with("wasmplug.dev/") ? slot.value : last;
            if (std::ranges::count(changes.remove, key) != 0) {
                splicer().remove(slot);
            }
        }
        for (const auto& [key, value] : changes.set) {
            if (const auto old = own->value.own_entry(key)) {
                splicer().set({&own->value, &old->key, &old->value}, {.value = value});
            } else {
                splicer().insert(annotations, last, key,
                                 as_written(annotation_text(value, own->value)));
            }
        }
    }

    // Single quotes leave JSON readable; everything else is quoted as Kubernetes' pages do it.
    std::string annotation_text(const std::string& value, const Node& beside) {
        return yaml::write_scalar(
            value,
            value.find('"') == npos ? yaml::Style::double_quoted : yaml::Style::single_quoted,
            splicer().layout().context(&beside));
    }

    // {"a":1}, without blanks behind the colons.
    static bool is_tight(const Node& mapping) {
        const auto slot = yaml::slots_of(mapping)[0];
        return slot.value->range().begin == slot.key->range().end + 1;
    }

    void add_annotations(const Slot& metadata, const Annotations& set) {
        const Node& mapping = *metadata.value;
        if (mapping.kind() == yaml::Kind::alias || !mapping.is_mapping() || mapping.size() == 0) {
            throw first_.file.error(mapping.range(),
                                    "there is no metadata here to keep a history in",
                                    "use --history none, and git keeps it");
        }
        const auto& layout = splicer().layout();
        const bool flow = yaml::is_flow(mapping);
        const bool one_line = flow && first_.text->find('\n') >= first_.text->size() - 1;
        // Braces that open in the middle of a line: below that line.
        const std::size_t first = mapping.range().begin;
        const std::size_t outer =
            flow && !layout.begins_line(yaml::slots_of(mapping)[0].key->range().begin)
                ? layout.line_indent(first)
                : layout.column(mapping);
        const std::string indent(outer + layout.step(), ' ');
        const bool tight = one_line && layout.is_json() && is_tight(mapping);
        const std::string colon = tight ? ":" : ": ";
        std::string text = tight ? "{" : flow ? " {" : "";
        for (const auto& [key, value] : set) {
            text += flow && !text.ends_with('{') ? "," : "";
            text +=
                one_line ? (tight || text.ends_with('{') ? "" : " ") : layout.line_break() + indent;
            text += splicer().key_text(mapping, key) + colon + annotation_text(value, mapping);
        }
        if (flow) {
            text += one_line ? "}" : layout.line_break() + indent.substr(layout.step()) + "}";
        }
        splicer().insert(metadata, nullptr, "annotations", {.raw = text});
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
    std::map<std::size_t, Splicer> splicers_;  // by document
    bool literal_;
    std::size_t document_ = 0;
    std::vector<Check> checks_;
    std::vector<std::string> shared_;
};

}  // namespace

Applied apply_changes(const std::vector<Located>& targets, const std::vector<Change>& changes) {
    try {
        return Attempt(targets, changes, true).run();
    } catch (const std::exception&) {
        const bool odd = std::ranges::any_of(changes, [](const Change& change) {
            return change.url_text || change.sha256_text || change.sha256_place ||
                   change.config_place ||
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
    const yaml::Layout layout = located.layout();
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
        const auto context = layout.context(site->place.value);
        const auto comes_back = [&](const std::string& text) {
            return style == yaml::Style::plain
                       ? text == yaml::write_unquoted(text, context)
                       : text == value && source == yaml::write_scalar(text, style, context);
        };
        const bool back =
            !value.empty() && comes_back(value) &&
            (style != yaml::Style::plain || (source == value && (!to || comes_back(*to))));
        if (back && site->value->kind() == yaml::Kind::scalar) {
            return std::nullopt;
        }
        return std::string(layout.value_text(site->slot()));
    };
    odd.url = spelling(Role::url, next.url);
    odd.sha256 = spelling(Role::sha256, next.sha256);
    return odd;
}

OddSpellings all_spellings(const Located& located) {
    const auto spelling = [&](Role role) -> std::optional<std::string> {
        const Site* site = located.site(role);
        if (site == nullptr || !site->own) {
            return std::nullopt;
        }
        return std::string(located.layout().value_text(site->slot()));
    };
    return {spelling(Role::url), spelling(Role::sha256)};
}

}  // namespace wasmplug::release
