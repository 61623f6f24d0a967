#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/image_reference.hpp"
#include "base/semver.hpp"
#include "commands/registry_flags.hpp"
#include "oci/open.hpp"

namespace wasmplug {
namespace {

struct TagsOptions {
    std::string repository;
    bool digests = false;
    RegistryFlags registry;
};

struct TagsResult {
    std::string repository;
    bool digests = false;
    std::vector<std::pair<std::string, std::string>> tags;  // and digest
};

std::string to_text(const TagsResult& result) {
    Table table;
    if (result.digests) {
        table.header = {"TAG", "DIGEST"};
    }
    for (const auto& [tag, digest] : result.tags) {
        table.rows.push_back(result.digests ? std::vector<std::string>{tag, digest}
                                            : std::vector<std::string>{tag});
    }
    return result.tags.empty() ? fmt::format("{} has no tags\n", result.repository)
                               : to_text(table);
}

nlohmann::ordered_json to_json(const TagsResult& result) {
    nlohmann::ordered_json tags = nlohmann::ordered_json::array();
    for (const auto& [tag, digest] : result.tags) {
        tags.push_back({{"tag", tag},
                        {"digest", digest.empty() ? nlohmann::ordered_json()
                                                  : nlohmann::ordered_json(digest)}});
    }
    return {{"version", 1}, {"repository", result.repository}, {"tags", tags}};
}

ExitCode run_tags(const TagsOptions& options, Services& services) {
    const ImageReference repository = parse_repository(options.repository);
    const auto store = oci::open_store(repository, oci::Access::pull,
                                       registry_options(options.registry, services), services);
    TagsResult result;
    result.repository = repository.name();
    result.digests = options.digests;
    std::vector<std::string> tags = store->tags();
    std::ranges::sort(tags, newer_tag);
    for (auto& tag : tags) {
        std::string digest;
        if (options.digests) {
            services.out.progress(fmt::format("looking at {}", tag));
            const auto raw = store->manifest(tag);
            digest = raw ? raw->digest : "";
        }
        result.tags.emplace_back(std::move(tag), std::move(digest));
    }
    services.out.progress("");
    services.out.show(result);
    return ExitCode::ok;
}

void add_tags(CLI::App& command, Run& selected) {
    auto options = std::make_shared<TagsOptions>();
    command.add_option("REPO", options->repository, "HOST/REPOSITORY, oci:DIR or oci-archive:FILE")
        ->required()
        ->type_name("REPO");
    command.add_flag("--digests", options->digests, "Ask for the digest of each, too");
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
