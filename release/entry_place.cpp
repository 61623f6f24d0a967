#include "release/entry_place.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/yaml_write.hpp"

namespace wasmplug::release {
namespace {

using yaml::Layout;
using yaml::Node;

// The line behind the one that an entry ends on.
std::size_t line_behind(const Layout& layout, std::size_t end) {
    return layout.behind_break(end) ? end : layout.next_line(end);
}

bool is_idle_line(const Layout& layout, std::size_t begin) {
    const auto text = layout.text().substr(begin, layout.line_end(begin) - begin);
    const auto first = text.find_first_not_of(" \t\r");
    return first == std::string_view::npos || text[first] == '#';
}

// Where the lines below the entry `behind` begin; below the mapping's own key when it is "".
std::optional<std::size_t> beginning(const Layout& layout, const yaml::Slot& mapping,
                                     const std::string& behind) {
    if (!behind.empty()) {
        const auto entry = mapping.value->own_entry(behind);
        return entry ? std::optional(line_behind(layout, entry->value.range().end)) : std::nullopt;
    }
    return mapping.key == nullptr
               ? std::nullopt
               : std::optional(line_behind(layout, mapping.key->full_range().end));
}

// The line that the place means now.
std::optional<std::size_t> find_line(const Layout& layout, const yaml::Slot& mapping,
                                     const EntryPlace& place, const EntryPlace* other) {
    auto at = beginning(layout, mapping, place.behind);
    if (!at && !place.otherwise.empty()) {
        at = beginning(layout, mapping, place.otherwise);
    }
    if (!at && other != nullptr) {
        at = find_line(layout, mapping, *other, nullptr);
    }
    for (std::size_t i = 0; at && i < place.lines; ++i) {
        if (*at >= layout.text().size() || !is_idle_line(layout, *at)) {
            return std::nullopt;
        }
        at = layout.next_line(*at);
    }
    return at;
}

bool is_block(const yaml::Slot& mapping) {
    return mapping.value != nullptr && mapping.value->is_mapping() && mapping.value->size() > 0 &&
           mapping.value->kind() != yaml::Kind::alias && !yaml::is_flow(*mapping.value);
}

}  // namespace

std::optional<EntryPlace> place_of(const Located& located, Role role) {
    const Site* site = located.site(role);
    if (site == nullptr || !site->own || !is_block(site->place)) {
        return std::nullopt;
    }
    const Layout layout = located.layout();
    EntryPlace place;
    for (const auto& slot : yaml::slots_of(*site->place.value)) {
        if (slot.value == site->value) {
            break;
        }
        place.otherwise = slot.key->key_text() == "selector" ? place.behind : "";
        place.behind = slot.key->key_text();
    }
    const auto begin = beginning(layout, site->place, place.behind);
    const std::size_t own = layout.line_begin(site->key_node->full_range().begin);
    if (!begin || *begin > own) {
        return std::nullopt;
    }
    for (std::size_t at = *begin; at < own; at = layout.next_line(at)) {
        ++place.lines;
    }
    const std::size_t end = site->value->range().end;
    if (!layout.behind_break(end)) {
        place.comment = layout.text().substr(end, layout.line_end(end) - end);
    }
    return place;
}

std::optional<yaml::Edit> entry_at(const Located& located, const Site& site,
                                   const EntryPlace& place, const EntryPlace* other,
                                   const std::string& text) {
    if (!is_block(site.place)) {
        return std::nullopt;
    }
    const Layout layout = located.layout();
    const auto at = find_line(layout, site.place, place, other);
    if (!at) {
        return std::nullopt;
    }
    std::string line =
        std::string(layout.column(*site.place.value), ' ') +
        yaml::write_scalar(site.key, yaml::Style::plain, layout.context(site.place.value)) + ":" +
        text;
    const bool at_end = *at > 0 && !layout.behind_break(*at);
    if (!line.ends_with('\n')) {
        line += place.comment + (at_end ? "" : layout.line_break());
    }
    return yaml::Edit{{*at, *at}, at_end ? layout.line_break() + line : line};
}

}  // namespace wasmplug::release
