#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/yaml.hpp"
#include "release/change.hpp"
#include "release/ledger.hpp"
#include "release/located.hpp"

namespace wasmplug::release {

enum class HistoryMode { ledger, git, none };

// What is written down about a change besides its content.
struct Recording {
    HistoryMode mode = HistoryMode::ledger;
    HistoryLimits limits;
    std::string at;
    std::string by;
    std::string why;
    std::string rollout = {};  // "PLAN/WAVE"
};

// --set PATH=VALUE below spec.
struct Setting {
    yaml::Path path;  // "pluginConfig.a.b"
    std::string value;
    bool string = false;  // --set-string: never a number or a boolean
};

// Throws usage_error for what is no assignment, or one outside pluginConfig: the rest of the spec
// does not move with a version.
Setting parse_setting(std::string_view text, bool string);

// A configuration in some file.
struct ConfigSource {
    yaml::File file;
    const yaml::Node* node = nullptr;
};

// The version and configuration that a target shall have.
struct Wanted {
    std::string url;
    std::string sha256;
    std::string version;
    // At most one of these; none leaves the configuration as it is.
    std::optional<ConfigSource> config = {};
    std::vector<Setting> settings = {};
    bool no_config = false;  // take it away
};

// One target's way from what it has to what it shall have.
struct Step {
    Located located;
    State before;
    Content after = {};
    std::string version_after = {};
    Change change = {};
    unsigned revision = 0;           // that the change is recorded as; 0 without a ledger
    unsigned restored = 0;           // that a rollback went back to
    std::string restored_from = {};  // the commit, when git told
    bool changed = false;
    std::vector<std::string> notes = {};
};

Step plan_update(const Located& located, const Wanted& wanted, const Recording& recording);

struct RollbackChoice {
    unsigned revision = 0;  // --to-revision
    std::string version;    // --to-version
    std::string digest;     // --to-digest, 64 digits
    bool only_version = false;

    bool explicit_target() const { return revision != 0 || !version.empty() || !digest.empty(); }
};

// A past state that git knows, newest first, without repetitions next to each other.
struct PastState {
    State state;
    OddSpellings odd;
    std::string commit, author, at, subject;
    std::optional<EntryPlace> config_place = {};
    std::optional<EntryPlace> sha256_place = {};
};

// Asked only when the ledger is missing or does not hold a configuration.
using Past = std::function<std::vector<PastState>()>;

// Throws Error when there is nothing to go back to, saying what would help; ExitCode::failure.
Step plan_rollback(const Located& located, const RollbackChoice& choice, const Recording& recording,
                   const Past& past);

// The state that a rollback goes back to when only git tells: returns to an earlier state count as
// rollbacks, so that the next one goes further back. Null when there is none.
const PastState* state_before(const std::vector<PastState>& past, const Content& now);

// The off switch: `off` narrows the selector to a label that nothing carries, else the scope comes
// back byte for byte. Not changed when it is so already. Throws Error with the reason where it
// cannot work (targetRefs, forms without a selector) and names what can be done instead.
Step plan_switch(const Located& located, bool off, const Recording& recording);

bool is_switched_off(const State& state);

// The new text of one file and the notes; the steps are of that file.
Applied apply_steps(const std::vector<Step>& steps);

// "sha256:9f2c41aa…", as tables and messages show it; "" for none.
std::string short_digest(const std::string& sha256);

}  // namespace wasmplug::release
