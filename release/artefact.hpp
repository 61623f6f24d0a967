#pragma once

#include <map>
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
    // them or not), is taken at its word and nothing is looked up. A layout or archive stands for
    // the repository that the target runs from. Throws Error when the image is not there, when
    // Istio would not take one of its shape, or when its newest release would not load the module.
    void resolve(const std::string& reference, const std::string& sha256, const State& now,
                 Wanted& wanted);

    // The newest tag of the target's own repository in the range.
    void resolve_range(const std::string& range, const State& now, Wanted& wanted);

    // Throws Error when a registry says that the image is gone; warns when it cannot be asked.
    void check_there(const Content& content);

  private:
    std::string digest_of(const std::string& reference);

    oci::RegistryOptions options_;
    Services& services_;
    std::map<std::string, std::string> digests_;
    std::map<std::string, std::vector<std::string>> tags_;
    std::map<std::string, bool> there_;
};

// 64 lower-case digits of "sha256:…" or of the digits alone; throws usage_error for anything else.
std::string digest_digits(const std::string& text);

}  // namespace wasmplug::release
