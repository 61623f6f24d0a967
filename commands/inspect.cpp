#include <fmt/format.h>

#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/hash.hpp"
#include "commands/inspect_report.hpp"
#include "commands/registry_flags.hpp"
#include "istio/releases.hpp"
#include "oci/open.hpp"
#include "toolchain/project.hpp"
#include "toolchain/sources.hpp"

namespace wasmplug {
namespace {

constexpr std::size_t module_limit = std::size_t{256} << 20;  // what Istio's fetcher reads

struct InspectOptions {
    std::string what;
    std::string host;
    bool referrers = false;
    RegistryFlags registry;
};

InspectResult inspect(const InspectOptions& options, const std::string& bytes) {
    InspectResult result;
    result.what = options.what;
    result.size = bytes.size();
    result.sha256 = sha256_hex(bytes);
    result.host = options.host;
    const int minor =
        options.host.empty() ? wasm::newest_envoy_minor() : istio::envoy_for(options.host).minor;
    result.verdict = wasm::would_load(bytes, wasm::envoy_rules(minor));
    result.loads_since = wasm::loads_since(bytes);
    try {
        result.module = wasm::read_module(bytes);
        result.language = wasm::guess_language(bytes, *result.module);
        result.producers = wasm::read_producers(bytes, *result.module);
        result.named_functions = wasm::read_names(bytes, *result.module).functions.size();
        result.warnings = wasm::lint(*result.module);
    } catch (const wasm::ModuleError& error) {
        result.fault = error.what();
    }
    return result;
}

// Istio's agent has to find the module in the image before Envoy can load it.
void judge_layout(InspectResult& result) {
    if (!result.host.starts_with("istio-")) {
        return;
    }
    for (const auto& verdict : result.image->hosts) {
        if (verdict.host == "Istio" && !verdict.loads) {
            result.verdict = {.loads = false,
                              .message = verdict.message,
                              .log = {verdict.message},
                              .reason = "the layout of the image is none that Istio's agent reads"};
        }
    }
}

InspectResult inspect_image(const InspectOptions& options, const ImageReference& reference,
                            Services& services) {
    const auto store = oci::open_store(reference, oci::Access::pull,
                                       registry_options(options.registry, services), services);
    const oci::Resolved resolved = oci::resolve_image(*store, reference);
    InspectedImage image{.reference = reference.text(),
                         .digest = resolved.raw.digest,
                         .index_digest = resolved.index ? resolved.index->digest : "",
                         .manifest = resolved.manifest,
                         .hosts = oci::verdicts(resolved.manifest),
                         .referrers = {}};
    if (options.referrers) {
        image.referrers = store->referrers(resolved.raw.digest);
    }
    const auto layer = oci::find_module_layer(resolved.manifest);
    if (!layer) {
        throw Error(fmt::format("{} holds no WebAssembly module", reference.text()),
                    "its layers are neither a tar.gz with plugin.wasm nor a module");
    }
    std::string bytes;
    oci::read_module(
        *store, *layer, [&](std::string_view part) { bytes += part; }, reference.text());
    InspectResult result = inspect(options, bytes);
    result.what = "plugin.wasm";
    result.image = std::move(image);
    judge_layout(result);
    return result;
}

InspectResult inspect_project(const InspectOptions& options, const std::filesystem::path& folder,
                              Services& services) {
    const auto projects = toolchain::find_projects(folder);
    if (projects.size() != 1) {
        throw Error(fmt::format("{} holds {} plugins", folder.string(), projects.size()),
                    "name the folder of one");
    }
    const auto module = projects[0].module();
    if (!std::filesystem::exists(module)) {
        throw Error(fmt::format("{} is not built", folder.string()),
                    fmt::format("wasmplug build {}", folder.string()));
    }
    if (const auto newer = toolchain::newer_than_module(projects[0])) {
        services.out.warn(fmt::format("{} is newer than the module", newer->string()),
                          fmt::format("wasmplug build {}", folder.string()));
    }
    InspectResult result = inspect(options, read_file(module, module_limit));
    result.what = module.string();
    return result;
}

InspectResult inspect_anything(const InspectOptions& options, Services& services) {
    if (options.what == "-") {
        return inspect(options, read_stdin(module_limit));
    }
    const auto source = oci::classify_source(options.what, oci::Registries::allowed);
    switch (source.kind) {
        case oci::SourceKind::image:
            return inspect_image(options, source.image, services);
        case oci::SourceKind::project:
            return inspect_project(options, source.path, services);
        case oci::SourceKind::module:
            break;
    }
    return inspect(options, read_file(source.path, module_limit));
}

ExitCode run_inspect(const InspectOptions& options, Services& services) {
    if (!options.host.empty()) {
        istio::envoy_for(options.host).minor;  // a wrong word is found before anything is fetched
    }
    const InspectResult result = inspect_anything(options, services);
    if (!result.module && options.host.empty()) {
        throw Error(fmt::format("{}: {}", options.what, result.fault),
                    fmt::format("'--for envoy-1.{}' shows what Envoy would log",
                                wasm::newest_envoy_minor()));
    }
    services.out.show(result);
    for (const auto& warning : result.warnings) {
        services.out.warn(warning.message, warning.hint);
    }
    return result.host.empty() || result.verdict.loads ? ExitCode::ok : ExitCode::rejected;
}

void add_inspect(CLI::App& command, Run& selected) {
    auto options = std::make_shared<InspectOptions>();
    command
        .add_option("WHAT", options->what,
                    "A module (- reads standard input), a built project, or an image: oci:DIR, "
                    "oci-archive:FILE, HOST/REPOSITORY:TAG")
        ->required()
        ->type_name("REF");
    command
        .add_option("--for", options->host,
                    "The release to judge for: envoy-1.40, istio-1.28; exit 3 when it would not "
                    "load the module")
        ->type_name("HOST");
    command.add_flag("--referrers", options->referrers,
                     "List what refers to the image: signatures, bills of materials");
    add_registry_flags(command, options->registry, RegistryUse::read);
    command.footer(
        "wasmplug inspect plugin.wasm\n"
        "wasmplug inspect plugin.wasm --for istio-1.28 -o json\n"
        "wasmplug inspect ghcr.io/acme/auth:1.2.0 --referrers");
    selects(command, selected, options, run_inspect);
}

}  // namespace

extern const Command inspect_command;
const Command inspect_command = {.name = "inspect",
                                 .summary = "Show what a module holds and which Envoy loads it",
                                 .group = Group::create,
                                 .add = add_inspect};

}  // namespace wasmplug
