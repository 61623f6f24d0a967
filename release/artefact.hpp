#pragma once

#include <string>

#include "base/services.hpp"
#include "release/step.hpp"

namespace wasmplug::release {

// Finds out which url, digest and version a REF or a range means for a target. What was looked up
// once is not looked up again: all targets of one run get the same digest.
class Resolver {
  public:
    explicit Resolver(Services& services) : services_(services) {}

    // Fills url, sha256 and version. A digest in the REF, or `sha256` (64 digits, "sha256:" before
    // them or not), is taken at its word and nothing is looked up. Throws Error when the image is
    // not there or Istio would not load it.
    void resolve(const std::string& reference, const std::string& sha256, const State& now,
                 Wanted& wanted);

  private:
    Services& services_;
};

// 64 lower-case digits of "sha256:…" or of the digits alone; throws usage_error for anything else.
std::string digest_digits(const std::string& text);

}  // namespace wasmplug::release
