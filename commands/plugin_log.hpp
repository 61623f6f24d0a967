#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "base/output.hpp"
#include "envoy/log.hpp"

namespace wasmplug {

// Shows what plugins say in a local Envoy as it happens, and keeps it. Envoy runs a plugin in
// several VMs: in a canary and for its own use on the main thread, and on the worker, which serves
// requests. What they all say is shown once, as the worker says it; with -v, what the others say
// too. To be called from any thread.
class PluginLog {
  public:
    // Of several plugins, a line names who said it, as far as Envoy's log does.
    PluginLog(Output& out, std::vector<std::string> plugins);

    // `more`: a further line of the entry before it.
    void take(const envoy::LogEntry& entry, bool more);

    // The Envoy serves: from here on the worker has said what there is to say.
    void started();

    // The Envoy ended before a worker came to speak: shows what the main thread's VMs said.
    void refused();

    std::vector<std::string> lines() const;

  private:
    void take_words(const envoy::LogEntry& entry, const std::string& words);
    void show(const std::string& line, bool grave);

    Output& out_;
    const std::vector<std::string> plugins_;
    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
    std::vector<std::string> main_thread_;
    bool started_ = false;
    bool last_shown_ = false;
};

}  // namespace wasmplug
