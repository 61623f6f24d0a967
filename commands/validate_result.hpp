#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/report.hpp"
#include "base/services.hpp"
#include "commands/validate_judge.hpp"
#include "manifest/result.hpp"

// What `validate` prints and writes, and what it counts.
namespace wasmplug {

// How the command line wants it.
struct ResultChoice {
    std::string output;
    std::vector<std::string> reports;  // "FORMAT=FILE"
    bool summary = false;              // kubeconform's line
    bool dry_run = false;
};

// What is left of the documents once they are printed.
struct Tally {
    std::size_t files = 0;
    std::size_t documents = 0;
    std::size_t ok = 0;
    std::size_t warning = 0;
    std::size_t error = 0;
    std::size_t skipped = 0;
    std::size_t unreadable = 0;  // files
    bool failed = false;         // a finding at or above --fail-on

    void add(const manifest::DocumentResult& document, Level fail_on);
};

// What goes to stdout and into reports. Text and JSON leave while the documents come by; the
// other formats begin with their counts or rules, so that their cases are kept to the end.
class Writer {
  public:
    // Refers to all that it is given.
    Writer(const ResultChoice& options, Level fail_on, Services& services);

    // Before the first document. With --dry-run the diff is all that goes to stdout as text.
    void add(const MendReport& report);

    void add(const manifest::DocumentResult& document);

    void finish(const Tally& tally);

  private:
    enum class Shape { text, json, report };

    void write_reports() const;

    const ResultChoice& options_;
    Level fail_on_;
    Services& services_;
    Shape shape_;
    Report report_;
    std::string ready_;
    nlohmann::ordered_json further_ = nlohmann::ordered_json::object();  // beside the documents
    std::string mended_;
    bool any_ = false;
};

}  // namespace wasmplug
