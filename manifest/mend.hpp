#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/yaml.hpp"
#include "manifest/result.hpp"

// validate --fix: the edits that findings with one right answer ask for.
namespace wasmplug::manifest {

// A finding that is gone, where it stood, and what was done about it.
struct Mended {
    Diagnostic finding;
    std::string file;
    std::size_t document = 0;
    std::string done;  // "wrote \"UNSPECIFIED_PHASE\""
};

struct MendResult {
    std::string text;  // the file's own when nothing was mended
    std::vector<Mended> mended;
    // Findings with one right answer that the text gives no safe way to: "plugin.yaml:7:3: …".
    std::vector<std::string> refused;
};

// All that is said of a file, comments that silence rules and the policy's levels heeded: what is
// silenced is not mended.
using Judge = std::function<std::vector<DocumentResult>(const yaml::File&)>;

// Mends and judges in turn until nothing is left that has one right answer: a field that gets its
// right name is read for the first time. Each edit is a splice, proved by reading the text again
// (yaml::Editor). Nothing is written.
MendResult mend(const yaml::File& file, const Judge& judge);

}  // namespace wasmplug::manifest
