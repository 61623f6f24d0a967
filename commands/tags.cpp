#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/image_reference.hpp"
#include "base/parallel.hpp"
#include "base/semver.hpp"
#include "base/time.hpp"
#include "commands/registry_flags.hpp"
#include "oci/image.hpp"
#include "oci/open.hpp"

namespace wasmplug {
namespace {

struct TagsOptions {
    std::string repository;
    bool digests = false;
    RegistryFlags registry;
};

struct Tag {
    std::string name;
    std::string digest = {};
    std::string created = {};  // RFC 3339; empty: the image does not say
};

struct TagsResult {
    std::string repository;
    bool digests = false;
    std::chrono::system_clock::time_point now;
    std::vector<Tag> tags;
};

constexpr std::size_t parallel_lookups = 4;

std::string age_of(const Tag& tag, std::chrono::system_clock::time_point now) {
    const auto created = parse_time(tag.created);
    return created ? format_age(std::chrono::duration_cast<std::chrono::seconds>(now - *created))
                   : "-";
}

std::string to_text(const TagsResult& result) {
    Table table;
    if (result.digests) {
        table.header = {"TAG", "DIGEST", "AGE"};
    }
    for (const auto& tag : result.tags) {
        table.rows.push_back(
            result.digests ? std::vector<std::string>{tag.name, tag.digest, age_of(tag, result.now)}
                           : std::vector<std::string>{tag.name});
    }
    return result.tags.empty() ? fmt::format("{} has no tags\n", result.repository)
                               : to_text(table);
}

nlohmann::ordered_json to_json(const TagsResult& result) {
    using nlohmann::ordered_json;
    const auto or_null = [](const std::string& text) {
        return text.empty() ? ordered_json() : ordered_json(text);
    };
    ordered_json tags = ordered_json::array();
    for (const auto& tag : result.tags) {
        tags.push_back({{"tag", tag.name},
                        {"digest", or_null(tag.digest)},
                        {"created", or_null(tag.created)}});
    }
    return {{"version", 1}, {"repository", result.repository}, {"tags", tags}};
}

// Digest and time of each tag. A lookup is a round trip or two, so several go at once, each over
// connections of its own.
void look_up(TagsResult& result, const ImageReference& repository,
             const oci::RegistryOptions& registry, Services& services) {
    const std::size_t workers = std::min(parallel_lookups, result.tags.size());
    parallel_for(
        workers,
        [&](std::size_t worker) {
            const auto store = oci::open_store(repository, oci::Access::pull, registry, services);
            for (std::size_t i = worker; i < result.tags.size(); i += workers) {
                Tag& tag = result.tags[i];
                services.out.progress(fmt::format("looking at {}", tag.name));
                const auto raw = store->manifest(tag.name);
                if (!raw) {
                    continue;  // gone since it was listed
                }
                tag.digest = raw->digest;
                const auto manifest =
                    oci::parse_manifest(raw->bytes, raw->media_type, repository.text());
                tag.created = oci::created_of(*store, manifest).value_or("");
            }
        },
        services.cancel, workers);
    services.out.progress("");
}

ExitCode run_tags(const TagsOptions& options, Services& services) {
    const ImageReference repository = parse_repository(options.repository);
    const oci::RegistryOptions registry = registry_options(options.registry, services);
    TagsResult result{.repository = repository.name(),
                      .digests = options.digests,
                      .now = services.now(),
                      .tags = {}};
    std::vector<std::string> names =
        oci::open_store(repository, oci::Access::pull, registry, services)->tags();
    std::ranges::sort(names, newer_tag);
    for (auto& name : names) {
        result.tags.push_back({.name = std::move(name)});
    }
    if (options.digests) {
        look_up(result, repository, registry, services);
    }
    services.out.show(result);
    return ExitCode::ok;
}

void add_tags(CLI::App& command, Run& selected) {
    auto options = std::make_shared<TagsOptions>();
    command.add_option("REPO", options->repository, "HOST/REPOSITORY, oci:DIR or oci-archive:FILE")
        ->required()
        ->type_name("REPO");
    command.add_flag("--digests", options->digests, "Ask for digest and age of each, too");
    add_registry_flags(command, options->registry, RegistryUse::read);
    command.footer(
        "wasmplug tags ghcr.io/acme/auth\n"
        "wasmplug tags oci:dist --digests");
    selects(command, selected, options, run_tags);
}

}  // namespace

extern const Command tags_command;
const Command tags_command = {.name = "tags",
                              .summary = "List the tags of a repository, newest version first",
                              .group = Group::ship,
                              .add = add_tags};

}  // namespace wasmplug
