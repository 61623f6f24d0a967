#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/yaml.hpp"
#include "base/yaml_write.hpp"

namespace wasmplug::yaml {

// Where a value stands: its collection as written, with its key unless that is a list.
struct Slot {
    const Node* parent = nullptr;  // nullptr: `value` is the root, or its collection is not known
    const Node* key = nullptr;
    const Node* value = nullptr;
};

// The entries or items of a collection as written; of an alias none.
std::vector<Slot> slots_of(const Node& collection);

// How one document stands in its text: lines and columns, what ends a line, how far a child is
// indented, and where the bytes between two nodes belong.
class Layout {
  public:
    // `text` is what is looked at when it is not what was parsed: a template whose actions were
    // masked by as many bytes. Refers to all three.
    Layout(const File& file, const Document& document, std::string_view text);

    Layout(const File& file, const Document& document) : Layout(file, document, file.text()) {}

    std::string_view text() const { return text_; }

    const std::string& line_break() const { return line_break_; }

    // How far a mapping stands to the right of the one that it is in.
    std::size_t step() const { return step_; }

    bool is_json() const { return is_json_; }

    // JSON that is written on several lines.
    bool is_pretty_json() const;

    std::size_t line_begin(std::size_t at) const;
    std::size_t line_end(std::size_t at) const;   // before its line break
    std::size_t next_line(std::size_t at) const;  // behind it

    std::size_t column(std::size_t at) const { return at - line_begin(at); }

    // Of the first key of a mapping that has one.
    std::size_t column(const Node& mapping) const;

    std::size_t line_indent(std::size_t at) const;
    bool begins_line(std::size_t at) const;
    bool has_more(std::size_t at) const;  // than blanks up to the end of the line

    bool behind_break(std::size_t at) const { return at > 0 && text_[at - 1] == '\n'; }

    // Whether a line break behind `node`, at the end of a text that has none there, would become
    // a part of a value: it ends with a text under '|' or '>' that is not stripped of it.
    bool takes_line_break(const Node& node) const;

    // Past blanks, line breaks and comments.
    std::size_t skip_space(std::size_t at) const;

    // Behind the ':' or '-' of the slot, and behind anchor and tag of its value.
    std::size_t after_indicator(const Slot& slot) const;

    // From there to the value's end: what has to be kept to put a value back byte for byte.
    Range value_region(const Slot& slot) const;
    std::string_view value_text(const Slot& slot) const;

    // The key, or the '-' of an item.
    std::size_t entry_begin(const Slot& slot) const;

    Context context(const Node* collection) const;

  private:
    std::size_t dash(const Slot& slot) const;

    const File& file_;
    const Document& document_;
    std::string_view text_;
    std::string line_break_;
    std::size_t step_;
    bool is_json_;
};

inline bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

inline bool is_flow(const Node& node) {
    return node.style() == Style::flow;
}

inline bool in_flow(const Slot& slot) {
    return slot.parent != nullptr && is_flow(*slot.parent);
}

bool is_block_collection(const Node& node);
bool is_block_scalar(const Node& node);

std::string without_last_break(std::string text);

}  // namespace wasmplug::yaml
