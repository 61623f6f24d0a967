#pragma once

#include <string>

#include "commands/command.hpp"
#include "oci/session.hpp"

namespace wasmplug {

// How to talk to a registry: the same flags on every command that does.
struct RegistryFlags {
    bool plain_http = false;
    bool insecure = false;
    std::string ca_file;
    std::string certificate;
    std::string key;
    std::string username;
    bool password_stdin = false;
    std::string chunk;
};

// `several`: registries that foreign text names, which must not be handed one account.
enum class RegistryUse { read, write, several };

void add_registry_flags(CLI::App& command, RegistryFlags& flags, RegistryUse use);

// Reads the password from stdin when asked to, and warns of --insecure.
oci::RegistryOptions registry_options(const RegistryFlags& flags, Services& services);

}  // namespace wasmplug
