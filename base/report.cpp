#include "base/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/http.hpp"
#include "base/json.hpp"
#include "base/terminal.hpp"
#include "base/xml.hpp"

namespace wasmplug {
namespace {

using nlohmann::ordered_json;
using Outcome = ReportCase::Outcome;

constexpr std::size_t annotations_shown = 10;  // GitHub shows no more of a level in one step

constexpr std::array<std::pair<std::string_view, ReportFormat>, 5> formats = {{
    {"junit", ReportFormat::junit},
    {"tap", ReportFormat::tap},
    {"sarif", ReportFormat::sarif},
    {"github", ReportFormat::github},
    {"gitlab", ReportFormat::gitlab},
}};

std::string at(const ReportPlace& place) {
    if (place.line == 0) {
        return place.file;
    }
    return fmt::format("{}:{}:{}", place.file, place.line, std::max<std::size_t>(place.column, 1));
}

std::string line_for(const ReportFinding& finding) {
    auto text =
        fmt::format("{}: {}: {}", at(finding.place), to_string(finding.level), finding.message);
    if (!finding.rule.empty()) {
        text += fmt::format(" [{}]", finding.rule);
    }
    if (!finding.fix.empty()) {
        text += "\n  fix: " + finding.fix;
    }
    return text;
}

std::string all_lines(const ReportCase& item) {
    std::string text;
    for (const auto& finding : item.findings) {
        text += line_for(finding) + "\n";
    }
    return text + item.detail;
}

// The first of the worst; nullptr when there is none.
const ReportFinding* worst(const ReportCase& item) {
    const auto found = std::ranges::max_element(item.findings, {}, &ReportFinding::level);
    return found == item.findings.end() ? nullptr : &*found;
}

// The shortest thing that says why.
std::string headline(const ReportCase& item) {
    const auto* finding = worst(item);
    return finding != nullptr ? finding->message : item.detail.substr(0, item.detail.find('\n'));
}

// Of a suite with at most three digits behind the point, as Jenkins' schema has it.
std::string seconds(std::chrono::nanoseconds time, int digits = 3) {
    return fmt::format("{:.{}f}", std::chrono::duration<double>(time).count(), digits);
}

std::string junit(const Report& report) {
    std::vector<std::pair<std::string, std::vector<const ReportCase*>>> suites;
    std::map<std::string, std::size_t> index;
    for (const auto& item : report.cases) {
        const auto [found, fresh] = index.try_emplace(item.suite, suites.size());
        if (fresh) {
            suites.emplace_back(item.suite, std::vector<const ReportCase*>{});
        }
        suites[found->second].second.push_back(&item);
    }
    const auto count = [](const std::vector<const ReportCase*>& cases, Outcome outcome) {
        return std::count_if(cases.begin(), cases.end(),
                             [&](const auto* item) { return item->outcome == outcome; });
    };
    const auto time = [](const std::vector<const ReportCase*>& cases) {
        std::chrono::nanoseconds sum{0};
        for (const auto* item : cases) {
            sum += item->time;
        }
        return sum;
    };
    std::string body;
    std::chrono::nanoseconds total{0};
    std::ptrdiff_t failures = 0;
    for (const auto& [name, cases] : suites) {
        total += time(cases);
        failures += count(cases, Outcome::failed);
        body += fmt::format(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" "
            "time=\"{}\">\n",
            xml_escaped(name), cases.size(), count(cases, Outcome::failed),
            count(cases, Outcome::skipped), seconds(time(cases)));
        for (const auto* item : cases) {
            body += fmt::format("    <testcase name=\"{}\" classname=\"{}\" time=\"{}\"",
                                xml_escaped(item->name), xml_escaped(item->type),
                                seconds(item->time, 6));
            const auto text = xml_escaped(all_lines(*item));
            if (item->outcome == Outcome::failed) {
                body += fmt::format(
                    ">\n      <failure message=\"{}\" type=\"{}\">{}</failure>\n    </testcase>\n",
                    xml_escaped(headline(*item)),
                    xml_escaped(worst(*item) == nullptr ? "failure" : worst(*item)->rule), text);
            } else if (item->outcome == Outcome::skipped) {
                body += fmt::format(">\n      <skipped message=\"{}\"/>\n    </testcase>\n",
                                    xml_escaped(headline(*item)));
            } else if (!item->findings.empty()) {
                body +=
                    fmt::format(">\n      <system-out>{}</system-out>\n    </testcase>\n", text);
            } else {
                body += "/>\n";
            }
        }
        body += "  </testsuite>\n";
    }
    return fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"wasmplug\" tests=\"{}\" "
        "failures=\"{}\" errors=\"0\" time=\"{}\">\n{}</testsuites>\n",
        report.cases.size(), failures, seconds(total), body);
}

// A '#' would begin a directive and a line break a new test point.
std::string tap_text(std::string_view text) {
    std::string safe;
    for (const char c : printable(text)) {
        if (c == '#') {
            safe += "\\#";
        } else {
            safe += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
        }
    }
    return safe;
}

std::string tap(const Report& report) {
    std::string text = "TAP version 13\n";
    std::size_t number = 0;
    for (const auto& item : report.cases) {
        ++number;
        std::string name = item.suite;
        if (!item.name.empty() || !item.type.empty()) {
            name += fmt::format(" ({})", item.type.empty()   ? item.name
                                         : item.name.empty() ? item.type
                                                             : item.type + " " + item.name);
        }
        text += fmt::format("{} {} - {}", item.outcome == Outcome::failed ? "not ok" : "ok", number,
                            tap_text(name));
        if (item.outcome == Outcome::skipped) {
            text += " # SKIP " + tap_text(headline(item));
        } else if (item.outcome == Outcome::failed) {
            text += tap_text(": " + headline(item));
        }
        text += "\n";
        std::string comment = printable(all_lines(item));
        for (std::size_t begin = 0; begin < comment.size();) {
            const auto end = std::min(comment.find('\n', begin), comment.size());
            if (item.outcome != Outcome::skipped) {
                text += "# " + comment.substr(begin, end - begin) + "\n";
            }
            begin = end + 1;
        }
    }
    return text + fmt::format("1..{}\n", number);
}

// Relative to the folder we were started in; SARIF and GitLab know no other root.
std::string relative_path(const std::string& file) {
    if (file == "-") {
        return "stdin";
    }
    std::filesystem::path path = file;
    if (path.is_absolute()) {
        const auto here = path.lexically_relative(std::filesystem::current_path());
        if (!here.empty() && *here.begin() != "..") {
            path = here;
        }
    }
    return path.lexically_normal().generic_string();
}

// Independent of the line, so that an edit above does not make an old finding new. The same
// finding twice in one file is told apart by its number.
class Fingerprints {
  public:
    std::string operator()(const ReportCase& item, const ReportFinding& finding) {
        auto key = finding.rule + '\n' + relative_path(finding.place.file) + '\n' + item.name +
                   '\n' + finding.message;
        const auto number = seen_[key]++;
        return sha256_hex(key + '\n' + std::to_string(number)).substr(0, 32);
    }

