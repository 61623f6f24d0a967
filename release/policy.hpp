#pragma once

#include <string>
#include <vector>

#include "manifest/policy.hpp"
#include "release/files.hpp"

namespace wasmplug::release {

// What the team's policy says against an edit, as "prod/auth.yaml:7:8: evil.example is not
// allowed, only ghcr.io (WP401)".
struct PolicyObjections {
    std::vector<std::string> refused;  // about the version, or brought by the edit
    std::vector<std::string> known;    // what was there before it and stays
};

// Judges what the files that change become, each by the policy that is nearest to it. Of patches
// of other kinds, Helm values, markers, templates and Envoy Gateway's policies the version is
// judged: registry, digest, tag and transport are all that they say.
PolicyObjections judge_by_policies(const std::vector<FileSteps>& files,
                                   manifest::Policies& policies);

}  // namespace wasmplug::release
