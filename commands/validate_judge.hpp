#pragma once

#include <deque>
#include <map>
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
    manifest::SchemaInForce schema = {};  // of the project
};

struct FileResult {
    std::vector<manifest::DocumentResult> documents;
    std::vector<manifest::Placement> placements;  // Placement::document counts in this file
    std::optional<Error> unreadable;
    std::string name;
    const manifest::Policy* policy = nullptr;
    std::vector<std::string> not_judged;
};

// By url; nothing for those that cannot be used.
using CarriedSchemas = std::map<std::string, std::optional<manifest::ConfigSchema>, std::less<>>;

// What all files are judged with.
struct Judgement {
    manifest::ValidateSettings settings;
    release::Artefacts artefacts;
    CarriedSchemas carried;
    std::optional<manifest::ConfigSchema> schema;  // that the command line names
    bool only_ours = false;
};

// Adds the schemas that images carry and `known` does not have yet; a note for each that cannot be
// used.
void add_carried(const release::Artefacts& artefacts, CarriedSchemas& known, Output& out);

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
