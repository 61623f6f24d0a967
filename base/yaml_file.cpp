#include <algorithm>
#include <utility>

#include "base/file.hpp"
#include "base/terminal.hpp"
#include "base/yaml_content.hpp"

namespace wasmplug::yaml {
namespace {

// Part of a long line (a minified JSON file is one) that a person can still look at: the bytes
// from `at` on and some before, cut at code points.
Range window(std::string_view line, std::size_t at) {
    constexpr std::size_t before = 60;
    constexpr std::size_t most = 140;
    if (line.size() <= most) {
        return {0, line.size()};
    }
    const auto align = [line](std::size_t offset) {
        while (offset < line.size() && (static_cast<unsigned char>(line[offset]) & 0xC0U) == 0x80) {
            ++offset;
        }
        return offset;
    };
    const std::size_t begin = at > before ? at - before : 0;
    return {align(begin), align(std::min(begin + most, line.size()))};
}

std::string shown(std::string_view text) {
    std::string spaced(text);
    std::replace(spaced.begin(), spaced.end(), '\t', ' ');
    return printable(spaced);
}

// Offsets at which lines begin. Found at once: threads share the file, and a lock for the first
// that asks costs more than the lines of a manifest.
std::vector<std::uint32_t> line_starts(std::string_view text) {
    std::vector<std::uint32_t> starts;
    starts.reserve(text.size() / 16 + 1);  // most files have fewer
    starts.push_back(0);
    for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) {
        starts.push_back(static_cast<std::uint32_t>(at + 1));
    }
    return starts;
}

}  // namespace

File::Content::Content(std::string the_text, std::string the_name)
    : name(std::move(the_name)),
      text(std::move(the_text)),
      lines(line_starts(text)),
      has_bom(text.starts_with("\xEF\xBB\xBF")) {}

File::File() : content_(std::make_shared<const Content>("", "")) {}

File File::read(const std::filesystem::path& path, const Limits& limits) {
    return parse(read_file(path, limits.bytes), path.string(), limits);
}

const std::string& File::name() const {
    return content_->name;
}

std::string_view File::text() const {
    return content_->text;
}

bool File::has_bom() const {
    return content_->has_bom;
}

const std::vector<Document>& File::documents() const {
    return content_->documents;
}

const std::vector<Problem>& File::problems() const {
    return content_->problems;
}

const File& File::checked() const {
    if (!problems().empty()) {
        const Problem& problem = problems().front();
        throw error(problem.range, problem.message, problem.hint);
    }
    return *this;
}

const Node& File::single() const {
    checked();
    const Document* found = nullptr;
    for (const Document& document : documents()) {
        if (document.is_empty()) {
            continue;
        }
        if (found != nullptr) {
            throw error({document.range.begin, document.range.begin},
                        "a second document, where only one is expected");
        }
        found = &document;
    }
    if (found == nullptr) {
        throw Error(name() + " is empty");
    }
    return *found->root;
}

Position File::position(std::size_t byte) const {
    const auto& starts = content_->lines;
    byte = std::min(byte, content_->text.size());
    const auto next = std::upper_bound(starts.begin(), starts.end(), byte);
    const auto line = static_cast<std::size_t>(next - starts.begin());
    std::size_t start = starts[line - 1];
    if (line == 1 && has_bom() && byte >= 3) {
        start = 3;
    }
    return {line, code_points(text().substr(start, byte - start)) + 1};
}

std::string File::where(std::size_t byte) const {
    const Position at = position(byte);
    return name() + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
}

std::string_view File::line(std::size_t number) const {
    const auto& starts = content_->lines;
    if (number < 1 || number > starts.size()) {
        return {};
    }
    const std::size_t begin = number == 1 && has_bom() ? 3 : starts[number - 1];
    const std::size_t end = number < starts.size() ? starts[number] - 1 : text().size();
    auto line = text().substr(begin, end - begin);
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    return line;
}

