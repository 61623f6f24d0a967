// What comes into a collection, and what is taken out of it.
#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "base/yaml_splice.hpp"

namespace wasmplug::yaml {
namespace {

// Whether what is written for it ends with a line break that belongs to a value.
bool ends_in_break(const Payload& payload) {
    if (payload.raw) {
        return payload.raw->ends_with('\n');
    }
    const nlohmann::ordered_json* last = &payload.value;
    while (last->is_structured() && !last->empty()) {
        last = &last->back();
    }
    return last->is_string() && last->get_ref<const std::string&>().ends_with('\n');
}

const Node* value_before(const Node& collection, const Node* value) {
    const Node* before = nullptr;
    for (const Slot& slot : slots_of(collection)) {
        if (slot.value == value) {
            break;
        }
        before = slot.value;
    }
    return before;
}

Slot slot_of(const Node& collection, const Node* value) {
    const auto all = slots_of(collection);
    return *std::ranges::find(all, value, &Slot::value);
}

// Ranges that are taken away, where they touch or overlap, as one.
std::vector<Edit> joined(std::vector<Edit> removals) {
    std::ranges::sort(removals, {}, [](const Edit& edit) { return edit.range.begin; });
    std::vector<Edit> result;
    for (auto& edit : removals) {
        if (!result.empty() && edit.range.begin <= result.back().range.end) {
            result.back().range.end = std::max(result.back().range.end, edit.range.end);
        } else {
            result.push_back(std::move(edit));
        }
    }
    return result;
}

}  // namespace

void Splicer::insert(const Slot& collection, const Node* after, std::string_view key,
                     Payload payload) {
    const Node& node = *collection.value;
    if (node.kind() == Kind::alias) {
        throw file_.error(node.range(), "this is an alias and cannot take new keys",
                          "write out here what it stands for");
    }
    if (!node.is_null() && !node.is_mapping() && !node.is_sequence()) {
        throw file_.error(node.range(),
                          "this is " + std::string(type_name(node.type())) + ", not a mapping");
    }
    if (after == nullptr && node.size() > 0) {
        after = slots_of(node).back().value;
    }
    auto at = std::ranges::find_if(insertions_, [&](const Insertion& one) {
        return one.collection.value == &node && one.after == after;
    });
    at = at == insertions_.end() ? insertions_.insert(at, {collection, after, {}}) : at;
    at->entries.emplace_back(key, std::move(payload));
}

void Splicer::remove(const Slot& slot) {
    auto at = std::ranges::find(removals_, slot.parent, &Removal::collection);
    at = at == removals_.end() ? removals_.insert(at, {slot.parent, {}}) : at;
    at->values.push_back(slot.value);
}

std::vector<Edit> Splicer::edits() const {
    std::vector<Edit> all = edits_;
    for (const auto& insertion : insertions_) {
        const auto some = inserted(insertion);
        all.insert(all.end(), some.begin(), some.end());
    }
    for (const auto& removal : removals_) {
        for (auto& edit : removed(removal)) {
            leave_break(edit, all);
            all.push_back(std::move(edit));
        }
    }
    return all;
}

// Where the last lines go and new ones come, these are the last: it is their line break that the
// text does not have.
void Splicer::leave_break(Edit& removal, std::vector<Edit>& insertions) const {
    for (Edit& edit : insertions) {
        const std::size_t at = edit.range.begin;
        if (edit.range.empty() && at > removal.range.begin && at < removal.range.end &&
            removal.range.end == text_.size() && layout_.behind_break(at) &&
            layout_.line_end(removal.range.begin) == removal.range.begin) {
            removal.range.begin = at;
            edit.text = without_last_break(std::move(edit.text));
        }
    }
}

std::vector<Edit> Splicer::inserted(const Insertion& insertion) const {
    const Node& node = *insertion.collection.value;
    if (node.is_null()) {
        return filled_null(insertion);
    }
    if (!is_flow(node)) {
        return inserted_lines(insertion);
    }
    return insertion.after == nullptr ? std::vector<Edit>{filled_braces(insertion)}
                                      : inserted_in_flow(insertion);
}

// On one line, for braces and brackets; `tight` without a blank behind the colon.
std::string Splicer::flow_entry(const Node& collection,
                                const std::pair<std::string, Payload>& entry, std::size_t indent,
                                bool tight) const {
    const auto& [key, payload] = entry;
    const bool named = !collection.is_sequence();
    std::string value = payload.raw ? *payload.raw
                                    : " " + inline_text(payload, Style::plain,
                                                        layout_.context(&collection), indent);
    if ((tight || !named) && value.starts_with(' ')) {
        value.erase(0, 1);
    }
    return (named ? key_text(collection, key) + ":" : "") + value;
}

// Whole lines, without the last line break.
std::string Splicer::entry_lines(const Node& collection,
                                 const std::pair<std::string, Payload>& entry,
                                 std::size_t indent) const {
    const auto& [key, payload] = entry;
    const bool named = !collection.is_sequence();
    const std::string start =
        std::string(indent, ' ') + (named ? key_text(collection, key) + ":" : "-");
    if (payload.raw) {
        return start + without_last_break(*payload.raw);
    }
    if (!payload.is_block()) {
        const std::string literal = literal_text(payload, indent);
        return start + " " +
               (literal.empty()
                    ? inline_text(payload, Style::plain, layout_.context(&collection), indent)
                    : literal);
    }
    return named ? start + layout_.line_break() + block_text(payload, indent + layout_.step())
                 : start + block_text(payload, indent + 2).substr(indent + 1);
}

// New lines behind the one that `after` ends on.
std::vector<Edit> Splicer::lines_behind(const Node& after,
                                        const std::vector<std::string>& lines) const {
    const std::size_t end = after.range().end;
    const std::size_t at = layout_.behind_break(end) ? end : layout_.next_line(end);
    const bool ended = layout_.behind_break(at);
    std::string text;
    for (const auto& line : lines) {
        text += ended ? line + layout_.line_break() : layout_.line_break() + line;
    }
    return {{{at, at}, text}};
}

std::vector<Edit> Splicer::inserted_lines(const Insertion& insertion) const {
    const Node& node = *insertion.collection.value;
    const std::size_t indent = layout_.column(node.range().begin);
    std::vector<std::string> lines;
    for (const auto& entry : insertion.entries) {
        lines.push_back(entry_lines(node, entry, indent));
    }
    const std::size_t end = insertion.after->range().end;
    // Where the text ends without a line break, one more would belong to a text under '|', and one
    // less to a new one: what is there stays last.
    if (end == text_.size() && !layout_.behind_break(end) &&
        (layout_.takes_line_break(*insertion.after) ||
         std::ranges::any_of(insertion.entries, [](const auto& entry) {
             return entry.second.before_the_end || ends_in_break(entry.second);
         }))) {
        if (const Node* before = value_before(node, insertion.after)) {
            return lines_behind(*before, lines);
        }
        const std::size_t begin = layout_.entry_begin(slot_of(node, insertion.after));
        std::string text;
        for (const auto& line : lines) {
            text += line.substr(indent) + layout_.line_break() + std::string(indent, ' ');
        }
        return {{{begin, begin}, text}};
    }
    return lines_behind(*insertion.after, lines);
}

std::vector<Edit> Splicer::inserted_in_flow(const Insertion& insertion) const {
    const Node& node = *insertion.collection.value;
    const Slot after = slot_of(node, insertion.after);
    const std::size_t end = after.value->range().end;
    const std::size_t begin = layout_.entry_begin(after);
    const std::size_t comma = layout_.skip_space(end);
    const bool has_comma = text_[comma] == ',';
    const std::size_t rest = has_comma ? comma + 1 : end;
    const bool is_last = layout_.skip_space(rest) + 1 >= node.range().end;
    // {"a":1} stays without blanks; an entry that has a line of its own gets a neighbour with one.
    const bool tight = after.key != nullptr && layout_.is_json() &&
                       text_.substr(after.key->range().end, 1) == ":" &&
                       after.value->range().begin == after.key->range().end + 1;
    const bool own_line =
        layout_.begins_line(begin) && layout_.skip_space(rest) >= layout_.line_end(rest);
    const std::string margin =
        own_line ? layout_.line_break() +
                       std::string(text_.substr(layout_.line_begin(begin), layout_.column(begin)))
        : tight ? ""
                : " ";
    std::string text;
    for (const auto& entry : insertion.entries) {
        text += text.empty() ? "" : ",";
        text += margin + flow_entry(node, entry, layout_.line_indent(begin), tight);
    }
    if (!own_line) {
        return {{{rest, rest}, has_comma ? text + (is_last ? "" : ",") : "," + text}};
    }
    const std::size_t at = layout_.line_end(rest);
    if (!has_comma) {
        return {{{end, end}, ","}, {{at, at}, text}};
    }
    return {{{at, at}, text + (is_last && layout_.is_json() ? "" : ",")}};
}

// {a: 1} where that is short.
bool Splicer::fits_line(const Insertion& insertion) const {
    constexpr std::size_t width = 80;
    const Node& braces = *insertion.collection.value;
    return insertion.entries.size() == 1 &&
           layout_.column(braces.range().end) +
                   flow_entry(braces, insertion.entries[0], 0, false).size() <=
               width;
}

// On lines of their own, unless what is around stands on one, or it is short.
Edit Splicer::filled_braces(const Insertion& insertion) const {
    const Node& braces = *insertion.collection.value;
    const std::size_t indent = layout_.line_indent(braces.range().begin);
    const bool one_line = layout_.is_json() ? !layout_.is_pretty_json()
                                            : in_flow(insertion.collection) || fits_line(insertion);
    const std::string margin =
        one_line ? "" : layout_.line_break() + std::string(indent + layout_.step(), ' ');
    std::string text;
    for (const auto& entry : insertion.entries) {
        text += text.empty() ? "" : one_line ? ", " : ",";
        text += margin + flow_entry(braces, entry, indent + layout_.step(), false);
    }
    text += one_line ? "" : layout_.line_break() + std::string(indent, ' ');
    return {{braces.range().begin + 1, braces.range().end - 1}, text};
}

std::vector<Edit> Splicer::filled_null(const Insertion& insertion) const {
    const Slot& slot = insertion.collection;
    const Range range = slot.value->range();
    if (slot.key == nullptr) {
        throw file_.error(range, "there is no mapping here to add to");
    }
    const std::size_t begin = slot.key->full_range().begin;
    const std::size_t next = std::min(text_.find_first_not_of(" \t", range.end), text_.size());
    const bool alone = next == text_.size() ||
                       std::string_view("#\r\n").find(text_[next]) != std::string_view::npos;
    if (!alone || in_flow(slot) || layout_.line_begin(range.begin) != layout_.line_begin(begin)) {
        std::string braces;
        for (const auto& entry : insertion.entries) {
            braces += (braces.empty() ? "" : ", ") + flow_entry(*slot.value, entry, 0, false);
        }
        return {{range, (range.empty() ? " {" : "{") + braces + "}"}};
    }
    std::vector<std::string> lines;
    for (const auto& entry : insertion.entries) {
        lines.push_back(entry_lines(*slot.value, entry, layout_.column(begin) + layout_.step()));
    }
    auto edits = lines_behind(*slot.value, lines);
    if (!range.empty()) {  // "~" or "null"
        edits.push_back({range, ""});
    }
    return edits;
}

std::vector<Edit> Splicer::removed(const Removal& removal) const {
    const Node& node = *removal.collection;
    if (node.kind() == Kind::alias) {
        throw file_.error(node.range(), "this is an alias and cannot lose keys");
    }
    const auto all = slots_of(node);
    std::vector<bool> goes;
    goes.reserve(all.size());
    for (const Slot& slot : all) {
        goes.push_back(std::ranges::count(removal.values, slot.value) != 0);
    }
    if (!is_flow(node)) {
        return joined(removed_lines(all, goes));
    }
    if (std::ranges::count(goes, false) == 0) {
        return {{{node.range().begin + 1, node.range().end - 1}, ""}};
    }
    std::vector<Edit> edits;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const std::size_t first = i;
        while (i < all.size() && goes[i]) {
            ++i;
        }
        if (i > first) {
            const auto some = removed_in_flow(all, first, i - 1);
            edits.insert(edits.end(), some.begin(), some.end());
        }
    }
    return edits;
}

