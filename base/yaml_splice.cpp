#include "base/yaml_splice.hpp"

#include <algorithm>
#include <utility>

namespace wasmplug::yaml {
namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

bool is_block_collection(const Node& node) {
    return (node.kind() == Kind::mapping || node.kind() == Kind::sequence) &&
           node.style() == Style::block;
}

bool is_block_scalar(const Node& node) {
    return node.kind() == Kind::scalar &&
           (node.style() == Style::literal || node.style() == Style::folded);
}

// By how much a mapping in a mapping is indented; 0 when there is none.
std::size_t nested_step(const File& file, const Node& node) {
    for (const auto& entry : node.entries()) {
        const Node& value = entry.value;
        if (node.style() == Style::block && is_block_collection(value) && value.is_mapping()) {
            const std::size_t outer = file.position(entry.key.range().begin).column;
            const std::size_t inner = file.position(value.range().begin).column;
            return inner > outer ? inner - outer : 0;
        }
        if (const std::size_t step = value.kind() == Kind::alias ? 0 : nested_step(file, value)) {
            return step;
        }
    }
    if (node.kind() == Kind::sequence) {
        for (const Node& item : node.items()) {
            const std::size_t step = item.kind() == Kind::alias ? 0 : nested_step(file, item);
            if (step != 0) {
                return step;
            }
        }
    }
    return 0;
}

std::string without_last_break(std::string text) {
    if (text.ends_with('\n')) {
        text.pop_back();
        if (text.ends_with('\r')) {
            text.pop_back();
        }
    }
    return text;
}

}  // namespace

Splicer::Splicer(const File& file, const Document& document)
    : file_(file), document_(document), text_(file.text()) {
    const std::size_t first = text_.find('\n');
    const bool crlf = first != std::string_view::npos && first > 0 && text_[first - 1] == '\r';
    line_break_ = crlf ? "\r\n" : "\n";
    const std::size_t step = nested_step(file, *document.root);
    step_ = step == 0 ? 2 : std::min<std::size_t>(step, 8);
    const Node& root = *document.root;
    is_json_ = root.kind() == Kind::mapping && root.style() == Style::flow &&
               (root.size() == 0 || (*root.entries().begin()).key.style() == Style::double_quoted);
}

std::size_t Splicer::line_begin(std::size_t at) const {
    const std::size_t before = at == 0 ? std::string_view::npos : text_.rfind('\n', at - 1);
    const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
    return begin == 0 && file_.has_bom() ? std::min<std::size_t>(3, at) : begin;
}

std::size_t Splicer::line_end(std::size_t at) const {
    const std::size_t end = std::min(text_.find('\n', at), text_.size());
    return end > at && end < text_.size() && text_[end - 1] == '\r' ? end - 1 : end;
}

std::size_t Splicer::next_line(std::size_t at) const {
    const std::size_t end = text_.find('\n', at);
    return end == std::string_view::npos ? text_.size() : end + 1;
}

std::size_t Splicer::line_indent(std::size_t at) const {
    const std::size_t begin = line_begin(at);
    std::size_t end = begin;
    while (end < text_.size() && text_[end] == ' ') {
        ++end;
    }
    return end - begin;
}

bool Splicer::begins_line(std::size_t at) const {
    const std::size_t begin = line_begin(at);
    return std::all_of(text_.begin() + static_cast<std::ptrdiff_t>(begin),
                       text_.begin() + static_cast<std::ptrdiff_t>(at), is_blank);
}

bool Splicer::has_more(std::size_t at) const {
    const std::size_t end = line_end(at);
    while (at < end && is_blank(text_[at])) {
        ++at;
    }
    return at < end;
}

std::size_t Splicer::skip_space(std::size_t at) const {
    while (at < text_.size()) {
        if (is_blank(text_[at]) || text_[at] == '\n' || text_[at] == '\r') {
            ++at;
        } else if (text_[at] == '#') {
            at = line_end(at);
        } else {
            break;
        }
    }
    return at;
}

