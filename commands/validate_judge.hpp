#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/services.hpp"
#include "manifest/config_schema.hpp"
#include "manifest/mend.hpp"
#include "manifest/placement.hpp"
#include "manifest/policy.hpp"
#include "manifest/result.hpp"
#include "manifest/sources.hpp"
#include "release/files.hpp"
#include "release/preflight.hpp"

// What `validate` does with each file, between the command line and the output.
namespace wasmplug {

struct Input {
    manifest::Source source;
    const manifest::Policy* policy = nullptr;
    const manifest::ConfigSchema* schema = nullptr;
};

struct FileResult {
    std::vector<manifest::DocumentResult> documents;
    std::vector<manifest::Placement> placements;  // Placement::document counts in this file
    std::optional<Error> unreadable;
    std::string name;
    const manifest::Policy* policy = nullptr;
};

// What all files are judged with.
struct Judgement {
    manifest::ValidateSettings settings;
    release::Artefacts artefacts;
    bool only_ours = false;
};

FileResult judge_source(const Input& input, const Judgement& with);

// Asks for what the inputs name and `known` does not have yet, and adds it. The files are read
// once more for this: that is nothing beside the network.
void look_up(const std::deque<Input>& inputs, const manifest::ValidateSettings& judged,
             const release::LookupSettings& settings, Services& services,
             release::Artefacts& known);

// What --fix did, or would do.
struct MendReport {
    std::vector<manifest::Mended> mended;
    std::vector<std::string> refused;
    std::vector<Replacement> replacements;  // of files, in the order of the inputs
};

// Mends what has one right answer. Every file's new text is proved and put into `inputs`; nothing
// is written.
MendReport mend_all(const Judgement& with, std::deque<Input>& inputs, Services& services);

}  // namespace wasmplug
