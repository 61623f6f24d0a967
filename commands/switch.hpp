#pragma once

#include "commands/release_flags.hpp"

namespace wasmplug {

// What disable and enable share: they are one switch.
struct SwitchOptions {
    TargetFlags target;
    std::string why;
    bool dry_run = false;
};

void add_switch_flags(CLI::App& command, SwitchOptions& options);

ExitCode run_switch(const SwitchOptions& options, bool off, Services& services);

}  // namespace wasmplug