// The '-' of an item of a block sequence: what stands first behind the item before it.
std::size_t Splicer::dash(const Slot& slot) const {
    std::size_t at = slot.parent->range().begin;
    for (const Node& item : slot.parent->items()) {
        if (&item == slot.value) {
            break;
        }
        at = skip_space(item.range().end);
    }
    return at;
}

// Behind the ':' or '-' of the slot, and behind anchor and tag of its value.
std::size_t Splicer::after_indicator(const Slot& slot) const {
    const std::size_t properties =
        std::max(slot.value->anchor_range().end, slot.value->tag_range().end);
    if (properties != 0) {
        return properties;
    }
    return slot.key == nullptr ? dash(slot) + 1 : skip_space(slot.key->range().end) + 1;
}

std::size_t Splicer::entry_begin(const Slot& slot) const {
    if (slot.key != nullptr) {
        return slot.key->full_range().begin;
    }
    return slot.parent->style() == Style::flow ? slot.value->full_range().begin : dash(slot);
}

bool Splicer::in_flow(const Slot& slot) const {
    return slot.parent != nullptr && slot.parent->style() == Style::flow;
}

Context Splicer::context(const Node* collection) const {
    if (is_json_) {
        return Context::json;
    }
    if (collection == nullptr || collection->style() != Style::flow) {
        return Context::block;
    }
    const bool quoted_keys = collection->kind() == Kind::mapping && collection->size() > 0 &&
                             (*collection->entries().begin()).key.style() == Style::double_quoted;
    return quoted_keys ? Context::json : Context::flow;
}

std::string Splicer::with_breaks(std::string text) const {
    const bool has_crlf = text.find("\r\n") != std::string::npos;
    if (line_break_ == "\r\n" ? has_crlf : !has_crlf || text_.find("\r\n") != text_.npos) {
        return text;
    }
    std::string converted;
    for (const char c : text) {
        if (c == '\n' && line_break_ == "\r\n") {
            converted += line_break_;
        } else if (c != '\r') {
            converted.push_back(c);
        }
    }
    return converted;
}

// Moves whole lines from one indentation to another.
std::string Splicer::shifted(std::string_view source, std::size_t from, std::size_t to) const {
    if (from == to) {
        return std::string(source);
    }
    std::string text;
    for (std::size_t at = 0; at < source.size();) {
        const std::size_t end = std::min(source.find('\n', at), source.size() - 1) + 1;
        std::string_view line = source.substr(at, end - at);
        at = end;
        const std::size_t margin = std::min(line.find_first_not_of(' '), line.size());
        const bool is_empty = line.find_first_not_of(" \t\r\n") == std::string_view::npos;
        if (from > to) {
            line.remove_prefix(std::min(margin, from - to));
        } else if (!is_empty) {
            text.append(to - from, ' ');
        }
        text += line;
    }
    return text;
}

std::string Splicer::block_text(const Payload& payload, std::size_t indent) const {
    if (payload.source) {
        const std::size_t from =
            std::min(payload.source->find_first_not_of(' '), payload.source->size());
        return without_last_break(with_breaks(shifted(*payload.source, from, indent)));
    }
    return without_last_break(
        with_breaks(shifted(write(payload.value, {.indent = step_}), 0, indent)));
}

// The indentation of a block collection below an entry that begins in column `outer`. Kept text
// keeps its own where that is possible, so that it comes back as it was.
std::size_t Splicer::block_indent(const Payload& payload, std::size_t outer) const {
    if (payload.source) {
        const std::size_t own = payload.source->find_first_not_of(' ');
        if ((own > outer && own <= outer + 8) || (own == outer && payload.value.is_array())) {
            return own;
        }
    }
    return outer + step_;
}

// A text of several lines under '|', without the last line break; "" when that is not possible.
std::string Splicer::literal_text(const Payload& payload, std::size_t indent) const {
    if (payload.source || !payload.value.is_string()) {
        return {};
    }
    const std::string entry = write({{"k", payload.value}}, {.indent = step_});
    return entry.starts_with("k: |")
               ? without_last_break(with_breaks(shifted(entry, 0, indent)).substr(indent + 3))
               : std::string();
}

