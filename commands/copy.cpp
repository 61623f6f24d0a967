#include "oci/copy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/image_reference.hpp"
#include "base/parallel.hpp"
#include "commands/registry_flags.hpp"
#include "commands/release_flags.hpp"
#include "oci/open.hpp"
#include "release/mirror.hpp"

namespace wasmplug {
namespace {

constexpr std::size_t parallel_repositories = 4;

struct CopyOptions {
    std::vector<std::string> words;
    bool all_tags = false;
    bool no_referrers = false;
    std::string from_manifests;
    std::string rewrite;
    std::string as;
    RecordFlags record;
    RegistryFlags registry;
};

// One image on its way.
struct Copied {
    release::UsedImage image;  // as the command line or manifests name it
    ImageReference from;
    ImageReference to;
    ImageReference named;  // what the cluster calls `to`
    release::Mirrored done = {};
    std::optional<Error> error = {};
};

struct CopyResult {
    bool dry_run = false;
    std::vector<Copied> images;
    std::optional<ReleaseResult> rewritten;  // with --rewrite
};

std::string text_of(const Copied& copied, bool dry_run) {
    std::string text = fmt::format("{} -> {}\n", copied.from.text(), copied.to.text());
    if (dry_run) {
        return text;
    }
    text += fmt::format("  digest: {}\n", copied.done.report.manifest.digest);
    if (!copied.done.report.referrers.empty()) {
        const std::size_t n = copied.done.report.referrers.size();
        text += fmt::format("  with {} that {} to it\n", n, n == 1 ? "refers" : "refer");
    }
    return text;
}

std::string to_text(const CopyResult& result, const Output::Style& style) {
    std::string text;
    for (const auto& copied : result.images) {
        text += copied.error ? "" : text_of(copied, result.dry_run);
    }
    return result.rewritten ? text + to_text(*result.rewritten, style) : text;
}

nlohmann::ordered_json to_json(const Copied& copied, bool dry_run) {
    const auto& report = copied.done.report;
    nlohmann::ordered_json json = {{"source", copied.from.text()},
                                   {"destination", copied.to.text()}};
    if (!copied.image.users.empty()) {
        json["used_by"] = copied.image.users;
    }
    if (copied.error) {
        json["error"] = copied.error->full_message();
        json["hint"] = copied.error->hint();
    } else if (!dry_run) {
        json["digest"] = report.manifest.digest;
        json["manifests"] = report.manifests;
        json["referrers"] = report.referrers;
        json["bytes_sent"] = report.written.sent;
        json["unchanged"] = report.written.unchanged;
    }
    return json;
}

nlohmann::ordered_json to_json(const CopyResult& result) {
    nlohmann::ordered_json images = nlohmann::ordered_json::array();
    for (const auto& copied : result.images) {
        images.push_back(to_json(copied, result.dry_run));
    }
    nlohmann::ordered_json json = {{"version", 1}, {"images", images}};
    if (result.rewritten) {
        json["rewritten"] = to_json(*result.rewritten);
    }
    return json;
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

// The images that the command line names.
std::vector<Copied> named_images(const CopyOptions& options, const oci::RegistryOptions& registry,
                                 Services& services) {
    if (options.words.size() < 2) {
        throw usage_error("copy takes one or several images and where to",
                          "wasmplug copy ghcr.io/acme/auth:1.2.0 oci:mirror");
    }
    const ImageReference to = parse_reference(options.words.back());
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
    std::vector<Copied> images;
    for (const auto& from : sources) {
        const std::string tag = destination_tag(from, to, sources.size() > 1 || options.all_tags);
        Copied copied{.image = {.reference = from}, .from = from, .to = to.with_tag(tag)};
        copied.to.digest = tag.empty() ? from.digest : "";
        images.push_back(std::move(copied));
    }
    return images;
}

std::vector<release::FileTargets> all_plugins(const std::string& path, const Services& services) {
    return release::open_targets(parse_target(path),
                                 {.name = {}, .values_path = {}, .image = {}, .every = true},
                                 services.cancel);
}

// The images that manifests run, each below the mirror under its own name.
std::vector<Copied> used_images(const CopyOptions& options, Services& services) {
    if (options.words.size() != 1 || options.all_tags) {
        throw usage_error("--from-manifests says what is copied; name only where to",
                          "wasmplug copy --from-manifests deploy registry.example.com/mirror");
    }
    const auto mirror = release::Mirror::parse(options.words.front());
    auto used = release::images_used(all_plugins(options.from_manifests, services));
    for (const auto& user : used.skipped) {
        services.out.warn(fmt::format("{} runs no image from a registry; it is left", user));
    }
    if (used.images.empty()) {
        throw Error(
            fmt::format("no plugin in {} runs an image from a registry", options.from_manifests));
    }
    release::require_own_places(used.images);
    std::vector<Copied> images;
    for (auto& image : used.images) {
        const ImageReference from = image.reference;
        images.push_back({.image = std::move(image), .from = from, .to = mirror.place_of(from)});
    }
    return images;
}

// What the cluster calls the copies: itself a mirror when manifests were read, one name else.
void name_in_cluster(std::vector<Copied>& images, const CopyOptions& options) {
    std::optional<release::Mirror> mirror;
    std::optional<ImageReference> name;
    if (!options.as.empty() && !options.from_manifests.empty()) {
        mirror = release::Mirror::parse(options.as);
    } else if (!options.as.empty()) {
        name = parse_repository(options.as);
    }
    for (auto& copied : images) {
        copied.named = mirror ? mirror->place_of(copied.from)
                       : name ? name->with_tag(copied.to.tag)
                              : copied.to;
        if (copied.from.kind != ImageReference::Kind::registry) {
            throw usage_error(fmt::format("no manifest runs {}", copied.from.text()),
                              "--rewrite is for images copied from a registry");
        }
        if (copied.named.kind != ImageReference::Kind::registry ||
            (options.as.empty() && is_loopback_host(copied.named.host))) {
            throw usage_error(
                fmt::format("a cluster cannot pull from {}", copied.named.name()),
                "--as says what the cluster calls the mirror, as kind-registry:5000/mirror");
        }
    }
}

std::string mount_from(const Copied& copied) {
    return copied.from.kind == ImageReference::Kind::registry && copied.from.host == copied.to.host
               ? copied.from.repository
               : "";
}

// Copies what goes from one repository to one other, over the same connections and tokens.
void copy_repository(const std::vector<Copied*>& images, const CopyOptions& options,
                     const oci::RegistryOptions& registry, bool alone, Services& services) {
    const auto from = oci::open_store(images.front()->from, oci::Access::pull, registry, services);
    const auto to = oci::open_store(images.front()->to, oci::Access::push, registry, services);
    for (Copied* copied : images) {
        oci::CopyOptions how;
        how.referrers = !options.no_referrers;
        how.mount_from = mount_from(*copied);
        try {
            copied->done = in_context("copying " + copied->from.text(), [&] {
                if (!copied->image.users.empty()) {
                    return release::mirror_image(*from, copied->image, *to, how);
                }
                return release::copy_named(*from, copied->from, *to, copied->to, how);
            });
        } catch (const Error& error) {
            if (alone || error.code() == ExitCode::interrupted) {
                throw;
            }
            copied->error = error;
            continue;
        }
        for (const auto& warning : copied->done.report.written.warnings) {
            services.out.warn(warning);
        }
        if (!copied->done.warning.empty()) {
            services.out.warn(copied->done.warning);
        }
    }
}

void copy_all(std::vector<Copied>& images, const CopyOptions& options,
              const oci::RegistryOptions& registry, Services& services) {
    std::map<std::pair<std::string, std::string>, std::vector<Copied*>> repositories;
    bool archive = false;  // written anew by each image, so one after another
    for (auto& copied : images) {
        repositories[{copied.from.name(), copied.to.name()}].push_back(&copied);
        archive = archive || copied.to.kind == ImageReference::Kind::archive;
    }
    std::vector<const std::vector<Copied*>*> work;
    for (const auto& [names, group] : repositories) {
        work.push_back(&group);
    }
    parallel_for(
        work.size(),
        [&](std::size_t i) {
            copy_repository(*work[i], options, registry, images.size() == 1, services);
        },
        services.cancel, archive ? 1 : parallel_repositories);
    services.out.progress("");
}

// Points the manifests at the copies.
ReleaseResult rewrite(const std::vector<Copied>& images, const CopyOptions& options,
                      Services& services) {
    std::vector<release::Move> moves;
    for (const auto& copied : images) {
        moves.push_back({.from = copied.from, .to = copied.named, .digests = copied.done.digests});
    }
    auto files = all_plugins(options.rewrite, services);
    const auto wanted_of = [&](const release::Located& located) {
        return release::moved(release::state_of(located), moves, located.file.name());
    };
    for (auto& file : files) {
        std::erase_if(file.targets,
                      [&](const release::Located& located) { return !wanted_of(located); });
    }
    std::erase_if(files, [](const auto& file) { return file.targets.empty(); });
    const auto recording = recording_of(options.record, services);
    const auto plan = [&](const release::Located& located) {
        auto step = release::plan_update(located, *wanted_of(located), recording);
        if (const auto note = release::pull_secret_note(located); step.changed && !note.empty()) {
            step.notes.push_back(note);
        }
        return step;
    };
    return {.rollback = false,
            .dry_run = options.record.dry_run,
            .files = release::prepare(files, plan, services.cancel)};
}

void check(const CopyOptions& options) {
    if (options.rewrite.empty() && (!options.as.empty() || !options.record.why.empty())) {
        throw usage_error(options.as.empty() ? "--why is for --rewrite" : "--as is for --rewrite");
    }
}

ExitCode run_copy(const CopyOptions& options, Services& services) {
    check(options);
    const oci::RegistryOptions registry = registry_options(options.registry, services);
    CopyResult result{.dry_run = options.record.dry_run,
                      .images = options.from_manifests.empty()
                                    ? named_images(options, registry, services)
                                    : used_images(options, services),
                      .rewritten = {}};
    if (!options.rewrite.empty()) {
        name_in_cluster(result.images, options);
        rewrite(result.images, options, services);  // what cannot be edited is said before copying
    }
    if (!result.dry_run) {
        copy_all(result.images, options, registry, services);
    }
    ExitCode code = ExitCode::ok;
    for (const auto& copied : result.images) {
        if (copied.error) {
            services.out.error(*copied.error);
            code = ExitCode::failure;
        }
    }
    if (!options.rewrite.empty() && code == ExitCode::ok) {
        result.rewritten = rewrite(result.images, options, services);
        write_release(*result.rewritten, services);
        if (result.rewritten->files.empty()) {
            services.out.warn(fmt::format("no plugin in {} runs what was copied", options.rewrite));
        }
    } else if (!options.rewrite.empty()) {
        services.out.warn("no manifest was changed, since not every image was copied");
    }
    services.out.show(result);
    return code;
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
    command
        .add_option("--from-manifests", options->from_manifests,
                    "Copy what the plugins in this folder run, below DST: HOST[/PREFIX] or oci:DIR")
        ->type_name("DIR");
    command
        .add_option("--rewrite", options->rewrite,
                    "Then point the manifests in this folder at the copies")
        ->type_name("DIR");
    command
        .add_option("--as", options->as, "With --rewrite: what the cluster calls the destination")
        ->type_name("REF");
    add_record_flags(command, options->record);
    add_registry_flags(command, options->registry, RegistryUse::write);
    command.footer(
        "wasmplug copy ghcr.io/acme/auth:1.2.0 registry.example.com/mirror/auth\n"
        "wasmplug copy ghcr.io/acme/auth oci-archive:auth.tar --all-tags\n"
        "wasmplug copy --from-manifests deploy reg.example.com/mirror --rewrite deploy");
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