std::vector<Edit> Splicer::removed_lines(const std::vector<Slot>& all,
                                         const std::vector<bool>& goes) const {
    std::vector<Edit> edits;
    std::size_t run = 0;     // where the lines begin that go in one piece
    std::size_t behind = 0;  // and end
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (!goes[i]) {
            continue;
        }
        const std::size_t begin = layout_.entry_begin(all[i]);
        const std::size_t end = all[i].value->range().end;
        const std::size_t line = layout_.line_begin(begin);
        run = i > 0 && goes[i - 1] && behind == line ? run : line;
        behind = layout_.behind_break(end) ? end : layout_.next_line(end);
        if (layout_.begins_line(begin)) {
            std::size_t from = line;
            // The last line had no line break: nor has the one that is the last then, unless its
            // break belongs to a text under '|'.
            if (behind == text_.size() && !text_.ends_with('\n') && layout_.behind_break(run) &&
                std::ranges::none_of(all, [&](const Slot& slot) {
                    return slot.value->range().end == run && layout_.takes_line_break(*slot.value);
                })) {
                from = run - (run >= 2 && text_[run - 2] == '\r' ? 2U : 1U);
            }
            edits.push_back({{from, behind}, ""});
            continue;
        }
        // The first of a mapping behind a dash: the next that stays moves up to its place.
        std::size_t next = i + 1;
        while (next < all.size() && goes[next]) {
            ++next;
        }
        if (next == all.size()) {
            throw file_.error(all[i].value->range(), "this entry cannot be taken away");
        }
        const std::size_t to = layout_.entry_begin(all[next]);
        const std::string_view between = text_.substr(behind, to - std::min(to, behind));
        if (next == i + 1 && between.find('#') != std::string_view::npos) {
            const std::size_t comment = behind + between.find('#');
            throw file_.error({comment, layout_.line_end(comment)},
                              "a comment stands between this entry and the next, which would take "
                              "its place",
                              "move the comment, then try again");
        }
        edits.push_back({{begin, to}, ""});
    }
    return edits;
}