// `indent` is that of the lines below a value that stretches over several.
std::string Splicer::inline_text(const Payload& payload, Style style, Context context,
                                 std::size_t indent) const {
    if (payload.source) {
        return without_last_break(with_breaks(*payload.source));
    }
    if (!payload.value.is_structured()) {
        return write_scalar(payload.value, style, context);
    }
    if (context != Context::json) {
        return write(payload.value, {.layout = Style::flow});
    }
    const bool pretty =
        is_json_ && text_.substr(document_.range.begin).find('\n') < document_.root->range().size();
    if (!pretty || payload.value.empty()) {
        return payload.value.dump();
    }
    const std::string text = payload.value.dump(static_cast<int>(step_));
    const std::size_t first = text.find('\n') + 1;
    return with_breaks(text.substr(0, first) + shifted(text.substr(first), 0, indent));
}

std::vector<Edit> Splicer::replace(const Slot& slot, const Payload& payload) const {
    auto edits = replace_value(slot, payload);
    // A tag says what the old value was ("!!str" is right for any other text), and kept text
    // brings its own.
    const Node& value = *slot.value;
    const Range tag = value.tag_range();
    const bool fits =
        !payload.source && payload.value.is_string() && value.tag() == "tag:yaml.org,2002:str";
    if (!tag.empty() && !fits) {
        std::size_t end = tag.end;
        while (end < edits.front().range.begin && is_blank(text_[end])) {
            ++end;
        }
        edits.insert(edits.begin(), {{tag.begin, end}, ""});
    }
    return edits;
}

std::vector<Edit> Splicer::replace_value(const Slot& slot, const Payload& payload) const {
    const Node& value = *slot.value;
    if (payload.is_block() && !in_flow(slot) && !is_json_) {
        return replace_by_block(slot, payload);
    }
    if (is_block_collection(value)) {
        return replace_block_by_inline(slot, payload);
    }
    Range range = value.range();
    const Context where = context(slot.parent);
    const bool has_break = is_block_scalar(value) && text_[range.end - 1] == '\n';
    const bool is_quoted =
        value.style() == Style::double_quoted || value.style() == Style::single_quoted;
    std::string text;
    if (where == Context::block && !is_quoted && slot.parent != nullptr &&
        (is_block_scalar(value) || !has_more(range.end))) {
        text = literal_text(payload, column(entry_begin(slot)));
        if (!text.empty() && !has_break) {
            range.end = line_end(range.end);  // blanks would become part of it
        }
    }
    if (text.empty()) {
        text = inline_text(payload, is_block_scalar(value) ? Style::plain : value.style(), where,
                           line_indent(range.begin));
    }
    if (text.empty()) {  // a null that was not written; the blank came with what replaced it
        range.begin -= is_blank(text_[range.begin - 1]) ? 1U : 0U;
    } else if (range.begin == value.range().end && range.begin > 0 &&
               !is_blank(text_[range.begin - 1]) &&
               std::string_view("\n[{").find(text_[range.begin - 1]) == std::string_view::npos) {
        text.insert(0, " ");
    }
    if (has_break) {
        text += line_break_;
    }
    return {{range, text}};
}

std::vector<Edit> Splicer::replace_by_block(const Slot& slot, const Payload& payload) const {
    const Node& value = *slot.value;
    const Range range = value.range();
    if (slot.parent == nullptr) {
        const bool own_line = begins_line(range.begin) && !range.empty();
        return {{range, (own_line ? "" : line_break_) + block_text(payload, 0)}};
    }
    const std::size_t outer = column(entry_begin(slot));
    const bool ends_line = text_[range.end - 1] == '\n' && !range.empty();
    const std::string tail = ends_line ? line_break_ : "";
    if (is_block_collection(value)) {
        const std::size_t at = column(range.begin);
        const bool fits = !payload.source && (at > outer || payload.value.is_array());
        const bool own_line = begins_line(range.begin);
        const std::size_t indent = fits || !own_line ? at : block_indent(payload, outer);
        if (own_line) {
            return {{{line_begin(range.begin), range.end}, block_text(payload, indent) + tail}};
        }
        return {{range, block_text(payload, indent).substr(indent) + tail}};
    }
    const std::size_t begin = after_indicator(slot);
    const bool has_properties = value.full_range().begin != range.begin;
    if (slot.key == nullptr && !has_properties) {  // beside the dash
        const std::size_t indent = range.empty() ? outer + 2 : column(range.begin);
        return {{{begin, range.end},
                 std::string(range.empty() ? 1 : range.begin - begin, ' ') +
                     block_text(payload, indent).substr(indent) + tail}};
    }
    const std::string lines = line_break_ + block_text(payload, block_indent(payload, outer));
    if (ends_line) {
        return {{{begin, range.end}, lines + tail}};
    }
    const std::size_t end = line_end(range.end);
    return {{{begin, range.end}, ""}, {{end, end}, lines}};
}

