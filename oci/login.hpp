#pragma once

#include <string>

#include "base/services.hpp"
#include "oci/credentials.hpp"

namespace wasmplug::oci {

// Puts a credential where docker keeps it: into the helper that config.json names for the host,
// else into config.json itself (mode 0600; every other entry and key stays as it is). Returns
// where. A podman user's REGISTRY_AUTH_FILE is written when it is set.
std::string store_credential(const std::string& host, const Credential& credential,
                             Services& services);

// Takes it out of there again; false when there was none.
bool remove_credential(const std::string& host, Services& services);

}  // namespace wasmplug::oci
