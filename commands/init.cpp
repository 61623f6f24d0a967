#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/terminal.hpp"
#include "commands/command.hpp"
#include "toolchain/scaffold.hpp"

namespace wasmplug {
namespace {

namespace fs = std::filesystem;

struct InitOptions {
    std::string directory;
    std::string language;
    std::string pattern;
    std::string name;
    std::string source;  // --template
    bool force = false;
};

struct InitResult {
    std::string name;
    std::string language;  // "" with a template of the user's own
    std::string pattern;
    std::string source;
    std::string directory;
    std::vector<std::string> files;
    std::string command;  // the same without questions
    std::string next;
};

std::string to_text(const InitResult& result) {
    return fmt::format(
        "{} is in {}: {} files\n"
        "The same without questions:  {}\n"
        "Next:                        {}\n",
        result.name, result.directory, result.files.size(), result.command, result.next);
}

nlohmann::ordered_json to_json(const InitResult& result) {
    nlohmann::ordered_json out = {
        {"version", 1}, {"name", result.name}, {"directory", result.directory}};
    if (result.source.empty()) {
        out["language"] = result.language;
        out["pattern"] = result.pattern;
    } else {
        out["template"] = result.source;
    }
    out["files"] = result.files;
    out["command"] = result.command;
    out["next"] = result.next;
    return out;
}

// A word for a shell: in single quotes when it has to be.
std::string shell_word(const std::string& word) {
    const auto plain = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
               std::string_view("-_./:@%+=,~").find(c) != std::string_view::npos;
    };
    if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) {
        return word;
    }
    std::string out = "'";
    for (const char c : word) {
        out += c == '\'' ? "'\\''" : std::string(1, c);
    }
    return out + "'";
}

// Asks until the answer is right; the end of input is an interruption.
class Asker {
  public:
    explicit Asker(Services& services) : services_(services) {}

    // One of `words`, by its number, its name or the beginning of it.
    std::string choose(const std::string& question, const std::vector<std::string>& words,
                       std::string_view (*describe)(std::string_view)) {
        services_.out.stream(question + "\n");
        for (std::size_t i = 0; i < words.size(); ++i) {
            const auto text = describe ? describe(words[i]) : std::string_view();
            services_.out.stream(text.empty()
                                     ? fmt::format("  {}  {}\n", i + 1, words[i])
                                     : fmt::format("  {}  {:18}{}\n", i + 1, words[i], text));
        }
        while (true) {
            const std::string answer = line(fmt::format("1-{} [1]: ", words.size()));
            if (answer.empty()) {
                return words.front();
            }
            if (const auto word = named(answer, words)) {
                return *word;
            }
            services_.out.stream(fmt::format("'{}' is none of them\n", printable(answer)));
        }
    }

    std::string text(const std::string& question, const std::string& proposed) {
        const std::string answer = line(fmt::format("{} [{}]: ", question, proposed));
        return answer.empty() ? proposed : answer;
    }

  private:
    static std::optional<std::string> named(const std::string& answer,
                                            const std::vector<std::string>& words) {
        std::size_t number = 0;
        const char* end = answer.data() + answer.size();
        if (const auto [at, error] = std::from_chars(answer.data(), end, number);
            error == std::errc() && at == end && number >= 1 && number <= words.size()) {
            return words[number - 1];
        }
        std::optional<std::string> found;
        for (const auto& word : words) {
            if (word == answer) {
                return word;
            }
            if (word.rfind(answer, 0) == 0) {
                if (found) {
                    return std::nullopt;  // the beginning of several
                }
                found = word;
            }
        }
        return found;
    }

    std::string line(const std::string& prompt) {
        services_.out.stream(prompt);
        auto answer = services_.read_line(services_.cancel);
        if (!answer) {
            services_.out.stream("\n");
            throw Error("nobody answers", "give --language and --pattern instead",
                        ExitCode::interrupted);
        }
        const auto first = answer->find_first_not_of(" \t\r");
        const auto last = answer->find_last_not_of(" \t\r");
        return first == std::string::npos ? "" : answer->substr(first, last - first + 1);
    }

    Services& services_;
};

// The folder's own name, also of "." and "..".
std::string folder_name(const fs::path& directory) {
    fs::path whole = fs::absolute(directory).lexically_normal();
    if (!whole.has_filename()) {
        whole = whole.parent_path();
    }
    return whole.filename().string();
}

