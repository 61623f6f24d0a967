#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/http.hpp"
#include "base/terminal.hpp"

namespace wasmplug::oci {

// Where containers and docker keep a registry's certificates, in order: ~/.config/containers,
// /etc/containers and /etc/docker, each with certs.d/HOST[:PORT]/.
std::vector<std::filesystem::path> certificate_folders(const Environment& environment);

// `given` with what the first of these folders that has the host says: *.crt is the authority,
// *.cert with the *.key of the same name the client's own. What `given` names already stays.
// Throws Error for a *.cert without its *.key.
TlsOptions with_certificates(TlsOptions given, const std::string& host,
                             const std::vector<std::filesystem::path>& folders);

}  // namespace wasmplug::oci
