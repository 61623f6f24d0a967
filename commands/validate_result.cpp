#include "commands/validate_result.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/diff.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "base/terminal.hpp"

namespace wasmplug {
namespace {

using manifest::Diagnostic;
using manifest::DocumentResult;
using manifest::Layer;
using manifest::Verdict;
using nlohmann::ordered_json;

std::string plural(std::size_t number, std::string_view what) {
    return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

std::string summary_line(const Tally& tally, bool as_kubeconform) {
    if (as_kubeconform) {
        // kubeconform's own line, which scripts read.
        return fmt::format(
            "Summary: {} resource{} found in {} file{} - Valid: {}, Invalid: {}, Errors: {}, "
            "Skipped: {}\n",
            tally.documents, tally.documents == 1 ? "" : "s", tally.files,
            tally.files == 1 ? "" : "s", tally.ok + tally.warning, tally.error, tally.unreadable,
            tally.skipped);
    }
    auto text =
        fmt::format("{} in {}: {} ok", plural(tally.ok + tally.warning + tally.error, "document"),
                    plural(tally.files, "file"), tally.ok);
    if (tally.warning > 0) {
        text += ", " + plural(tally.warning, "warning");
    }
    if (tally.error > 0) {
        text += fmt::format(", {} refused", tally.error);
    }
    if (tally.skipped > 0) {
        text += fmt::format(", {} of other kinds skipped", tally.skipped);
    }
    if (tally.unreadable > 0) {
        text += fmt::format(", {} not read", plural(tally.unreadable, "file"));
    }
    return text + "\n";
}

// A file may be called anything, but a place is one line.
std::string name_in_line(const std::string& file) {
    auto name = printable(file);
    for (auto at = name.find('\n'); at != std::string::npos; at = name.find('\n', at)) {
        name.replace(at, 1, "\\n");
    }
    return name;
}

std::string show(const Diagnostic& finding, const std::string& file, const Output::Style& style) {
    const auto* colour = finding.level == Level::error     ? "1;31"
                         : finding.level == Level::warning ? "1;33"
                                                           : "1;36";
    auto text = fmt::format("{}:{}:{}: {}: {} [{} {}]\n{}", name_in_line(file), finding.begin.line,
                            finding.begin.column,
                            paint(colour, to_string(finding.level), style.result_colour),
                            printable(finding.message), finding.rule->id,
                            manifest::name_of(finding.layer), finding.excerpt);
    if (!finding.fix.empty()) {
        text += "  fix: " + printable(finding.fix) + "\n";
    }
    return text;
}

// What a second layer says of the same place in other words.
bool repeats(const Diagnostic& a, const Diagnostic& b) {
    return a.rule == b.rule && a.begin == b.begin && a.level == b.level && a.layer != b.layer;
}

std::string to_text(const DocumentResult& document, const Output::Style& style) {
    std::string text;
    const auto& findings = document.findings;
    for (std::size_t i = 0; i < findings.size(); ++i) {
        if (style.quiet && findings[i].level == Level::hint) {
            continue;
        }
        const bool again =
            std::any_of(findings.begin(), findings.begin() + static_cast<std::ptrdiff_t>(i),
                        [&](const Diagnostic& earlier) { return repeats(earlier, findings[i]); });
        if (again) {
            continue;
        }
        text += show(findings[i], document.file, style);
        for (std::size_t j = i + 1; j < findings.size(); ++j) {
            if (repeats(findings[i], findings[j])) {
                text += fmt::format("  {} too: {}\n", manifest::name_of(findings[j].layer),
                                    printable(findings[j].message));
            }
        }
    }
    if (style.verbosity > 0 && findings.empty()) {
        const auto name = document.name.empty() ? "" : " " + document.name;
        text += fmt::format("{}:{}: {}{}: {}\n", name_in_line(document.file), document.line,
                            document.kind, name,
                            document.skipped.empty() ? "ok" : "skipped: " + document.skipped);
    }
    return text;
}

ordered_json to_json(const Diagnostic& finding) {
    ordered_json json = {
        {"rule", finding.rule->id},          {"severity", to_string(finding.level)},
        {"layer", to_string(finding.layer)}, {"path", finding.path},
        {"line", finding.begin.line},        {"column", finding.begin.column},
        {"endLine", finding.end.line},       {"endColumn", finding.end.column},
        {"message", finding.message}};
    json["fix"] = finding.fix;
    return json;
}

ordered_json to_json(const DocumentResult& document) {
    auto findings = ordered_json::array();
    for (const auto& finding : document.findings) {
        findings.push_back(to_json(finding));
    }
    ordered_json json = {{"file", document.file}, {"index", document.index},
                         {"line", document.line}, {"apiVersion", document.api_version},
                         {"kind", document.kind}, {"namespace", document.ns},
                         {"name", document.name}, {"verdict", to_string(document.verdict())}};
    if (document.item) {
        json["item"] = *document.item;
    }
    if (!document.skipped.empty()) {
        json["reason"] = document.skipped;
    }
    for (const auto layer : {Layer::api_server, Layer::strict, Layer::webhook, Layer::runtime}) {
        json["layers"][std::string(to_string(layer))] = to_string(document.verdict(layer));
    }
    json["findings"] = std::move(findings);
    return json;
}

std::string to_text(const manifest::Mended& mended, const Output::Style& style) {
    return fmt::format("{}:{}:{}: {}: {}: {} [{}]\n", mended.file, mended.finding.begin.line,
                       mended.finding.begin.column, paint("1;32", "mended", style.result_colour),
                       mended.finding.path, printable(mended.done), mended.finding.rule->id);
}

ordered_json to_json(const manifest::Mended& mended) {
    return {{"file", mended.file},
            {"index", mended.document},
            {"rule", mended.finding.rule->id},
            {"path", mended.finding.path},
            {"line", mended.finding.begin.line},
            {"column", mended.finding.begin.column},
            {"message", mended.finding.message},
            {"done", mended.done}};
}

ordered_json to_json(const Tally& tally) {
    return {
        {"files", tally.files},          {"documents", tally.documents}, {"ok", tally.ok},
        {"warning", tally.warning},      {"error", tally.error},         {"skipped", tally.skipped},
        {"unreadable", tally.unreadable}};
}

std::string indented(const ordered_json& value, std::string_view margin) {
    std::string text;
    auto lines = pretty_json(value);
    lines.pop_back();  // the last line break
    for (const char c : lines) {
        text += c;
        if (c == '\n') {
            text += margin;
        }
    }
    return text;
}

}  // namespace

void Tally::add(const DocumentResult& document, Level fail_on) {
    ++documents;
    switch (document.verdict()) {
        case Verdict::ok:
            ++ok;
            break;
        case Verdict::warning:
            ++warning;
            break;
        case Verdict::error:
            ++error;
            break;
        case Verdict::skipped:
            ++skipped;
            return;
    }
    failed =
        failed || std::any_of(document.findings.begin(), document.findings.end(),
                              [&](const Diagnostic& finding) { return finding.level >= fail_on; });
}

Writer::Writer(const ResultChoice& options, Level fail_on, Services& services)
    : options_(options), fail_on_(fail_on), services_(services) {
    const bool plain = options.output.empty() || options.output == "text";
    shape_ = plain && services.out.format() == Format::text ? Shape::text
             : plain || options.output == "json"            ? Shape::json
                                                            : Shape::report;
    report_.tool_version = WASMPLUG_VERSION;
    report_.rules = manifest::report_rules();
}

void Writer::add(const MendReport& report) {
    std::string diff;
    for (const auto& file : report.replacements) {
        const auto name = file.path.string();
        diff += options_.dry_run ? unified_diff(file.before, file.after, name, name) : "";
    }
    if (shape_ == Shape::text && options_.dry_run) {
        const bool colour = services_.out.style().result_colour;
        ready_ += colour ? colour_diff(diff) : diff;
    } else if (shape_ == Shape::text) {
        for (const auto& mended : report.mended) {
            ready_ += to_text(mended, services_.out.style());
        }
    }
    further_["mended"] = ordered_json::array();
    for (const auto& mended : report.mended) {
        further_["mended"].push_back(to_json(mended));
    }
    if (options_.dry_run) {
        further_["diff"] = diff;
    }
    mended_ = fmt::format("; {} {}", report.mended.size(),
                          options_.dry_run ? "would be mended" : "mended");
}

void Writer::add(const DocumentResult& document) {
    if (shape_ == Shape::text && options_.dry_run) {
        // The findings that are left only decide the exit code, and are counted on stderr.
    } else if (shape_ == Shape::text) {
        ready_ += to_text(document, services_.out.style());
    } else if (shape_ == Shape::json) {
        ready_ += any_ ? ",\n    " : "{\n  \"version\": 1,\n  \"documents\": [\n    ";
        ready_ += indented(to_json(document), "    ");
    }
    any_ = true;
    if (shape_ == Shape::report || !options_.reports.empty()) {
        if (auto item = manifest::report_case(document, fail_on_)) {
            report_.cases.push_back(std::move(*item));
        }
    }
    if (ready_.size() > 64 * 1024) {
        const auto lines = ready_.rfind('\n') + 1;  // print() would end a line that goes on
        services_.out.print(std::string_view(ready_).substr(0, lines));
        ready_.erase(0, lines);
    }
}

void Writer::finish(const Tally& tally) {
    auto summary = summary_line(tally, options_.summary);
    summary.insert(summary.size() - 1, mended_);
    if (shape_ == Shape::text && options_.dry_run) {
        summary.pop_back();
        services_.out.note(summary);
    } else if (shape_ == Shape::text) {
        ready_ += summary;
    } else if (shape_ == Shape::json) {
        ready_ += any_ ? "\n  ],\n" : "{\n  \"version\": 1,\n  \"documents\": [],\n";
        for (const auto& [key, value] : further_.items()) {
            ready_ += fmt::format("  \"{}\": {},\n", key, indented(value, "  "));
        }
        ready_ += "  \"summary\": " + indented(to_json(tally), "  ") + "\n}\n";
    }
    write_reports();
    services_.out.print(shape_ == Shape::report
                            ? write_report(parse_report_format(options_.output), report_)
                            : ready_);
}

void Writer::write_reports() const {
    for (const auto& target : options_.reports) {
        const auto [format, file] = parse_report_target(target);
        write_file(file, write_report(format, report_));
    }
    const auto page = services_.environment("GITHUB_STEP_SUMMARY");
    if (options_.output == "github" && page && !page->empty()) {
        write_file(*page, read_file_if_there(*page).value_or("") + github_summary(report_));
    }
}

}  // namespace wasmplug
