#include "base/json.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"

namespace wasmplug {

using nlohmann::ordered_json;

ordered_json parse_json(std::string_view text, std::string_view what, std::size_t depth) {
    const auto refuse_deep = [&](int level, ordered_json::parse_event_t, ordered_json&) {
        if (level >= static_cast<int>(depth)) {  // counted from 0
            throw Error(fmt::format("{} is nested deeper than {} levels", what, depth));
        }
        return true;
    };
    try {
        return ordered_json::parse(text, refuse_deep);
    } catch (const ordered_json::parse_error& error) {
        throw Error(fmt::format("{} is not valid JSON (at byte {})", what, error.byte));
    } catch (const ordered_json::exception& error) {
        throw Error(fmt::format("{} is not valid JSON: {}", what, error.what()));
    }
}

std::string pretty_json(const ordered_json& value) {
    return value.dump(2, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

std::string compact_json(const ordered_json& value) {
    return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace wasmplug
