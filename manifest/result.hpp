#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/report.hpp"
#include "manifest/validate.hpp"

namespace wasmplug::manifest {

// A finding without the tree it was found in: what is kept of many files.
struct Diagnostic {
    const Rule* rule = nullptr;
    Level level = Level::error;
    Layer layer = Layer::api_server;
    std::string path;
    yaml::Position begin;
    yaml::Position end;  // one past the last column
    std::string message;
    std::string fix;
    std::optional<Right> right;
    std::string excerpt;  // the line and a caret below it
};

// `# wasmplug:ignore WP201 reason` behind a value is for its line, above a line for that line and
// what is nested below it, above the first line of a document for all of it. Several rules are
// separated by commas or blanks; the first other word begins the reason.
struct Suppression {
    std::vector<std::string> rules;
    yaml::Position begin;  // of the comment
    yaml::Position end;
    std::size_t first = 0;  // lines it is for
    std::size_t last = 0;
    bool used = false;
};

struct DocumentResult {
    std::string file;
    std::size_t index = 0;
    std::optional<std::size_t> item;
    std::size_t line = 1;
    std::string api_version;
    std::string kind;
    std::string ns;
    std::string name;
    bool judged = false;  // one of ours, whatever the verdict
    std::string skipped;
    std::vector<Diagnostic> findings;
    std::vector<Suppression> suppressions;

    Verdict verdict() const;
    Verdict verdict(Layer layer) const;
};

DocumentResult summarize(Checked checked);

std::vector<Suppression> find_suppressions(const Object& object);

// Takes away what comments silence, and adds WP302 for a comment that silences nothing.
void apply_suppressions(DocumentResult& result);

// Suppressions, then order by place. Called once all findings are there.
void finish(DocumentResult& result);

// For junit, tap, sarif, github and gitlab. Documents of other kinds are left out.
std::vector<ReportRule> report_rules();
std::optional<ReportCase> report_case(const DocumentResult& result, Level fail_on);

}  // namespace wasmplug::manifest
