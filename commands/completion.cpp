#include "commands/completion.hpp"

#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "commands/command.hpp"

namespace wasmplug {
namespace {

struct CompletionOptions {
    std::string shell;
};

struct CompletionResult {
    std::string shell;
    std::string script;
};

std::string to_text(const CompletionResult& result) {
    return result.script;
}

nlohmann::ordered_json to_json(const CompletionResult& result) {
    return {{"version", 1}, {"shell", result.shell}, {"script", result.script}};
}

ExitCode run_completion(const CompletionOptions& options, Services& services) {
    const auto* script = options.shell == "bash"  ? bash_completion
                         : options.shell == "zsh" ? zsh_completion
                                                  : fish_completion;
    services.out.show(CompletionResult{options.shell, script});
    return ExitCode::ok;
}

void add_completion(CLI::App& command, Run& selected) {
    auto options = std::make_shared<CompletionOptions>();
    choices(command.add_option("SHELL", options->shell, "Shell to complete in"),
            {"bash", "zsh", "fish"})
        ->required();
    command.footer(
        "source <(wasmplug completion bash)              # ~/.bashrc\n"
        "source <(wasmplug completion zsh)               # ~/.zshrc, after compinit\n"
        "wasmplug completion fish > ~/.config/fish/completions/wasmplug.fish");
    selects(command, selected, options, run_completion);
}

}  // namespace

extern const Command completion_command;
const Command completion_command = {.name = "completion",
                                    .summary = "Print the completion script of a shell",
                                    .group = Group::other,
                                    .add = add_completion};

}  // namespace wasmplug
