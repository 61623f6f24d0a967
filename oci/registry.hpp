#pragma once

#include <memory>
#include <string>

#include "oci/session.hpp"
#include "oci/store.hpp"

namespace wasmplug::oci {

enum class Access { pull, push };

// One repository of a registry (distribution-spec). `session` may be shared between repositories
// of the same host, so that connections and tokens are. `access` decides which scope tokens are
// asked for: a pusher asks for both at once, so that one token serves all.
std::unique_ptr<Store> open_registry(std::shared_ptr<Session> session, std::string repository,
                                     Access access);

// The session that a reference's host needs.
std::shared_ptr<Session> open_session(const ImageReference& reference,
                                      const RegistryOptions& options, Services& services);

// Checks that the credentials are good for the registry, as login does: GET /v2/ and its
// challenge. Throws Error with the registry's reason.
void ping(Session& session);

}  // namespace wasmplug::oci
