#include <fmt/format.h>

#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/image_reference.hpp"
#include "commands/registry_flags.hpp"
#include "commands/shipping.hpp"
#include "oci/open.hpp"

namespace wasmplug {
namespace {

struct PushOptions {
    std::vector<std::string> words;
    std::vector<std::string> tags;
    PackageFlags package;
    RegistryFlags registry;
};

struct Pushed {
    ImageReference reference;
    Shipped shipped;
    oci::WriteReport report;
};

struct PushResult {
    std::vector<Pushed> images;
};

std::string hex(const std::string& digest) {
    return digest.substr(digest.find(':') + 1);
}

std::string to_text(const PushResult& result) {
    std::string text;
    for (const auto& pushed : result.images) {
        const auto& shipment = pushed.shipped.shipment;
        const std::string loads = oci::loaded_by(shipment.manifest);
        text += fmt::format(
            "{}{}\n  digest: {}\n  url: {}\n  sha256: {}\n  loads in {}\n", pushed.reference.text(),
            pushed.report.unchanged ? " is there already" : "", shipment.image.manifest.digest,
            pushed.reference.url(), hex(shipment.image.manifest.digest),
            loads.empty() ? "neither Istio nor its kin" : loads);
    }
    return text;
}

nlohmann::ordered_json to_json(const Pushed& pushed) {
    nlohmann::ordered_json document = image_json(pushed.reference.text(), pushed.shipped.shipment);
    document["source"] = pushed.shipped.source;
    document["url"] = pushed.reference.url();
    document["pinned"] = pushed.reference.with_tag("")
                             .with_digest(pushed.shipped.shipment.image.manifest.digest)
                             .url();
    document["unchanged"] = pushed.report.unchanged;
    document["bytes_sent"] = pushed.report.sent;
    return document;
}

// One image stands at the top too, so that a script for one needs no list.
nlohmann::ordered_json to_json(const PushResult& result) {
    nlohmann::ordered_json document = {{"version", 1}};
    if (result.images.size() == 1) {
        document.update(to_json(result.images.front()));
    }
    document["images"] = nlohmann::ordered_json::array();
    for (const auto& pushed : result.images) {
        document["images"].push_back(to_json(pushed));
    }
    return document;
}

// The last of several words is the destination.
struct Plan {
    std::vector<std::string> sources;
    ImageReference destination;
};

Plan plan_of(const PushOptions& options) {
    Plan plan;
    plan.sources = options.words;
    if (plan.sources.size() != 2) {
        throw usage_error("push takes a source and a reference",
                          "wasmplug push plugin.wasm HOST/REPOSITORY:TAG");
    }
    plan.destination = parse_reference(plan.sources.back());
    plan.sources.pop_back();
    if (!plan.destination.digest.empty()) {
        throw usage_error(fmt::format("{} has a digest", options.words.back()),
                          "a push makes its digest; name a tag");
    }
    return plan;
}

// What nobody's agent would load is not pushed by mistake; --layout says that it is none.
void gate(const Shipped& shipped, const PushOptions& options, Services& services) {
    const auto& manifest = shipped.shipment.manifest;
    if (options.package.layout.empty()) {
        oci::require_loadable(manifest, shipped.source);
    } else if (const auto choice = oci::choose_as_istio(manifest); !choice.layer) {
        services.out.warn(
            fmt::format("the {} layout is not for Istio, Envoy Gateway and Higress: {}",
                        options.package.layout, choice.message));
    }
}

ExitCode run_push(const PushOptions& options, Services& services) {
    const Plan plan = plan_of(options);
    const oci::RegistryOptions registry = registry_options(options.registry, services);
    PushResult result;
    for (const auto& source : plan.sources) {
        Pushed pushed;
        pushed.shipped =
            ship(source, options.package, oci::Module::trust_index, registry, services);
        gate(pushed.shipped, options, services);
        pushed.reference = plan.destination.with_tag(tag_for(plan.destination, pushed.shipped));
        const auto store = oci::open_store(pushed.reference, oci::Access::push, registry, services);
        std::vector<std::string> tags{pushed.reference.tag};
        tags.insert(tags.end(), options.tags.begin(), options.tags.end());
        pushed.report = in_context(
            "pushing " + source, [&] { return store->write(pushed.shipped.shipment.image, tags); });
        services.out.progress("");
        for (const auto& warning : pushed.report.warnings) {
            services.out.warn(warning);
        }
        for (const auto& warning : oci::reference_warnings(pushed.reference)) {
            services.out.warn(warning);
        }
        result.images.push_back(std::move(pushed));
    }
    services.out.show(result);
    return ExitCode::ok;
}

void add_push(CLI::App& command, Run& selected) {
    auto options = std::make_shared<PushOptions>();
    command
        .add_option("SOURCE REF", options->words,
                    "A .wasm file, a project, oci:DIR[:TAG] or oci-archive:FILE[:TAG]; then where "
                    "to, HOST/REPOSITORY[:TAG]")
        ->required()
        ->type_name("REF");
    command.add_option("--tag", options->tags, "Name it so as well; may be repeated")
        ->type_name("TAG")
        ->allow_extra_args(false);
    add_package_flags(command, options->package);
    add_registry_flags(command, options->registry, RegistryUse::write);
    command.footer(
        "wasmplug push . ghcr.io/acme/auth\n"
        "wasmplug push plugin.wasm ghcr.io/acme/auth:1.2.0\n"
        "wasmplug push oci:dist:1.2.0 127.0.0.1:5000/auth:1.2.0 --tag stable");
    selects(command, selected, options, run_push);
}

}  // namespace

extern const Command push_command;
const Command push_command = {
    .name = "push",
    .summary = "Push a plugin to a registry, refusing what Istio could not load",
    .group = Group::ship,
    .add = add_push};

}  // namespace wasmplug
