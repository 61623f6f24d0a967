#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/yaml.hpp"

// Changes to a file that keep every byte they were not asked to change: comments, quotes,
// indentation, CRLF, byte order mark, a missing last line break. JSON files are edited the same.
namespace wasmplug::yaml {

// Puts `text` where the bytes of `range` are; an empty range inserts.
struct Edit {
    Range range;
    std::string text;
};

// Edits may come in any order but not overlap (std::logic_error); of several insertions at one
// place the first stands first, and all stand before what replaces the bytes there.
std::string apply(std::string_view text, std::vector<Edit> edits);

// Edits one file in steps. After each step the new text is parsed and proved: the values asked
// for are there, and nothing else, in no document, reads otherwise. A step that would not be
// right (the place is behind an alias, a key stands twice, other places share the anchor) throws
// an Error with its position and changes nothing.
class Editor {
  public:
    // Throws for a file with problems and for a template (File::template_at).
    explicit Editor(File file);

    // As edited so far; refers to the file that was given until the first step.
    const File& file() const { return file_; }

    std::string_view text() const { return file_.text(); }

    // Whether any byte differs from the file that was given.
    bool changed() const { return file_.text() != original_.text(); }

    // The value at `path` of document number `index` becomes `value`. A scalar keeps its
    // style of quoting when that can hold the new one; an anchor stays. A missing key is added
    // after the first of `after` that stands in the same mapping, else at its end; missing
    // mappings above it are made. An index one past the end adds an item. A value that only a
    // merge key brings is overridden here; the text of an alias is replaced.
    // Nothing happens when the value is there already.
    void set(std::size_t index, const Path& path, const nlohmann::ordered_json& value,
             std::initializer_list<std::string_view> after = {});

    // Takes the entry or item away, with its line and the comment that ends the line; comments
    // above it stay. A mapping or list that becomes empty is written {} or []. Throws when there
    // is no such value or when a merge key would show another one in its place.
    void remove(std::size_t index, const Path& path);

    // Renames the key at `path`, which keeps its place and value.
    void rename(std::size_t index, const Path& path, std::string_view key);

    // Makes the mapping at `path` the only item of a list. Throws where its keys stand too far to
    // the left for a "- " before them.
    void wrap(std::size_t document, const Path& path);

    // Of a key that stands several times, always with the same value, leaves the first. Throws when
    // the values differ.
    void merge_duplicates(std::size_t document, const Path& path);

  private:
    const Document& document(std::size_t index) const;
    void commit(std::size_t index, std::vector<Edit> edits, const nlohmann::ordered_json& expected,
                const Path& path);

    File original_;
    File file_;
};

}  // namespace wasmplug::yaml
