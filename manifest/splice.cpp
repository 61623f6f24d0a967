#include "manifest/splice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "base/error.hpp"
#include "base/yaml_write.hpp"

namespace wasmplug::manifest {
namespace {

using yaml::Entry;
using yaml::Kind;
using yaml::Node;
using yaml::Range;
using yaml::Style;

constexpr auto npos = std::string_view::npos;

bool is_flow(const Node& mapping) {
    return mapping.style() == Style::flow;
}

bool is_block_scalar(const Node& node) {
    return node.kind() == Kind::scalar &&
           (node.style() == Style::literal || node.style() == Style::folded);
}

std::vector<Entry> own_entries(const Node& mapping) {
    std::vector<Entry> entries;
    for (const auto& entry : mapping.entries()) {
        entries.push_back(entry);
    }
    return entries;
}

bool named(const std::vector<std::string>& keys, const Entry& entry) {
    return std::ranges::count(keys, entry.key.key_text()) != 0;
}

}  // namespace

std::string double_quoted(std::string_view text) {
    std::string out = "\"";
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        const std::string_view three = text.substr(i, 3);
        if (c == '"' || c == '\\') {
            out += {'\\', static_cast<char>(c)};
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\t') {
            out += "\\t";
        } else if (c == '\r') {
            out += "\\r";
        } else if (c < 0x20 || c == 0x7f) {
            out += fmt::format("\\u{:04x}", c);
        } else if (c == 0xc2 && i + 1 < text.size() &&
                   static_cast<unsigned char>(text[i + 1]) < 0xa0) {
            out += fmt::format("\\u{:04x}", static_cast<unsigned char>(text[++i]));
        } else if (three == "\xe2\x80\xa8" || three == "\xe2\x80\xa9" || three == "\xef\xbb\xbf") {
            out += three == "\xe2\x80\xa8"   ? "\\u2028"
                   : three == "\xe2\x80\xa9" ? "\\u2029"
                                             : "\\ufeff";
            i += 2;
        } else {
            out += static_cast<char>(c);
        }
    }
    return out + '"';
}

bool fits_single_quotes(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        const std::string_view three = text.substr(i, 3);
        if (c < 0x20 || c == 0x7f || three == "\xe2\x80\xa8" || three == "\xe2\x80\xa9" ||
            three == "\xef\xbb\xbf" ||
            (c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0)) {
            return false;
        }
    }
    return true;
}

Splicer::Splicer(const yaml::File& file) : Splicer(file, file.text()) {}

Splicer::Splicer(const yaml::File& file, std::string_view text) : file_(file), text_(text) {
    const auto breaks = std::ranges::count(text_, '\n');
    std::ptrdiff_t crlf = 0;
    for (std::size_t at = text_.find("\r\n"); at != npos; at = text_.find("\r\n", at + 2)) {
        ++crlf;
    }
    eol_ = crlf * 2 > breaks ? "\r\n" : "\n";
    for (const auto& document : file_.documents()) {
        if (!document.root->is_mapping()) {
            continue;
        }
        const auto entries = own_entries(*document.root);
        if (is_flow(*document.root)) {
            json_ = !entries.empty() && entries[0].key.style() == Style::double_quoted;
        }
        for (const auto& [key, value] : entries) {
            if (value.kind() == Kind::mapping && value.size() > 0) {
                const Node& child = (*value.entries().begin()).key;
                if (column(child) > column(key) &&
                    line_start(child.range().begin) != line_start(key.range().begin)) {
                    step_ = column(child) - column(key);
                    return;
                }
            }
        }
    }
}

void Splicer::replace(Range range, std::string text) {
    edits_.push_back({range, std::move(text)});
}

std::size_t Splicer::line_start(std::size_t at) const {
    const std::size_t found = at == 0 ? npos : text_.rfind('\n', at - 1);
    if (found != npos) {
        return found + 1;
    }
    return file_.has_bom() ? 3 : 0;
}

