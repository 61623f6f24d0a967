#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/yaml.hpp"

namespace wasmplug::manifest {

// A mapping and the key it is the value of (null for a root): what a new entry needs to know.
struct Place {
    const yaml::Node* key = nullptr;
    const yaml::Node* mapping = nullptr;
};

// Edits of one text as replacements of byte ranges: what is not named keeps its bytes. Edits at
// one place are applied in the order in which they were asked for. Everything throws Error with
// file:line:col where the text leaves no safe way.
class Splicer {
  public:
    // `text` is what is edited, when it is not what was parsed: a template whose actions were
    // masked by as many bytes.
    explicit Splicer(const yaml::File& file);
    Splicer(const yaml::File& file, std::string_view text);

    void replace(yaml::Range range, std::string text);

    // Gives a scalar, a null or an alias in `mapping` a new string value, in its own quoting style
    // where that can hold it. An anchor before it stays.
    void set_string(const yaml::Node& mapping, const yaml::Node& value, const std::string& text);

    // Entries with source text as values ("'a'", "12"), after the one called `after`, else last.
    // The mapping may be a null or {}.
    using NewEntries = std::vector<std::pair<std::string, std::string>>;
    void insert(const Place& place, const NewEntries& entries, std::string_view after = {});

    // Takes entries away with their lines. The mapping may become a null or {}, where one stood
    // before insert().
    void remove(const yaml::Node& mapping, const std::vector<std::string>& keys);

    // The text with all edits. Throws std::logic_error when two of them meet.
    std::string apply() const;

    bool empty() const { return edits_.empty() && fills_.empty() && removals_.empty(); }

    // What most lines end with.
    const std::string& eol() const { return eol_; }

    // How far a child stands to the right of its parent in this file.
    std::size_t step() const { return step_; }

    // Bytes between the beginning of the line and `node`.
    std::size_t column(const yaml::Node& node) const;

    // After the ':' and after an anchor or tag of the value, to the value's end: what has to be
    // kept to put a value back byte for byte.
    yaml::Range value_region(const yaml::Entry& entry) const;

    // `text` as a value, quoted when any reader could take it for something else than a string.
    std::string string_text(const std::string& text, bool flow) const;

    // The same where an unquoted value stood: it stays so when Kubernetes reads it as this string.
    std::string plain_text(const std::string& text, bool flow) const;

    // Always in quotes: single ones, which leave JSON readable, in YAML.
    std::string quoted(const std::string& text) const;

    bool is_json() const { return json_; }

  private:
    struct Edit {
        yaml::Range range;
        std::string text;
    };

    void insert_block(const yaml::Node& mapping, const yaml::Entry& after,
                      const NewEntries& entries);
    void insert_flow(const yaml::Node& mapping, const yaml::Entry& after,
                     const NewEntries& entries);
    Edit filled_braces(const yaml::Node& braces, const NewEntries& entries) const;
    void fill_null(const Place& place, const NewEntries& entries);
    using Keys = std::vector<std::string>;
    void remove_block(const yaml::Node& mapping, const Keys& keys, std::vector<Edit>& edits) const;
    void remove_flow(const yaml::Node& mapping, const Keys& keys, std::vector<Edit>& edits) const;
    std::string entry_text(const std::pair<std::string, std::string>& entry) const;
    std::size_t line_start(std::size_t at) const;
    std::size_t line_end(std::size_t at) const;
    std::string indent_of(const yaml::Node& node) const;

    yaml::File file_;
    std::string_view text_;
    std::string eol_;
    std::size_t step_ = 2;
    bool json_ = false;
    std::vector<Edit> edits_;
    // Gathered, since a comma depends on what else comes.
    std::vector<std::pair<const yaml::Node*, NewEntries>> fills_;
    std::vector<std::pair<const yaml::Node*, Keys>> removals_;
};

// Escapes as YAML's and JSON's double quotes both understand them.
std::string double_quoted(std::string_view text);

// Whether YAML's readers give `text` back from between single quotes: no line breaks of any kind,
// no control characters.
bool fits_single_quotes(std::string_view text);

}  // namespace wasmplug::manifest
