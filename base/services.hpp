#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/cancel.hpp"
#include "base/http.hpp"
#include "base/output.hpp"
#include "base/process.hpp"
#include "base/terminal.hpp"

namespace wasmplug {

// Everything a command may touch in the world besides the file system, as functions that a test
// replaces by lambdas.
struct Services {
    Output& out;
    Cancel cancel;
    Send send;
    SendAll send_all;
    Spawn spawn = run_process;
    Start start = start_process;
    Environment environment = process_environment;
    std::function<std::chrono::system_clock::time_point()> now = std::chrono::system_clock::now;
    // Sleeps, or throws as Cancel::check does.
    std::function<void(std::chrono::nanoseconds, const Cancel&)> sleep =
        [](std::chrono::nanoseconds time, const Cancel& stop) {
            stop.sleep_for(time);
        };
    // The answer of the person at the terminal; only to be asked for when `interactive`.
    std::function<std::optional<std::string>(const Cancel&)> read_line = wasmplug::read_line;
    std::string program;       // our own executable, for worker processes
    bool interactive = false;  // a person sits at stdin and stderr, and --no-input was not given
    bool offline = false;      // --offline: a command that needs the network says so instead
};

}  // namespace wasmplug