std::size_t Splicer::line_end(std::size_t at) const {
    const std::size_t found = text_.find('\n', at);
    return found == npos ? text_.size() : found + 1;
}

std::size_t Splicer::column(const Node& node) const {
    const std::size_t begin = node.full_range().begin;
    return begin - line_start(begin);
}

std::string Splicer::indent_of(const Node& node) const {
    return std::string(column(node), ' ');
}

Range Splicer::value_region(const Entry& entry) const {
    const auto& [key, value] = entry;
    const std::size_t colon = text_.find(':', key.range().end);
    std::size_t begin = colon == npos ? value.range().begin : colon + 1;
    // "? key" with a comment that holds a colon: only the value itself is sure.
    if (begin > value.full_range().begin) {
        begin = value.full_range().begin;
    }
    begin = std::max({begin, value.anchor_range().end, value.tag_range().end});
    return {begin, std::max(begin, value.range().end)};
}

std::string Splicer::quoted(const std::string& text) const {
    if (json_ || !fits_single_quotes(text)) {
        return double_quoted(text);
    }
    std::string out = "'";
    for (const char c : text) {
        out += c == '\'' ? "''" : std::string(1, c);
    }
    return out + '\'';
}

std::string Splicer::string_text(const std::string& text, bool flow) const {
    if (json_ || yaml::needs_quotes(text) || (flow && text.find_first_of(",[]{}") != npos)) {
        return double_quoted(text);
    }
    return text;
}

std::string Splicer::plain_text(const std::string& text, bool flow) const {
    const bool simple = !text.empty() && text.back() != ':' &&
                        text.find_first_not_of(
                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                            "0123456789_./:@+-") == npos &&
                        std::string_view("-:@.+/_").find(text.front()) == npos;
    return simple && yaml::plain_type(text) == yaml::Type::string ? text : string_text(text, flow);
}

std::string Splicer::entry_text(const std::pair<std::string, std::string>& entry) const {
    const auto& [key, value] = entry;
    const std::string name = string_text(key, true);
    return value.starts_with('\n') || value.starts_with('\r') ? name + ":" + value
                                                              : name + ": " + value;
}

void Splicer::set_string(const Node& mapping, const Node& value, const std::string& text) {
    const Range range = value.range();
    if (range.empty()) {
        return replace(range, " " + string_text(text, is_flow(mapping)));
    }
    if (value.kind() != Kind::scalar) {
        return replace(range, string_text(text, is_flow(mapping)));
    }
    switch (value.style()) {
        case Style::single_quoted:
            return replace(range, quoted(text));
        case Style::double_quoted:
            return replace(range, double_quoted(text));
        case Style::literal:
        case Style::folded: {
            const bool ended = text_.substr(0, range.end).ends_with('\n');
            return replace(range, string_text(text, false) + (ended ? eol_ : ""));
        }
        default:
            return replace(range, plain_text(text, is_flow(mapping)));
    }
}

void Splicer::insert(const Place& place, const NewEntries& entries, std::string_view after) {
    const Node& mapping = *place.mapping;
    if (entries.empty()) {
        return;
    }
    if (mapping.kind() == Kind::alias) {
        throw file_.error(mapping.range(), "this mapping is an alias and cannot take new keys",
                          "write the mapping out here");
    }
    if (mapping.is_null()) {
        return fill_null(place, entries);
    }
    if (!mapping.is_mapping()) {
        throw file_.error(mapping.range(),
                          fmt::format("this is {}, not a mapping", type_name(mapping.type())));
    }
    const auto own = own_entries(mapping);
    if (own.empty()) {
        auto at = std::ranges::find(fills_, &mapping, &std::pair<const Node*, NewEntries>::first);
        at = at == fills_.end() ? fills_.insert(at, {&mapping, {}}) : at;
        at->second.insert(at->second.end(), entries.begin(), entries.end());
        return;
    }
    auto at = std::ranges::find_if(own, [&](const Entry& e) { return e.key.key_text() == after; });
    const Entry& anchor = at == own.end() ? own.back() : *at;
    is_flow(mapping) ? insert_flow(mapping, anchor, entries)
                     : insert_block(mapping, anchor, entries);
}

