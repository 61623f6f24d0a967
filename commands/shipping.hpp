#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "commands/command.hpp"
#include "oci/ship.hpp"

namespace wasmplug {

// What package and push say about the image they make.
struct PackageFlags {
    std::string layout;  // empty: compat, unless the source is an image already
    std::vector<std::string> annotations;
    std::vector<std::string> extra;
    std::string schema;  // of pluginConfig; empty: the project's own, if it has one
};

void add_package_flags(CLI::App& command, PackageFlags& flags);

// A source on the command line, made ready.
struct Shipped {
    std::string source;
    std::string name;       // of a project
    std::string version;    // of a project: the tag when none is given
    std::string directory;  // of a project
    oci::Shipment shipment;
};

// Packs a module or a project's module, or opens an image. Throws Error for a project whose module
// is missing or older than its sources.
Shipped ship(const std::string& source, const PackageFlags& flags, oci::Module module,
             const oci::RegistryOptions& registry, Services& services);

// The tag for an image that the command line names without one: the project's version, else the
// tag it has where it comes from, else "latest".
std::string tag_for(const ImageReference& destination, const Shipped& shipped);

// The members that every document about an image has: reference, digest, module_sha256, size, …
nlohmann::ordered_json image_json(const std::string& reference, const oci::Shipment& shipment);

}  // namespace wasmplug
