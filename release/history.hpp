#pragma once

#include <string>
#include <vector>

#include "release/git_history.hpp"
#include "release/located.hpp"
#include "release/step.hpp"

namespace wasmplug::release {

// One line of `wasmplug history`, whoever remembers it.
struct HistoryRow {
    unsigned revision = 0;
    std::string version;
    Content content;
    std::optional<std::string> config;  // source text, when it is known
    std::string at, by, why;
    unsigned rollback_of = 0;
    std::string status;  // "current", "superseded", "bad", "unreadable", "uncommitted"
    std::string bad;     // why it was left, or why it cannot be read
    std::string commit;  // when git remembers
};

enum class HistorySource { automatic, ledger, git };

struct History {
    std::string title;               // "wasmplugin.extensions.istio.io/rate-limit"
    std::string source;              // "ledger", "git"
    std::vector<HistoryRow> rows;    // oldest first
    std::vector<std::string> notes;  // that the clone is shallow, that the file was edited by hand
};

// The states of this plugin that git knows, newest first, for a rollback. Says when the clone is
// shallow, and throws when that may be why there is nothing to go back to.
std::vector<PastState> past_of(const Located& located, Services& services);

// Throws Error when neither remembers anything, and says what it needs.
History history_of(const Located& located, HistorySource source, Services& services);

}  // namespace wasmplug::release