void Splicer::insert_block(const Node& mapping, const Entry& after, const NewEntries& entries) {
    const std::string indent = indent_of((*mapping.entries().begin()).key);
    const std::size_t end = after.value.range().end;
    const bool at_line_start = end > 0 && text_[end - 1] == '\n';
    const std::size_t point = at_line_start ? end : line_end(end);
    const bool ended = point > 0 && text_[point - 1] == '\n';
    std::string lines;
    for (const auto& entry : entries) {
        const std::string line = indent + entry_text(entry);
        lines += ended ? line + (line.ends_with('\n') ? "" : eol_) : eol_ + line;
    }
    replace({point, point}, lines);
}

void Splicer::insert_flow(const Node& mapping, const Entry& after, const NewEntries& entries) {
    const std::size_t begin = after.key.full_range().begin;
    const std::string_view before = text_.substr(line_start(begin), begin - line_start(begin));
    const bool own_line = before.find_first_not_of(" \t") == npos &&
                          line_start(begin) != line_start(mapping.range().begin);
    // {"a":1} stays without spaces.
    const bool tight = text_.substr(after.key.range().end, 2).size() == 2 &&
                       text_[after.key.range().end] == ':' &&
                       text_[after.key.range().end + 1] != ' ';
    std::string text;
    for (const auto& entry : entries) {
        std::string one = entry_text(entry);
        if (tight && json_) {
            one.erase(one.find(": ") + 1, 1);
        }
        text += own_line ? "," + eol_ + std::string(before) + one : (tight ? "," : ", ") + one;
    }
    const std::size_t end = after.value.range().end;
    replace({end, end}, text);
}

Splicer::Edit Splicer::filled_braces(const Node& braces, const NewEntries& entries) const {
    const std::size_t start = line_start(braces.range().begin);
    const std::size_t indent = text_.find_first_not_of(' ', start) - start;
    const bool one_line = json_ && text_.find('\n') >= text_.size() - 1;
    std::string text;
    for (const auto& entry : entries) {
        text += text.empty() ? "" : ",";
        text += one_line ? "" : eol_ + std::string(indent + step_, ' ');
        text += entry_text(entry);
    }
    text += one_line ? "" : eol_ + std::string(indent, ' ');
    return {{braces.range().begin + 1, braces.range().end - 1}, text};
}

void Splicer::fill_null(const Place& place, const NewEntries& entries) {
    const Range range = place.mapping->range();
    if (place.key == nullptr) {
        throw file_.error(range, "there is no mapping here to add to");
    }
    const std::size_t key_line = line_start(place.key->range().begin);
    const std::size_t indent = column(*place.key) + step_;
    const std::size_t end_of_line = text_.find_first_of("\r\n", range.end);
    const std::string_view rest =
        text_.substr(range.end, std::min(end_of_line, text_.size()) - range.end);
    const std::size_t content = rest.find_first_not_of(" \t");
    if (line_start(range.begin) != key_line ||
        (content != npos && rest[content] != '#')) {  // inside braces, or below its key
        std::string braces = "{";
        for (const auto& entry : entries) {
            braces += (braces.size() > 1 ? ", " : "") + entry_text(entry);
        }
        return replace(range, (range.empty() ? " " : "") + braces + "}");
    }
    if (!range.empty()) {  // "~" or "null"
        replace({range.begin, range.end}, "");
    }
    const std::size_t point = line_end(range.end);
    const bool ended = point > 0 && text_[point - 1] == '\n';
    std::string lines;
    for (const auto& entry : entries) {
        const std::string line = std::string(indent, ' ') + entry_text(entry);
        lines += ended ? line + eol_ : eol_ + line;
    }
    replace({point, point}, lines);
}

