#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "manifest/result.hpp"

namespace wasmplug::manifest {

// What a team wants beyond what Istio takes: .wasmplug/policy.yaml, or --policy FILE.
struct Policy {
    std::string file;
    std::vector<std::string> registries_allowed;  // "ghcr.io/acme", "*.internal"
    std::vector<std::string> transports_allowed;  // oci, https, http, file
    bool digest_required = false;
    std::vector<std::string> tags_forbidden;  // "latest", "*-dev"
    std::vector<std::string> fail_strategies_forbidden;
    std::vector<std::string> namespaces_allowed;
    std::vector<std::string> namespaces_forbidden;
    std::vector<std::string> labels_required;
    bool scope_required = false;
    std::optional<std::int64_t> priority_min;
    std::optional<std::int64_t> priority_max;
    std::map<std::string, std::optional<Level>, std::less<>> levels;  // of a rule; nothing is off
    std::vector<std::string> except;                                  // "prod/auth", "prod/*"
};

// Throws Error with the place of what is wrong: unknown keys are refused, so that a typing error
// does not switch a rule off.
Policy read_policy(const yaml::File& file);

// A version where no object stands around it: in a patch, in Helm values, behind a marker, in a
// template.
struct LooseVersion {
    std::string url;  // "oci://ghcr.io/acme/auth:1.4.0"; "" where only a tag is written
    std::string tag;  // where there is no url
    bool pinned = false;
    yaml::Range range;  // of the url or the tag
    std::string path;
    std::string ns, name;  // as far as there are any; for `except`
};

// WP401 to WP409 for one object.
void check_policy(const Object& object, const Policy& policy, Findings& findings);

// The levels that the policy gives to rules, and what it switches off.
void apply_levels(const Policy& policy, std::vector<Diagnostic>& findings);

// --policy and --no-policy.
struct PolicyChoice {
    std::string file;  // for every manifest; "" looks beside each
    bool none = false;
};

// The policy that each file is held to: the one chosen, else `.wasmplug/policy.yaml` of its folder
// or the nearest one above it, up to the root of the work tree (the folder with .git); without a
// work tree only its own folder's. Every folder is looked at once.
class Policies {
  public:
    // Throws as read_policy, of() too.
    explicit Policies(const PolicyChoice& choice);

    // Nullptr when none applies. What it returns lives as long as this. For one thread at a time.
    const Policy* of(std::string_view file);

  private:
    struct Folder {
        const Policy* own = nullptr;
        const Policy* nearest = nullptr;
        bool in_work_tree = false;
    };

    const Policy* read(const std::filesystem::path& file);
    const Folder& look_at(const std::filesystem::path& folder);

    std::vector<std::unique_ptr<const Policy>> read_;
    bool looks_around_ = true;
    const Policy* common_ = nullptr;
    std::map<std::string, Folder> folders_;                        // absolute
    std::map<std::string, const Policy*, std::less<>> by_folder_;  // as the files name them
};

// What a policy alone says of a file's objects, comments that silence it and its own levels
// heeded: what stands between a person and an edit by `update`.
std::vector<DocumentResult> judge_by_policy(const yaml::File& file, const Policy& policy);

// The same of a version alone, in this document of the file: as far as the policy speaks of
// registries, digests, tags and transports.
DocumentResult judge_by_policy(const yaml::File& file, std::size_t document,
                               const LooseVersion& version, const Policy& policy);

}  // namespace wasmplug::manifest
