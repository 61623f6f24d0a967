#include "cli/complete.hpp"

#include <algorithm>
#include <string_view>

#include <CLI/CLI.hpp>

namespace wasmplug {
namespace {

std::vector<const CLI::App*> visible_commands(const CLI::App& app) {
    return app.get_subcommands(
        [](const CLI::App* command) { return !command->get_group().empty(); });
}

std::vector<const CLI::Option*> visible_options(const CLI::App& app, bool positional) {
    return app.get_options([positional](const CLI::Option* option) {
        return option->get_positional() == positional && !option->get_group().empty();
    });
}

bool takes_value(const CLI::Option& option) {
    return option.get_type_size_max() > 0;
}

const CLI::Option* option_named(const CLI::App* app, const std::string& flag) {
    for (; app != nullptr; app = app->get_parent()) {
        for (const auto* option : visible_options(*app, false)) {
            if (option->check_name(flag)) {
                return option;
            }
        }
    }
    return nullptr;
}

void offer(std::string& out, std::string_view prefix, const std::string& word,
           const std::string& description) {
    if (word.starts_with(prefix)) {
        out += word + '\t' + description + '\n';
    }
}

// What a value may be is its type name: "a|b" lists words; FILE, DIR, and names that hold one of
// them ("FILE|DIR", "FORMAT=FILE" less its prefix) are paths.
std::string offer_values(const CLI::Option& option, std::string_view prefix) {
    const std::string type = option.get_type_name();
    if (type == "DIR") {
        return "<dir>\n";
    }
    const bool path = std::any_of(type.begin(), type.end(), [](char c) { return c == '|'; })
                          ? type.find("FILE") != std::string::npos
                          : type == "FILE" || type == "SOURCE" || type == "TARGET" ||
                                type == "WHAT" || type == "MODULE";
    if (path) {
        return "<file>\n";
    }
    std::string out;
    if (type.find('|') != std::string::npos) {
        for (const auto& word : CLI::detail::split(type, '|')) {
            offer(out, prefix, word, "");
        }
    }
    return out;
}

std::string offer_flags(const CLI::App& at, std::string_view prefix) {
    std::string out;
    for (const auto* from = &at; from != nullptr; from = from->get_parent()) {
        for (const auto* option : visible_options(*from, false)) {
            if (from != &at && option == from->get_help_ptr()) {
                continue;
            }
            for (const auto& name : option->get_lnames()) {
                offer(out, prefix, "--" + name, option->get_description());
            }
        }
    }
    return out;
}

struct Place {
    const CLI::App* command;
    const CLI::Option* wanting = nullptr;  // a flag whose value is the next word
    std::size_t positionals = 0;
};

Place walk(const CLI::App& app, const std::vector<std::string>& words) {
    Place at{.command = &app};
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
        const auto& word = words[i];
        if (at.wanting != nullptr) {
            at.wanting = nullptr;
            continue;
        }
        if (word.starts_with('-') && word.size() > 1) {
            const auto* option = option_named(at.command, word.substr(0, word.find('=')));
            if (option != nullptr && takes_value(*option) && word.find('=') == std::string::npos) {
                at.wanting = option;
            }
            continue;
        }
        const auto commands = visible_commands(*at.command);
        const auto found = std::find_if(commands.begin(), commands.end(),
                                        [&](const auto* sub) { return sub->check_name(word); });
        if (found != commands.end()) {
            at.command = *found;
            at.positionals = 0;
        } else {
            ++at.positionals;
        }
    }
    return at;
}

}  // namespace

std::string complete(const CLI::App& app, const std::vector<std::string>& words) {
    const Place at = walk(app, words);
    const std::string prefix = words.empty() ? "" : words.back();
    if (at.wanting != nullptr) {
        return offer_values(*at.wanting, prefix);
    }
    if (const std::size_t equals = prefix.find('=');
        prefix.starts_with("--") && equals != std::string::npos) {
        const auto* option = option_named(at.command, prefix.substr(0, equals));
        return option == nullptr ? "" : offer_values(*option, prefix.substr(equals + 1));
    }
    if (prefix.starts_with('-')) {
        return offer_flags(*at.command, prefix);
    }
    std::string out;
    for (const auto* sub : visible_commands(*at.command)) {
        offer(out, prefix, sub->get_name(), sub->get_description());
    }
    const auto positionals = visible_options(*at.command, true);
    if (!positionals.empty()) {
        const std::size_t last = positionals.size() - 1;
        const auto* option = positionals[std::min(at.positionals, last)];
        if (at.positionals <= last || option->get_items_expected_max() > 1) {
            out += offer_values(*option, prefix);
        }
    }
    return out;
}

}  // namespace wasmplug
