#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wasmplug {

// The machine formats that CI systems read. One structure feeds all of them: `validate` fills
// it with documents, `test` with test cases.
enum class ReportFormat { junit, tap, sarif, github, gitlab };

enum class Level { hint, warning, error };

std::string_view to_string(Level level);

// 1-based; a line of 0 means that only the file is known. The end is one past the last column.
struct ReportPlace {
    std::string file;  // as the user named it; "-" is standard input
    std::size_t line = 0;
    std::size_t column = 0;
    std::size_t end_line = 0;
    std::size_t end_column = 0;
};

struct ReportFinding {
    std::string rule;   // "WP012", or the name of a check
    std::string title;  // above an annotation; empty: the rule
    Level level = Level::error;
    std::string message;
    std::string fix;
    ReportPlace place;
};

struct ReportCase {
    enum class Outcome { passed, failed, skipped };

    std::string suite;  // the file
    std::string type;   // "WasmPlugin@extensions.istio.io/v1alpha1", or the engine
    std::string name;   // "prod/auth", or the test's name
    Outcome outcome = Outcome::passed;
    std::string detail;  // why it was skipped; what else a person wants to see of a failure
    std::chrono::nanoseconds time{0};
    // What speaks against it; a passed case may carry warnings.
    std::vector<ReportFinding> findings;
};

struct ReportRule {
    std::string id;
    std::string text;
    std::string help;
    Level level = Level::error;
};

struct Report {
    std::string tool_version;
    std::vector<ReportRule> rules;  // those that may be named; SARIF lists the ones that are
    std::vector<ReportCase> cases;
};

// The whole document, with its last newline.
//   junit   <testsuites> of one <testsuite> a file; every case has a time, as Buildkite wants
//   tap     TAP version 13, the plan at the end
//   sarif   SARIF 2.1.0, relative paths under %SRCROOT%, partialFingerprints that survive moves
//   github  workflow commands, errors first, ten of a level, then how many more there are
//   gitlab  the code quality array
std::string write_report(ReportFormat format, const Report& report);

// A table in Markdown for the file that $GITHUB_STEP_SUMMARY names.
std::string github_summary(const Report& report);

// "junit", "tap", … ; throws usage_error with the names there are.
ReportFormat parse_report_format(std::string_view name);

// `--report FORMAT=FILE`. Throws usage_error for another shape, and for a format that is not one of
// `names`, of which there are two at least.
std::pair<std::string, std::string> split_report_target(std::string_view text,
                                                        const std::vector<std::string_view>& names);
std::pair<ReportFormat, std::string> parse_report_target(std::string_view text);

}  // namespace wasmplug
