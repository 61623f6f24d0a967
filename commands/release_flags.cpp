#include "commands/release_flags.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/diff.hpp"
#include "base/error.hpp"
#include "base/time.hpp"
#include "commands/command.hpp"

namespace wasmplug {
namespace {

using release::FileSteps;
using release::Step;

// Whoever runs us, as CI systems and shells name them.
std::string who(const Services& services) {
    for (const char* name :
         {"WASMPLUG_BY", "GITHUB_ACTOR", "GITLAB_USER_LOGIN", "LOGNAME", "USER"}) {
        if (const auto value = services.environment(name); value && !value->empty()) {
            return *value;
        }
    }
    return {};
}

std::string version_text(const std::string& version, const std::string& sha256,
                         const std::string& url) {
    const std::string digest = release::short_digest(sha256);
    const std::string name = version.empty() && digest.empty() ? url : version;
    return name.empty() || digest.empty() ? name + digest : name + " " + digest;
}

std::string line_for(const Step& step, bool rollback, bool dry_run) {
    const std::string title = step.located.title();
    const std::string to = version_text(step.version_after, step.after.sha256, step.after.url);
    const std::string now =
        step.revision == 0 ? "" : fmt::format(", now revision {}", step.revision);
    const char* would = dry_run ? "would be " : "";
    if (!rollback && !step.changed) {
        return fmt::format("{} unchanged: it runs {} already", title, to);
    }
    if (!rollback) {
        const auto& was = step.before.content;
        const bool same = was.url == step.after.url && was.sha256 == step.after.sha256;
        return same ? fmt::format("{} {}updated: another configuration for {}{}", title, would, to,
                                  now)
                    : fmt::format("{} {}updated to {}{}", title, would, to, now);
    }
    const std::string source = step.restored != 0 ? fmt::format("revision {}", step.restored)
                                                  : "commit " + step.restored_from.substr(0, 8);
    return step.changed
               ? fmt::format("{} {}rolled back to {} ({}){}", title, would, source, to, now)
               : fmt::format("{} skipped rollback (current spec already matches {})", title,
                             source);
}

nlohmann::ordered_json content_json(const std::string& version, const release::Content& content) {
    nlohmann::ordered_json json = {
        {"version", version}, {"url", content.url}, {"sha256", content.sha256}};
    if (!content.config_hash.empty()) {
        json["config"] = content.config_hash;
    }
    return json;
}

nlohmann::ordered_json step_json(const FileSteps& file, const Step& step) {
    nlohmann::ordered_json json = {{"file", file.path.string()},
                                   {"document", step.located.document},
                                   {"kind", step.located.kind},
                                   {"namespace", step.located.ns},
                                   {"name", step.located.name},
                                   {"from", content_json(step.before.version, step.before.content)},
                                   {"to", content_json(step.version_after, step.after)},
                                   {"revision", nullptr},
                                   {"changed", step.changed}};
    if (step.revision != 0) {
        json["revision"] = step.revision;
    }
    if (step.restored != 0) {
        json["restored"] = step.restored;
    }
    if (!step.restored_from.empty()) {
        json["commit"] = step.restored_from;
    }
    return json;
}

std::string diff_of(const FileSteps& file) {
    const std::string name = file.path.string();
    return unified_diff(file.before, file.after, "a/" + name, "b/" + name);
}

}  // namespace

void add_target_flags(CLI::App& command, TargetFlags& flags) {
    command.add_option("TARGET", flags.target, "A manifest, or a folder of them")
        ->required()
        ->type_name("TARGET");
    command.add_option("--name", flags.name, "Which plugin, when there are several")
        ->type_name("NS/NAME");
    command
        .add_option("--path", flags.values_path,
                    "TARGET is a Helm values file; the url stands at this path")
        ->type_name("PATH");
    command.add_option("--image", flags.image, "Only plugins of this repository")
        ->type_name("REPO");
}

std::vector<release::FileTargets> open_targets(const TargetFlags& flags, const std::string& image,
                                               const Services& services) {
    const std::string wanted = flags.image.empty() ? image : release::repository_of(flags.image);
    return release::open_targets(
        parse_target(flags.target),
        {.name = flags.name, .values_path = flags.values_path, .image = wanted}, services.cancel);
}

void add_record_flags(CLI::App& command, RecordFlags& flags) {
    command.add_option("--why", flags.why, "The reason, kept in the history")->type_name("TEXT");
    choices(command.add_option("--history", flags.history, "Where the history is kept"),
            {"ledger", "git", "none"});
    command.add_option("--history-limit", flags.limit, "How many revisions the ledger keeps")
        ->type_name("N")
        ->check(CLI::Range(2, 1000).description(""));
    add_dry_run(command, flags.dry_run);
}

release::Recording recording_of(const RecordFlags& flags, const Services& services) {
    release::Recording recording;
    recording.mode = flags.history == "git"    ? release::HistoryMode::git
                     : flags.history == "none" ? release::HistoryMode::none
                                               : release::HistoryMode::ledger;
    recording.limits.revisions = flags.limit;
    recording.at = format_time(services.now());
    recording.by = who(services);
    recording.why = flags.why;
    return recording;
}

std::string to_text(const ReleaseResult& result, const Output::Style& style) {
    std::string text;
    for (const auto& file : result.files) {
        if (result.dry_run) {
            const std::string diff = diff_of(file);
            text += style.result_colour ? colour_diff(diff) : diff;
            continue;
        }
        for (const auto& step : file.steps) {
            const bool several = result.files.size() > 1 || file.steps.size() > 1;
            text += (several ? file.path.string() + ": " : "") +
                    line_for(step, result.rollback, false) + "\n";
        }
    }
    return text;
}

nlohmann::ordered_json to_json(const ReleaseResult& result) {
    auto changes = nlohmann::ordered_json::array();
    for (const auto& file : result.files) {
        for (const auto& step : file.steps) {
            changes.push_back(step_json(file, step));
        }
    }
    nlohmann::ordered_json json = {{"version", 1}};
    if (changes.size() == 1) {
        json.update(changes[0]);
    }
    json["dryRun"] = result.dry_run;
    json["changes"] = changes;
    if (result.dry_run) {
        std::string diff;
        for (const auto& file : result.files) {
            diff += diff_of(file);
        }
        json["diff"] = diff;
    }
    return json;
}

void write_release(const ReleaseResult& result, Services& services) {
    if (!result.dry_run) {
        release::write_steps(result.files, services);
    }
    for (const auto& file : result.files) {
        for (const auto& step : file.steps) {
            for (const auto& note : step.notes) {
                services.out.warn(fmt::format("{}: {}", file.path.string(), note));
            }
            if (result.dry_run) {
                services.out.note(
                    (result.files.size() > 1 ? file.path.string() + ": " : std::string()) +
                    line_for(step, result.rollback, true));
            }
        }
        for (const auto& note : file.notes) {
            services.out.warn(fmt::format("{}: {}", file.path.string(), note));
        }
    }
}

void refuse_by_policy(const std::vector<FileSteps>& files, const manifest::PolicyChoice& choice,
                      Services& services) {
    manifest::Policies policies(choice);
    const auto objections = release::judge_by_policies(files, policies);
    for (const auto& known : objections.known) {
        services.out.warn("against the policy as before: " + known);
    }
    if (objections.refused.empty()) {
        return;
    }
    const std::size_t more = objections.refused.size() - 1;
    throw Error(
        fmt::format("against the policy: {}{}", objections.refused.front(),
                    more == 0 ? "" : fmt::format(" (and {} more)", more)),
        "nothing was written; 'wasmplug explain RULE' says more, --no-policy leaves it out");
}

void finish_release(const ReleaseResult& result, Services& services) {
    write_release(result, services);
    services.out.show(result);
}

}  // namespace wasmplug
