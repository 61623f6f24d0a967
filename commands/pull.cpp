#include <fmt/format.h>

#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/image_reference.hpp"
#include "commands/registry_flags.hpp"
#include "oci/copy.hpp"
#include "oci/image.hpp"
#include "oci/open.hpp"

namespace wasmplug {
namespace {

struct PullOptions {
    std::string reference;
    std::string destination = "plugin.wasm";
    RegistryFlags registry;
};

struct PullResult {
    std::string reference;
    std::string destination;
    std::string digest;
    std::string module_sha256;  // empty when a whole image was written
    std::uint64_t size = 0;
};

std::string to_text(const PullResult& result) {
    std::string text = fmt::format("{}\n  image digest   {}\n", result.destination, result.digest);
    if (!result.module_sha256.empty()) {
        text += fmt::format("  module sha256  {}\n  size           {}\n", result.module_sha256,
                            format_size(result.size));
    }
    return text;
}

nlohmann::ordered_json to_json(const PullResult& result) {
    using nlohmann::ordered_json;
    return {{"version", 1},
            {"reference", result.reference},
            {"destination", result.destination},
            {"digest", result.digest},
            {"module_sha256",
             result.module_sha256.empty() ? ordered_json() : ordered_json(result.module_sha256)},
            {"size", result.size}};
}

void pull_image(oci::Store& store, const ImageReference& from, const PullOptions& options,
                const oci::RegistryOptions& registry, Services& services, PullResult& result) {
    ImageReference to = parse_reference(options.destination);
    if (to.kind == ImageReference::Kind::registry) {
        throw usage_error(
            fmt::format("{} is in a registry", options.destination),
            fmt::format("wasmplug copy {} {}", options.reference, options.destination));
    }
    if (to.tag.empty()) {
        to.tag = from.tag_or_latest();
    }
    const auto target = oci::open_store(to, oci::Access::push, registry, services);
    // What refers to the image is what `copy` takes along; asking for it costs five round trips.
    const auto report =
        oci::copy_image(store, from.selector(), *target, {to.tag}, {.referrers = false});
    result.destination = to.text();
    result.digest = report.manifest.digest;
    result.size = report.written.sent;
}

void pull_module(oci::Store& store, const ImageReference& from, const PullOptions& options,
                 PullResult& result) {
    const oci::Resolved resolved = oci::resolve_image(store, from);
    const auto layer = oci::find_module_layer(resolved.manifest);
    if (!layer) {
        throw Error(fmt::format("{} holds no WebAssembly module", from.text()),
                    fmt::format("wasmplug pull {} oci:DIR takes the image as it is", from.text()));
    }
    AtomicFile file(options.destination);
    const oci::ModuleFacts facts = oci::read_module(
        store, *layer, [&](std::string_view part) { file.write(part); }, from.text());
    file.commit();
    result.destination = options.destination;
    result.digest = resolved.raw.digest;
    result.module_sha256 = facts.sha256;
    result.size = facts.size;
}

ExitCode run_pull(const PullOptions& options, Services& services) {
    const ImageReference from = parse_reference(options.reference);
    const oci::RegistryOptions registry = registry_options(options.registry, services);
    const auto store = oci::open_store(from, oci::Access::pull, registry, services);
    PullResult result;
    result.reference = from.text();
    in_context("pulling " + from.text(), [&] {
        if (is_local_reference(options.destination)) {
            pull_image(*store, from, options, registry, services, result);
        } else {
            pull_module(*store, from, options, result);
        }
    });
    services.out.progress("");
    services.out.show(result);
    return ExitCode::ok;
}

void add_pull(CLI::App& command, Run& selected) {
    auto options = std::make_shared<PullOptions>();
    command.add_option("REF", options->reference, "The image: HOST/REPOSITORY[:TAG][@DIGEST]")
        ->required()
        ->type_name("REF");
    command
        .add_option("DEST", options->destination,
                    "File for the module (plugin.wasm when left out), or oci:DIR[:TAG] or "
                    "oci-archive:FILE[:TAG] for the whole image")
        ->type_name("FILE");
    add_registry_flags(command, options->registry, RegistryUse::read);
    command.footer(
        "wasmplug pull ghcr.io/acme/auth:1.2.0\n"
        "wasmplug pull ghcr.io/acme/auth:1.2.0 auth.wasm\n"
        "wasmplug pull ghcr.io/acme/auth:1.2.0 oci:mirror");
    selects(command, selected, options, run_pull);
}

}  // namespace

extern const Command pull_command;
const Command pull_command = {.name = "pull",
                              .summary = "Fetch a module or an image, and prove it",
                              .group = Group::ship,
                              .add = add_pull};

}  // namespace wasmplug
