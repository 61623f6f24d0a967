#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/image_reference.hpp"
#include "commands/command.hpp"
#include "commands/manifest_options.hpp"
#include "commands/registry_flags.hpp"
#include "commands/release_flags.hpp"
#include "release/artefact.hpp"

namespace wasmplug {
namespace {

struct UpdateOptions {
    TargetFlags target;
    RecordFlags record;
    RegistryFlags registry;
    manifest::PolicyChoice policy;
    std::string reference;
    std::string range;
    std::string from;
    std::string rewrite;
    std::string sha256;
    std::string config;
    std::vector<std::string> settings;
    std::vector<std::string> string_settings;
    bool only_version = false;
};

void check(const UpdateOptions& options) {
    const int sources = !options.reference.empty() + !options.range.empty() + !options.from.empty();
    const bool configured =
        !options.config.empty() || !options.settings.empty() || !options.string_settings.empty();
    if (sources > 1) {
        throw usage_error("REF, --to and --from each say which version: give one of them");
    }
    if (sources == 0 && !configured) {
        throw usage_error("which version?", "give a REF, --to RANGE or --from FILE");
    }
    if (!options.config.empty() && !(options.settings.empty() && options.string_settings.empty())) {
        throw usage_error("--config gives the whole configuration, --set a part: give one of them");
    }
    if (options.only_version && (configured || options.from.empty())) {
        throw usage_error("--only-version leaves the configuration out of --from");
    }
}

std::optional<release::ConfigSource> config_of(const UpdateOptions& options) {
    if (options.config.empty()) {
        return std::nullopt;
    }
    const auto file = options.config == "-" ? yaml::File::parse(read_stdin(), "<stdin>")
                                            : yaml::File::read(options.config);
    const auto* node = &file.single();
    return release::ConfigSource{file, node};
}

// "A=B" over the beginning of the url, after its scheme.
std::string rewritten(const std::string& url, const std::string& rewrite) {
    const std::size_t equals = rewrite.find('=');
    if (equals == std::string::npos || equals == 0) {
        throw usage_error(fmt::format("--rewrite {} is no OLD=NEW", rewrite));
    }
    const std::string old = rewrite.substr(0, equals);
    const std::size_t begin = url.starts_with("oci://") && !old.starts_with("oci://") ? 6 : 0;
    if (url.compare(begin, old.size(), old) != 0) {
        throw Error(fmt::format("{} does not begin with {}", url, old),
                    "--rewrite OLD=NEW replaces what a url begins with");
    }
    return url.substr(0, begin) + rewrite.substr(equals + 1) + url.substr(begin + old.size());
}

// What another environment runs.
release::Wanted wanted_from(const UpdateOptions& options, const Services& services) {
    TargetFlags flags = options.target;
    flags.target = options.from;
    const auto source = open_targets(flags, "", services);
    if (source.size() > 1) {
        throw usage_error(
            fmt::format("--from {}: {} files hold such a plugin", options.from, source.size()),
            fmt::format("name the one that is meant, as {}", source.front().path.string()));
    }
    const auto& located = source.front().targets.front();
    const auto state = release::state_of(located);
    release::Wanted wanted{
        .url = state.content.url, .sha256 = state.content.sha256, .version = state.version};
    if (!options.rewrite.empty()) {
        wanted.url = rewritten(wanted.url, options.rewrite);
    }
    if (!options.only_version) {
        const auto* config = located.site(release::Role::config);
        if (config != nullptr && config->value != nullptr && !config->value->is_null()) {
            wanted.config = release::ConfigSource{located.file, config->value};
        } else {
            wanted.no_config = true;
        }
    }
    return wanted;
}

// The repository that decides which plugins of a folder are meant.
std::string image_of(const UpdateOptions& options) {
    if (!options.reference.empty() && !is_local_reference(options.reference)) {
        return release::repository_of(options.reference);
    }
    return {};
}

ExitCode run_update(const UpdateOptions& options, Services& services) {
    check(options);
    const auto files = open_targets(options.target, image_of(options), services);
    release::Wanted wanted;
    if (!options.from.empty()) {
        wanted = wanted_from(options, services);
    }
    wanted.config = options.config.empty() ? wanted.config : config_of(options);
    for (const auto& [texts, string] :
         {std::pair{&options.settings, false}, std::pair{&options.string_settings, true}}) {
        for (const auto& text : *texts) {
            wanted.settings.push_back(release::parse_setting(text, string));
        }
    }
    release::Resolver resolver(registry_options(options.registry, services), services);
    const auto recording = recording_of(options.record, services);
    // Resolved before the targets are planned side by side: a version is looked up once.
    std::vector<std::vector<release::Wanted>> wanted_of;
    for (const auto& file : files) {
        auto& all = wanted_of.emplace_back();
        for (const auto& located : file.targets) {
            auto& one = all.emplace_back(wanted);
            const auto state = release::state_of(located);
            if (!options.reference.empty()) {
                resolver.resolve(options.reference, options.sha256, state, one);
                resolver.check_loads(options.reference, one.sha256);
            } else if (!options.range.empty()) {
                resolver.resolve_range(options.range, state, one);
            } else if (options.from.empty()) {
                one.url = state.content.url;
                one.sha256 = state.content.sha256;
                one.version = state.version;
            } else {
                resolver.check_loads(one.url, one.sha256);
            }
        }
    }
    const auto plan = [&](const release::Located& located) {
        for (std::size_t i = 0; i < files.size(); ++i) {
            for (std::size_t j = 0; j < files[i].targets.size(); ++j) {
                if (&files[i].targets[j] == &located) {
                    return release::plan_update(located, wanted_of[i][j], recording);
                }
            }
        }
        throw std::logic_error("a target that was not opened");
    };
    const ReleaseResult result{.rollback = false,
                               .dry_run = options.record.dry_run,
                               .files = release::prepare(files, plan, services.cancel)};
    refuse_by_policy(result.files, options.policy, services);
    finish_release(result, services);
    return ExitCode::ok;
}

void add_update(CLI::App& command, Run& selected) {
    auto options = std::make_shared<UpdateOptions>();
    add_target_flags(command, options->target);
    command.add_option("REF", options->reference, "The image, as [oci://]HOST/REPO:TAG[@DIGEST]")
        ->type_name("REF");
    command.add_option("--to", options->range, "The newest tag in this range, as ~1.4")
        ->type_name("RANGE");
    command.add_option("--from", options->from, "What this manifest of another environment runs")
        ->type_name("FILE");
    command.add_option("--rewrite", options->rewrite, "With --from: another repository")
        ->type_name("OLD=NEW");
    command.add_flag("--only-version", options->only_version,
                     "With --from: leave the configuration as it is");
    command.add_option("--sha256", options->sha256, "The digest that the image has to have")
        ->type_name("DIGEST");
    command.add_option("--config", options->config, "The new pluginConfig, YAML or JSON")
        ->type_name("FILE");
    command.add_option("--set", options->settings, "One value of the configuration, below spec")
        ->type_name("PATH=VALUE")
        ->allow_extra_args(false);
    command.add_option("--set-string", options->string_settings, "The same, always a string")
        ->type_name("PATH=VALUE")
        ->allow_extra_args(false);
    add_record_flags(command, options->record);
    add_registry_flags(command, options->registry, RegistryUse::read);
    add_policy_flags(command, options->policy);
    command.footer(
        "wasmplug update plugin.yaml ghcr.io/acme/auth:1.4.0 --why 'fixes #12'\n"
        "wasmplug update deploy/ ghcr.io/acme/auth:1.4.0\n"
        "wasmplug update prod/auth.yaml --from staging/auth.yaml\n"
        "wasmplug update plugin.yaml --to '~1.4'");
    selects(command, selected, options, run_update);
}

}  // namespace

extern const Command update_command;
const Command update_command = {
    .name = "update",
    .summary = "Put a version and its configuration into a manifest, and record it",
    .group = Group::release,
    .add = add_update};

}  // namespace wasmplug
