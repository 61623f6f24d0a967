#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/yaml.hpp"
#include "base/yaml_edit.hpp"
#include "base/yaml_write.hpp"

// Where the bytes of a change go. For base/yaml_edit.cpp, which proves what comes out.
namespace wasmplug::yaml {

// A value to be put somewhere: made by us, or text that a person wrote.
struct Payload {
    nlohmann::ordered_json value;
    std::optional<std::string> source;  // what source() gave
    bool source_is_block = false;

    bool is_block() const {
        return source ? source_is_block : value.is_structured() && !value.empty();
    }
};

// Where a value stands: its collection as written, with its key unless that is a list.
struct Slot {
    const Node* parent = nullptr;  // nullptr: `value` is the root
    const Node* key = nullptr;
    const Node* value = nullptr;
};

class Splicer {
  public:
    Splicer(const File& file, const Document& document);

    std::vector<Edit> replace(const Slot& slot, const Payload& payload) const;

    // Behind the entry or item `after`, a value of `collection`; nullptr when it is empty.
    std::vector<Edit> insert(const Slot& collection, const Node* after, std::string_view key,
                             const Payload& payload) const;

    std::vector<Edit> remove(const Slot& slot) const;

    std::string key_text(const Node& like, std::string_view key) const;

  private:
    bool in_flow(const Slot& slot) const;
    Context context(const Node* collection) const;
    std::string inline_text(const Payload& payload, Style style, Context context,
                            std::size_t indent) const;
    std::string block_text(const Payload& payload, std::size_t indent) const;
    std::size_t block_indent(const Payload& payload, std::size_t outer) const;
    std::string literal_text(const Payload& payload, std::size_t indent) const;
    std::string shifted(std::string_view source, std::size_t from, std::size_t to) const;
    std::string with_breaks(std::string text) const;
    std::vector<Edit> replace_value(const Slot& slot, const Payload& payload) const;
    std::vector<Edit> replace_by_block(const Slot& slot, const Payload& payload) const;
    std::vector<Edit> replace_block_by_inline(const Slot& slot, const Payload& payload) const;
    std::vector<Edit> insert_in_flow(const Node& collection, const Node& after,
                                     const std::string& entry) const;
    std::vector<Edit> insert_lines(std::size_t end, const std::string& lines) const;
    bool ends_block_scalar(const Slot& slot, std::size_t at) const;
    std::vector<Edit> remove_lines(const Slot& slot) const;
    std::vector<Edit> remove_in_flow(const Slot& slot) const;

    std::size_t line_begin(std::size_t at) const;
    std::size_t line_end(std::size_t at) const;   // before its line break
    std::size_t next_line(std::size_t at) const;  // behind it

    std::size_t column(std::size_t at) const { return at - line_begin(at); }

    std::size_t line_indent(std::size_t at) const;
    bool begins_line(std::size_t at) const;
    bool has_more(std::size_t at) const;  // than blanks up to the end of the line
    std::size_t skip_space(std::size_t at) const;
    std::size_t dash(const Slot& slot) const;
    std::size_t after_indicator(const Slot& slot) const;
    std::size_t entry_begin(const Slot& slot) const;

    const File& file_;
    const Document& document_;
    std::string_view text_;
    std::string line_break_;
    std::size_t step_;
    bool is_json_;
};

}  // namespace wasmplug::yaml
