#include "commands/switch.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/diff.hpp"
#include "commands/command.hpp"

namespace wasmplug {
namespace {

struct SwitchResult {
    bool off = false;
    bool dry_run = false;
    std::vector<release::FileSteps> files;
};

std::string to_text(const SwitchResult& result, const Output::Style& style) {
    std::string text;
    for (const auto& file : result.files) {
        if (result.dry_run) {
            const std::string name = file.path.string();
            const auto diff = unified_diff(file.before, file.after, "a/" + name, "b/" + name);
            text += style.result_colour ? colour_diff(diff) : diff;
            continue;
        }
        for (const auto& step : file.steps) {
            text += fmt::format("{}{} {}{}\n",
                                result.files.size() > 1 ? file.path.string() + ": " : std::string(),
                                step.located.title(), step.changed ? "" : "unchanged: it is ",
                                result.off ? "switched off" : "switched on");
        }
    }
    return text;
}

nlohmann::ordered_json to_json(const SwitchResult& result) {
    auto changes = nlohmann::ordered_json::array();
    for (const auto& file : result.files) {
        for (const auto& step : file.steps) {
            changes.push_back({{"file", file.path.string()},
                               {"document", step.located.document},
                               {"name", step.located.name},
                               {"disabled", result.off},
                               {"changed", step.changed}});
        }
    }
    nlohmann::ordered_json json = {{"version", 1}};
    if (changes.size() == 1) {
        json.update(changes[0]);
    }
    json["dryRun"] = result.dry_run;
    json["changes"] = changes;
    return json;
}

}  // namespace

void add_switch_flags(CLI::App& command, SwitchOptions& options) {
    add_target_flags(command, options.target);
    command.add_option("--why", options.why, "The reason, kept in the manifest")->type_name("TEXT");
    add_dry_run(command, options.dry_run);
}

ExitCode run_switch(const SwitchOptions& options, bool off, Services& services) {
    const auto files = open_targets(options.target, "", services);
    RecordFlags flags;
    flags.why = options.why;
    const auto recording = recording_of(flags, services);
    const SwitchResult result{.off = off,
                              .dry_run = options.dry_run,
                              .files = release::prepare(
                                  files,
                                  [&](const release::Located& located) {
                                      return release::plan_switch(located, off, recording);
                                  },
                                  services.cancel)};
    if (!options.dry_run) {
        release::write_steps(result.files, services);
    }
    services.out.show(result);
    return ExitCode::ok;
}

}  // namespace wasmplug
