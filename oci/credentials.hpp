#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/services.hpp"

namespace wasmplug::oci {

struct Credential {
    std::string username;
    Secret password;
    Secret identity_token;  // exchanged for access tokens (ACR, docker login with a token)
    Secret registry_token;  // sent as it is
    std::string from;       // the file or helper, for messages
};

// What the credential is wanted for.
enum class Need { reading, writing };

// Where credentials come from, in order: WASMPLUG_USERNAME and WASMPLUG_PASSWORD,
// REGISTRY_AUTH_FILE, DOCKER_AUTH_CONFIG, docker's config.json, podman's auth.json (run time, then
// home), ~/.dockercfg. In a file: credHelpers, then credsStore, then auths, whose keys may name a
// host or a namespace below it. Helpers are docker-credential-NAME programs; each is asked once.
class Credentials {
  public:
    explicit Credentials(Services& services) : services_(services) {}

    // Nothing: be anonymous. A missing helper is a warning when `need` is reading, and an Error
    // naming the file and key otherwise.
    std::optional<Credential> find(const std::string& host, const std::string& repository,
                                   Need need);

  private:
    std::optional<Credential> in_file(const std::string& text, const std::string& name,
                                      const std::string& host, const std::string& repository,
                                      Need need);
    std::optional<Credential> from_helper(const std::string& helper, const std::string& file,
                                          const std::string& host, Need need);

    Services& services_;
    std::map<std::string, std::optional<Credential>> helped_;
};

// Docker's and podman's files, in the order above.
std::vector<std::filesystem::path> credential_files(const Environment& environment);

// Docker's config.json: where login writes.
std::filesystem::path docker_config_file(const Environment& environment);

// What docker and its helpers call a registry: "https://index.docker.io/v1/" for Docker Hub, else
// the host.
std::string credential_key(const std::string& host);

}  // namespace wasmplug::oci
