#include "base/hash.hpp"

#include <fmt/format.h>

#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/image_reference.hpp"
#include "commands/registry_flags.hpp"
#include "commands/shipping.hpp"
#include "oci/open.hpp"

namespace wasmplug {
namespace {

struct HashOptions {
    std::string what;
    RegistryFlags registry;
};

struct HashResult {
    std::string reference;
    bool is_image = false;  // exists as one; else the digest is what `package` would make
    std::string index_digest;
    oci::Shipment shipment;
};

std::string hex(const std::string& digest) {
    return digest.substr(digest.find(':') + 1);
}

std::string to_text(const HashResult& result) {
    const auto& shipment = result.shipment;
    const std::string& digest = shipment.image.manifest.digest;
    std::string text = result.reference + "\n";
    if (result.is_image) {
        text += fmt::format("  spec.sha256 beside oci://   {}\n  image digest                {}\n",
                            hex(digest), digest);
    } else {
        text += fmt::format("  image digest once packaged  {}\n", digest);
    }
    if (!result.index_digest.empty()) {
        text += fmt::format("  index digest (never pin)    {}\n", result.index_digest);
    }
    return text +
           fmt::format("  spec.sha256 beside http://  {}\n  module                      {}\n",
                       shipment.module_sha256, format_size(shipment.module_size));
}

nlohmann::ordered_json to_json(const HashResult& result) {
    nlohmann::ordered_json document = {{"version", 1}};
    document.update(image_json(result.reference, result.shipment));
    document["spec_sha256"] = {
        {"oci", result.is_image ? nlohmann::ordered_json(hex(result.shipment.image.manifest.digest))
                                : nlohmann::ordered_json()},
        {"http", result.shipment.module_sha256}};
    document["index_digest"] = result.index_digest.empty()
                                   ? nlohmann::ordered_json()
                                   : nlohmann::ordered_json(result.index_digest);
    return document;
}

ExitCode run_hash(const HashOptions& options, Services& services) {
    const oci::RegistryOptions registry = registry_options(options.registry, services);
    HashResult result;
    const oci::Source found = oci::classify_source(options.what, oci::Registries::allowed);
    if (found.kind == oci::SourceKind::image) {
        result.is_image = true;
        result.shipment = oci::load(found.image, oci::Module::prove, registry, services);
        ImageReference named = found.image;
        if (named.tag.empty() && named.digest.empty()) {
            named.tag = result.shipment.tag;
        }
        result.reference = named.text();
        result.index_digest = result.shipment.index_digest;
    } else {
        result.reference = options.what;
        result.shipment = ship(options.what, {}, oci::Module::prove, registry, services).shipment;
    }
    services.out.show(result);
    return ExitCode::ok;
}

void add_hash(CLI::App& command, Run& selected) {
    auto options = std::make_shared<HashOptions>();
    command
        .add_option("WHAT", options->what,
                    "A module, a project, a layout, an archive or a registry reference")
        ->required()
        ->type_name("REF");
    add_registry_flags(command, options->registry, RegistryUse::read);
    command.footer(
        "wasmplug hash ghcr.io/acme/auth:1.2.0\n"
        "wasmplug hash oci:dist:1.2.0\n"
        "wasmplug hash plugin.wasm");
    selects(command, selected, options, run_hash);
}

}  // namespace

extern const Command hash_command;
const Command hash_command = {.name = "hash",
                              .summary = "Print digests, each with where it is valid",
                              .group = Group::ship,
                              .add = add_hash};

}  // namespace wasmplug
