#include "base/yaml_layout.hpp"

#include <algorithm>

namespace wasmplug::yaml {
namespace {

// By how much a mapping in a mapping is indented; 0 when there is none on lines of its own.
std::size_t nested_step(const File& file, const Node& node) {
    for (const auto& entry : node.entries()) {
        const Node& value = entry.value;
        if (value.kind() == Kind::mapping && value.size() > 0) {
            const Position outer = file.position(entry.key.range().begin);
            const Position inner = file.position((*value.entries().begin()).key.range().begin);
            if (inner.line != outer.line && inner.column > outer.column) {
                return inner.column - outer.column;
            }
        }
        if (const std::size_t step = value.kind() == Kind::alias ? 0 : nested_step(file, value)) {
            return step;
        }
    }
    for (const Node& item : node.items()) {
        const std::size_t step = item.kind() == Kind::alias ? 0 : nested_step(file, item);
        if (step != 0) {
            return step;
        }
    }
    return 0;
}

}  // namespace

std::string without_last_break(std::string text) {
    if (text.ends_with('\n')) {
        text.pop_back();
        if (text.ends_with('\r')) {
            text.pop_back();
        }
    }
    return text;
}

bool is_block_collection(const Node& node) {
    return (node.kind() == Kind::mapping || node.kind() == Kind::sequence) &&
           node.style() == Style::block;
}

bool is_block_scalar(const Node& node) {
    return node.kind() == Kind::scalar &&
           (node.style() == Style::literal || node.style() == Style::folded);
}

std::vector<Slot> slots_of(const Node& collection) {
    std::vector<Slot> slots;
    if (collection.kind() == Kind::alias) {
        return slots;
    }
    for (const Node& item : collection.items()) {
        slots.push_back({&collection, nullptr, &item});
    }
    for (const auto& entry : collection.entries()) {
        slots.push_back({&collection, &entry.key, &entry.value});
    }
    return slots;
}

Layout::Layout(const File& file, const Document& document, std::string_view text)
    : file_(file), document_(document), text_(text) {
    const std::size_t first = text_.find('\n');
    const bool crlf = first != std::string_view::npos && first > 0 && text_[first - 1] == '\r';
    line_break_ = crlf ? "\r\n" : "\n";
    const std::size_t step = nested_step(file, *document.root);
    step_ = step == 0 ? 2 : std::min<std::size_t>(step, 8);
    const Node& root = *document.root;
    is_json_ = root.kind() == Kind::mapping && root.style() == Style::flow &&
               (root.size() == 0 || (*root.entries().begin()).key.style() == Style::double_quoted);
}

std::size_t Layout::line_begin(std::size_t at) const {
    const std::size_t before = at == 0 ? std::string_view::npos : text_.rfind('\n', at - 1);
    const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
    return begin == 0 && file_.has_bom() ? std::min<std::size_t>(3, at) : begin;
}

std::size_t Layout::line_end(std::size_t at) const {
    const std::size_t end = std::min(text_.find('\n', at), text_.size());
    return end > at && end < text_.size() && text_[end - 1] == '\r' ? end - 1 : end;
}

std::size_t Layout::next_line(std::size_t at) const {
    const std::size_t end = text_.find('\n', at);
    return end == std::string_view::npos ? text_.size() : end + 1;
}

std::size_t Layout::line_indent(std::size_t at) const {
    const std::size_t begin = line_begin(at);
    std::size_t end = begin;
    while (end < text_.size() && text_[end] == ' ') {
        ++end;
    }
    return end - begin;
}

bool Layout::begins_line(std::size_t at) const {
    const std::size_t begin = line_begin(at);
    return std::all_of(text_.begin() + static_cast<std::ptrdiff_t>(begin),
                       text_.begin() + static_cast<std::ptrdiff_t>(at), is_blank);
}

bool Layout::has_more(std::size_t at) const {
    const std::size_t end = line_end(at);
    while (at < end && is_blank(text_[at])) {
        ++at;
    }
    return at < end;
}

bool Layout::takes_line_break(const Node& node) const {
    const auto slots = is_flow(node) ? std::vector<Slot>{} : slots_of(node);
    if (!slots.empty()) {
        return takes_line_break(*slots.back().value);
    }
    const auto header = text_.substr(node.range().begin, 3);  // "|2-" is stripped
    return is_block_scalar(node) &&
           header.substr(0, header.find_first_of("\r\n")).find('-') == std::string_view::npos;
}

std::size_t Layout::skip_space(std::size_t at) const {
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
std::size_t Layout::dash(const Slot& slot) const {
    std::size_t at = slot.parent->range().begin;
    for (const Node& item : slot.parent->items()) {
        if (&item == slot.value) {
            break;
        }
        at = skip_space(item.range().end);
    }
    return at;
}

std::size_t Layout::after_indicator(const Slot& slot) const {
    const std::size_t properties =
        std::max(slot.value->anchor_range().end, slot.value->tag_range().end);
    if (properties != 0) {
        return properties;
    }
    return slot.key == nullptr ? dash(slot) + 1 : skip_space(slot.key->range().end) + 1;
}

std::size_t Layout::entry_begin(const Slot& slot) const {
    if (slot.key != nullptr) {
        return slot.key->full_range().begin;
    }
    return slot.parent->style() == Style::flow ? slot.value->full_range().begin : dash(slot);
}

Range Layout::value_region(const Slot& slot) const {
    const Range value = slot.value->range();
    const std::size_t begin = after_indicator(slot);
    return {begin, std::max(begin, value.end)};
}

std::string_view Layout::value_text(const Slot& slot) const {
    const Range region = value_region(slot);
    return text_.substr(region.begin, region.size());
}

std::size_t Layout::column(const Node& mapping) const {
    const std::size_t begin = (*mapping.entries().begin()).key.full_range().begin;
    return begin - line_begin(begin);
}

bool Layout::is_pretty_json() const {
    return is_json_ &&
           text_.substr(document_.range.begin).find('\n') < document_.root->range().size();
}

Context Layout::context(const Node* collection) const {
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

}  // namespace wasmplug::yaml
