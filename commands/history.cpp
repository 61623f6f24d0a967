#include "release/history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/diff.hpp"
#include "base/error.hpp"
#include "base/time.hpp"
#include "commands/command.hpp"
#include "commands/release_flags.hpp"

namespace wasmplug {
namespace {

using release::HistoryRow;

struct HistoryOptions {
    TargetFlags target;
    std::string source = "auto";
    std::string diff;  // "12..14"
};

struct FileHistory {
    std::string file;
    release::History history;
};

struct HistoryResult {
    std::vector<FileHistory> targets;
};

std::string or_dash(const std::string& text) {
    return text.empty() ? "-" : text;
}

// "2026-11-21 08:05" of "2026-11-21T08:05:06Z": the seconds are in the JSON.
std::string to_the_minute(std::string at) {
    if (const auto time = parse_time(at)) {
        at = format_time(*time);  // git has the author's own offset
    }
    if (at.size() == 20 && at[10] == 'T') {
        at[10] = ' ';
        at.resize(16);
    }
    return or_dash(at);
}

std::string cause_of(const HistoryRow& row) {
    if (row.rollback_of == 0) {
        return row.why.empty() ? "<none>" : row.why;
    }
    return fmt::format("rollback to {}{}{}", row.rollback_of, row.why.empty() ? "" : ": ", row.why);
}

std::string text_of(const release::History& history) {
    const bool authors =
        std::ranges::any_of(history.rows, [](const auto& row) { return !row.by.empty(); });
    Table table{{"REVISION", "VERSION", "DIGEST", "CONFIG", "UPDATED"}, {}};
    const auto add_author = [authors](std::vector<std::string>& cells, const std::string& author) {
        if (authors) {
            cells.push_back(author);
        }
    };
    add_author(table.header, "BY");
    table.header.insert(table.header.end(), {"STATUS", "CHANGE-CAUSE"});
    for (const auto& row : history.rows) {
        auto& cells = table.rows.emplace_back(std::vector<std::string>{
            row.revision == 0 ? "-" : std::to_string(row.revision), or_dash(row.version),
            or_dash(row.content.sha256.substr(0, 8)), or_dash(row.content.config_hash.substr(0, 8)),
            to_the_minute(row.at)});
        add_author(cells, or_dash(row.by));
        cells.push_back(row.status);
        cells.push_back(cause_of(row));
    }
    return history.title + "\n" + to_text(table);
}

std::string to_text(const HistoryResult& result) {
    std::string text;
    for (const auto& target : result.targets) {
        text += (result.targets.size() > 1 ? target.file + ": " : std::string()) +
                text_of(target.history);
    }
    return text;
}

nlohmann::ordered_json row_json(const HistoryRow& row) {
    nlohmann::ordered_json json = {{"revision", nullptr},
                                   {"version", row.version},
                                   {"url", row.content.url},
                                   {"sha256", row.content.sha256},
                                   {"config", row.content.config_hash},
                                   {"at", row.at},
                                   {"by", row.by},
                                   {"why", row.why},
                                   {"status", row.status}};
    if (row.revision != 0) {
        json["revision"] = row.revision;
    }
    if (row.rollback_of != 0) {
        json["rollbackOf"] = row.rollback_of;
    }
    if (!row.bad.empty()) {
        json["bad"] = row.bad;
    }
    if (!row.commit.empty()) {
        json["commit"] = row.commit;
    }
    return json;
}

nlohmann::ordered_json target_json(const FileHistory& target) {
    auto revisions = nlohmann::ordered_json::array();
    for (const auto& row : target.history.rows) {
        revisions.push_back(row_json(row));
    }
    return {{"file", target.file},
            {"target", target.history.title},
            {"source", target.history.source},
            {"revisions", revisions}};
}

// One target stands at the top too, so that a script for one needs no list.
nlohmann::ordered_json to_json(const HistoryResult& result) {
    nlohmann::ordered_json json = {{"version", 1}};
    if (result.targets.size() == 1) {
        json.update(target_json(result.targets.front()));
    }
    json["targets"] = nlohmann::ordered_json::array();
    for (const auto& target : result.targets) {
        json["targets"].push_back(target_json(target));
    }
    return json;
}

const HistoryRow& row_of(const release::History& history, std::string_view number) {
    unsigned wanted = 0;
    std::from_chars(number.data(), number.data() + number.size(), wanted);
    const auto found = std::ranges::find(history.rows, wanted, &HistoryRow::revision);
    if (wanted == 0 || found == history.rows.end()) {
        throw Error(fmt::format("unable to find specified revision {} in history", number));
    }
    return *found;
}

// A revision as lines that a diff can show.
std::string snapshot(const HistoryRow& row) {
    std::string text = fmt::format("url: {}\nsha256: {}\n", row.content.url, row.content.sha256);
    if (row.content.config_hash.empty()) {
        return text;
    }
    return text + (row.config ? "pluginConfig:" + *row.config + "\n"
                              : fmt::format("pluginConfig: # not stored, {}\n",
                                            row.content.config_hash.substr(0, 8)));
}

struct RevisionDiff {
    unsigned from = 0;
    unsigned to = 0;
    std::string diff;
};

std::string to_text(const RevisionDiff& result, const Output::Style& style) {
    return style.result_colour ? colour_diff(result.diff) : result.diff;
}

nlohmann::ordered_json to_json(const RevisionDiff& result) {
    return {{"version", 1}, {"from", result.from}, {"to", result.to}, {"diff", result.diff}};
}

RevisionDiff diff_of(const HistoryOptions& options, const release::History& history) {
    const std::size_t dots = options.diff.find("..");
    if (dots == std::string::npos) {
        throw usage_error(fmt::format("--diff {} names no two revisions", options.diff),
                          "write it as 12..14");
    }
    const auto& from = row_of(history, options.diff.substr(0, dots));
    const auto& to = row_of(history, options.diff.substr(dots + 2));
    return {from.revision, to.revision,
            unified_diff(snapshot(from), snapshot(to), fmt::format("revision {}", from.revision),
                         fmt::format("revision {}", to.revision))};
}

ExitCode run_history(const HistoryOptions& options, Services& services) {
    const auto files = open_targets(options.target, "", services);
    const auto source = options.source == "git"      ? release::HistorySource::git
                        : options.source == "ledger" ? release::HistorySource::ledger
                                                     : release::HistorySource::automatic;
    HistoryResult result;
    for (const auto& file : files) {
        for (const auto& located : file.targets) {
            const auto history = release::history_of(located, source, services);
            for (const auto& note : history.notes) {
                services.out.note(note);
            }
            if (!options.diff.empty()) {
                services.out.show(diff_of(options, history));
                return ExitCode::ok;
            }
            result.targets.push_back({file.path.string(), history});
        }
    }
    services.out.show(result);
    return ExitCode::ok;
}

void add_history(CLI::App& command, Run& selected) {
    auto options = std::make_shared<HistoryOptions>();
    add_target_flags(command, options->target);
    choices(command.add_option("--source", options->source, "Who remembers"),
            {"auto", "ledger", "git"});
    command.add_option("--diff", options->diff, "What changed between two revisions, as 12..14")
        ->type_name("A..B");
    command.footer(
        "wasmplug history plugin.yaml\n"
        "wasmplug history plugin.yaml --diff 12..14\n"
        "wasmplug history values.yaml --path wasm.url --source git");
    selects(command, selected, options, run_history);
}

}  // namespace

extern const Command history_command;
const Command history_command = {.name = "history",
                                 .summary = "Show the versions that a manifest has had",
                                 .group = Group::release,
                                 .add = add_history};

}  // namespace wasmplug
