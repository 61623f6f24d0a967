#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/image_reference.hpp"
#include "base/parallel.hpp"
#include "commands/registry_flags.hpp"
#include "commands/release_flags.hpp"
#include "commands/shipping.hpp"
#include "oci/open.hpp"
#include "release/files.hpp"

namespace wasmplug {
namespace {

struct PushOptions {
    std::vector<std::string> words;
    std::vector<std::string> tags;
    std::string update;
    std::string as;
    RecordFlags record;
    PackageFlags package;
    RegistryFlags registry;
};

struct Pushed {
    ImageReference reference;
    std::string url;  // for a manifest; empty: only this machine can read it
    Shipped shipped;
    oci::WriteReport report;
};

// What became of one source: it was pushed, or why it was not.
struct Outcome {
    std::string source;
    std::optional<Pushed> pushed = {};
    std::optional<Error> error = {};
};

struct PushResult {
    std::vector<Outcome> images;
};

constexpr std::size_t parallel_pushes = 4;

std::string hex(const std::string& digest) {
    return digest.substr(digest.find(':') + 1);
}

std::string to_text(const PushResult& result) {
    std::string text;
    for (const auto& image : result.images) {
        if (!image.pushed) {
            continue;  // its error has been said
        }
        const Pushed& pushed = *image.pushed;
        const auto& shipment = pushed.shipped.shipment;
        const std::string loads = oci::loaded_by(shipment.manifest);
        text += fmt::format(
            "{}{}\n  digest: {}\n{}  sha256: {}\n  loads in {}\n", pushed.reference.text(),
            pushed.report.unchanged ? " is there already" : "", shipment.image.manifest.digest,
            pushed.url.empty() ? "" : fmt::format("  url: {}\n", pushed.url),
            hex(shipment.image.manifest.digest),
            loads.empty() ? "neither Istio nor its kin" : loads);
    }
    return text;
}

nlohmann::ordered_json to_json(const Pushed& pushed) {
    const auto& digest = pushed.shipped.shipment.image.manifest.digest;
    nlohmann::ordered_json document = image_json(pushed.reference.text(), pushed.shipped.shipment);
    document["source"] = pushed.shipped.source;
    document["url"] = nullptr;
    document["pinned"] = nullptr;
    if (!pushed.url.empty()) {
        document["url"] = pushed.url;
        document["pinned"] = parse_reference(pushed.url).with_tag("").with_digest(digest).url();
    }
    document["unchanged"] = pushed.report.unchanged;
    document["bytes_sent"] = pushed.report.sent;
    return document;
}

nlohmann::ordered_json to_json(const Outcome& outcome) {
    return outcome.pushed ? to_json(*outcome.pushed)
                          : nlohmann::ordered_json{{"source", outcome.source},
                                                   {"error", outcome.error->full_message()},
                                                   {"hint", outcome.error->hint()}};
}

// One image stands at the top too, so that a script for one needs no list.
nlohmann::ordered_json to_json(const PushResult& result) {
    nlohmann::ordered_json document = {{"version", 1}};
    if (result.images.size() == 1) {
        document.update(to_json(result.images.front()));
    }
    document["images"] = nlohmann::ordered_json::array();
    for (const auto& image : result.images) {
        document["images"].push_back(to_json(image));
    }
    return document;
}

// The last of several words is the destination, unless it is a file or folder.
struct Plan {
    std::vector<std::string> sources;
    std::optional<ImageReference> destination;
};

Plan plan_of(const PushOptions& options) {
    Plan plan;
    plan.sources = options.words;
    std::error_code error;
    const std::string& last = options.words.back();
    if (options.words.size() > 1 &&
        (is_local_reference(last) || !std::filesystem::exists(last, error))) {
        plan.destination = parse_reference(last);
        plan.sources.pop_back();
    }
    if (plan.destination && !plan.destination->digest.empty()) {
        throw usage_error(fmt::format("{} has a digest", last),
                          "a push makes its digest; name a tag");
    }
    if (plan.sources.size() > 1 &&
        (plan.destination || !options.update.empty() || !options.as.empty())) {
        throw usage_error("one reference cannot name several sources",
                          "without it each project goes to the repository of its plugin.yaml");
    }
    return plan;
}

// The repository that a project's own manifest names.
ImageReference home_of(const Shipped& shipped, Services& services) {
    const auto manifest = std::filesystem::path(shipped.directory) / "plugin.yaml";
    std::error_code error;
    if (shipped.directory.empty() || !std::filesystem::exists(manifest, error)) {
        throw usage_error(
            fmt::format("where shall {} go?", shipped.source),
            "name HOST/REPOSITORY:TAG; only a project with a plugin.yaml knows its own");
    }
    TargetFlags flags;
    flags.target = manifest.string();
    const auto files = open_targets(flags, "", services);
    const std::string url = release::state_of(files.front().targets.front()).content.url;
    const std::string repository = release::repository_of(url);
    if (repository.empty()) {
        throw Error(fmt::format("{} names no image: '{}'", manifest.string(), url),
                    "give its spec.url an oci:// address, or name HOST/REPOSITORY:TAG");
    }
    return parse_reference(repository);
}

// The name that the cluster uses. A loopback host is another machine there.
ImageReference name_in_cluster(const ImageReference& pushed, const PushOptions& options) {
    if (!options.as.empty()) {
        ImageReference named = parse_reference(options.as);
        return named.tag.empty() ? named.with_tag(pushed.tag) : named;
    }
    if (pushed.kind != ImageReference::Kind::registry || is_loopback_host(pushed.host)) {
        throw usage_error(
            fmt::format("a cluster cannot pull from {}", pushed.name()),
            "--as HOST/REPOSITORY says what the cluster calls it, as kind-registry:5000/auth");
    }
    return pushed;
}

std::vector<release::FileSteps> pin(const Pushed& pushed, const PushOptions& options,
                                    Services& services) {
    const ImageReference named = name_in_cluster(pushed.reference, options);
    TargetFlags flags;
    flags.target = options.update;
    const auto files = open_targets(flags, "", services);
    const release::Wanted wanted{.url = named.url(),
                                 .sha256 = hex(pushed.shipped.shipment.image.manifest.digest),
                                 .version = named.tag};
    const auto recording = recording_of(options.record, services);
    auto steps = release::prepare(
        files,
        [&](const release::Located& located) {
            return release::plan_update(located, wanted, recording);
        },
        services.cancel);
    release::write_steps(steps, services);
    return steps;
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

std::string url_for(const ImageReference& pushed, const PushOptions& options) {
    if (!options.as.empty()) {
        return name_in_cluster(pushed, options).url();
    }
    return pushed.kind == ImageReference::Kind::registry ? pushed.url() : "";
}

// Packs the source and finds out where it goes; nothing is sent.
Pushed make_ready(const std::string& source, const Plan& plan, const PushOptions& options,
                  const oci::RegistryOptions& registry, Services& services) {
    Pushed pushed;
    pushed.shipped = ship(source, options.package, oci::Module::trust_index, registry, services);
    gate(pushed.shipped, options, services);
    const ImageReference destination =
        plan.destination ? *plan.destination : home_of(pushed.shipped, services);
    pushed.reference = destination.with_tag(tag_for(destination, pushed.shipped));
    if (!options.update.empty()) {
        name_in_cluster(pushed.reference, options);  // refused before anything is sent
    }
    pushed.url = url_for(pushed.reference, options);
    return pushed;
}

// Two sources that would take the same tag from each other.
void require_own_names(const std::vector<Outcome>& outcomes) {
    std::map<std::string, const Pushed*> names;
    for (const auto& outcome : outcomes) {
        if (!outcome.pushed) {
            continue;
        }
        const auto [there, fresh] =
            names.emplace(outcome.pushed->reference.text(), &*outcome.pushed);
        const auto digest_of = [](const Pushed& pushed) {
            return pushed.shipped.shipment.image.manifest.digest;
        };
        if (!fresh && digest_of(*there->second) != digest_of(*outcome.pushed)) {
            throw Error(fmt::format("{} and {} would both be {}", there->second->shipped.source,
                                    outcome.source, there->first),
                        "give them their own repositories or versions; nothing was pushed");
        }
    }
}

void send(Pushed& pushed, const PushOptions& options, const oci::RegistryOptions& registry,
          Services& services) {
    const auto store = oci::open_store(pushed.reference, oci::Access::push, registry, services);
    std::vector<std::string> tags{pushed.reference.tag};
    tags.insert(tags.end(), options.tags.begin(), options.tags.end());
    pushed.report = in_context("pushing " + pushed.shipped.source,
                               [&] { return store->write(pushed.shipped.shipment.image, tags); });
    services.out.progress("");
    for (const auto& warning : pushed.report.warnings) {
        services.out.warn(warning);
    }
    for (const auto& warning : oci::reference_warnings(pushed.reference)) {
        services.out.warn(warning);
    }
}

// Runs `work` on every outcome that has no error yet, several at once, and keeps what goes wrong
// in each.
void for_each_good(std::vector<Outcome>& outcomes, Services& services,
                   const std::function<void(Outcome&)>& work) {
    parallel_for(
        outcomes.size(),
        [&](std::size_t i) {
            try {
                if (!outcomes[i].error) {
                    work(outcomes[i]);
                }
            } catch (const Error& error) {
                if (outcomes.size() == 1 || error.code() == ExitCode::interrupted) {
                    throw;
                }
                outcomes[i].pushed.reset();
                outcomes[i].error = error;
            }
        },
        services.cancel, parallel_pushes);
}

void update_manifest(const Pushed& pushed, const PushOptions& options, Services& services) {
    for (const auto& file : pin(pushed, options, services)) {
        for (const auto& note : file.notes) {
            services.out.warn(fmt::format("{}: {}", file.path.string(), note));
        }
        services.out.step(fmt::format("{} {}",
                                      file.before == file.after ? "already pinned in" : "pinned in",
                                      file.path.string()));
    }
}

ExitCode run_push(const PushOptions& options, Services& services) {
    const Plan plan = plan_of(options);
    for (const auto& tag : options.tags) {
        if (!is_valid_tag(tag)) {
            throw usage_error(fmt::format("'{}' is no tag", tag));
        }
    }
    const oci::RegistryOptions registry = registry_options(options.registry, services);
    PushResult result;
    for (const auto& source : plan.sources) {
        result.images.push_back({.source = source});
    }
    for_each_good(result.images, services, [&](Outcome& outcome) {
        outcome.pushed = make_ready(outcome.source, plan, options, registry, services);
    });
    require_own_names(result.images);
    for_each_good(result.images, services,
                  [&](Outcome& outcome) { send(*outcome.pushed, options, registry, services); });
    if (!options.update.empty()) {
        update_manifest(*result.images.front().pushed, options, services);
    }
    ExitCode code = ExitCode::ok;
    for (const auto& image : result.images) {
        if (image.error) {
            services.out.error(*image.error);
            code = ExitCode::failure;
        }
    }
    services.out.show(result);
    return code;
}

void add_push(CLI::App& command, Run& selected) {
    auto options = std::make_shared<PushOptions>();
    command
        .add_option("SOURCE... [REF]", options->words,
                    "A .wasm file, a project, oci:DIR[:TAG] or oci-archive:FILE[:TAG]; then where "
                    "to. Without REF a project goes to the repository of its plugin.yaml")
        ->required()
        ->type_name("REF");
    command.add_option("--tag", options->tags, "Name it so as well; may be repeated")
        ->type_name("TAG")
        ->allow_extra_args(false);
    command
        .add_option("--update", options->update,
                    "Write url and sha256 into this manifest, and record it")
        ->type_name("FILE");
    command
        .add_option("--as", options->as,
                    "What the cluster calls the same image, when that is another name")
        ->type_name("REF");
    command.add_option("--why", options->record.why, "With --update: the reason, for history")
        ->type_name("TEXT");
    add_package_flags(command, options->package);
    add_registry_flags(command, options->registry, RegistryUse::write);
    command.footer(
        "wasmplug push .\n"
        "wasmplug push plugins/auth plugins/quota\n"
        "wasmplug push plugin.wasm ghcr.io/acme/auth:1.2.0 --update plugin.yaml\n"
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
