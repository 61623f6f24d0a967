#include "cli/tree.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <CLI/CLI.hpp>

#include "cli/help.hpp"

namespace wasmplug {
namespace {

constexpr std::array<std::string_view, 4> global_flags_with_value{"-o", "--output", "--color",
                                                                  "--timeout"};

const char* title(Group group) {
    switch (group) {
        case Group::create:
            return "Create";
        case Group::ship:
            return "Ship";
        case Group::declare:
            return "Declare";
        case Group::release:
            return "Release";
        case Group::observe:
            return "Observe";
        case Group::other:
            return "Other";
    }
    return "";
}

void add_global_options(CLI::App& app, GlobalOptions& global) {
    choices(app.add_option("-o,--output", global.output, "Format of the result on stdout"),
            {"text", "json", "yaml"});
    choices(app.add_option("--color", global.colour, "When to colour messages"),
            {"auto", "always", "never"});
    app.add_option("--timeout", global.timeout, "Give up after this long, as 30s or 5m")
        ->type_name("DURATION");
    app.add_flag("-q,--quiet", global.quiet, "Print no progress and no notes");
    app.add_flag("-v,--verbose", global.verbosity, "Say more about what is done");
    app.add_flag("--no-input", global.no_input, "Never ask; fail where an answer is needed");
    app.add_flag("--offline", global.offline, "Never use the network");
    for (auto* option : app.get_options()) {
        option->group("Global options");
    }
    app.set_help_flag("-h,--help", "Print this help")->group("Global options");
    app.set_version_flag("--version", std::string("wasmplug ") + WASMPLUG_VERSION,
                         "Print the version")
        ->group("Global options");
    app.fallthrough();  // global options are accepted after the command's name too
}

template <class Wanted>
std::unique_ptr<CLI::App> build(GlobalOptions& global, Run& selected, const Wanted& wanted) {
    auto app = std::make_unique<CLI::App>(
        "From an empty folder to a running, reversible Proxy-Wasm plugin", "wasmplug");
    app->formatter(std::make_shared<HelpFormatter>());
    app->require_subcommand(1);
    add_global_options(*app, global);
    for (const auto* command : all_commands()) {
        auto& node = *app->add_subcommand(command->name, command->summary);
        node.group(command->hidden ? "" : title(command->group));
        if (wanted(command->name)) {
            command->add(node, selected);
        }
    }
    return app;
}

}  // namespace

std::size_t command_word(const std::vector<std::string>& words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (!words[i].starts_with('-')) {
            return i;
        }
        if (std::find(global_flags_with_value.begin(), global_flags_with_value.end(), words[i]) !=
            global_flags_with_value.end()) {
            ++i;
        }
    }
    return words.size();
}

std::unique_ptr<CLI::App> make_tree(GlobalOptions& global, Run& selected,
                                    const std::vector<std::string>& words) {
    const std::size_t at = command_word(words);
    const std::string named = at < words.size() ? words[at] : "";
    return build(global, selected, [&](std::string_view name) { return name == named; });
}

std::unique_ptr<CLI::App> make_tree(GlobalOptions& global, Run& selected, Everything) {
    return build(global, selected, [](std::string_view) { return true; });
}

}  // namespace wasmplug