// Fills in what the command line left out: from a person when there is one.
void complete(InitOptions& options, Services& services) {
    const bool asks = services.interactive;
    Asker ask(services);
    const bool own = !options.source.empty();
    if (own && (!options.language.empty() || !options.pattern.empty())) {
        throw usage_error("--template already is a language and a pattern",
                          "leave --language and --pattern out");
    }
    if (!own && options.language.empty()) {
        if (!asks) {
            throw usage_error(
                "--language is missing",
                fmt::format("one of {}", fmt::join(toolchain::template_languages(), ", ")));
        }
        options.language = ask.choose("Language", toolchain::template_languages(), nullptr);
    }
    if (!own && options.pattern.empty()) {
        if (!asks) {
            throw usage_error(
                "--pattern is missing",
                fmt::format("one of {}", fmt::join(toolchain::template_patterns(), ", ")));
        }
        options.pattern =
            ask.choose("Pattern", toolchain::template_patterns(), toolchain::describe_pattern);
    }
    if (options.directory.empty()) {
        const std::string proposed = !options.name.empty() ? options.name
                                     : own                 ? "my-plugin"
                                                           : options.pattern;
        options.directory = asks ? ask.text("Folder", proposed) : ".";
    }
    if (options.name.empty()) {
        options.name = toolchain::plugin_name_from(folder_name(options.directory));
        if (options.name.empty() && asks) {
            options.name = ask.text("Name", "my-plugin");
        }
    }
    if (const auto fault = toolchain::plugin_name_fault(options.name)) {
        const std::string nearest = toolchain::plugin_name_from(options.name);
        throw usage_error(
            fmt::format("'{}' cannot be the name: {}", printable(options.name), *fault),
            "--name " + (nearest.empty() ? "my-plugin" : nearest));
    }
}

std::string same_call(const InitOptions& options) {
    std::string call = "wasmplug init " + shell_word(options.directory);
    if (!options.source.empty()) {
        call += " --template " + shell_word(options.source);
    } else {
        call += fmt::format(" --language {} --pattern {}", options.language, options.pattern);
    }
    return call + " --name " + options.name + (options.force ? " --force" : "");
}

std::vector<toolchain::NewFile> project_files(const InitOptions& options) {
    if (options.source.empty()) {
        const auto* found = toolchain::find_template(options.language, options.pattern);
        if (!found) {
            throw Error(
                fmt::format("no template is in {} for {}", options.language, options.pattern));
        }
        return render(*found, options.name);
    }
    auto files = toolchain::read_template_folder(options.source);
    for (auto& file : files) {
        file = render(std::move(file), options.name);
    }
    return files;
}

ExitCode run_init(const InitOptions& given, Services& services) {
    InitOptions options = given;
    complete(options, services);
    const auto files = project_files(options);
    write_project(options.directory, files,
                  options.force ? toolchain::Existing::overwrite : toolchain::Existing::keep);
    InitResult result = {.name = options.name,
                         .language = options.language,
                         .pattern = options.pattern,
                         .source = options.source,
                         .directory = options.directory,
                         .files = {},
                         .command = same_call(options),
                         .next = {}};
    for (const auto& file : files) {
        result.files.push_back(file.path.generic_string());
        services.out.step(result.files.back());
    }
    const bool here = fs::path(options.directory).lexically_normal() == ".";
    result.next = (here ? "" : "cd " + shell_word(options.directory) + " && ") + "wasmplug build";
    services.out.show(result);
    return ExitCode::ok;
}

void add_init(CLI::App& command, Run& selected) {
    auto options = std::make_shared<InitOptions>();
    command
        .add_option("DIR", options->directory, "Where to; made when it is missing, . by default")
        ->type_name("DIR");
    choices(command.add_option("--language", options->language, "What the plugin is written in"),
            toolchain::template_languages());
    choices(command.add_option("--pattern", options->pattern, "What it starts from"),
            toolchain::template_patterns());
    command.add_option("--name", options->name, "Of the plugin; the folder's by default")
        ->type_name("NAME");
    command
        .add_option("--template", options->source,
                    "A project folder of your own instead; in its paths and files, my-plugin, "
                    "my_plugin and MyPlugin become the name")
        ->type_name("DIR");
    command.add_flag("--force", options->force, "Overwrite files that exist");
    command.footer(
        "wasmplug init my-plugin --language rust --pattern response-headers\n"
        "wasmplug init edge-auth --template ../our-template");
    selects(command, selected, options, run_init);
}

}  // namespace

extern const Command init_command;
const Command init_command = {.name = "init",
                              .summary = "Scaffold a plugin project",
                              .group = Group::create,
                              .add = add_init};

}  // namespace wasmplug