void Splicer::remove(const Node& mapping, const std::vector<std::string>& keys) {
    if (keys.empty()) {
        return;
    }
    if (mapping.kind() == Kind::alias) {
        throw file_.error(mapping.range(), "this mapping is an alias and cannot lose keys");
    }
    auto at = std::ranges::find(removals_, &mapping, &std::pair<const Node*, Keys>::first);
    at = at == removals_.end() ? removals_.insert(at, {&mapping, {}}) : at;
    at->second.insert(at->second.end(), keys.begin(), keys.end());
}

void Splicer::remove_block(const Node& mapping, const Keys& keys, std::vector<Edit>& edits) const {
    const auto own = own_entries(mapping);
    for (std::size_t i = 0; i < own.size(); ++i) {
        if (!named(keys, own[i])) {
            continue;
        }
        const std::size_t key = own[i].key.full_range().begin;
        const std::size_t value = own[i].value.range().end;
        std::size_t begin = line_start(key);
        const std::string_view before = text_.substr(begin, key - begin);
        if (before.find_first_not_of(' ') != npos) {  // "- key: value": the dash stays
            if (i + 1 == own.size() || named(keys, own[i + 1])) {
                throw file_.error(own[i].key.range(), "this entry cannot be taken away");
            }
            edits.push_back({{key, own[i + 1].key.full_range().begin}, ""});
            continue;
        }
        const std::size_t end =
            is_block_scalar(own[i].value) || (value > 0 && text_[value - 1] == '\n')
                ? value
                : line_end(value);
        if (end == text_.size() && !text_.ends_with('\n') && begin > 0) {
            begin -= begin > 1 && text_[begin - 2] == '\r' ? 2U : 1U;
        }
        edits.push_back({{begin, end}, ""});
    }
}

void Splicer::remove_flow(const Node& mapping, const Keys& keys, std::vector<Edit>& edits) const {
    const auto own = own_entries(mapping);
    if (std::ranges::all_of(own, [&](const Entry& e) { return named(keys, e); })) {
        edits.push_back({{mapping.range().begin + 1, mapping.range().end - 1}, ""});
        return;
    }
    for (std::size_t i = 0; i < own.size(); ++i) {
        if (!named(keys, own[i])) {
            continue;
        }
        // The comma to take is the one before, unless everything before goes too.
        const bool first = std::all_of(own.begin(), own.begin() + static_cast<std::ptrdiff_t>(i),
                                       [&](const Entry& e) { return named(keys, e); });
        first ? edits.push_back(
                    {{own[i].key.full_range().begin, own[i + 1].key.full_range().begin}, ""})
              : edits.push_back({{own[i - 1].value.range().end, own[i].value.range().end}, ""});
    }
}

std::string Splicer::apply() const {
    std::vector<Edit> all = edits_;
    for (const auto& [braces, entries] : fills_) {
        all.push_back(filled_braces(*braces, entries));
    }
    for (const auto& [mapping, keys] : removals_) {
        is_flow(*mapping) ? remove_flow(*mapping, keys, all) : remove_block(*mapping, keys, all);
    }
    std::vector<const Edit*> order;
    for (const auto& edit : all) {
        order.push_back(&edit);
    }
    std::ranges::stable_sort(order, {},
                             [](const Edit* e) { return std::pair(e->range.begin, e->range.end); });
    std::string out;
    out.reserve(text_.size() + 1024);
    std::size_t done = 0;
    for (const Edit* edit : order) {
        if (edit->range.begin < done || edit->range.end > text_.size()) {
            throw std::logic_error("two edits of one file meet");
        }
        out.append(text_.substr(done, edit->range.begin - done)).append(edit->text);
        done = edit->range.end;
    }
    return out.append(text_.substr(done));
}

}  // namespace wasmplug::manifest