// Neighbours from `first` to `last`, of which others stay.
std::vector<Edit> Splicer::removed_in_flow(const std::vector<Slot>& all, std::size_t first,
                                           std::size_t last) const {
    const std::size_t begin = layout_.entry_begin(all[first]);
    const std::size_t end = all[last].value->range().end;
    const std::size_t comma = layout_.skip_space(end);
    const bool begins_line = layout_.begins_line(begin);
    const std::size_t line = layout_.line_begin(begin);
    if (text_[comma] == ',') {
        const std::size_t next = layout_.skip_space(comma + 1);
        if (last + 1 < all.size()) {
            const bool own_line = begins_line && next >= layout_.line_end(comma + 1);
            return {{own_line ? Range{line, layout_.next_line(comma)} : Range{begin, next}, ""}};
        }
        return {
            {begins_line ? Range{line, layout_.next_line(comma)} : Range{begin, comma + 1}, ""}};
    }
    // The last: the comma before it goes too.
    const std::size_t previous = all[first - 1].value->range().end;
    const std::size_t before = layout_.skip_space(previous);  // the comma
    if (text_.substr(before, begin - before).find('#') == std::string_view::npos) {
        return {{{previous, end}, ""}};
    }
    return {{{before, before + 1}, ""},
            {{begins_line ? line : begin,
              begins_line && !layout_.has_more(end) ? layout_.next_line(end) : end},
             ""}};
}

}  // namespace wasmplug::yaml
