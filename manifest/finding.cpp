#include "manifest/finding.hpp"

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace wasmplug::manifest {

std::string Trail::to_string() const {
    if (up_ == nullptr) {
        return {};
    }
    auto path = up_->to_string();
    if (is_index_) {
        return path + '[' + std::to_string(index_) + ']';
    }
    const bool plain = !key_.empty() && std::all_of(key_.begin(), key_.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '/';
    });
    if (!plain) {
        return path + "[\"" + std::string(key_) + "\"]";
    }
    return path.empty() ? std::string(key_) : path + '.' + std::string(key_);
}

Finding& Findings::add(std::string_view id, const Trail& trail, yaml::Range range,
                       std::string message) {
    const auto* rule = find_rule(id);
    if (rule == nullptr) {
        throw std::logic_error("no rule " + std::string(id));
    }
    return all_.emplace_back(Finding{.rule = rule,
                                     .level = rule->level,
                                     .layer = rule->layer,
                                     .path = trail.to_string(),
                                     .range = range,
                                     .message = std::move(message),
                                     .fix = std::string(rule->fix)});
}

}  // namespace wasmplug::manifest
