#pragma once

#include <string>

#include "istio/artefact.hpp"
#include "manifest/finding.hpp"
#include "manifest/objects.hpp"

namespace wasmplug::manifest {

// What the agent fetches for an object of ours and what it compares it with.
struct ArtefactWanted {
    std::string url;       // "" when there is none
    std::string expected;  // 64 digits: spec.sha256, else the digest in an image's url; "" for none
};

ArtefactWanted artefact_of(const Object& object);

// WP110 to WP113 and WP115, from what was found out.
void check_artefact(const Object& object, const istio::ArtefactFacts& facts, Findings& findings);

}  // namespace wasmplug::manifest
