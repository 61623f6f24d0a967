#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wasmplug::release {

// Where the history of an object lives: one annotation a revision, so that a release is one new
// line in a diff, and one that names the newest.
inline constexpr std::string_view ledger_current_key = "wasmplug.dev/revision";
inline constexpr std::string_view ledger_revision_prefix = "wasmplug.dev/rev.";
inline constexpr std::string_view ledger_disabled_key = "wasmplug.dev/disabled";
inline constexpr std::string_view ledger_rollout_key = "wasmplug.dev/rollout";

// A longer configuration is kept as its hash only: all annotations of an object together may
// take 262144 bytes, and client-side apply stores them a second time.
inline constexpr std::size_t config_kept_limit = 8 * 1024;

// What moves together. Two revisions with equal content are the same release.
struct Content {
    std::string url;
    std::string sha256;
    std::string config_hash;  // of the canonical JSON; empty without a configuration

    bool operator==(const Content&) const = default;
};

// Where an entry stood that a change took away: what brings it back to there.
struct EntryPlace {
    std::string behind;     // the key before it; "" when it was the first
    std::string otherwise;  // the one before that, where `behind` is the off switch's selector
    std::size_t lines = 0;  // blank ones and comments between the two
    std::string comment;    // what ended its line, with the blanks before it

    bool operator==(const EntryPlace&) const = default;
};

struct Revision {
    unsigned number = 0;
    std::string version;  // the tag, or what else names it to a person; may be empty
    Content content;
    // The configuration's source text, when there is one and it was short enough to keep.
    std::optional<std::string> config;
    // Source text of url and sha256 where the value alone would not bring the bytes back.
    std::optional<std::string> url_text;
    std::optional<std::string> sha256_text;
    // What is recorded and compared, but never put back: phase, priority … as "name", JSON text.
    std::vector<std::pair<std::string, std::string>> beside;
    std::string at;  // RFC 3339
    std::string by;
    std::string why;
    // Of what this revision has no more.
    std::optional<EntryPlace> config_place;
    std::optional<EntryPlace> sha256_place;
    unsigned rollback_of = 0;  // the revision that this one restored
    std::string rollout;       // "PLAN/WAVE" that brought it
    std::string bad;  // why nobody should go back to it; empty: nothing is known against it

    // What the annotation says, when this was read from one. Unknown keys live here, so that
    // a revision recorded by a later version keeps them when it is marked bad.
    std::string source;
    // Not empty: the annotation cannot be read. Such a revision is listed and left alone.
    std::string damage;

    bool config_known() const { return content.config_hash.empty() || config.has_value(); }
};

struct Ledger {
    std::vector<Revision> revisions;  // by number, ascending
    unsigned current = 0;             // 0: nothing was recorded yet

    bool empty() const { return revisions.empty(); }

    const Revision* find(unsigned number) const;

    // The newest readable revision, or null.
    const Revision* newest() const;
};

using Annotations = std::vector<std::pair<std::string, std::string>>;

// Reads what the annotations hold; others are passed over. Never throws: a record that cannot be
// read becomes a revision with `damage`.
Ledger read_ledger(const Annotations& annotations);

// The value of the annotation that records `revision`.
std::string encode_revision(const Revision& revision);

// Adds `revision` under the next number, which was never used before, and returns that number.
unsigned append_revision(Ledger& ledger, Revision revision);

void mark_bad(Ledger& ledger, unsigned number, const std::string& reason);

struct HistoryLimits {
    std::size_t revisions = 10;
    std::size_t bytes = 32 * 1024;  // keys and values together
};

// Drops the oldest revisions until both limits hold; never the newest, never the newest that a
// rollback would choose, and never a damaged one. Returns the numbers dropped.
std::vector<unsigned> prune_ledger(Ledger& ledger, const HistoryLimits& limits);

// The newest revision whose content differs from `now` and against which nothing is known; null
// when there is none. A content is judged by its newest revision, so that after a rollback the
// next one goes further back instead of forth.
const Revision* revision_to_restore(const Ledger& ledger, const Content& now);

// The newest revision with this content that is marked bad, unless a later one is not; or null.
const Revision* verdict_against(const Ledger& ledger, const Content& content);

struct AnnotationChanges {
    Annotations set;  // in ascending order of revisions, the current number first
    std::vector<std::string> remove;

    bool empty() const { return set.empty() && remove.empty(); }
};

AnnotationChanges ledger_changes(const Ledger& before, const Ledger& after);

}  // namespace wasmplug::release
