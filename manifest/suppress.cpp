#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "manifest/result.hpp"

namespace wasmplug::manifest {
namespace {

constexpr auto npos = std::string_view::npos;
constexpr std::string_view mark = "wasmplug:ignore";
constexpr std::size_t most = 1000;  // comments that are heeded in one document

bool blank_or_comment(std::string_view line) {
    const auto begin = line.find_first_not_of(" \t\r");
    return begin == npos || line[begin] == '#';
}

std::vector<std::string> rules_in(std::string_view text) {
    std::vector<std::string> ids;
    std::string word;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        const char c = i < text.size() ? text[i] : ' ';
        if (c == ',' || c == ' ' || c == '\t' || c == '\r') {
            if (word.empty()) {
                continue;
            }
            const auto* rule = find_rule(word);
            const bool looks_like_one = word.starts_with("WP") || word.starts_with("wp");
            if (rule == nullptr && !looks_like_one) {
                break;  // the reason begins
            }
            ids.emplace_back(rule == nullptr ? word : std::string(rule->id));
            word.clear();
        } else {
            word += c;
        }
    }
    return ids;
}

std::size_t indent_of(std::string_view line) {
    const auto begin = line.find_first_not_of(' ');
    return begin == npos ? line.size() : begin;
}

// The lines that a comment standing alone is for: the next one with content, and what is nested
// below it.
void find_scope(const yaml::File& file, const Object& object, std::size_t comment_line,
                Suppression& suppression) {
    const auto last_line = file.position(object.range.end).line;
    auto line = comment_line + 1;
    while (line <= last_line && blank_or_comment(file.line(line))) {
        ++line;
    }
    suppression.first = line;
    const auto root_line =
        object.root == nullptr ? line : file.position(beginning_of(*object.root).begin).line;
    if (line <= root_line || file.line(line).starts_with("---")) {
        suppression.last = last_line;
        return;
    }
    const auto indent = indent_of(file.line(line));
    suppression.last = line;
    while (suppression.last < last_line) {
        const auto next = file.line(suppression.last + 1);
        const bool nested = blank_or_comment(next) || indent_of(next) > indent ||
                            (indent_of(next) == indent && next.substr(indent).starts_with("- "));
        if (!nested) {
            break;
        }
        ++suppression.last;
    }
}

}  // namespace

std::vector<Suppression> find_suppressions(const Object& object) {
    std::vector<Suppression> found;
    const auto& file = object.file;
    // Not a byte beyond its own document: a stream may hold a thousand.
    const auto text = file.text().substr(0, object.range.end);
    auto at = text.find(mark, object.range.begin);
    for (; at != npos; at = text.find(mark, at + 1)) {
        const auto hash = text.substr(0, at).find_last_not_of(" \t");
        if (hash == npos || text[hash] != '#') {
            continue;
        }
        if (found.size() == most) {
            break;
        }
        const auto position = file.position(at);
        const auto line = file.line(position.line);
        const auto end = std::min(text.find('\n', at), text.size());
        Suppression suppression;
        suppression.rules = rules_in(text.substr(at + mark.size(), end - at - mark.size()));
        suppression.begin = file.position(hash);
        suppression.end = file.position(end);
        // Comments that follow each other are for the same lines.
        if (blank_or_comment(line) && !found.empty() && found.back().first > position.line) {
            suppression.first = found.back().first;
            suppression.last = found.back().last;
        } else if (blank_or_comment(line)) {
            find_scope(file, object, position.line, suppression);
        } else {
            suppression.first = suppression.last = position.line;
        }
        found.push_back(std::move(suppression));
    }
    return found;
}

void apply_suppressions(DocumentResult& result) {
    auto& suppressions = result.suppressions;
    if (suppressions.empty()) {
        return;
    }
    std::erase_if(result.findings, [&](const Diagnostic& finding) {
        bool silent = false;
        for (auto& suppression : suppressions) {
            const auto& rules = suppression.rules;
            const bool hit = suppression.first <= finding.begin.line &&
                             finding.begin.line <= suppression.last &&
                             std::find(rules.begin(), rules.end(), finding.rule->id) != rules.end();
            suppression.used = suppression.used || hit;
            silent = silent || hit;
        }
        return silent;
    });
    for (const auto& suppression : suppressions) {
        if (suppression.used) {
            continue;
        }
        std::string message = "this comment names no rule";
        for (const auto& id : suppression.rules) {
            message = find_rule(id) == nullptr ? fmt::format("there is no rule {}", id)
                                               : fmt::format("{} has nothing to say here", id);
        }
        const auto* rule = find_rule("WP302");
        result.findings.push_back({.rule = rule,
                                   .level = rule->level,
                                   .layer = rule->layer,
                                   .path = {},
                                   .begin = suppression.begin,
                                   .end = suppression.end,
                                   .message = message,
                                   .fix = std::string(rule->fix),
                                   .excerpt = {}});
    }
}

}  // namespace wasmplug::manifest
