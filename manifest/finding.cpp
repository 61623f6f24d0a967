#include "manifest/finding.hpp"

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace wasmplug::manifest {

namespace {

constexpr std::size_t kept = 100;  // of one rule in one object

}  // namespace

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
    Finding finding{.rule = rule,
                    .level = rule->level,
                    .layer = rule->layer,
                    .path = {},
                    .range = range,
                    .message = std::move(message),
                    .fix = std::string(rule->fix)};
    auto count = std::find_if(counts_.begin(), counts_.end(),
                              [&](const Count& one) { return one.rule == rule; });
    if (count == counts_.end()) {
        count = counts_.insert(counts_.end(), {rule, 0});
    }
    if (++count->found > kept) {
        return left_out_ = std::move(finding);
    }
    finding.path = trail.to_string();
    return all_.emplace_back(std::move(finding));
}

bool Findings::is_full(std::string_view id) const {
    return std::any_of(counts_.begin(), counts_.end(), [&](const Count& count) {
        return count.rule->id == id && count.found >= kept;
    });
}

std::vector<Finding> Findings::take() {
    for (const auto& count : counts_) {
        if (count.found <= kept) {
            continue;
        }
        const auto last = std::find_if(all_.rbegin(), all_.rend(), [&](const Finding& finding) {
            return finding.rule == count.rule;
        });
        if (last != all_.rend()) {
            Finding more = *last;
            more.message = std::to_string(count.found - kept) + " more like this";
            more.right.reset();
            all_.push_back(std::move(more));
        }
    }
    counts_.clear();
    return std::move(all_);
}

}  // namespace wasmplug::manifest