  private:
    std::map<std::string, std::size_t> seen_;
};

template <class Visit>
void for_each_finding(const Report& report, const Visit& visit) {
    for (const auto& item : report.cases) {
        for (const auto& finding : item.findings) {
            visit(item, finding);
        }
    }
}

// SARIF 2.1.0, 3.29: lines and columns count from 1, and the end column is the one behind.
ordered_json physical_location(const ReportPlace& place) {
    ordered_json region = {{"startLine", std::max<std::size_t>(place.line, 1)}};
    if (place.column > 0) {
        region["startColumn"] = place.column;
    }
    if (place.end_line >= place.line && place.end_line > 0) {
        region["endLine"] = place.end_line;
        if (place.end_column > 0) {
            region["endColumn"] = place.end_column;
        }
    }
    return {
        {"artifactLocation",
         {{"uri", percent_encoded(relative_path(place.file), "/")}, {"uriBaseId", "%SRCROOT%"}}},
        {"region", std::move(region)}};
}

std::string sarif(const Report& report) {
    std::map<std::string, std::size_t> used;
    for_each_finding(report, [&](const auto&, const auto& finding) { used[finding.rule] = 0; });
    auto rules = ordered_json::array();
    const auto level_name = [](Level level) {
        return level == Level::error ? "error" : level == Level::warning ? "warning" : "note";
    };
    for (auto& [id, index] : used) {
        index = rules.size();
        ordered_json rule = {{"id", id}};
        for (const auto& known : report.rules) {
            if (known.id == id) {
                rule["shortDescription"] = {{"text", known.text}};
                if (!known.help.empty()) {
                    rule["help"] = {{"text", known.help}};
                }
                rule["defaultConfiguration"] = {{"level", level_name(known.level)}};
            }
        }
        rules.push_back(std::move(rule));
    }
    auto results = ordered_json::array();
    Fingerprints fingerprint;
    for_each_finding(report, [&](const ReportCase& item, const ReportFinding& finding) {
        auto text = finding.message;
        if (!finding.fix.empty()) {
            text += "\nFix: " + finding.fix;
        }
        results.push_back(
            {{"ruleId", finding.rule},
             {"ruleIndex", used.at(finding.rule)},
             {"level", level_name(finding.level)},
             {"message", {{"text", text}}},
             {"locations", {{{"physicalLocation", physical_location(finding.place)}}}},
             {"partialFingerprints", {{"wasmplug/v1", fingerprint(item, finding)}}}});
    });
    const ordered_json document = {
        {"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
        {"version", "2.1.0"},
        {"runs",
         {{{"tool",
            {{"driver",
              {{"name", "wasmplug"}, {"version", report.tool_version}, {"rules", rules}}}}},
           {"columnKind", "unicodeCodePoints"},
           {"results", results}}}}};
    return pretty_json(document);
}

std::string github_data(std::string_view text, bool property) {
    std::string escaped;
    for (const char c : printable(text)) {
        if (c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ','))) {
            escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        } else {
            escaped += c;
        }
    }
    return escaped;
}

