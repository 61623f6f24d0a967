#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "base/services.hpp"

namespace wasmplug {

// The whole program behind main(): parses `args` (without the program's name), runs the command
// they name, prints its errors, and returns the exit code. `world` supplies every Services
// field but `out`, whose streams are given here.
struct World {
    Cancel cancel;
    Send send;
    SendAll send_all;
    Spawn spawn = run_process;
    Start start = start_process;
    Environment environment = process_environment;
    std::string program;
    bool stdin_is_terminal = false;
    bool stdout_is_terminal = false;
    bool stderr_is_terminal = false;
};

int run_app(const std::vector<std::string>& args, std::ostream& out, std::ostream& err,
            const World& world);

}  // namespace wasmplug
