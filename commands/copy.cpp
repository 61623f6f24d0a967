#include "oci/copy.hpp"

#include <fmt/format.h>

#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/image_reference.hpp"
#include "commands/registry_flags.hpp"
#include "oci/open.hpp"

namespace wasmplug {
namespace {

struct CopyOptions {
    std::vector<std::string> words;
    bool all_tags = false;
    bool no_referrers = false;
    RegistryFlags registry;
};

struct Copied {
    std::string source;
    std::string destination;
    oci::CopyReport report;
};

struct CopyResult {
    std::vector<Copied> images;
};

std::string to_text(const CopyResult& result) {
    std::string text;
    for (const auto& copied : result.images) {
        text += fmt::format("{} -> {}\n  digest: {}\n", copied.source, copied.destination,
                            copied.report.manifest.digest);
        if (!copied.report.referrers.empty()) {
            text += fmt::format("  with {} that refer to it\n", copied.report.referrers.size());
        }
    }
    return text;
}

nlohmann::ordered_json to_json(const CopyResult& result) {
    nlohmann::ordered_json images = nlohmann::ordered_json::array();
    for (const auto& copied : result.images) {
        images.push_back({{"source", copied.source},
                          {"destination", copied.destination},
                          {"digest", copied.report.manifest.digest},
                          {"manifests", copied.report.manifests},
                          {"referrers", copied.report.referrers},
                          {"bytes_sent", copied.report.written.sent},
                          {"unchanged", copied.report.written.unchanged}});
    }
    return {{"version", 1}, {"images", images}};
}

// Several sources need a destination without a tag: each keeps its own.
std::string destination_tag(const ImageReference& from, const ImageReference& to, bool several) {
    if (several && !to.tag.empty()) {
        throw usage_error(fmt::format("{} has a tag, and several images are copied", to.text()),
                          "leave it out: each keeps its own");
    }
    if (!to.tag.empty()) {
        return to.tag;
    }
    return from.tag.empty() && !from.digest.empty() ? "" : from.tag_or_latest();
}

ExitCode run_copy(const CopyOptions& options, Services& services) {
    if (options.words.size() < 2) {
        throw usage_error("copy takes one or several images and where to",
                          "wasmplug copy ghcr.io/acme/auth:1.2.0 oci:mirror");
    }
    const oci::RegistryOptions registry = registry_options(options.registry, services);
    const ImageReference to = parse_reference(options.words.back());
    const auto target = oci::open_store(to, oci::Access::push, registry, services);
    std::vector<ImageReference> sources;
    for (std::size_t i = 0; i + 1 < options.words.size(); ++i) {
        const ImageReference from = parse_reference(options.words[i]);
        if (!options.all_tags) {
            sources.push_back(from);
            continue;
        }
        const auto tags = oci::open_store(from, oci::Access::pull, registry, services)->tags();
        for (const auto& tag : tags) {
            sources.push_back(from.with_tag(tag));
        }
    }
    CopyResult result;
    for (const auto& from : sources) {
        const auto store = oci::open_store(from, oci::Access::pull, registry, services);
        const std::string tag = destination_tag(from, to, sources.size() > 1 || options.all_tags);
        oci::CopyOptions how;
        how.referrers = !options.no_referrers;
        if (from.kind == ImageReference::Kind::registry && from.host == to.host) {
            how.mount_from = from.repository;
        }
        Copied copied;
        copied.source = from.text();
        copied.report = in_context("copying " + from.text(), [&] {
            return oci::copy_image(
                *store, from.selector(), *target,
                tag.empty() ? std::vector<std::string>{} : std::vector<std::string>{tag}, how);
        });
        copied.destination = tag.empty() ? to.with_digest(copied.report.manifest.digest).text()
                                         : to.with_tag(tag).text();
        for (const auto& warning : copied.report.written.warnings) {
            services.out.warn(warning);
        }
        result.images.push_back(std::move(copied));
    }
    services.out.progress("");
    services.out.show(result);
    return ExitCode::ok;
}

void add_copy(CLI::App& command, Run& selected) {
    auto options = std::make_shared<CopyOptions>();
    command
        .add_option("SRC... DST", options->words,
                    "Images, then where to: HOST/REPOSITORY[:TAG], oci:DIR[:TAG] or "
                    "oci-archive:FILE[:TAG]")
        ->required()
        ->type_name("REF");
    command.add_flag("--all-tags", options->all_tags, "Copy every tag of the repositories named");
    command.add_flag("--no-referrers", options->no_referrers,
                     "Leave signatures and the like behind");
    add_registry_flags(command, options->registry, RegistryUse::write);
    command.footer(
        "wasmplug copy ghcr.io/acme/auth:1.2.0 registry.example.com/mirror/auth\n"
        "wasmplug copy ghcr.io/acme/auth oci-archive:auth.tar --all-tags");
    selects(command, selected, options, run_copy);
}

}  // namespace

extern const Command copy_command;
const Command copy_command = {
    .name = "copy",
    .summary = "Copy images with their signatures, bytes and digests kept",
    .group = Group::ship,
    .add = add_copy};

}  // namespace wasmplug
