#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
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

// `.wasmplug/policy.yaml` of the folder or the nearest one above it, up to the root of the work
// tree (the folder with .git); without a work tree only the folder itself.
std::optional<std::filesystem::path> find_policy(const std::filesystem::path& folder);

// WP401 to WP409 for one object.
void check_policy(const Object& object, const Policy& policy, Findings& findings);

// The levels that the policy gives to rules, and what it switches off.
void apply_levels(const Policy& policy, std::vector<Diagnostic>& findings);

// --policy and --no-policy.
struct PolicyChoice {
    std::string file;  // for every manifest; "" for find_policy
    bool none = false;
};

// The policy of each of some files, each read once. Throws Error as read_policy.
class Policies {
  public:
    Policies(const PolicyChoice& choice, const std::vector<std::string>& names);

    // Nullptr when none applies. Safe from several threads.
    const Policy* of(const std::string& name) const;

  private:
    const Policy& load(const std::filesystem::path& file);

    std::map<std::string, Policy> read_;
    std::map<std::string, const Policy*> folders_;
    const Policy* common_ = nullptr;
};

// What a policy alone says of a file's objects, comments that silence it and its own levels
// heeded: what stands between a person and an edit by `update`.
std::vector<DocumentResult> judge_by_policy(const yaml::File& file, const Policy& policy);

}  // namespace wasmplug::manifest
