#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "release/files.hpp"
#include "release/gate.hpp"
#include "release/history.hpp"
#include "release/plan.hpp"
#include "release/step.hpp"

namespace wasmplug::release {

// What the gates of a wave have said, as its first target remembers it in an annotation; where no
// target of the wave can hold one (patches, Helm values) the plan's own file does, under a key for
// each wave. It is about one digest: with another version it says nothing.
struct GateRecord {
    std::string plan;
    std::string wave;
    std::string sha256;
    std::string answer;  // "passed", "promoted", "failed", "inconclusive", "waiting", "paused",
                         // and of a wave without a ledger "rolled back"
    std::string reason;
    std::string at;
    std::string by;
};

enum class WaveState { pending, partial, changed, passed, waiting, failed, rolled_back };

std::string_view to_string(WaveState state);

struct WaveStatus {
    const Wave* wave = nullptr;
    std::vector<FileTargets> files;
    std::size_t targets = 0;
    std::size_t changed = 0;  // of them, how many have the plan's content
    WaveState state = WaveState::pending;
    std::optional<GateRecord> record;
    std::string bad;  // why the content was left, when it was
};

// Where a rollout stands, read from what the targets carry and nothing else.
struct RolloutStatus {
    std::vector<WaveStatus> waves;

    // The first wave that is not passed; null when all are.
    const WaveStatus* current() const;
    bool rolled_back() const;
};

// Reads all targets. Throws Error for a pattern that matches no file, a target in two waves, and
// a plan whose version has no digest yet.
RolloutStatus read_status(const Plan& plan, const Cancel& cancel);

// The state of a wave from how many targets have the content and what its gates said.
WaveState judge_wave(std::size_t targets, std::size_t changed, bool left, bool has_gates,
                     const std::optional<GateRecord>& record);

// Two targets that both run on some workload: their filters would both see each request.
struct Overlap {
    std::string first, second, why;
};

// Pairs that are not provably disjoint, of one wave or of two (reference of the rule: istiod runs
// every plugin that matches; matchLabels are ANDed equalities).
std::vector<Overlap> overlaps(const Plan& plan, const RolloutStatus& status);

// Whether no workload can match both: the reason why one can, or nothing.
std::optional<std::string> may_meet(const Located& a, const Located& b,
                                    std::string_view root_namespace);

// Puts the plan's content into the targets of a wave that lack it, and remembers the wave there.
std::vector<FileSteps> prepare_wave(const Plan& plan, const WaveStatus& wave, Recording recording,
                                    const Cancel& cancel);

// Takes the plan's content out of a wave's targets: each goes back to its own revision before.
std::vector<FileSteps> prepare_undo(const Plan& plan, const WaveStatus& wave, Recording recording,
                                    Services& services);

// Writes what the gates said onto the wave's first target that keeps a ledger, else into the plan,
// and returns the file. Nothing when it says so already.
std::optional<std::filesystem::path> remember_gate(const Plan& plan, const WaveStatus& wave,
                                                   const GateRecord& record, const Cancel& cancel);

// What is remembered now, whatever `wave` found when it was read.
std::optional<GateRecord> remembered_gate(const Plan& plan, const WaveStatus& wave,
                                          const Cancel& cancel);

// Whether a target of the wave can remember what gates say; else the plan has to.
bool keeps_records(const WaveStatus& wave);

struct WaveVerdict {
    Verdict verdict;
    std::vector<GateReport> reports;
};

// Runs the gates in order until one does not pass, or `limit` (0: none) is over. Once `promoted`
// the manual ones pass, and those that are measured until then; with `wait` these are waited for.
WaveVerdict judge_gates(const std::vector<Gate>& gates, const Promoted& promoted, bool wait,
                        std::chrono::nanoseconds limit, Services& services);

}  // namespace wasmplug::release