std::string File::excerpt(Range range) const {
    const Position start = position(range.begin);
    const std::string_view whole = line(start.line);
    const auto line_begin = static_cast<std::size_t>(whole.data() - text().data());
    const std::size_t at =
        std::min(whole.size(), range.begin < line_begin ? 0 : range.begin - line_begin);
    const std::size_t end =
        std::clamp(range.end < line_begin ? 0 : range.end - line_begin, at, whole.size());
    const Range part = window(whole, at);
    const std::string before = shown(whole.substr(part.begin, at - part.begin));
    const std::size_t marked = display_width(shown(whole.substr(at, std::min(end, part.end) - at)));
    std::string text = shown(whole.substr(part.begin, part.size()));
    text += "\n" + std::string(display_width(before), ' ') + "^";
    text.append(marked > 1 ? marked - 1 : 0, '~');
    return text + "\n";
}

Error File::error(Range range, const std::string& message, const std::string& hint,
                  ExitCode code) const {
    std::string with_line = excerpt(range) + hint;
    if (hint.empty()) {
        with_line.pop_back();  // the line break
    }
    return Error(where(range.begin) + ": " + message, with_line, code);
}

Path File::path_of(const Document& document, const Node& node) const {
    Path path;
    const Node* at = document.root;
    while (at != nullptr && at != &node && at->kind() != Kind::alias) {
        const Node* next = nullptr;
        if (at->kind() == Kind::sequence) {
            std::size_t index = 0;
            for (const Node& item : at->items()) {
                if (item.holds(node)) {
                    path = path / index;
                    next = &item;
                    break;
                }
                ++index;
            }
        }
        for (const auto& entry : at->entries()) {
            const bool in_key = entry.key.holds(node);
            if (in_key || entry.value.holds(node)) {
                path = path / entry.key.key_text();
                next = in_key ? nullptr : &entry.value;
                break;
            }
        }
        at = next;
    }
    return path;
}

namespace {

// A text that is no YAML: quotes are followed line by line only.
std::optional<std::size_t> template_in_text(std::string_view text) {
    char quote = '\0';
    bool comment = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        const bool after_space =
            at == 0 || std::string_view(" \t\n:[,{-").find(text[at - 1]) != std::string_view::npos;
        if (c == '\n') {
            quote = '\0';
            comment = false;
        } else if (comment) {
            continue;
        } else if (quote != '\0') {
            quote = c == quote ? '\0' : quote;
        } else if (after_space && (c == '"' || c == '\'')) {
            quote = c;
        } else if (after_space && c == '#') {
            comment = true;
        } else if (text.substr(at).starts_with("{{")) {
            return at;
        }
    }
    return std::nullopt;
}

// `{{ .V }}` parses as a mapping whose only key is a mapping; amid a plain scalar it is text.
std::optional<std::size_t> template_in_node(const Node& node, std::string_view text) {
    if (node.kind() == Kind::scalar && node.style() == Style::plain) {
        const std::size_t at = node.text().find("{{");
        return at == std::string_view::npos ? std::nullopt : std::optional(node.range().begin + at);
    }
    if (node.kind() == Kind::mapping && node.style() == Style::flow &&
        text.substr(node.range().begin).starts_with("{{")) {
        return node.range().begin;
    }
    if (node.kind() == Kind::sequence) {
        for (const Node& item : node.items()) {
            if (const auto found = template_in_node(item, text)) {
                return found;
            }
        }
    } else if (node.kind() == Kind::mapping) {
        for (const auto& entry : node.entries()) {
            for (const Node* part : {&entry.key, &entry.value}) {
                if (const auto found = template_in_node(*part, text)) {
                    return found;
                }
            }
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::size_t> File::template_at() const {
    if (text().find("{{") == std::string_view::npos) {
        return std::nullopt;
    }
    const bool is_cut = !problems().empty() && problems().front().kind == Problem::Kind::syntax;
    if (is_cut) {
        return template_in_text(text());
    }
    for (const Document& document : documents()) {
        if (const auto found = template_in_node(*document.root, text())) {
            return found;
        }
    }
    return std::nullopt;
}

}  // namespace wasmplug::yaml
