#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "commands/command.hpp"
#include "commands/registry_flags.hpp"
#include "commands/release_flags.hpp"
#include "release/artefact.hpp"
#include "release/history.hpp"

namespace wasmplug {
namespace {

struct RollbackOptions {
    TargetFlags target;
    RecordFlags record;
    RegistryFlags registry;
    release::RollbackChoice choice;
};

ExitCode run_rollback(const RollbackOptions& options, Services& services) {
    release::RollbackChoice choice = options.choice;
    if (choice.digest.starts_with("sha256:")) {
        choice.digest.erase(0, 7);
    }
    if ((choice.revision != 0) + !choice.version.empty() + !choice.digest.empty() > 1) {
        throw usage_error("give one of --to-revision, --to-version and --to-digest");
    }
    const auto files = open_targets(options.target, "", services);
    const auto recording = recording_of(options.record, services);
    const auto plan = [&](const release::Located& located) {
        return release::plan_rollback(located, choice, recording,
                                      [&] { return release::past_of(located, services); });
    };
    const ReleaseResult result{.rollback = true,
                               .dry_run = options.record.dry_run,
                               .files = release::prepare(files, plan, services.cancel)};
    if (!services.offline) {
        release::Resolver resolver(registry_options(options.registry, services), services);
        for (const auto& file : result.files) {
            for (const auto& step : file.steps) {
                if (step.changed) {
                    resolver.check_there(step.after);
                }
            }
        }
    }
    finish_release(result, services);
    return ExitCode::ok;
}

void add_rollback(CLI::App& command, Run& selected) {
    auto options = std::make_shared<RollbackOptions>();
    add_target_flags(command, options->target);
    auto& choice = options->choice;
    command.add_option("--to-revision", choice.revision, "This revision of the history")
        ->type_name("N")
        ->check(CLI::Range(1U, 1'000'000'000U).description(""));
    command.add_option("--to-version", choice.version, "The newest revision of this version")
        ->type_name("VERSION");
    command.add_option("--to-digest", choice.digest, "The newest revision of this digest")
        ->type_name("DIGEST");
    command.add_flag("--only-version", choice.only_version, "Leave the configuration as it is");
    add_record_flags(command, options->record);
    add_registry_flags(command, options->registry, RegistryUse::read);
    command.footer(
        "wasmplug rollback plugin.yaml --why 'errors after 1.4.0'\n"
        "wasmplug rollback plugin.yaml --to-revision 12 --dry-run");
    selects(command, selected, options, run_rollback);
}

}  // namespace

extern const Command rollback_command;
const Command rollback_command = {.name = "rollback",
                                  .summary = "Put the version before back, with its configuration",
                                  .group = Group::release,
                                  .add = add_rollback};

}  // namespace wasmplug
