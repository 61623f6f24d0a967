#include "cli/app.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>

#include "base/output.hpp"
#include "base/time.hpp"
#include "cli/complete.hpp"
#include "cli/man.hpp"
#include "cli/tree.hpp"
#include "manifest/rules.hpp"

namespace wasmplug {
namespace {

std::vector<std::string> names_of(const CLI::App& app) {
    std::vector<std::string> names;
    for (const auto* sub :
         app.get_subcommands([](const CLI::App* a) { return !a->get_group().empty(); })) {
        names.push_back(sub->get_name());
    }
    return names;
}

std::vector<std::string> flags_of(const CLI::App* app) {
    std::vector<std::string> flags;
    for (; app != nullptr; app = app->get_parent()) {
        for (const auto* option : app->get_options()) {
            for (const auto& name : option->get_lnames()) {
                flags.push_back("--" + name);
            }
        }
    }
    return flags;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& known) {
    const std::string guess = closest(word, known);
    return guess.empty() ? "" : fmt::format("did you mean '{}'?", guess);
}

const CLI::App& deepest(const CLI::App& app) {
    const auto parsed = app.get_subcommands();
    return parsed.empty() ? app : deepest(*parsed.front());
}

std::string path_of(const CLI::App& app) {
    return app.get_parent() == nullptr ? app.get_name()
                                       : path_of(*app.get_parent()) + ' ' + app.get_name();
}

// CLI11 2.1 answers an unknown command with "A subcommand is required" and an unknown flag with
// "The following argument was not expected"; say which word was wrong, and what it may have been.
Error explain(const CLI::App& app, const CLI::ParseError& error,
              const std::vector<std::string>& args) {
    const CLI::App& at = deepest(app);
    const std::string help = fmt::format("see '{} --help'", path_of(at));
    const auto names = names_of(at);
    const auto remaining = app.remaining(true);
    for (const auto& word : remaining) {
        if (word.starts_with('-') && word.size() > 1) {
            const std::string flag = word.substr(0, word.find('='));
            const std::string guess = did_you_mean(flag, flags_of(&at));
            return usage_error(fmt::format("'{}' has no flag {}", path_of(at), flag),
                               guess.empty() ? help : guess);
        }
        if (!names.empty()) {
            const std::string guess = did_you_mean(word, names);
            return usage_error(
                fmt::format("no command is called '{}{}'",
                            at.get_parent() == nullptr ? "" : at.get_name() + " ", word),
                guess.empty() ? help : guess);
        }
        return usage_error(fmt::format("'{}' is one argument too many for '{}'", word, path_of(at)),
                           help);
    }
    if (!names.empty()) {
        return usage_error(
            args.empty() ? "no command given" : fmt::format("'{}' needs a command", path_of(at)),
            help);
    }
    return usage_error(error.what(), help);
}

Format format_named(std::string_view name) {
    return name == "json" ? Format::json : name == "yaml" ? Format::yaml : Format::text;
}

Output::Style style_for(const GlobalOptions& global, const World& world) {
    const auto choice = global.colour == "always"  ? ColourChoice::always
                        : global.colour == "never" ? ColourChoice::never
                                                   : ColourChoice::automatic;
    const bool dumb = world.environment("TERM").value_or("") == "dumb";
    return {.format = format_named(global.output),
            .colour = use_colour(choice, world.stderr_is_terminal, world.environment),
            .result_colour = use_colour(choice, world.stdout_is_terminal, world.environment),
            .quiet = global.quiet,
            .progress = world.stderr_is_terminal && !dumb,
            .verbosity = global.verbosity,
            .width = terminal_width(world.stdout_is_terminal ? 1 : 2, world.environment)};
}

Cancel limit(const Cancel& cancel, const std::string& timeout) {
    if (timeout.empty()) {
        return cancel;
    }
    const auto time = parse_duration(timeout);
    if (!time || time->count() <= 0) {
        throw usage_error(fmt::format("--timeout {} is not a duration", timeout),
                          "write it as 30s, 5m or 1h30m");
    }
    return cancel.within(*time, "--timeout " + timeout);
}

// What the completion stubs and tools/regen call; not for people. Nothing for other words.
std::optional<std::string> answer_hidden(const std::vector<std::string>& args) {
    if (args.empty() || !args[0].starts_with("__")) {
        return std::nullopt;
    }
    GlobalOptions global;
    Run selected;
    const std::vector<std::string> rest(args.begin() + 1, args.end());
    if (args[0] == "__complete") {
        // The word being completed names no command yet.
        const std::vector<std::string> before(rest.begin(),
                                              rest.empty() ? rest.end() : rest.end() - 1);
        return complete(*make_tree(global, selected, before), rest);
    }
    if (args[0] == "__man" && rest.size() == 1) {
        const auto tree = make_tree(global, selected, Everything{});
        return man_page(rest[0] == "wasmplug" ? *tree : *tree->get_subcommand(rest[0]));
    }
    if (args[0] == "__rules") {
        return manifest::rules_markdown();
    }
    if (args[0] == "__commands") {
        const auto tree = make_tree(global, selected, Everything{});
        std::string out;
        for (const auto& name : names_of(*tree)) {
            out += name + '\n';
        }
        return out;
    }
    return std::nullopt;
}

// `-o` named on a command line that does not parse still decides nothing: errors go to stderr.
int run(const std::vector<std::string>& args, std::ostream& out, std::ostream& err,
        const World& world, Output& output) {
    if (const auto answer = answer_hidden(args)) {
        output.print(*answer);
        return 0;
    }
    GlobalOptions global;
    global.output = world.environment("WASMPLUG_OUTPUT").value_or("text");
    Run selected;
    const auto app = make_tree(global, selected, args);
    if (args == std::vector<std::string>{"help"}) {
        out << app->help();
        return 0;
    }
    try {
        app->parse(std::vector<std::string>(args.rbegin(), args.rend()));
    } catch (const CLI::Success& success) {  // --help, --version
        return app->exit(success, out, err);
    } catch (const CLI::ParseError& error) {
        throw explain(*app, error, args);
    }
    output.set_style(style_for(global, world));
    Services services{
        .out = output,
        .cancel = limit(world.cancel, global.timeout),
        .send = world.send,
        .send_all = world.send_all,
        .spawn = world.spawn,
        .start = world.start,
        .environment = world.environment,
        .program = world.program,
        .interactive = world.stdin_is_terminal && world.stderr_is_terminal && !global.no_input,
        .offline = global.offline};
    const ExitCode code = selected(services);
    output.progress("");
    return static_cast<int>(code);
}

}  // namespace

int run_app(const std::vector<std::string>& args, std::ostream& out, std::ostream& err,
            const World& world) {
    Output output(out, err);
    output.set_style(style_for({}, world));
    try {
        return run(args, out, err, world, output);
    } catch (const Error& error) {
        output.error(error);
        return static_cast<int>(error.code());
    } catch (const std::exception& error) {
        output.error(Error(fmt::format("internal error: {}", error.what()), "please report this"));
        return static_cast<int>(ExitCode::failure);
    }
}

}  // namespace wasmplug