std::vector<Edit> Splicer::replace_block_by_inline(const Slot& slot, const Payload& payload) const {
    const Range range = slot.value->range();
    const std::string text =
        inline_text(payload, Style::plain, Context::block, line_indent(range.begin));
    const bool ends_line = text_[range.end - 1] == '\n';
    if (slot.parent == nullptr || !begins_line(range.begin)) {
        return {{range, text + (ends_line ? line_break_ : "")}};
    }
    const std::size_t at = after_indicator(slot);
    Range lines{line_begin(range.begin), ends_line ? range.end : next_line(range.end)};
    if (lines.end == text_.size() && !text_.ends_with('\n')) {
        lines = {line_end(lines.begin - 2 < at ? at : lines.begin - 2), lines.end};
    }
    return {{{at, at}, " " + text}, {lines, ""}};
}

std::string Splicer::key_text(const Node& like, std::string_view key) const {
    return write_scalar(std::string(key), Style::plain, context(&like));
}

std::vector<Edit> Splicer::insert(const Slot& collection, const Node* after, std::string_view key,
                                  const Payload& payload) const {
    const Node& node = *collection.value;
    const bool is_mapping = node.is_mapping();
    const Context where = context(&node);
    const std::string name = is_mapping ? key_text(node, key) + ":" : "";
    if (node.style() == Style::flow) {
        const std::size_t indent =
            after == nullptr ? line_indent(node.range().begin) : line_indent(after->range().begin);
        const std::string entry =
            name + (is_mapping ? " " : "") + inline_text(payload, Style::plain, where, indent);
        if (after != nullptr) {
            return insert_in_flow(node, *after, entry);
        }
        const std::size_t at = node.range().begin + 1;
        return {{{at, at}, entry}};
    }
    const std::size_t indent = column(node.range().begin);
    const std::string margin(indent, ' ');
    std::string lines = margin + (is_mapping ? name : "-");
    if (!payload.is_block()) {
        const std::string literal = literal_text(payload, indent);
        lines +=
            " " + (literal.empty() ? inline_text(payload, Style::plain, where, indent) : literal);
    } else if (is_mapping) {
        lines += line_break_ + block_text(payload, block_indent(payload, indent));
    } else {
        lines += block_text(payload, indent + 2).substr(indent + 1);
    }
    return insert_lines(after->range().end, lines);
}

std::vector<Edit> Splicer::insert_lines(std::size_t end, const std::string& lines) const {
    if (end > 0 && text_[end - 1] == '\n') {  // behind a block scalar
        return {{{end, end}, lines + line_break_}};
    }
    const std::size_t at = line_end(end);
    return {{{at, at}, line_break_ + lines}};
}

std::vector<Edit> Splicer::insert_in_flow(const Node& collection, const Node& after,
                                          const std::string& entry) const {
    const std::size_t end = after.range().end;
    const std::size_t comma = skip_space(end);
    const bool has_comma = text_[comma] == ',';
    const std::size_t rest = has_comma ? comma + 1 : end;
    const bool is_last = skip_space(rest) + 1 >= collection.range().end;
    // An entry that has a line of its own gets a neighbour with one.
    std::size_t begin = after.full_range().begin;
    for (const auto& pair : collection.entries()) {
        if (&pair.value == &after) {
            begin = pair.key.full_range().begin;
        }
    }
    const bool own_line = begins_line(begin) && skip_space(rest) >= line_end(rest);
    if (!own_line) {
        if (!has_comma) {
            return {{{end, end}, ", " + entry}};
        }
        return {{{rest, rest}, " " + entry + (is_last ? "" : ",")}};
    }
    const std::size_t at = line_end(rest);
    const std::string line =
        line_break_ + std::string(text_.substr(line_begin(begin), column(begin))) + entry;
    if (!has_comma) {
        return {{{end, end}, ","}, {{at, at}, line}};
    }
    return {{{at, at}, line + (is_last && is_json_ ? "" : ",")}};
}

