#include "manifest/result.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace wasmplug::manifest {

Verdict DocumentResult::verdict() const {
    return skipped.empty() ? worst(findings) : Verdict::skipped;
}

Verdict DocumentResult::verdict(Layer layer) const {
    return worst(findings, &layer);
}

DocumentResult summarize(Checked checked) {
    const auto& object = checked.object;
    const auto& file = object.file;
    const auto begin =
        object.root == nullptr ? object.range.begin : beginning_of(*object.root).begin;
    DocumentResult result{.file = file.name(),
                          .index = object.index,
                          .item = object.item,
                          .line = file.position(begin).line,
                          .api_version = std::string(object.api_version),
                          .kind = std::string(object.kind_name),
                          .ns = std::string(object.ns),
                          .name = std::string(object.name),
                          .judged = object.identity == Identity::ours,
                          .skipped = std::move(checked.skipped),
                          .findings = {},
                          .suppressions = find_suppressions(object)};
    result.findings.reserve(checked.findings.size());
    for (auto& finding : checked.findings) {
        result.findings.push_back({.rule = finding.rule,
                                   .level = finding.level,
                                   .layer = finding.layer,
                                   .path = std::move(finding.path),
                                   .begin = file.position(finding.range.begin),
                                   .end = file.position(finding.range.end),
                                   .message = std::move(finding.message),
                                   .fix = std::move(finding.fix),
                                   .right = std::move(finding.right),
                                   .excerpt = file.excerpt(finding.range)});
    }
    return result;
}

void finish(DocumentResult& result) {
    apply_suppressions(result);
    std::stable_sort(result.findings.begin(), result.findings.end(),
                     [](const Diagnostic& a, const Diagnostic& b) {
                         return std::tuple(a.begin.line, a.begin.column, a.layer) <
                                std::tuple(b.begin.line, b.begin.column, b.layer);
                     });
}

std::vector<ReportRule> report_rules() {
    std::vector<ReportRule> all;
    for (const auto& rule : rules()) {
        all.push_back(
            {.id = std::string(rule.id),
             .text = std::string(rule.text),
             .help = fmt::format("{}{}{}", rule.reason, rule.reason.empty() ? "" : ". ", rule.fix),
             .level = rule.level});
    }
    return all;
}

std::optional<ReportCase> report_case(const DocumentResult& result, Level fail_on) {
    if (!result.skipped.empty()) {
        return std::nullopt;
    }
    ReportCase item;
    item.suite = result.file;
    item.type = result.kind.empty() ? "" : result.kind + "@" + result.api_version;
    item.name = result.ns.empty() ? result.name : result.ns + "/" + result.name;
    if (item.name.empty()) {
        item.name = fmt::format("document {}", result.index + 1);
    }
    for (const auto& finding : result.findings) {
        if (finding.level >= fail_on) {
            item.outcome = ReportCase::Outcome::failed;
        }
        item.findings.push_back({.rule = std::string(finding.rule->id),
                                 .level = finding.level,
                                 .message = finding.message,
                                 .fix = finding.fix,
                                 .place = {.file = result.file,
                                           .line = finding.begin.line,
                                           .column = finding.begin.column,
                                           .end_line = finding.end.line,
                                           .end_column = finding.end.column}});
    }
    return item;
}

}  // namespace wasmplug::manifest
