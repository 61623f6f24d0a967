#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/yaml.hpp"
#include "release/gate.hpp"
#include "release/ledger.hpp"

namespace wasmplug::release {

inline constexpr std::string_view plan_api_version = "wasmplug.dev/v1alpha1";
inline constexpr std::string_view plan_kind = "RolloutPlan";

enum class OnFailure { rollback, pause };

// Files of a wave: a path or a glob relative to the plan, and which object in them.
struct WaveTarget {
    std::string pattern;
    std::string name;         // NS/NAME or NAME; empty when the file holds one plugin
    std::string values_path;  // the files are Helm values, and the url stands there
    yaml::Range range;
};

struct Wave {
    std::string name;
    std::string cluster;  // targets of different clusters never meet; empty: the one cluster
    std::vector<WaveTarget> targets;
    std::vector<std::string> gates;           // by name, in order
    std::map<std::string, std::string> vars;  // {{wave.KEY}}
    bool pause = false;                       // a person promotes before the next wave
    yaml::Range range;
};

struct Plan {
    std::filesystem::path path;
    std::string name;
    std::string url;                         // oci://HOST/REPOSITORY, without tag or digest
    std::string to;                          // the tag, or a range
    std::string sha256;                      // pinned; empty until the first wave resolves `to`
    std::optional<std::string> config_file;  // relative to the plan
    std::string why;
    std::string root_namespace = "istio-system";
    std::chrono::nanoseconds settle{};   // between the edit and the first measurement
    std::chrono::nanoseconds timeout{};  // for all gates of a wave; 0: none
    OnFailure on_failure = OnFailure::rollback;
    std::vector<Gate> gates;
    std::vector<Wave> waves;
    Annotations annotations;  // of the plan: what its gates said of targets that can hold nothing
    yaml::File file;

    const Gate& gate(std::string_view name) const;
};

// Throws Error with file:line:col for what is wrong: an unknown key (and what it may have been),
// a gate nobody defined, two waves of one name, a variable that no wave sets.
Plan parse_plan(yaml::File file, const std::filesystem::path& path);

Plan read_plan(const std::filesystem::path& path);

// {{wave.name}}, {{wave.index}} (from 1), {{wave.cluster}}, {{wave.KEY}} of its vars,
// {{plugin.url}}, {{plugin.version}}, {{plugin.sha256}}. Throws Error naming an unknown one.
std::string render(std::string_view text, const Plan& plan, const Wave& wave);

// The gates of a wave with every text rendered, in order, the manual one of `pause` last.
std::vector<Gate> gates_of(const Plan& plan, const Wave& wave);

// What a person should know before running the plan: a metric that does not exist, one that is
// measured before files that only git carries can have reached the cluster, a label that Istio
// does not put on its metrics.
struct PlanWarning {
    std::string text;
    std::string hint;
};

std::vector<PlanWarning> warnings_of(const Plan& plan);

}  // namespace wasmplug::release
