#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "release/rollout.hpp"

namespace wasmplug {

struct StatusResult {
    const release::Plan* plan = nullptr;
    release::RolloutStatus status;
};

std::string to_text(const StatusResult& result);
nlohmann::ordered_json to_json(const StatusResult& result);

// "mermaid" or "svg".
std::string picture_of(const StatusResult& result, const std::string& format);

struct WrittenPlan {
    std::string file;
    const release::Plan* plan = nullptr;
};

std::string to_text(const WrittenPlan& result);
nlohmann::ordered_json to_json(const WrittenPlan& result);

// "3 of 10"
std::string changed_of(const release::WaveStatus& wave);

}  // namespace wasmplug
