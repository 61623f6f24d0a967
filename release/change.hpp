#pragma once

#include <optional>
#include <string>
#include <vector>

#include "release/ledger.hpp"
#include "release/located.hpp"

namespace wasmplug::release {

// The off switch: a label that nothing carries, added to the selector, or taken out again with
// what had to be written around it.
struct ScopeChange {
    bool narrow = true;
    std::string added = "label";  // "selector", "matchLabels" or "label": what narrowing wrote
};

// The content that a target shall have. Of url and sha256 the source text (Layout::value_region)
// may be given too, which brings odd spellings back; it is used where it still means the value.
struct Change {
    std::optional<std::string> url = {};
    std::optional<std::string> url_text = {};
    std::optional<std::string> sha256 = {};  // 64 digits; "" takes it away
    std::optional<std::string> sha256_text = {};
    // Source text of the new configuration, or `inherited_text`, or nothing to take it away.
    std::optional<std::optional<std::string>> config = {};
    std::string config_hash = {};  // what `config` has to mean
    // Where they stood before they were taken away, for putting them back.
    std::optional<EntryPlace> config_place = {};
    std::optional<EntryPlace> sha256_place = {};
    AnnotationChanges annotations = {};
    // The last annotation goes, and 'annotations:' was not there before the first came.
    bool drop_annotations = false;
    std::optional<ScopeChange> scope = {};
};

struct Applied {
    std::string text;
    std::vector<std::string> notes;  // "'other.url' has changed too: it is an alias of this value"
};

// All changes of one file in one go, each to the target at the same index. What comes out is read
// again: it has as many documents, the values asked for, and differs nowhere else (but where an
// alias repeats a changed value). Throws Error when that cannot be had.
Applied apply_changes(const std::vector<Located>& targets, const std::vector<Change>& changes);

// The source texts of url and sha256 that Splicer::set could not bring back once `next` was
// written over them.
struct OddSpellings {
    std::optional<std::string> url;
    std::optional<std::string> sha256;
};

OddSpellings odd_spellings(const Located& located, const Change& next);

// The same for every spelling, odd or not: for states that need not be stored.
OddSpellings all_spellings(const Located& located);

// `config`, a mapping of `file`, as source text for where `located` has its configuration: with
// its comments and line breaks where those can stand.
std::string config_text_for(const Located& located, const yaml::File& file,
                            const yaml::Node& config);

// `text`, source text recorded elsewhere, written anew for where `located` stands.
std::string reindented_config(const Located& located, const std::string& text);

}  // namespace wasmplug::release
