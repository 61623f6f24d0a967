#include "envoy/refusal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

namespace wasmplug::envoy {
namespace {

// What Envoy prints of its own plumbing after the reason (reference: the wasm component's lines
// of a failed start).
constexpr std::string_view aftermath[] = {
    "Failed to load Wasm code", "Failed to initialize Wasm code", "failed to load",
    "configured to fail closed", "Unable to create Wasm plugin"};

bool is_aftermath(const std::string& text) {
    return std::any_of(std::begin(aftermath), std::end(aftermath),
                       [&](std::string_view part) { return text.find(part) != std::string::npos; });
}

// The lines of a real Envoy 1.40 for plugins that it does not take, each as it was seen.
struct Known {
    std::string_view part;   // of Envoy's line
    std::string_view words;  // behind the plugin's name
    std::string_view hint;
};

constexpr std::string_view look = "`wasmplug inspect` says what the module is";
constexpr std::string_view listen = "what it logged above says why";

constexpr Known known[] = {
    {"Failed to parse corrupted Wasm module", "is no WebAssembly module, or is cut off", look},
    {"Failed to load Wasm bytecode", "has a function that is not valid WebAssembly", look},
    {"Missing or unknown Proxy-Wasm ABI version",
     "exports no version of the Proxy-Wasm ABI that Envoy knows", look},
    {"due to a missing import", "needs a host function that Envoy does not have", look},
    {"due to an import type mismatch", "needs a host function of another type than Envoy's", look},
    {"Bad function signature for", "exports a callback of another type than Envoy calls", look},
    {"Wasm module is missing malloc function", "exports no allocator for what Envoy hands over",
     look},
    {"Failed to create new Wasm instance",
     "cannot be instantiated: its start function traps, or it wants too much memory", look},
    {"Failed to start base Wasm", "refuses to start: its on_vm_start says no", listen},
    {"Failed to configure base Wasm plugin", "refuses its configuration: its on_configure says no",
     listen},
    {"Invalid path", "has no module where it is said to be", ""},
    {" failed to load", "has a module that Envoy does not even begin with: is it empty?", look},
};

// "Plugin NAME failed to load".
std::string plugin_of(const std::vector<LogEntry>& log) {
    constexpr std::string_view before = "Plugin ";
    constexpr std::string_view after = " failed to load";
    for (const auto& entry : log) {
        if (entry.text.starts_with(before) && entry.text.ends_with(after)) {
            return entry.text.substr(before.size(),
                                     entry.text.size() - before.size() - after.size());
        }
    }
    return {};
}

}  // namespace

std::string reason_of(const std::vector<LogEntry>& log) {
    std::string last;
    for (const auto& entry : log) {
        const bool grave = entry.level == "error" || entry.level == "critical";
        if (!grave || plugin_words(entry)) {
            continue;
        }
        if (!is_aftermath(entry.text)) {
            return entry.text;
        }
        if (last.empty()) {
            last = entry.text;
        }
    }
    return last;
}

Refusal explain(const std::vector<LogEntry>& log) {
    constexpr std::string_view trap = "Function: ";
    const std::string reason = reason_of(log);
    std::string plugin = plugin_of(log);
    plugin = plugin.empty() ? "the plugin" : plugin;
    if (reason.starts_with(trap)) {
        return {.what = fmt::format("{} crashes while it starts, so Envoy does not\n{}", plugin,
                                    reason),
                .hint = {}};
    }
    for (const auto& row : known) {
        if (reason.find(row.part) != std::string::npos) {
            return {.what = fmt::format("{} {}, so Envoy does not start", plugin, row.words),
                    .hint = fmt::format("{}{}in Envoy's words: {}", row.hint,
                                        row.hint.empty() ? "" : "; ", reason)};
        }
    }
    return {.what = "Envoy does not start: " +
                    (reason.empty() ? std::string("it does not say why") : reason),
            .hint = {}};
}

std::optional<std::string> taken_address(const std::vector<LogEntry>& log) {
    constexpr std::string_view before = "cannot bind '";
    for (const auto& entry : log) {
        const auto at = entry.text.find(before);
        if (at != std::string::npos &&
            entry.text.find("Address already in use") != std::string::npos) {
            const auto begin = at + before.size();
            return entry.text.substr(begin, entry.text.find('\'', begin) - begin);
        }
    }
    return std::nullopt;
}

}  // namespace wasmplug::envoy
