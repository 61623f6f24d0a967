#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/services.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace wasmplug {

// The run that the command line selected; empty until a leaf command is parsed.
using Run = std::function<ExitCode(Services&)>;

// Where help lists a command, in the order of a plugin's life.
enum class Group { create, ship, declare, release, observe, other };

// What every command file defines at namespace scope, as `const Command NAME_command = {...};`
// at the start of a line, where NAME is the file's name. CMake collects them
// (cmake/commands.cmake); no other registration exists.
struct Command {
    const char* name;
    const char* summary;  // one line, imperative, no full stop
    Group group;
    // Adds options, arguments, the footer (EXAMPLES in help and man), and calls selects().
    // Called only for the command named on the command line, so that start-up stays flat.
    void (*add)(CLI::App& command, Run& selected);
    // Not in help, completion or man: workers that we start ourselves.
    bool hidden = false;
};

// Sorted by group, then by name.
std::vector<const Command*> all_commands();

// Calls `on_parsed` when this (sub)command is the one named. Parsing only selects: an error
// inside CLI11's callbacks would be mistaken for a parse error, and -o after the command name
// would come too late.
void select_with(CLI::App& command, std::function<void()> on_parsed);

template <class Options>
void selects(CLI::App& command, Run& selected, std::shared_ptr<Options> options,
             ExitCode (*run)(const Options&, Services&)) {
    select_with(command, [&selected, options = std::move(options), run] {
        selected = [options, run](Services& services) {
            return run(*options, services);
        };
    });
}

// An option whose value is one of a few words; they are also what help, completion and the man
// page show.
CLI::Option* choices(CLI::Option* option, const std::vector<std::string>& words);

// Flags that several commands share and that mean the same in each.
CLI::Option* add_dry_run(CLI::App& command, bool& value);

}  // namespace wasmplug
