#include "base/yaml_splice.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"

namespace wasmplug::yaml {
namespace {

std::string indented(std::string_view lines, std::size_t indent) {
    std::string text;
    for (std::size_t at = 0; at < lines.size();) {
        const std::size_t end = std::min(lines.find('\n', at), lines.size() - 1) + 1;
        const std::string_view line = lines.substr(at, end - at);
        at = end;
        if (line.find_first_not_of(" \t\n") != std::string_view::npos) {
            text.append(indent, ' ');
        }
        text += line;
    }
    return text;
}

}  // namespace

Splicer::Splicer(const File& file, const Document& document, std::string_view text)
    : file_(file), layout_(file, document, text), text_(text) {}

// Text that we wrote, with the line breaks of the file.
std::string Splicer::with_breaks(const std::string& text) const {
    std::string converted;
    for (const char c : text) {
        if (c == '\n') {
            converted += layout_.line_break();
        } else {
            converted.push_back(c);
        }
    }
    return converted;
}

std::string Splicer::block_text(const Payload& payload, std::size_t indent) const {
    return without_last_break(
        with_breaks(indented(write(payload.value, {.indent = layout_.step()}), indent)));
}

// A text of several lines under '|', without the last line break; "" when that is not possible.
std::string Splicer::literal_text(const Payload& payload, std::size_t indent) const {
    if (!payload.value.is_string()) {
        return {};
    }
    const std::string entry = write({{"k", payload.value}}, {.indent = layout_.step()});
    return entry.starts_with("k: |")
               ? without_last_break(with_breaks(indented(entry, indent)).substr(indent + 3))
               : std::string();
}

// `indent` is that of the lines below a value that stretches over several.
std::string Splicer::inline_text(const Payload& payload, Style style, Context context,
                                 std::size_t indent) const {
    if (!payload.value.is_structured()) {
        return write_scalar(payload.value, style, context);
    }
    if (context != Context::json) {
        return write(payload.value, {.layout = Style::flow});
    }
    if (!layout_.is_pretty_json() || payload.value.empty()) {
        return payload.value.dump();
    }
    const std::string text = payload.value.dump(static_cast<int>(layout_.step()));
    const std::size_t first = text.find('\n') + 1;
    return with_breaks(text.substr(0, first) + indented(text.substr(first), indent));
}

void Splicer::set(const Slot& slot, const Payload& payload) {
    auto edits = replace_value(slot, payload);
    // A tag says what the old value was ("!!str" is right for any other text).
    const Node& value = *slot.value;
    const Range tag = value.tag_range();
    const bool fits = payload.value.is_string() && value.tag() == "tag:yaml.org,2002:str";
    if (!tag.empty() && !fits) {
        std::size_t end = tag.end;
        while (end < edits.front().range.begin && is_blank(text_[end])) {
            ++end;
        }
        edits.insert(edits.begin(), {{tag.begin, end}, ""});
    }
    edits_.insert(edits_.end(), edits.begin(), edits.end());
}

std::vector<Edit> Splicer::replace_value(const Slot& slot, const Payload& payload) const {
    const Node& value = *slot.value;
    if (payload.is_block() && !in_flow(slot) && !layout_.is_json()) {
        return replace_by_block(slot, payload);
    }
    if (is_block_collection(value)) {
        return replace_block_by_inline(slot, payload);
    }
    Range range = value.range();
    const Context where = layout_.context(slot.parent);
    const bool has_break = is_block_scalar(value) && text_[range.end - 1] == '\n';
    const bool is_quoted =
        value.style() == Style::double_quoted || value.style() == Style::single_quoted;
    std::string text;
    if (where == Context::block && !is_quoted && slot.parent != nullptr &&
        (is_block_scalar(value) || !layout_.has_more(range.end))) {
        text = literal_text(payload, layout_.column(layout_.entry_begin(slot)));
        if (!text.empty() && !has_break) {
            range.end = layout_.line_end(range.end);  // blanks would become part of it
        }
    }
    if (text.empty() && value.kind() == Kind::scalar && value.style() == Style::plain &&
        !range.empty() && payload.value.is_string()) {
        text = write_unquoted(payload.value.get<std::string>(), where);
    } else if (text.empty()) {
        text = inline_text(payload, is_block_scalar(value) ? Style::plain : value.style(), where,
                           layout_.line_indent(range.begin));
    }
    if (range.begin == value.range().end && range.begin > 0 && !is_blank(text_[range.begin - 1]) &&
        std::string_view("\n[{").find(text_[range.begin - 1]) == std::string_view::npos) {
        text.insert(0, " ");
    }
    if (has_break) {
        text += layout_.line_break();
    }
    return {{range, text}};
}

std::vector<Edit> Splicer::replace_by_block(const Slot& slot, const Payload& payload) const {
    const Node& value = *slot.value;
    const Range range = value.range();
    if (slot.parent == nullptr) {
        const bool own_line = layout_.begins_line(range.begin) && !range.empty();
        return {{range, (own_line ? "" : layout_.line_break()) + block_text(payload, 0)}};
    }
    const std::size_t outer = layout_.column(layout_.entry_begin(slot));
    const bool ends_line = text_[range.end - 1] == '\n' && !range.empty();
    const std::string tail = ends_line ? layout_.line_break() : "";
    if (is_block_collection(value)) {
        const std::size_t at = layout_.column(range.begin);
        const bool fits = at > outer || payload.value.is_array();
        const bool own_line = layout_.begins_line(range.begin);
        const std::size_t indent = fits || !own_line ? at : outer + layout_.step();
        if (own_line) {
            return {
                {{layout_.line_begin(range.begin), range.end}, block_text(payload, indent) + tail}};
        }
        return {{range, block_text(payload, indent).substr(indent) + tail}};
    }
    const std::size_t begin = layout_.after_indicator(slot);
    const bool has_properties = value.full_range().begin != range.begin;
    if (slot.key == nullptr && !has_properties) {  // beside the dash
        const std::size_t indent = range.empty() ? outer + 2 : layout_.column(range.begin);
        return {{{begin, range.end},
                 std::string(range.empty() ? 1 : range.begin - begin, ' ') +
                     block_text(payload, indent).substr(indent) + tail}};
    }
    const std::string lines = layout_.line_break() + block_text(payload, outer + layout_.step());
    if (ends_line) {
        return {{{begin, range.end}, lines + tail}};
    }
    const std::size_t end = layout_.line_end(range.end);
    return {{{begin, range.end}, ""}, {{end, end}, lines}};
}

std::vector<Edit> Splicer::replace_block_by_inline(const Slot& slot, const Payload& payload) const {
    const Range range = slot.value->range();
    const std::string text =
        inline_text(payload, Style::plain, Context::block, layout_.line_indent(range.begin));
    const bool ends_line = text_[range.end - 1] == '\n';
    if (slot.parent == nullptr || !layout_.begins_line(range.begin)) {
        return {{range, text + (ends_line ? layout_.line_break() : "")}};
    }
    const std::size_t at = layout_.after_indicator(slot);
    Range lines{layout_.line_begin(range.begin),
                ends_line ? range.end : layout_.next_line(range.end)};
    if (lines.end == text_.size() && !text_.ends_with('\n')) {
        lines = {layout_.line_end(lines.begin - 2 < at ? at : lines.begin - 2), lines.end};
    }
    return {{{at, at}, " " + text}, {lines, ""}};
}

std::string Splicer::key_text(const Node& like, std::string_view key) const {
    return write_scalar(std::string(key), Style::plain, layout_.context(&like));
}

}  // namespace wasmplug::yaml