std::string github(const Report& report) {
    std::string text;
    for (const auto level : {Level::error, Level::warning, Level::hint}) {
        const auto* command = level == Level::error     ? "error"
                              : level == Level::warning ? "warning"
                                                        : "notice";
        std::size_t shown = 0;
        std::size_t more = 0;
        for_each_finding(report, [&](const ReportCase&, const ReportFinding& finding) {
            if (finding.level != level) {
                return;
            }
            if (shown == annotations_shown) {
                ++more;
                return;
            }
            ++shown;
            const auto& place = finding.place;
            text +=
                fmt::format("::{} file={}", command, github_data(relative_path(place.file), true));
            if (place.line > 0) {
                text += fmt::format(",line={}", place.line);
                // GitHub takes columns only for a range within one line.
                if (place.end_line > place.line) {
                    text += fmt::format(",endLine={}", place.end_line);
                } else if (place.column > 0) {
                    text += fmt::format(",col={}", place.column);
                    if (place.end_column > place.column) {
                        text += fmt::format(",endColumn={}", place.end_column);
                    }
                }
            }
            auto message = finding.message;
            if (!finding.fix.empty()) {
                message += "\nfix: " + finding.fix;
            }
            text +=
                fmt::format(",title={}::{}\n",
                            github_data(finding.title.empty() ? finding.rule : finding.title, true),
                            github_data(message, false));
        });
        if (more > 0) {
            text += fmt::format("::{}::+{} more\n", command, more);
        }
    }
    return text;
}

