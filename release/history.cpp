#include "release/history.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "release/entry_place.hpp"

namespace wasmplug::release {
namespace {

// The same plugin in an older text of the file: by name, else the only one there.
const Located* same_in(const std::vector<Located>& all, const Located& located) {
    const Located* only = nullptr;
    for (const auto& other : all) {
        if (other.form != located.form) {
            continue;
        }
        if (other.name == located.name && other.ns == located.ns) {
            return &other;
        }
        only = &other;
    }
    return std::ranges::count(all, located.form, &Located::form) == 1 ? only : nullptr;
}

std::string absence_hint(const Located& located) {
    return located.keeps_ledger()
               ? "history begins with the first 'wasmplug update', or with a git commit"
               : "a plugin written like this has git as its history: commit the file";
}

// What the file says now, where nobody remembers it.
HistoryRow unrecorded(const State& state, const char* why, const char* status) {
    return {.version = state.version,
            .content = state.content,
            .config = state.config,
            .why = why,
            .status = status};
}

void add_ledger_rows(History& history, const Ledger& ledger, const State& state) {
    const Revision* newest = ledger.newest();
    for (const auto& revision : ledger.revisions) {
        HistoryRow row{.revision = revision.number,
                       .version = revision.version,
                       .content = revision.content,
                       .config = revision.config,
                       .at = revision.at,
                       .by = revision.by,
                       .why = revision.why,
                       .rollback_of = revision.rollback_of,
                       .status = "superseded",
                       .bad = revision.bad,
                       .commit = {}};
        if (!revision.damage.empty()) {
            row.status = "unreadable";
            row.bad = revision.damage;
        } else if (!revision.bad.empty()) {
            row.status = "bad";
        } else if (&revision == newest) {
            row.status = "current";
        }
        history.rows.push_back(std::move(row));
    }
    if (newest != nullptr && newest->content != state.content) {
        for (auto& row : history.rows) {
            row.status = row.status == "current" ? "superseded" : row.status;
        }
        history.rows.push_back(unrecorded(state, "changed by hand, not recorded", "current"));
    }
}

// Git's states as revisions: numbered from the oldest, a return to an earlier state is a rollback.
void add_git_rows(History& history, const std::vector<PastState>& past, const State& state) {
    std::vector<HistoryRow*> line;
    history.rows.reserve(past.size() + 1);
    unsigned number = 0;
    for (auto at = past.rbegin(); at != past.rend(); ++at) {
        HistoryRow row{.revision = ++number,
                       .version = at->state.version,
                       .content = at->state.content,
                       .config = at->state.config,
                       .at = at->at,
                       .by = at->author,
                       .why = at->subject,
                       .rollback_of = 0,
                       .status = "superseded",
                       .bad = {},
                       .commit = at->commit};
        const auto back = std::ranges::find_if(
            line, [&](const HistoryRow* earlier) { return earlier->content == row.content; });
        if (back != line.end()) {
            row.rollback_of = (*back)->revision;
            for (auto left = back + 1; left != line.end(); ++left) {
                (*left)->status = "bad";
                (*left)->bad = fmt::format("left by {}", row.commit.substr(0, 8));
            }
            line.erase(back, line.end());
        }
        history.rows.push_back(std::move(row));
        line.push_back(&history.rows.back());
    }
    if (!history.rows.empty() && history.rows.back().content == state.content) {
        history.rows.back().status = "current";
    } else {
        history.rows.push_back(unrecorded(state, "not committed", "uncommitted"));
    }
}

// The states of this plugin that git knows, newest first. Throws Error saying what is missing
// when there is no history to read.
std::vector<PastState> past_states(const Located& located, const GitHistory& history) {
    const std::string name = located.file.name();
    if (!history.absence.empty()) {
        throw Error(fmt::format("{}: no rollout history found for {}: {}", name, located.title(),
                                history.absence),
                    absence_hint(located));
    }
    std::vector<PastState> past;
    for (const auto& version : history.versions) {
        std::vector<Located> all;
        try {
            all = locate(yaml::File::parse(version.text, version.path),
                         {.values_path = located.values_path()});
        } catch (const Error&) {
            continue;  // a commit that broke the file has no state to go back to
        }
        const Located* then = same_in(all, located);
        if (then == nullptr) {
            continue;
        }
        State state = state_of(*then);
        if (!past.empty() && past.back().state.content == state.content) {
            // The oldest commit that has a state is the one that brought it.
            past.back().commit = version.commit;
            past.back().author = version.author;
            past.back().at = version.at;
            past.back().subject = version.subject;
            continue;
        }
        past.push_back({std::move(state), all_spellings(*then), version.commit, version.author,
                        version.at, version.subject, place_of(*then, Role::config),
                        place_of(*then, Role::sha256)});
    }
    return past;
}

}  // namespace

std::vector<PastState> past_of(const Located& located, Services& services) {
    const GitHistory git = read_git_history(located.file.name(), services);
    auto past = past_states(located, git);
    if (git.shallow && state_before(past, state_of(located).content) == nullptr) {
        throw Error(fmt::format("{}: this clone is shallow, and what came before the current "
                                "version of {} is not in it",
                                located.file.name(), located.title()),
                    "git fetch --unshallow brings it");
    }
    if (git.shallow) {
        services.out.note("this clone is shallow and the history may begin earlier");
    }
    return past;
}

History history_of(const Located& located, HistorySource source, Services& services) {
    History history;
    history.title = located.title();
    const State state = state_of(located);
    const Ledger ledger = read_ledger(state.annotations);
    if (source != HistorySource::git && !ledger.empty()) {
        history.source = "ledger";
        add_ledger_rows(history, ledger, state);
        return history;
    }
    if (source == HistorySource::ledger) {
        throw Error(fmt::format("{}: no rollout history found for {}: it carries no ledger",
                                located.file.name(), located.title()),
                    "history begins with the first 'wasmplug update'; --source git reads commits");
    }
    const GitHistory git = read_git_history(located.file.name(), services);
    const auto past = past_states(located, git);
    if (past.empty()) {
        throw Error(fmt::format("{}: no rollout history found for {}: no commit holds it",
                                located.file.name(), located.title()),
                    absence_hint(located));
    }
    history.source = "git";
    add_git_rows(history, past, state);
    if (git.shallow) {
        history.notes.push_back(
            "this clone is shallow and the history may begin earlier: run git fetch --unshallow");
    }
    if (git.truncated) {
        history.notes.push_back("older commits are not shown");
    }
    return history;
}

}  // namespace wasmplug::release
