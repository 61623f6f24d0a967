#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/yaml_write.hpp"
#include "release/change.hpp"

namespace wasmplug::release {
namespace {

using yaml::Node;
using yaml::Range;

constexpr auto npos = std::string::npos;

// Whether the value ends its line, or ends with it.
bool ends_line(const Located& located, const Site& site) {
    const std::string_view text = *located.text;
    const std::size_t end = site.value->range().end;
    const std::string_view rest = text.substr(end);
    return rest.starts_with('\n') || rest.starts_with("\r\n") || (end > 0 && text[end - 1] == '\n');
}

const yaml::Document& document_of(const yaml::File& file, const Node& node) {
    return *std::ranges::find_if(file.documents(),
                                 [&](const auto& one) { return one.root->holds(node); });
}

// On one line, or as JSON over many where the mapping in `located` is written so.
std::string flow_text(const Located& located, const yaml::File& file, const Node& node,
                      bool in_flow, std::size_t key_column) {
    const yaml::Layout here = located.layout();
    const auto json = yaml::to_json(node);
    if (!in_flow || !here.is_json() || located.text->find("\n ") == npos) {
        const std::string_view source = file.text().substr(node.range().begin, node.range().size());
        const bool as_written = !in_flow && source.find('\n') == npos && !source.empty();
        return " " + (as_written       ? std::string(source)
                      : here.is_json() ? json.dump()
                                       : yaml::write(json, {.layout = yaml::Style::flow}));
    }
    std::string text = json.dump(static_cast<int>(here.step()));
    for (std::size_t at = text.find('\n'); at != npos; at = text.find('\n', at + 1)) {
        text.insert(at + 1, std::string(key_column, ' '));
    }
    return " " + text;
}

// The lines of `source`, from `from` columns on, behind `indent`.
std::string moved(std::string_view source, std::size_t from, std::string_view indent,
                  std::string_view line_break) {
    std::string text;
    while (!source.empty()) {
        const std::size_t end = std::min(source.find('\n'), source.size());
        std::string_view line = source.substr(0, end);
        const bool ended = end < source.size();
        source.remove_prefix(std::min(end + 1, source.size()));
        line = line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
        const std::size_t blank = std::min(line.find_first_not_of(' '), line.size());
        line.remove_prefix(std::min(from, blank));
        text += line.empty() ? "" : indent;
        text += line;
        text += ended ? line_break : "";
    }
    return text;
}

// `node` of `file` as source text behind a ':' in `located`.
std::string config_text(const Located& located, const yaml::File& file, const Node& node) {
    const Site* site = located.site(Role::config);
    if (site == nullptr) {
        return {};
    }
    const yaml::Layout here = located.layout();
    const bool in_flow = yaml::is_flow(*site->place.value);
    const Node& mapping = *site->place.value;
    const std::size_t key_column = site->own ? here.column(site->key_node->full_range().begin)
                                   : mapping.is_mapping() && mapping.size() > 0
                                       ? here.column(mapping)
                                       : here.column(mapping.full_range().begin);
    if (in_flow || node.style() == yaml::Style::flow || !node.is_mapping()) {
        return flow_text(located, file, node, in_flow, key_column);
    }
    const bool beside = site->own && site->value->is_mapping() && site->value->size() > 0 &&
                        site->value->style() != yaml::Style::flow &&
                        site->value->kind() != yaml::Kind::alias;
    std::string prefix;
    std::string indent(key_column + here.step(), ' ');
    if (beside) {
        const auto region = here.value_region(site->slot());
        indent = std::string(here.column(*site->value), ' ');
        prefix = located.text->substr(region.begin, site->value->range().begin - region.begin);
        const std::size_t line = prefix.rfind('\n');
        prefix = line == npos ? "" : prefix.substr(0, line + 1);
    }
    // A block keeps its lines as they are.
    const std::size_t base = yaml::Layout(file, document_of(file, node)).column(node);
    const Range range = node.range();
    std::string text = prefix.empty() ? here.line_break() : prefix;
    text += moved(file.text().substr(range.begin - base, range.size() + base), base, indent,
                  here.line_break());
    // Nothing can follow a block scalar on its line.
    if (text.ends_with('\n') && site->own && !ends_line(located, *site)) {
        return " " + yaml::write(yaml::to_json(node), {.layout = yaml::Style::flow});
    }
    return text;
}

}  // namespace

std::string config_text_for(const Located& located, const yaml::File& file, const Node& config) {
    if (!config.is_mapping()) {
        throw file.error(config.range(), fmt::format("a configuration is a mapping, and this is {}",
                                                     yaml::type_name(config.type())));
    }
    return config_text(located, file, config.target());
}

std::string reindented_config(const Located& located, const std::string& text) {
    const auto file = yaml::File::parse("x:" + text, "the recorded configuration");
    const Node* value = file.single().find("x");
    if (value == nullptr) {
        return text;
    }
    // The end of a file without a line break is the only place where this text means what it
    // meant; anywhere else it has to be written otherwise.
    const auto& document = file.documents().front();
    if (!text.ends_with('\n') && yaml::Layout(file, document).takes_line_break(*value)) {
        const auto again = yaml::File::parse(yaml::write({{"x", yaml::to_json(*value)}}), "x");
        return config_text(located, again, *again.single().find("x"));
    }
    return config_text(located, file, *value);
}

}  // namespace wasmplug::release
