#include <CLI/CLI.hpp>

#include "commands/command.hpp"
#include "commands/switch.hpp"

namespace wasmplug {
namespace {

ExitCode run_enable(const SwitchOptions& options, Services& services) {
    return run_switch(options, false, services);
}

void add_enable(CLI::App& command, Run& selected) {
    auto options = std::make_shared<SwitchOptions>();
    add_switch_flags(command, *options);
    command.footer("wasmplug enable plugin.yaml --why 'incident 42'");
    selects(command, selected, options, run_enable);
}

}  // namespace

extern const Command enable_command;
const Command enable_command = {.name = "enable",
                                .summary = "Switch a plugin on again, with the scope it had",
                                .group = Group::release,
                                .add = add_enable};

}  // namespace wasmplug