std::vector<Edit> Splicer::remove(const Slot& slot) const {
    return in_flow(slot) ? remove_in_flow(slot) : remove_lines(slot);
}

// Whether the line break before `at` belongs to the value before that of `slot`.
bool Splicer::ends_block_scalar(const Slot& slot, std::size_t at) const {
    for (const Node& item : slot.parent->items()) {
        if (item.range().end == at) {
            return true;
        }
    }
    for (const auto& entry : slot.parent->entries()) {
        if (entry.value.range().end == at) {
            return true;
        }
    }
    return false;
}

std::vector<Edit> Splicer::remove_lines(const Slot& slot) const {
    const std::size_t begin = entry_begin(slot);
    const std::size_t end = slot.value->range().end;
    const bool at_break = end > 0 && text_[end - 1] == '\n';
    const std::size_t behind = at_break ? end : next_line(end);
    if (begins_line(begin)) {
        const std::size_t from = line_begin(begin);
        const bool cut_off = behind == text_.size() && !text_.ends_with('\n');
        if (cut_off && from >= 1 && text_[from - 1] == '\n' && !ends_block_scalar(slot, from)) {
            const bool crlf = from >= 2 && text_[from - 2] == '\r';
            return {{{from - (crlf ? 2U : 1U), behind}, ""}};
        }
        return {{{from, behind}, ""}};
    }
    // The first of a mapping behind a dash: the next one moves up to its place.
    std::size_t next = behind;
    while (next < text_.size() && is_blank(text_[next])) {
        ++next;
    }
    if (next < text_.size() && text_[next] == '#') {
        throw file_.error({next, line_end(next)},
                          "a comment stands between this entry and the next, which would take "
                          "its place",
                          "move the comment, then try again");
    }
    return {{{begin, next}, ""}};
}

std::vector<Edit> Splicer::remove_in_flow(const Slot& slot) const {
    const std::size_t begin = entry_begin(slot);
    const std::size_t end = slot.value->range().end;
    const std::size_t comma = skip_space(end);
    if (text_[comma] == ',') {
        const std::size_t next = skip_space(comma + 1);
        const bool is_last = next + 1 >= slot.parent->range().end;
        if (!is_last) {
            const bool own_line = begins_line(begin) && next >= line_end(comma + 1);
            return {
                {own_line ? Range{line_begin(begin), next_line(comma)} : Range{begin, next}, ""}};
        }
        return {{{begins_line(begin) ? line_begin(begin) : begin,
                  begins_line(begin) ? next_line(comma) : comma + 1},
                 ""}};
    }
    // The last: the comma before it goes too.
    std::size_t previous = slot.parent->range().begin + 1;
    bool is_first = true;
    const auto look = [&](const Node& value) {
        if (value.range().end <= begin && &value != slot.value) {
            previous = value.range().end;
            is_first = false;
        }
    };
    for (const Node& item : slot.parent->items()) {
        look(item);
    }
    for (const auto& entry : slot.parent->entries()) {
        look(entry.value);
    }
    if (is_first) {
        return {{{begin, end}, ""}};
    }
    const std::size_t before = skip_space(previous);  // the comma
    if (text_.substr(before, begin - before).find('#') == std::string_view::npos) {
        return {{{previous, end}, ""}};
    }
    return {{{before, before + 1}, ""},
            {{begins_line(begin) ? line_begin(begin) : begin,
              begins_line(begin) && !has_more(end) ? next_line(end) : end},
             ""}};
}

}  // namespace wasmplug::yaml
