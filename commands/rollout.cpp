#include "release/rollout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "base/report.hpp"
#include "base/semver.hpp"
#include "base/time.hpp"
#include "base/yaml_edit.hpp"
#include "base/yaml_write.hpp"
#include "commands/command.hpp"
#include "commands/registry_flags.hpp"
#include "commands/release_flags.hpp"
#include "commands/rollout_report.hpp"
#include "commands/show_as.hpp"
#include "release/artefact.hpp"
#include "release/git_commit.hpp"

namespace wasmplug {
namespace {

using release::Plan;
using release::RolloutStatus;
using release::Verdict;
using release::WaveState;
using release::WaveStatus;

struct RolloutOptions {
    std::string plan;
    std::string wave;
    std::string image;
    std::vector<std::string> waves;    // init: NAME=GLOB
    std::string format;                // status
    std::vector<std::string> reports;  // status: svg=FILE
    bool commit = false;
    RecordFlags record;
    RegistryFlags registry;
};

Plan open_plan(const RolloutOptions& options) {
    return release::read_plan(options.plan);
}

void say_warnings(const Plan& plan, Services& services) {
    for (const auto& warning : release::warnings_of(plan)) {
        services.out.warn(warning.text, warning.hint);
    }
}

void refuse_overlaps(const Plan& plan, const RolloutStatus& status) {
    const auto found = release::overlaps(plan, status);
    if (!found.empty()) {
        throw Error(fmt::format("{} and {} are not disjoint: {}", found[0].first, found[0].second,
                                found[0].why),
                    "give them selectors that differ in one label, or say under 'cluster' that "
                    "their waves run in different clusters");
    }
}

// Commits what was written, if that was asked for; else, if this `says`, tells how it would.
void commit_or_say(const RolloutOptions& options, const std::vector<std::filesystem::path>& files,
                   const std::string& message, bool says, Services& services) {
    if (options.commit) {
        return release::commit_files(files, message, services);
    }
    if (files.empty() || !says) {
        return;
    }
    for (const auto& file : files) {
        services.out.note(file.string());
    }
    services.out.note("commit message: " + message);
}

// Looks the tag up once and writes its digest into the plan, so that every wave gets the same.
Plan pinned(const RolloutOptions& options, Services& services) {
    Plan plan = open_plan(options);
    if (!plan.sha256.empty()) {
        return plan;
    }
    if (services.offline) {
        throw Error(fmt::format("{} does not say which digest {} has, and --offline was given",
                                options.plan, plan.to),
                    "write it there as plugin.sha256, 64 digits");
    }
    release::Resolver resolver(registry_options(options.registry, services), services);
    release::Wanted wanted;
    release::State now;
    now.content.url = plan.url;
    if (parse_version(plan.to) || plan.to.find_first_of("~^<>=*| ") == std::string::npos) {
        resolver.resolve(plan.url + ":" + plan.to, {}, now, wanted);
    } else {
        resolver.resolve_range(plan.to, now, wanted);
    }
    yaml::Editor editor(plan.file);
    const yaml::Path plugin{"plugin"};
    editor.set(0, plugin / "to", wanted.version);
    editor.set(0, plugin / "sha256", wanted.sha256, {"to"});
    if (options.commit) {
        release::refuse_uncommitted({options.plan}, services);
    }
    LockedFile locked(options.plan);
    if (locked.text() != plan.file.text()) {
        throw Error(fmt::format("{} has changed underneath", options.plan), "try again",
                    ExitCode::changed);
    }
    locked.replace(editor.text());
    services.out.note(fmt::format("{} is {}; written into {}", plan.to,
                                  release::short_digest(wanted.sha256), options.plan));
    if (options.commit) {
        release::commit_files({options.plan},
                              fmt::format("Pin {} to {} {}", plan.name, wanted.version,
                                          release::short_digest(wanted.sha256)),
                              services);
    }
    return open_plan(options);
}

std::vector<std::filesystem::path> changed_files(const std::vector<release::FileSteps>& files) {
    std::vector<std::filesystem::path> paths;
    for (const auto& file : files) {
        if (file.after != file.before) {
            paths.push_back(file.path);
        }
    }
    return paths;
}

std::string message_for(const Plan& plan, const WaveStatus& wave, const RolloutStatus& status) {
    const auto number = &wave - status.waves.data() + 1;
    return fmt::format("Roll out {} {}: wave {}/{} {}", plan.name, plan.to, number,
                       status.waves.size(), wave.wave->name);
}

// Before the first write of a step that commits. A wave is remembered in its targets, or where they
// cannot hold that, in the plan.
void refuse_what_a_person_changed(const RolloutOptions& options, const Plan& plan,
                                  const WaveStatus& wave, Services& services) {
    if (!options.commit) {
        return;
    }
    std::vector<std::filesystem::path> files;
    for (const auto& targets : wave.files) {
        files.push_back(targets.path);
    }
    if (!release::keeps_records(wave)) {
        files.emplace_back(plan.path);
    }
    release::refuse_uncommitted(files, services);
}

// Edits one wave.
void edit_wave(const RolloutOptions& options, const Plan& plan, const WaveStatus& wave,
               const RolloutStatus& status, bool says, Services& services) {
    const auto files =
        release::prepare_wave(plan, wave, recording_of(options.record, services), services.cancel);
    refuse_by_policy(files, {}, services);
    if (options.record.dry_run) {
        return services.out.show(ReleaseResult{.rollback = false, .dry_run = true, .files = files});
    }
    if (options.commit) {
        release::refuse_uncommitted(changed_files(files), services);
    }
    release::write_steps(files, services);
    services.out.step(fmt::format("wave {} \"{}\": changed {} of {}",
                                  &wave - status.waves.data() + 1, wave.wave->name,
                                  changed_files(files).size(), wave.targets));
    commit_or_say(options, changed_files(files), message_for(plan, wave, status), says, services);
}

release::GateRecord record_of(const Plan& plan, const WaveStatus& wave, std::string answer,
                              std::string reason, const release::Recording& recording) {
    return {plan.name,         wave.wave->name, plan.sha256, std::move(answer),
            std::move(reason), recording.at,    recording.by};
}

ExitCode exit_for(const Verdict& verdict) {
    switch (verdict.answer) {
        case Verdict::Answer::passed:
            return ExitCode::ok;
        case Verdict::Answer::failed:
            return ExitCode::rejected;
        case Verdict::Answer::inconclusive:
        case Verdict::Answer::waiting:
            return ExitCode::waiting;
    }
    return ExitCode::failure;
}

const char* answer_word(Verdict::Answer answer) {
    return answer == Verdict::Answer::passed         ? "passed"
           : answer == Verdict::Answer::failed       ? "failed"
           : answer == Verdict::Answer::inconclusive ? "inconclusive"
                                                     : "waiting";
}

// With `wait` a gate that is measured until somebody promotes is waited for.
Verdict judge_wave_now(const RolloutOptions& options, const Plan& plan, const RolloutStatus& status,
                       const WaveStatus& wave, bool wait, Services& services) {
    refuse_what_a_person_changed(options, plan, wave, services);
    const auto promoted = [&] {
        const auto record = release::remembered_gate(plan, wave, services.cancel);
        return record && record->answer == "promoted";
    };
    const auto verdict = release::judge_gates(release::gates_of(plan, *wave.wave), promoted, wait,
                                              plan.timeout, services)
                             .verdict;
    const char* word = answer_word(verdict.answer);
    refuse_what_a_person_changed(options, plan, wave, services);  // while the gates were asked
    const auto written = release::remember_gate(
        plan, wave,
        record_of(plan, wave, word, verdict.reason, recording_of(options.record, services)),
        services.cancel);
    if (written) {
        commit_or_say(options, {*written}, message_for(plan, wave, status) + " " + word, !wait,
                      services);
    }
    return verdict;
}

// Every wave back to its own version before, the last one first.
ExitCode undo(const RolloutOptions& options, const Plan& plan, const std::string& why, bool says,
              Services& services) {
    const RolloutStatus status = release::read_status(plan, services.cancel);
    auto recording = recording_of(options.record, services);
    recording.why = why;
    std::size_t failed = 0;
    for (auto wave = status.waves.rbegin(); wave != status.waves.rend(); ++wave) {
        if (wave->changed == 0) {
            continue;
        }
        try {
            refuse_what_a_person_changed(options, plan, *wave, services);
            const auto files = release::prepare_undo(plan, *wave, recording, services);
            release::write_steps(files, services);
            auto changed = changed_files(files);
            services.out.step(fmt::format("wave \"{}\" rolled back: {} target{}", wave->wave->name,
                                          changed.size(), changed.size() == 1 ? "" : "s"));
            if (!release::keeps_records(*wave)) {
                const auto written = release::remember_gate(
                    plan, *wave, record_of(plan, *wave, "rolled back", why, recording),
                    services.cancel);
                if (written) {
                    changed.push_back(*written);
                }
            }
            commit_or_say(
                options, changed,
                fmt::format("Roll back {} {}: wave {}", plan.name, plan.to, wave->wave->name), says,
                services);
        } catch (const Error& error) {
            if (error.code() == ExitCode::interrupted) {
                throw;
            }
            services.out.error(error);
            ++failed;
        }
    }
    services.out.show(StatusResult{&plan, release::read_status(plan, services.cancel)});
    return failed == 0 ? ExitCode::ok : ExitCode::half_done;
}

ExitCode run_init(const RolloutOptions& options, Services& services) {
    if (std::filesystem::exists(options.plan)) {
        throw Error(fmt::format("{} exists already", options.plan));
    }
    const std::size_t colon = options.image.rfind(':');
    if (options.image.empty() || colon == std::string::npos || colon < options.image.rfind('/')) {
        throw usage_error("which image?", "give it as --image ghcr.io/acme/auth:1.4.0");
    }
    const std::string url = options.image.substr(0, colon);
    std::string text = fmt::format(
        "apiVersion: {}\nkind: {}\nplugin:\n  url: {}\n  to: \"{}\"\ndefaults:\n  settle: 60s\n"
        "  onFailure: rollback\ngates:\n- name: synced\n  # Comes back when the cluster has the "
        "change; a metric before that says nothing.\n  wait: 5m\nwaves:\n",
        release::plan_api_version, release::plan_kind,
        url.starts_with("oci://") ? url : "oci://" + url, options.image.substr(colon + 1));
    for (const auto& wave : options.waves) {
        const std::size_t equals = wave.find('=');
        if (equals == std::string::npos) {
            throw usage_error(fmt::format("--wave {} is no NAME=GLOB", wave));
        }
        text += fmt::format("- name: {}\n  targets:\n  - file: \"{}\"\n", wave.substr(0, equals),
                            wave.substr(equals + 1));
    }
    if (options.waves.empty()) {
        throw usage_error("which waves?", "give each as --wave canary='dev/*.yaml'");
    }
    const Plan plan = release::parse_plan(yaml::File::parse(text, options.plan), options.plan);
    write_file(options.plan, text);
    services.out.show(WrittenPlan{options.plan, &plan});
    return ExitCode::ok;
}

ExitCode run_plan(const RolloutOptions& options, Services& services) {
    const bool had_digest = !open_plan(options).sha256.empty();
    const Plan plan = pinned(options, services);
    if (had_digest) {
        release::Resolver(registry_options(options.registry, services), services)
            .check_loads(plan.url + ":" + plan.to, plan.sha256);
    }
    say_warnings(plan, services);
    const RolloutStatus status = release::read_status(plan, services.cancel);
    refuse_overlaps(plan, status);
    for (const auto& wave : plan.waves) {
        for (const auto& gate : release::gates_of(plan, wave)) {
            services.out.note(
                fmt::format("wave {}: gate {}: {}", wave.name, gate.name, release::describe(gate)));
        }
    }
    services.out.show(StatusResult{&plan, status});
    return ExitCode::ok;
}

ExitCode run_status(const RolloutOptions& options, Services& services) {
    std::vector<std::pair<std::string, std::string>> reports;
    for (const auto& report : options.reports) {
        reports.push_back(split_report_target(report, {"svg", "mermaid"}));
    }
    const Plan plan = open_plan(options);
    const StatusResult result{&plan, release::read_status(plan, services.cancel)};
    for (const auto& [format, file] : reports) {
        write_file(file, picture_of(result, format));
    }
    if (!show_as(options.format, result, services.out)) {
        services.out.print(picture_of(result, options.format));
    }
    return ExitCode::ok;
}

void refuse_left(const Plan& plan, const RolloutStatus& status) {
    for (const auto& wave : status.waves) {
        if (wave.state == WaveState::rolled_back) {
            throw Error(fmt::format("{} was rolled back in wave '{}': {}", plan.to, wave.wave->name,
                                    wave.bad),
                        "put a new version into the plan (plugin.to, and take plugin.sha256 out)",
                        ExitCode::rejected);
        }
    }
}

ExitCode run_next(const RolloutOptions& options, Services& services) {
    const Plan plan = pinned(options, services);
    const RolloutStatus status = release::read_status(plan, services.cancel);
    refuse_overlaps(plan, status);
    refuse_left(plan, status);
    const WaveStatus* wave = status.current();
    if (wave == nullptr) {
        services.out.note("every wave has the version");
        services.out.show(StatusResult{&plan, status});
        return ExitCode::ok;
    }
    if (wave->state == WaveState::waiting || wave->state == WaveState::failed ||
        wave->state == WaveState::changed) {
        throw Error(
            fmt::format("wave '{}' is {}: {}", wave->wave->name, release::to_string(wave->state),
                        wave->record ? wave->record->reason : "its gates were not asked"),
            fmt::format("'wasmplug rollout gate {} --wave {}' asks them, 'rollout promote' "
                        "passes them",
                        options.plan, wave->wave->name),
            wave->state == WaveState::failed ? ExitCode::rejected : ExitCode::waiting);
    }
    edit_wave(options, plan, *wave, status, true, services);
    if (options.record.dry_run) {
        return ExitCode::ok;
    }
    services.out.show(StatusResult{&plan, release::read_status(plan, services.cancel)});
    return ExitCode::ok;
}

const WaveStatus& named_wave(const RolloutStatus& status, const std::string& name) {
    if (name.empty()) {
        const WaveStatus* current = status.current();
        return current == nullptr ? status.waves.back() : *current;
    }
    for (const auto& wave : status.waves) {
        if (wave.wave->name == name) {
            return wave;
        }
    }
    throw usage_error(fmt::format("the plan has no wave '{}'", name));
}

const WaveStatus& changed_wave(const RolloutStatus& status, const std::string& name) {
    const WaveStatus& wave = named_wave(status, name);
    if (wave.changed < wave.targets) {
        throw Error(fmt::format("wave '{}' has the version in {} targets only", wave.wave->name,
                                changed_of(wave)),
                    "'wasmplug rollout next' changes them");
    }
    return wave;
}

ExitCode run_gate(const RolloutOptions& options, Services& services) {
    const Plan plan = open_plan(options);
    const RolloutStatus status = release::read_status(plan, services.cancel);
    const WaveStatus& wave = changed_wave(status, options.wave);
    const Verdict verdict = judge_wave_now(options, plan, status, wave, false, services);
    if (!verdict.reason.empty()) {
        services.out.warn(fmt::format("wave '{}': {}", wave.wave->name, verdict.reason),
                          verdict.answer == Verdict::Answer::failed
                              ? fmt::format("'wasmplug rollout abort {}' goes back", options.plan)
                              : "");
    }
    services.out.show(StatusResult{&plan, release::read_status(plan, services.cancel)});
    return exit_for(verdict);
}

ExitCode remember(const RolloutOptions& options, const char* answer, const char* reason,
                  Services& services) {
    const Plan plan = open_plan(options);
    const RolloutStatus status = release::read_status(plan, services.cancel);
    const WaveStatus& wave = changed_wave(status, options.wave);
    refuse_what_a_person_changed(options, plan, wave, services);
    const auto recording = recording_of(options.record, services);
    const auto written = release::remember_gate(
        plan, wave,
        record_of(plan, wave, answer, recording.why.empty() ? reason : recording.why, recording),
        services.cancel);
    if (written) {
        commit_or_say(options, {*written}, message_for(plan, wave, status) + " " + answer, true,
                      services);
    }
    services.out.show(StatusResult{&plan, release::read_status(plan, services.cancel)});
    return ExitCode::ok;
}

ExitCode run_promote(const RolloutOptions& options, Services& services) {
    return remember(options, "promoted", "promoted by a person", services);
}

ExitCode run_pause(const RolloutOptions& options, Services& services) {
    return remember(options, "paused", "paused by a person", services);
}

ExitCode run_resume(const RolloutOptions& options, Services& services) {
    return remember(options, "resumed", "resumed: its gates are asked again", services);
}

ExitCode run_abort(const RolloutOptions& options, Services& services) {
    const Plan plan = open_plan(options);
    for (const auto& wave : release::read_status(plan, services.cancel).waves) {
        if (wave.changed > 0) {
            refuse_what_a_person_changed(options, plan, wave, services);
        }
    }
    return undo(options, plan, options.record.why.empty() ? "aborted" : options.record.why, true,
                services);
}

// One wave of `run`: edit, settle, gates. Nothing when it passed.
std::optional<ExitCode> run_wave(const RolloutOptions& options, const Plan& plan,
                                 const RolloutStatus& status, const WaveStatus& wave,
                                 Services& services) {
    if (wave.record && wave.record->answer == "paused") {
        services.out.warn(
            fmt::format("wave '{}' is paused: {}", wave.wave->name, wave.record->reason),
            "'wasmplug rollout resume' goes on");
        return ExitCode::waiting;
    }
    if (wave.changed < wave.targets) {
        edit_wave(options, plan, wave, status, false, services);
        if (plan.settle.count() > 0 && !wave.wave->gates.empty()) {
            services.out.note("settling for " + format_duration(plan.settle));
            services.sleep(plan.settle, services.cancel);
        }
    }
    const Verdict verdict = judge_wave_now(options, plan, status, wave, true, services);
    if (verdict.answer == Verdict::Answer::passed) {
        return std::nullopt;
    }
    services.out.warn(fmt::format("wave '{}': {}", wave.wave->name, verdict.reason));
    if (verdict.answer == Verdict::Answer::failed &&
        plan.on_failure == release::OnFailure::rollback) {
        const ExitCode undone = undo(options, plan, verdict.reason, false, services);
        return undone == ExitCode::ok ? ExitCode::rejected : undone;
    }
    services.out.show(StatusResult{&plan, release::read_status(plan, services.cancel)});
    return exit_for(verdict) == ExitCode::rejected ? ExitCode::waiting : exit_for(verdict);
}

ExitCode run_run(const RolloutOptions& options, Services& services) {
    const Plan plan = pinned(options, services);
    say_warnings(plan, services);
    while (true) {
        const RolloutStatus status = release::read_status(plan, services.cancel);
        refuse_overlaps(plan, status);
        refuse_left(plan, status);
        const WaveStatus* wave = status.current();
        if (wave == nullptr) {
            services.out.show(StatusResult{&plan, status});
            return ExitCode::ok;
        }
        if (const auto end = run_wave(options, plan, status, *wave, services)) {
            return *end;
        }
    }
}

using RunRollout = ExitCode (*)(const RolloutOptions&, Services&);

CLI::App& add_step(CLI::App& parent, Run& selected, const std::shared_ptr<RolloutOptions>& options,
                   const char* name, const char* summary, RunRollout run) {
    auto& step = *parent.add_subcommand(name, summary);
    step.add_option("PLAN", options->plan, "The rollout plan")->required()->type_name("FILE");
    selects(step, selected, options, run);
    return step;
}

void add_rollout(CLI::App& command, Run& selected) {
    command.require_subcommand(1);
    auto options = std::make_shared<RolloutOptions>();
    const auto add = [&](const char* name, const char* summary, RunRollout run) -> CLI::App& {
        return add_step(command, selected, options, name, summary, run);
    };
    auto& init = add("init", "Write a plan to start from", run_init);
    init.add_option("--image", options->image, "What to roll out, as HOST/REPO:TAG")
        ->type_name("REF");
    init.add_option("--wave", options->waves, "A wave and its files, in order")
        ->type_name("NAME=GLOB")
        ->allow_extra_args(false);
    auto& plan = add("plan", "Check a plan and show what it would do", run_plan);
    auto& next = add("next", "Change the files of exactly one wave", run_next);
    auto& run = add("run", "Go through all waves, back when a gate says no", run_run);
    auto& gate = add("gate", "Ask the gates of a wave", run_gate);
    auto& status = add("status", "Show where a rollout stands", run_status);
    auto& promote = add("promote", "Pass the gates of the current wave by hand", run_promote);
    auto& pause = add("pause", "Hold a rollout after the current wave", run_pause);
    auto& resume = add("resume", "Ask the gates of a paused wave again", run_resume);
    auto& abort = add("abort", "Take every wave back, the last one first", run_abort);
    for (auto* step : {&plan, &next, &run}) {
        add_registry_flags(*step, options->registry, RegistryUse::read);
    }
    for (auto* step : {&next, &run, &gate, &promote, &pause, &resume, &abort}) {
        step->add_flag("--commit", options->commit, "Commit what is written to git");
    }
    for (auto* step : {&gate, &promote, &pause, &resume}) {
        step->add_option("--wave", options->wave, "Which wave; the current one when left out")
            ->type_name("NAME");
    }
    for (auto* step : {&next, &run, &promote, &pause, &resume, &abort}) {
        step->add_option("--why", options->record.why, "The reason, kept in the history")
            ->type_name("TEXT");
    }
    add_dry_run(next, options->record.dry_run);
    choices(status.add_option("-o,--output", options->format, "Format of the result on stdout"),
            {"text", "json", "yaml", "mermaid", "svg"});
    status.add_option("--report", options->reports, "Also write the picture to a file")
        ->type_name("FORMAT=FILE")
        ->allow_extra_args(false);
    command.footer(
        "wasmplug rollout init auth.rollout.yaml --image ghcr.io/acme/auth:1.4.0 \\\n"
        "  --wave canary='dev/*.yaml' --wave all='prod/*.yaml'\n"
        "wasmplug rollout run auth.rollout.yaml");
}

}  // namespace

extern const Command rollout_command;
const Command rollout_command = {.name = "rollout",
                                 .summary = "Roll a version out in waves with gates between",
                                 .group = Group::release,
                                 .add = add_rollout};

}  // namespace wasmplug
