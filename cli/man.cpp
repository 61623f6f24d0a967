#include "cli/man.hpp"

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/help.hpp"

namespace wasmplug {
namespace {

constexpr std::string_view release_date = "2026-11-21";

// Said once, in wasmplug(1): design, "Commands".
constexpr std::string_view about_program = R"(.SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
The work could not be done.
.TP
.B 2
The command line was wrong; nothing was tried.
.TP
.B 3
The work was done and the answer is no: findings, a failed test, a gate that said no.
.TP
.B 4
A person has to decide: a paused rollout.
.TP
.B 5
Something was changed underneath; nothing was written, try again.
.TP
.B 6
Half done, and the undo failed too; the status command says where.
.TP
.B 130
Interrupted.
.SH ENVIRONMENT
.TP
.B WASMPLUG_OUTPUT
Default of \-\-output.
.TP
.B NO_COLOR
Set to anything: no colour.
.TP
.BR CLICOLOR_FORCE ", " FORCE_COLOR
Set to anything but 0: colour without a terminal too.
.TP
.B SOURCE_DATE_EPOCH
The time that packages carry, in seconds; without it they carry none.
.TP
.B DOCKER_CONFIG
Folder of the registry credentials that docker and wasmplug share.
.TP
.BR http_proxy ", " https_proxy ", " no_proxy
Proxies, as curl reads them.
.TP
.B SSL_CERT_FILE
Certificate authorities to trust instead of the system's.
)";

std::string upper(std::string text) {
    for (char& c : text) {
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return text;
}

std::string roff(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool line_start = i == 0 || text[i - 1] == '\n';
        if (line_start && (text[i] == '.' || text[i] == '\'')) {
            out += "\\&";
        }
        if (text[i] == '\\') {
            out += "\\e";
        } else if (text[i] == '-') {
            out += "\\-";
        } else {
            out += text[i];
        }
    }
    return out;
}

std::vector<const CLI::App*> visible_commands(const CLI::App& app) {
    return app.get_subcommands(
        [](const CLI::App* command) { return !command->get_group().empty(); });
}

std::string option_section(const CLI::App& command, bool positional, std::string_view title) {
    std::string out;
    for (const auto* option : command.get_options()) {
        const bool help = option == command.get_help_ptr() && command.get_parent() != nullptr;
        if (option->get_positional() != positional || option->get_group().empty() || help) {
            continue;
        }
        out += fmt::format(".TP\n.B {}\n{}", roff(option_label(*option)),
                           roff(option->get_description()));
        if (!option->get_default_str().empty()) {
            out += fmt::format(" (default: {})", roff(option->get_default_str()));
        }
        out += ".\n";
    }
    return out.empty() ? "" : fmt::format(".SH {}\n{}", title, out);
}

}  // namespace

std::string man_page(const CLI::App& command) {
    const bool root = command.get_parent() == nullptr;
    const std::string name = full_name(command, '-');
    std::string out = fmt::format(
        ".TH {} 1 {} \"wasmplug {}\" \"User Commands\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n.B {}\n"
        ".SH DESCRIPTION\n{}.\n",
        upper(name), release_date, WASMPLUG_VERSION, roff(name),
        roff(command.get_description()), roff(usage_line(command)),
        roff(command.get_description()));
    const auto commands = visible_commands(command);
    if (!commands.empty()) {
        out += ".SH COMMANDS\n";
    }
    for (const auto* sub : commands) {
        if (root) {
            out += fmt::format(".TP\n.BR {} (1)\n{}.\n", roff(full_name(*sub, '-')),
                               roff(sub->get_description()));
        } else {
            out += fmt::format(".TP\n.B {}\n{}.\n", roff(usage_line(*sub)),
                               roff(sub->get_description()));
        }
    }
    out += option_section(command, true, "ARGUMENTS");
    out += option_section(command, false, "OPTIONS");
    if (!root) {
        for (const auto* sub : commands) {
            const std::string title = upper("options of " + sub->get_name());
            out += option_section(*sub, true,
                                  upper("arguments of " + sub->get_name()));
            out += option_section(*sub, false, title);
        }
        out +=
            ".PP\nGlobal options, exit status and environment are described in\n.BR wasmplug "
            "(1).\n";
    } else {
        out += about_program;
    }
    if (!command.get_footer().empty()) {
        out += fmt::format(".SH EXAMPLES\n.nf\n{}\n.fi\n", roff(command.get_footer()));
    }
    if (!root) {
        out += ".SH SEE ALSO\n.BR wasmplug (1)\n";
    }
    return out;
}

}  // namespace wasmplug
