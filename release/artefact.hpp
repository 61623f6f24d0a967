#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/services.hpp"
#include "oci/session.hpp"
#include "release/step.hpp"

namespace wasmplug::release {

// Finds out which url, digest and version a REF or a range means for a target. What was looked up
// once is not looked up again: all targets of one run get the same digest.
class Resolver {
  public:
    Resolver(oci::RegistryOptions options, Services& services)
        : options_(std::move(options)), services_(services) {}

    // Fills url, sha256 and version. A digest in the REF, or `sha256` (64 digits, "sha256:" before
    // them or not), is taken at its word and nothing is looked up: see check_loads(). A layout or
    // archive stands for the repository that the target runs from. Throws Error when the image is
    // not there, when Istio would not take one of its shape, or when its newest release would not
    // load the module.
    void resolve(const std::string& reference, const std::string& sha256, const State& now,
                 Wanted& wanted);

    // The newest tag of the target's own repository in the range.
    void resolve_range(const std::string& range, const State& now, Wanted& wanted);

    // A digest that was given is checked as one that was looked up: what `reference` names is
    // there, Istio's newest release would load it, and it has the digest `sha256` (unless that is
    // ""). Throws Error otherwise, and when nobody answers; with --offline and for what only a
    // proxy can read it says once what was not checked.
    void check_loads(const std::string& reference, const std::string& sha256);

    // Throws Error when a registry says that the image is gone; warns when it cannot be asked.
    void check_there(const Content& content);

  private:
    std::string digest_of(const std::string& name);
    std::string module_digest_of(const std::string& url);
    void say_unchecked(const std::string& reference, const std::string& why);

    oci::RegistryOptions options_;
    Services& services_;
    std::set<std::string> unchecked_;
    std::map<std::string, std::string> digests_;
    std::map<std::string, std::vector<std::string>> tags_;
    std::map<std::string, bool> there_;
};

}  // namespace wasmplug::release
