#include <fmt/format.h>

#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/image_reference.hpp"
#include "commands/shipping.hpp"
#include "oci/open.hpp"

namespace wasmplug {
namespace {

struct PackageOptions {
    std::string source;
    std::string destination = "oci:dist";
    PackageFlags package;
};

struct PackageResult {
    ImageReference reference;
    Shipped shipped;
    bool unchanged = false;
};

std::string to_text(const PackageResult& result) {
    const auto& shipment = result.shipped.shipment;
    const std::string loads = oci::loaded_by(shipment.manifest);
    return fmt::format(
        "{}{}\n  image digest   {}\n  module sha256  {}\n  size           {}, packed {}\n"
        "  loads in       {}\n",
        result.reference.text(), result.unchanged ? " (unchanged)" : "",
        shipment.image.manifest.digest, shipment.module_sha256, format_size(shipment.module_size),
        format_size(shipment.image_size()), loads.empty() ? "neither Istio nor its kin" : loads);
}

nlohmann::ordered_json to_json(const PackageResult& result) {
    nlohmann::ordered_json document = {{"version", 1}};
    document.update(image_json(result.reference.text(), result.shipped.shipment));
    document["unchanged"] = result.unchanged;
    return document;
}

ExitCode run_package(const PackageOptions& options, Services& services) {
    const ImageReference destination = parse_reference(options.destination);
    if (destination.kind == ImageReference::Kind::registry) {
        throw usage_error(fmt::format("{} is in a registry", options.destination),
                          fmt::format("wasmplug push {} {}", options.source, options.destination));
    }
    const oci::RegistryOptions registry;
    PackageResult result;
    result.shipped = ship(options.source, options.package, oci::Module::prove, registry, services);
    result.reference = destination.with_tag(tag_for(destination, result.shipped));
    const auto store = oci::open_store(result.reference, oci::Access::push, registry, services);
    result.unchanged =
        store->write(result.shipped.shipment.image, {result.reference.tag}).unchanged;
    services.out.show(result);
    return ExitCode::ok;
}

void add_package(CLI::App& command, Run& selected) {
    auto options = std::make_shared<PackageOptions>();
    command
        .add_option("SOURCE", options->source,
                    "A .wasm file, or the folder of a project that is built")
        ->required()
        ->type_name("FILE");
    command
        .add_option("DEST", options->destination,
                    "oci:DIR[:TAG] or oci-archive:FILE[:TAG]; oci:dist when left out, and the tag "
                    "is the project's version")
        ->type_name("REF");
    add_package_flags(command, options->package);
    command.footer(
        "wasmplug package .\n"
        "wasmplug package plugin.wasm oci:dist:1.2.0\n"
        "wasmplug package plugin.wasm oci-archive:auth.tar:1.2.0 --layout solo");
    selects(command, selected, options, run_package);
}

}  // namespace

extern const Command package_command;
const Command package_command = {
    .name = "package",
    .summary = "Pack a module as a reproducible image into a layout or archive",
    .group = Group::ship,
    .add = add_package};

}  // namespace wasmplug
