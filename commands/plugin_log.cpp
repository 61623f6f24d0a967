#include "commands/plugin_log.hpp"

#include <algorithm>
#include <utility>

#include "base/terminal.hpp"

namespace wasmplug {
namespace {

// "Function: proxy_on_log failed: Uncaught RuntimeError: unreachable" -> "crashed in proxy_on_log:
// RuntimeError: unreachable"; Envoy's other words stay as they are.
std::string plain(const std::string& text) {
    constexpr std::string_view begin = "Function: ";
    constexpr std::string_view middle = " failed: Uncaught ";
    const auto at = text.find(middle);
    if (!text.starts_with(begin) || at == std::string::npos) {
        return "envoy: " + text;
    }
    return "error: crashed in " + text.substr(begin.size(), at - begin.size()) + ": " +
           text.substr(at + middle.size());
}

bool is_grave(const envoy::LogEntry& entry) {
    return entry.level == "error" || entry.level == "critical";
}

}  // namespace

PluginLog::PluginLog(Output& out, std::vector<std::string> plugins)
    : out_(out), plugins_(std::move(plugins)) {}

void PluginLog::take(const envoy::LogEntry& entry, bool more) {
    const std::scoped_lock lock(mutex_);
    if (more) {
        if (last_shown_) {
            show("  " + entry.text, is_grave(entry));
        }
        return;
    }
    last_shown_ = false;
    if (const auto words = envoy::plugin_words(entry)) {
        take_words(entry, *words);
    } else if (is_grave(entry) && (entry.by_worker || (started_ && entry.component != "wasm"))) {
        show(plain(entry.text), true);
    }
}

void PluginLog::take_words(const envoy::LogEntry& entry, const std::string& words) {
    const std::string who = plugins_.size() > 1 ? envoy::speaker(entry, plugins_) : std::string();
    const std::string line = entry.level + ": " + (who.empty() ? "" : who + ": ") + words;
    if (entry.by_worker) {
        show(line, is_grave(entry));
    } else if (out_.style().verbosity > 0) {
        out_.verbose("on Envoy's main thread: " + line);
    } else if (!started_ &&
               std::find(main_thread_.begin(), main_thread_.end(), line) == main_thread_.end()) {
        main_thread_.push_back(line);
    }
}

void PluginLog::started() {
    const std::scoped_lock lock(mutex_);
    started_ = true;
    main_thread_.clear();
}

void PluginLog::refused() {
    const std::scoped_lock lock(mutex_);
    for (const auto& line : std::exchange(main_thread_, {})) {
        show(line, line.starts_with("error") || line.starts_with("critical"));
    }
}

void PluginLog::show(const std::string& line, bool grave) {
    last_shown_ = true;
    lines_.push_back(line);
    out_.stream(paint(grave ? "31" : "2", printable(line), out_.style().colour) + "\n");
}

std::vector<std::string> PluginLog::lines() const {
    const std::scoped_lock lock(mutex_);
    return lines_;
}

}  // namespace wasmplug
