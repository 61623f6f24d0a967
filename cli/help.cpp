#include "cli/help.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/terminal.hpp"

namespace wasmplug {
namespace {

constexpr std::size_t width = 80;
constexpr std::size_t widest_label = 28;

using Rows = std::vector<std::pair<std::string, std::string>>;

bool takes_value(const CLI::Option& option) {
    return option.get_type_size_max() > 0;
}

std::string section(const std::string& title, const Rows& rows) {
    if (rows.empty()) {
        return "";
    }
    std::size_t column = 0;
    for (const auto& [label, text] : rows) {
        if (label.size() <= widest_label) {
            column = std::max(column, label.size());
        }
    }
    column += 4;
    std::string out = "\n" + title + ":\n";
    for (const auto& [label, text] : rows) {
        const bool beside = label.size() + 4 <= column;
        out += "  " + label;
        out +=
            beside ? std::string(column - 2 - label.size(), ' ') : "\n" + std::string(column, ' ');
        out += wrap(text, width, column) + "\n";
    }
    return out;
}

std::string describe(const CLI::Option& option) {
    std::string text = option.get_description();
    // Of choices: words to write as they are, unlike "FILE|DIR".
    const std::string type = option.get_type_name();
    if (option.get_positional() && type.find('|') != std::string::npos &&
        type.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string::npos) {
        text += fmt::format(": {}", fmt::join(CLI::detail::split(type, '|'), ", "));
    }
    if (takes_value(option) && !option.get_default_str().empty()) {
        text += fmt::format(" (default: {})", option.get_default_str());
    }
    if (option.get_required() && !option.get_positional()) {
        text += " (required)";
    }
    return text;
}

template <class Accept>
Rows rows_of(const CLI::App& app, const Accept& accept) {
    Rows rows;
    for (const auto* option : app.get_options()) {
        if (!option->get_group().empty() && accept(*option)) {
            rows.emplace_back(option_label(*option), describe(*option));
        }
    }
    return rows;
}

Rows commands_in(const CLI::App& app, const std::string& group) {
    Rows rows;
    for (const auto* command :
         app.get_subcommands([&](const CLI::App* sub) { return sub->get_group() == group; })) {
        rows.emplace_back(command->get_name(), command->get_description());
    }
    return rows;
}

std::string commands_section(const CLI::App& app) {
    std::string out;
    std::vector<std::string> seen;
    for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        const std::string group = command->get_group();
        if (!group.empty() && std::find(seen.begin(), seen.end(), group) == seen.end()) {
            seen.push_back(group);
            // A command's own commands inherit its group, which says nothing about them.
            out +=
                section(app.get_parent() == nullptr ? group : "Commands", commands_in(app, group));
        }
    }
    return out;
}

std::string indented(const std::string& text) {
    std::string out;
    for (const auto& line : CLI::detail::split(text, '\n')) {
        out += line.empty() ? "\n" : "  " + line + "\n";
    }
    return out;
}

}  // namespace

std::string full_name(const CLI::App& command, char separator) {
    return command.get_parent() == nullptr
               ? command.get_name()
               : full_name(*command.get_parent(), separator) + separator + command.get_name();
}

std::string option_label(const CLI::Option& option) {
    if (option.get_positional()) {
        return option.get_single_name();
    }
    std::string label;
    for (const auto& name : option.get_snames()) {
        label += (label.empty() ? "-" : ", -") + name;
    }
    for (const auto& name : option.get_lnames()) {
        label += (label.empty() ? "--" : ", --") + name;
    }
    if (takes_value(option) && !option.get_type_name().empty()) {
        label += " " + option.get_type_name();
    }
    return label;
}

std::string usage_line(const CLI::App& command) {
    std::string usage = full_name(command, ' ');
    bool has_commands = false;
    for (const auto* sub : command.get_subcommands([](const CLI::App*) { return true; })) {
        has_commands |= !sub->get_group().empty();
    }
    std::string arguments;
    bool has_options = false;
    for (const auto* option : command.get_options()) {
        if (option->get_group().empty()) {
            continue;
        }
        if (!option->get_positional()) {
            has_options = true;
            continue;
        }
        std::string name = option->get_single_name();
        if (option->get_items_expected_max() > 1 && name.find("...") == std::string::npos) {
            name += "...";
        }
        arguments += option->get_required() ? " " + name : " [" + name + "]";
    }
    if (has_commands) {
        usage += " COMMAND";
    }
    if (has_options) {
        usage += " [OPTIONS]";
    }
    return usage + arguments;
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const {
    const bool root = app->get_parent() == nullptr;
    std::string out = wrap(app->get_description(), width) +
                      "\n\nUsage: " + wrap(usage_line(*app), width - 7, 9) + "\n";
    out += commands_section(*app);
    out += section("Arguments",
                   rows_of(*app, [](const auto& option) { return option.get_positional(); }));
    const auto own = [&](const CLI::Option& option) {
        return !option.get_positional() && !root && &option != app->get_help_ptr();
    };
    out += section("Options", rows_of(*app, own));
    if (root) {
        out += section("Global options", rows_of(*app, [](const auto&) { return true; }));
        out += "\nRun 'wasmplug COMMAND --help' for one command.\n";
    } else {
        out += "\nGlobal options are listed by 'wasmplug --help'.\n";
    }
    if (!app->get_footer().empty()) {
        out += "\nExamples:\n" + indented(app->get_footer());
    }
    return out;
}

}  // namespace wasmplug
