#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/yaml.hpp"
#include "base/yaml_edit.hpp"
#include "base/yaml_layout.hpp"
#include "base/yaml_write.hpp"

namespace wasmplug::yaml {

// A value to be put somewhere: made by us, or text that a person wrote.
struct Payload {
    nlohmann::ordered_json value = {};
    // What stands behind the ':', as it is: it begins with a blank or a line break.
    std::optional<std::string> raw = {};
    // What ends a text without a line break stays last: it, or what may come back to its place,
    // can mean something else with one.
    bool before_the_end = false;

    bool is_block() const { return value.is_structured() && !value.empty(); }
};

// The one place where changes become edits of bytes: gathers what shall happen to one document and
// says where the bytes of it go, so that no other byte changes. Whoever uses it has to read the
// outcome again and prove it (Editor does; so does release/change.cpp).
class Splicer {
  public:
    // As for Layout.
    Splicer(const File& file, const Document& document, std::string_view text);

    Splicer(const File& file, const Document& document) : Splicer(file, document, file.text()) {}

    const Layout& layout() const { return layout_; }

    void replace(Range range, std::string text) { edits_.push_back({range, std::move(text)}); }

    // A scalar keeps its quotes where they can hold the new value, and an anchor stays.
    void set(const Slot& slot, const Payload& payload);

    // Behind the value `after` of the collection, or last where that is null. The collection may
    // be empty, or a null that has a key.
    void insert(const Slot& collection, const Node* after, std::string_view key, Payload payload);

    // With its line, and the comment that ends the line. A block collection that loses all it has
    // is left as a null, braces and brackets stay.
    void remove(const Slot& slot);

    // In no order; apply() wants them all.
    std::vector<Edit> edits() const;

    std::string key_text(const Node& like, std::string_view key) const;

  private:
    struct Insertion {
        Slot collection;
        const Node* after;
        std::vector<std::pair<std::string, Payload>> entries;
    };

    struct Removal {
        const Node* collection;
        std::vector<const Node*> values;
    };

    std::string inline_text(const Payload& payload, Style style, Context context,
                            std::size_t indent) const;
    std::string block_text(const Payload& payload, std::size_t indent) const;
    std::string literal_text(const Payload& payload, std::size_t indent) const;
    std::string with_breaks(const std::string& text) const;
    std::vector<Edit> replace_value(const Slot& slot, const Payload& payload) const;
    std::vector<Edit> replace_by_block(const Slot& slot, const Payload& payload) const;
    std::vector<Edit> replace_block_by_inline(const Slot& slot, const Payload& payload) const;

    std::string flow_entry(const Node& collection, const std::pair<std::string, Payload>& entry,
                           std::size_t indent, bool tight) const;
    std::string entry_lines(const Node& collection, const std::pair<std::string, Payload>& entry,
                            std::size_t indent) const;
    std::vector<Edit> inserted(const Insertion& insertion) const;
    std::vector<Edit> inserted_lines(const Insertion& insertion) const;
    std::vector<Edit> inserted_in_flow(const Insertion& insertion) const;
    std::vector<Edit> filled_null(const Insertion& insertion) const;
    bool fits_line(const Insertion& insertion) const;
    Edit filled_braces(const Insertion& insertion) const;
    std::vector<Edit> lines_behind(const Node& after, const std::vector<std::string>& lines) const;

    void leave_break(Edit& removal, std::vector<Edit>& insertions) const;
    std::vector<Edit> removed(const Removal& removal) const;
    std::vector<Edit> removed_lines(const std::vector<Slot>& all,
                                    const std::vector<bool>& goes) const;
    std::vector<Edit> removed_in_flow(const std::vector<Slot>& all, std::size_t first,
                                      std::size_t last) const;

    const File& file_;
    Layout layout_;
    std::string_view text_;
    std::vector<Edit> edits_;
    std::vector<Insertion> insertions_;  // gathered, since a comma depends on what else comes
    std::vector<Removal> removals_;
};

}  // namespace wasmplug::yaml