std::string gitlab(const Report& report) {
    auto issues = ordered_json::array();
    Fingerprints fingerprint;
    for_each_finding(report, [&](const ReportCase& item, const ReportFinding& finding) {
        const auto* severity = finding.level == Level::error     ? "major"
                               : finding.level == Level::warning ? "minor"
                                                                 : "info";
        auto text = finding.message;
        if (!finding.fix.empty()) {
            text += "; fix: " + finding.fix;
        }
        issues.push_back(
            {{"description", text},
             {"check_name", finding.rule},
             {"fingerprint", fingerprint(item, finding)},
             {"severity", severity},
             {"location",
              {{"path", relative_path(finding.place.file)},
               {"lines", {{"begin", std::max<std::size_t>(finding.place.line, 1)}}}}}});
    });
    return pretty_json(issues);
}

std::string table_cell(std::string_view text) {
    std::string cell;
    for (const char c : printable(text)) {
        if (c == '|') {
            cell += "\\|";
        } else if (c == '<') {
            cell += "&lt;";
        } else {
            cell += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
        }
    }
    return cell;
}

}  // namespace

std::string_view to_string(Level level) {
    switch (level) {
        case Level::hint:
            return "hint";
        case Level::warning:
            return "warning";
        case Level::error:
            break;
    }
    return "error";
}

std::string write_report(ReportFormat format, const Report& report) {
    switch (format) {
        case ReportFormat::junit:
            return junit(report);
        case ReportFormat::tap:
            return tap(report);
        case ReportFormat::sarif:
            return sarif(report);
        case ReportFormat::github:
            return github(report);
        case ReportFormat::gitlab:
            break;
    }
    return gitlab(report);
}

std::string github_summary(const Report& report) {
    std::size_t failed = 0;
    std::string rows;
    for (const auto& item : report.cases) {
        failed += item.outcome == Outcome::failed ? 1 : 0;
        for (const auto& finding : item.findings) {
            rows += fmt::format("| {} | {} | {} | {} |\n", to_string(finding.level),
                                table_cell(finding.rule), table_cell(at(finding.place)),
                                table_cell(finding.message));
        }
    }
    auto text = fmt::format("**wasmplug**: {} checked, {} failed\n", report.cases.size(), failed);
    if (!rows.empty()) {
        text += "\n| | rule | where | what |\n|---|---|---|---|\n" + rows;
    }
    return text;
}

namespace {

Error unknown_format(std::string_view name, const std::vector<std::string_view>& names) {
    return usage_error(
        fmt::format("unknown report format '{}'", name),
        fmt::format("use {} or {}", fmt::join(names.begin(), names.end() - 1, ", "), names.back()));
}

std::vector<std::string_view> format_names() {
    std::vector<std::string_view> names;
    for (const auto& known : formats) {
        names.push_back(known.first);
    }
    return names;
}

}  // namespace

ReportFormat parse_report_format(std::string_view name) {
    for (const auto& [known, format] : formats) {
        if (known == name) {
            return format;
        }
    }
    throw unknown_format(name, format_names());
}

std::pair<std::string, std::string> split_report_target(
    std::string_view text, const std::vector<std::string_view>& names) {
    const auto equals = text.find('=');
    if (equals == std::string_view::npos || equals + 1 == text.size()) {
        throw usage_error(
            fmt::format("--report {} names no file", text),
            fmt::format("write --report FORMAT=FILE, for example --report {0}=out.{0}",
                        names.front()));
    }
    const auto format = text.substr(0, equals);
    if (std::find(names.begin(), names.end(), format) == names.end()) {
        throw unknown_format(format, names);
    }
    return {std::string(format), std::string(text.substr(equals + 1))};
}

std::pair<ReportFormat, std::string> parse_report_target(std::string_view text) {
    auto [format, file] = split_report_target(text, format_names());
    return {parse_report_format(format), std::move(file)};
}

}  // namespace wasmplug
