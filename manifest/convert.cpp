#include "manifest/convert.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/yaml_edit.hpp"
#include "manifest/objects.hpp"

namespace wasmplug::manifest {
namespace {

using nlohmann::ordered_json;
using yaml::Node;

constexpr auto npos = std::string_view::npos;

const Field& wasm_field() {
    return *find_child(spec_of(Kind::traffic_extension), "wasm");
}

// What the spec has to say afterwards.
ordered_json converted_spec(const ordered_json& spec, Kind to) {
    auto result = ordered_json::object();
    if (to == Kind::traffic_extension) {
        for (const auto& [key, value] : spec.items()) {
            if (find_child(wasm_field(), key) != nullptr) {
                result["wasm"][key] = value;
            } else if (key == "targetRef") {
                result["targetRefs"] = ordered_json::array({value});
            } else {
                result[key] = value;
            }
        }
    } else {
        for (const auto& [key, value] : spec.items()) {
            if (key == "wasm") {
                for (const auto& [name, below] : value.items()) {
                    result[name] = below;
                }
            } else {
                result[key] = value;
            }
        }
    }
    if (result.contains("phase")) {
        const auto from = to == Kind::traffic_extension ? "UNSPECIFIED_PHASE" : "UNSPECIFIED";
        const auto into = to == Kind::traffic_extension ? "UNSPECIFIED" : "UNSPECIFIED_PHASE";
        if (result["phase"] == from) {
            result["phase"] = into;
        }
    }
    return result;
}

// The lines of one entry of a block mapping, with the comments above it.
struct Segment {
    std::string key;
    std::size_t begin = 0;
    std::size_t key_line = 0;  // where the line with the key begins
    std::size_t end = 0;
};

std::size_t line_begin(std::string_view text, std::size_t at) {
    const auto found = at == 0 ? npos : text.rfind('\n', at - 1);
    return found == npos ? 0 : found + 1;
}

std::size_t line_end(std::string_view text, std::size_t at) {
    const auto found = text.find('\n', at);
    return found == npos ? text.size() : found + 1;
}

std::size_t indent_at(std::string_view text, std::size_t begin) {
    return std::min(text.find_first_not_of(' ', begin), text.size()) - begin;
}

bool is_comment(std::string_view text, std::size_t begin, std::size_t indent) {
    const auto at = begin + indent_at(text, begin);
    return at < text.size() && text[at] == '#' && at - begin <= indent;
}

std::vector<Segment> segments_of(std::string_view text, const Node& mapping) {
    std::vector<Segment> segments;
    for (const auto entry : mapping.entries()) {
        Segment segment;
        segment.key = entry.key.key_text();
        segment.key_line = line_begin(text, entry.key.full_range().begin);
        segment.begin = segment.key_line;
        const auto indent = entry.key.full_range().begin - segment.key_line;
        const auto floor =
            segments.empty() ? line_end(text, segment.key_line) : segments.back().end;
        while (!segments.empty() && segment.begin > floor) {
            const auto above = line_begin(text, segment.begin - 1);
            if (!is_comment(text, above, indent)) {
                break;
            }
            segment.begin = above;
        }
        const auto last = std::max(entry.value.full_range().end, entry.key.full_range().end);
        // A block scalar ends behind its line break.
        segment.end = last > 0 && text[last - 1] == '\n' ? last : line_end(text, last);
        if (!segments.empty()) {
            segments.back().end = segment.begin;
        }
        segments.push_back(segment);
    }
    return segments;
}

// Shifts the lines by `by` columns; negative takes blanks away. Lines without content stay.
std::string shifted(std::string_view lines, std::ptrdiff_t by) {
    std::string result;
    for (std::size_t begin = 0; begin < lines.size();) {
        const auto end = line_end(lines, begin);
        auto line = lines.substr(begin, end - begin);
        begin = end;
        if (line.find_first_not_of(" \t\r\n") == npos) {
            result += line;
        } else if (by >= 0) {
            result += std::string(static_cast<std::size_t>(by), ' ');
            result += line;
        } else {
            line.remove_prefix(std::min(static_cast<std::size_t>(-by), indent_at(line, 0)));
            result += line;
        }
    }
    return result;
}

// "targetRef:" and its block become "targetRefs:" with one item.
std::string as_list(std::string_view text, const Segment& segment) {
    std::string result(text.substr(segment.begin, segment.key_line - segment.begin));
    const auto body = line_end(text, segment.key_line);
    std::string key_line(text.substr(segment.key_line, body - segment.key_line));
    result += key_line.replace(key_line.find("targetRef"), 9, "targetRefs");
    bool first = true;
    for (std::size_t begin = body; begin < segment.end;) {
        const auto end = line_end(text, begin);
        const auto line = text.substr(begin, end - begin);
        const auto indent = indent_at(text, begin);
        const bool content = line.find_first_not_of(" \t\r\n") != npos && line[indent] != '#';
        result += first && content
                      ? std::string(indent, ' ') + "- " + std::string(line.substr(indent))
                      : shifted(line, 2);
        first = first && !content;
        begin = end;
    }
    return result;
}

std::string eol_of(std::string_view text) {
    return text.find("\r\n") == npos ? "\n" : "\r\n";
}

std::string with_line_break(std::string lines, const std::string& eol) {
    if (!lines.empty() && !lines.ends_with('\n')) {
        lines += eol;
    }
    return lines;
}

std::string to_extension(std::string_view text, const std::vector<Segment>& segments,
                         std::size_t indent) {
    const auto eol = eol_of(text);
    std::string before;
    std::string wasm;
    std::string after;
    for (const auto& segment : segments) {
        const auto lines = with_line_break(
            segment.key == "targetRef"
                ? as_list(text, segment)
                : std::string(text.substr(segment.begin, segment.end - segment.begin)),
            eol);
        if (find_child(wasm_field(), segment.key) != nullptr) {
            wasm += shifted(lines, 2);
        } else {
            (wasm.empty() ? before : after) += lines;
        }
    }
    return before + std::string(indent, ' ') + "wasm:" + eol + wasm + after;
}

std::string to_plugin(std::string_view text, const std::vector<Segment>& segments, const Node& wasm,
                      std::size_t indent) {
    std::string result;
    for (const auto& segment : segments) {
        if (segment.key != "wasm") {
            result += with_line_break(
                std::string(text.substr(segment.begin, segment.end - segment.begin)), eol_of(text));
            continue;
        }
        const auto body = line_end(text, segment.key_line);
        const auto key_line = text.substr(segment.key_line, body - segment.key_line);
        result += text.substr(segment.begin, segment.key_line - segment.begin);
        if (const auto hash = key_line.find('#'); hash != npos) {
            result += std::string(indent, ' ') + std::string(key_line.substr(hash));
        }
        const auto first = (*wasm.entries().begin()).key.full_range().begin;
        const auto deeper = first - line_begin(text, first);
        result += with_line_break(
            shifted(text.substr(body, segment.end - body),
                    static_cast<std::ptrdiff_t>(indent) - static_cast<std::ptrdiff_t>(deeper)),
            eol_of(text));
    }
    return result;
}

bool movable(const Node& mapping) {
    return mapping.kind() == yaml::Kind::mapping && mapping.style() == yaml::Style::block &&
           mapping.size() > 0;
}

const Object* next_of(const std::vector<Object>& objects, Kind from) {
    for (const auto& object : objects) {
        if (object.identity == Identity::ours && object.kind == from) {
            return &object;
        }
    }
    return nullptr;
}

yaml::Path root_path(const Object& object) {
    yaml::Path path;
    return object.item ? path / "items" / *object.item : path;
}

std::string convert_one(const yaml::File& file, const Object& object, Kind to) {
    const auto* spec = object.spec();
    if (spec == nullptr) {
        throw file.error(object.range, "there is no spec to convert");
    }
    if (to == Kind::wasm_plugin) {
        if (const auto* lua = spec->find("lua")) {
            throw file.error(lua->range(), "a Lua script has no WasmPlugin");
        }
    }
    const auto expected = converted_spec(yaml::to_json(*spec), to);
    auto text = std::string(file.text());
    const auto* wasm = spec->find("wasm");
    const bool by_lines =
        movable(*spec) && (to == Kind::traffic_extension || (wasm != nullptr && movable(*wasm)));
    if (by_lines) {
        const auto segments = segments_of(text, *spec);
        const auto first = (*spec->entries().begin()).key.full_range().begin;
        const auto indent = first - line_begin(text, first);
        const auto begin = segments.front().begin;
        const auto lines = to == Kind::traffic_extension ? to_extension(text, segments, indent)
                                                         : to_plugin(text, segments, *wasm, indent);
        const bool ended = text[segments.back().end - 1] == '\n';
        text.replace(begin, segments.back().end - begin,
                     ended ? lines : lines.substr(0, lines.find_last_not_of("\r\n") + 1));
    }
    yaml::Editor editor(yaml::File::parse(std::move(text), file.name()));
    const auto root = root_path(object);
    if (!by_lines) {
        editor.set(object.index, root / "spec", expected);
    } else if (expected.contains("phase")) {
        editor.set(object.index, root / "spec" / "phase", expected["phase"]);
    }
    editor.set(object.index, root / "kind", std::string(to_string(to)));
    const auto* now = editor.file().documents().at(object.index).root->at(root / "spec");
    if (now == nullptr || nlohmann::json(yaml::to_json(*now)) != nlohmann::json(expected)) {
        throw file.error(spec->range(), "this layout cannot be converted line by line",
                         "write it in block style, one field a line");
    }
    return std::string(editor.text());
}

}  // namespace

Converted convert(const yaml::File& file, Kind to) {
    file.checked();
    const auto from = to == Kind::wasm_plugin ? Kind::traffic_extension : Kind::wasm_plugin;
    Converted result{.text = std::string(file.text()), .count = 0, .notes = {}};
    auto current = file;
    for (;;) {
        const auto objects = objects_in(current);
        const auto* object = next_of(objects, from);
        if (object == nullptr) {
            break;
        }
        result.text = convert_one(current, *object, to);
        ++result.count;
        current = yaml::File::parse(result.text, file.name());
    }
    if (result.count > 0 && to == Kind::traffic_extension) {
        result.notes.emplace_back(
            "the new object does not replace the old one: delete the WasmPlugin of the same name, "
            "or both run");
    }
    return result;
}

}  // namespace wasmplug::manifest
