#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/output.hpp"
#include "base/services.hpp"
#include "manifest/policy.hpp"
#include "release/files.hpp"
#include "release/policy.hpp"
#include "release/step.hpp"

namespace CLI {
class App;
}

namespace wasmplug {

// TARGET and the flags that say which plugin in it is meant.
struct TargetFlags {
    std::string target;
    std::string name;
    std::string values_path;
    std::string image;
};

void add_target_flags(CLI::App& command, TargetFlags& flags);

// The targets, where `image` (a repository) is what the command itself knows of it.
std::vector<release::FileTargets> open_targets(const TargetFlags& flags, const std::string& image,
                                               const Services& services);

// How a change is written down.
struct RecordFlags {
    std::string why;
    std::string history = "ledger";
    std::size_t limit = 10;
    bool dry_run = false;
};

void add_record_flags(CLI::App& command, RecordFlags& flags);

release::Recording recording_of(const RecordFlags& flags, const Services& services);

// What update and rollback did, or would do.
struct ReleaseResult {
    bool rollback = false;
    bool dry_run = false;
    std::vector<release::FileSteps> files;
};

std::string to_text(const ReleaseResult& result, const Output::Style& style);
nlohmann::ordered_json to_json(const ReleaseResult& result);

// Writes what changed (unless --dry-run) and says the notes.
void write_release(const ReleaseResult& result, Services& services);

// The same, and shows the result.
// Throws Error naming what the policy has against these edits; what was there before is warned of.
void refuse_by_policy(const std::vector<release::FileSteps>& files,
                      const manifest::PolicyChoice& choice, Services& services);

void finish_release(const ReleaseResult& result, Services& services);

}  // namespace wasmplug
