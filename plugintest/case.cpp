#include "plugintest/case.hpp"

#include <array>

namespace wasmplug::plugintest {
namespace {

constexpr std::array outcomes{"ok",    "local_reply", "stuck",           "reset",
                              "crash", "out_of_fuel", "config_rejected", "load_failed"};

constexpr std::array levels{"trace", "debug", "info", "warn", "error", "critical"};

// proxy-wasm/spec, the same in 0.1.0, 0.2.0 and 0.2.1.
const std::vector<std::string> statuses{"ok",
                                        "not_found",
                                        "bad_argument",
                                        "serialization_failure",
                                        "parse_failure",
                                        "bad_expression",
                                        "invalid_memory_access",
                                        "empty",
                                        "cas_mismatch",
                                        "result_mismatch",
                                        "internal_failure",
                                        "broken_connection",
                                        "unimplemented"};

template <class Names>
std::optional<int> index_of(const Names& names, std::string_view name) {
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (names[i] == name) {
            return static_cast<int>(i);
        }
    }
    return std::nullopt;
}

}  // namespace

std::string first_header(const Headers& headers, std::string_view name) {
    for (const auto& [key, value] : headers) {
        if (key == name) {
            return value;
        }
    }
    return {};
}

const char* to_string(Outcome outcome) {
    return outcomes[static_cast<std::size_t>(outcome)];
}

Outcome graver(Outcome so_far, Outcome next) {
    constexpr auto rank = [](Outcome outcome) {
        switch (outcome) {
            case Outcome::ok:
                return 0;
            case Outcome::local_reply:
                return 1;
            case Outcome::reset:
                return 2;
            case Outcome::stuck:
                return 3;
            default:
                return 4;
        }
    };
    return rank(next) > rank(so_far) ? next : so_far;
}

std::optional<Outcome> parse_outcome(std::string_view name) {
    const auto index = index_of(outcomes, name);
    return index ? std::optional(static_cast<Outcome>(*index)) : std::nullopt;
}

const char* log_level_name(int level) {
    return level >= 0 && level < static_cast<int>(levels.size())
               ? levels[static_cast<std::size_t>(level)]
               : "unknown";
}

std::optional<int> parse_log_level(std::string_view name) {
    return index_of(levels, name == "warning" ? "warn" : name);
}

const char* status_name(std::uint32_t status) {
    return status < statuses.size() ? statuses[status].c_str() : "unknown";
}

const std::vector<std::string>& status_names() {
    return statuses;
}

}  // namespace wasmplug::plugintest
