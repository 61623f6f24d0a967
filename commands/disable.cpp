#include <CLI/CLI.hpp>

#include "commands/command.hpp"
#include "commands/switch.hpp"

namespace wasmplug {
namespace {

ExitCode run_disable(const SwitchOptions& options, Services& services) {
    return run_switch(options, true, services);
}

void add_disable(CLI::App& command, Run& selected) {
    auto options = std::make_shared<SwitchOptions>();
    add_switch_flags(command, *options);
    command.footer("wasmplug disable plugin.yaml --why 'incident 42'");
    selects(command, selected, options, run_disable);
}

}  // namespace

extern const Command disable_command;
const Command disable_command = {.name = "disable",
                                 .summary = "Switch a plugin off where Istio has no switch",
                                 .group = Group::release,
                                 .add = add_disable};

}  // namespace wasmplug
