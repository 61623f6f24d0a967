#pragma once

#include <optional>
#include <string>

#include "base/services.hpp"
#include "oci/credentials.hpp"

namespace wasmplug::oci {

// docker-credential-NAME is not on PATH.
class HelperMissing : public Error {
  public:
    using Error::Error;
};

// The protocol of docker-credential-helpers: one verb, its input on stdin, its answer, also of a
// failure, on stdout; never a shell, 10 s at most.

// Nothing when the helper says that it has no such credential; throws what else it says.
std::optional<Credential> helper_get(const std::string& helper, const std::string& key,
                                     Services& services);
void helper_store(const std::string& helper, const std::string& key, const Credential& credential,
                  Services& services);
// Whether there was one.
bool helper_erase(const std::string& helper, const std::string& key, Services& services);

}  // namespace wasmplug::oci
