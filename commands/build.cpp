#include "toolchain/build.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/watch.hpp"
#include "commands/build_world.hpp"
#include "commands/command.hpp"
#include "toolchain/sources.hpp"

namespace wasmplug {
namespace {

namespace fs = std::filesystem;

struct BuildCommandOptions {
    std::vector<std::string> folders;
    toolchain::BuildOptions build;
    bool no_optimize = false;
    bool watch = false;
    std::string changed_since;
};

struct BuildResult {
    std::vector<toolchain::Built> modules;
};

std::string title(const toolchain::Project& project) {
    return project.version.empty() ? project.name : project.name + ' ' + project.version;
}

std::string to_text(const BuildResult& result) {
    std::string text;
    for (const auto& built : result.modules) {
        const std::string how =
            built.optimised_by.empty() ? "as compiled" : "with " + built.optimised_by;
        text += fmt::format("{}\n  {}{}\n  {} {} -> {} bytes ({} gzipped)\n  module sha256 {}\n",
                            built.module.string(), title(built.project),
                            built.unchanged ? ", nothing changed since the last build" : "", how,
                            built.compiled_size, built.size, format_size(built.gzipped_size),
                            built.sha256);
    }
    return text;
}

nlohmann::ordered_json to_json(const BuildResult& result) {
    using nlohmann::ordered_json;
    ordered_json modules = ordered_json::array();
    for (const auto& built : result.modules) {
        const auto text_or_null = [](const std::string& text) {
            return text.empty() ? ordered_json() : ordered_json(text);
        };
        modules.push_back({{"name", built.project.name},
                           {"project_version", text_or_null(built.project.version)},
                           {"language", toolchain::to_text(built.project.language)},
                           {"path", built.module.string()},
                           {"size_before", built.compiled_size},
                           {"size", built.size},
                           {"size_gzipped", built.gzipped_size},
                           {"module_sha256", built.sha256},
                           {"optimised_by", text_or_null(built.optimised_by)},
                           {"unchanged", built.unchanged}});
    }
    return {{"version", 1}, {"modules", modules}};
}

std::vector<toolchain::Project> projects_of(const BuildCommandOptions& options,
                                            const toolchain::BuildWorld& world) {
    std::vector<toolchain::Project> projects;
    for (const auto& folder :
         options.folders.empty() ? std::vector<std::string>{"."} : options.folders) {
        for (auto& project : toolchain::find_projects(folder)) {
            projects.push_back(std::move(project));
        }
    }
    return options.changed_since.empty()
               ? projects
               : toolchain::changed_since(projects, options.changed_since, world);
}

BuildResult build_all(const std::vector<toolchain::Project>& projects,
                      const toolchain::BuildOptions& options, Services& services) {
    BuildResult result;
    for (const auto& project : projects) {
        services.out.progress("building " + title(project));
        result.modules.push_back(toolchain::build(project, options, build_world(services)));
        for (const auto& warning : result.modules.back().warnings) {
            services.out.warn((projects.size() > 1 ? title(project) + ": " : "") + warning.message,
                              warning.hint);
        }
    }
    services.out.progress("");
    return result;
}

// Builds `project` and runs its tests, if it has any; what goes wrong is shown, and the next
// change is waited for.
void build_and_test(const toolchain::Project& project, const toolchain::BuildOptions& options,
                    Services& services) {
    try {
        const toolchain::Built built = toolchain::build(project, options, build_world(services));
        services.out.step(
            fmt::format("built {} ({})", built.module.string(), format_size(built.size)));
        const auto tests = find_files(project.directory, [](const fs::path& path) {
            return path.filename().string().ends_with(".test.yaml");
        });
        if (!tests.empty()) {
            ProcessSpec test;
            test.argv = {services.program, "test", project.directory.string()};
            test.on_stdout = [&services](std::string_view text) {
                services.out.stream(text);
            };
            test.on_stderr = test.on_stdout;
            services.spawn(test, services.cancel);
        }
    } catch (const Error& error) {
        if (error.code() == ExitCode::interrupted) {
            throw;
        }
        services.out.error(error);
    }
}

// Nothing when a file that says what they are is broken, as one is that is being edited.
std::optional<toolchain::Sources> sources_of(const toolchain::Project& project) {
    try {
        return toolchain::Sources(project);
    } catch (const Error&) {
        return std::nullopt;
    }
}

std::vector<fs::path> folders_of(const std::vector<toolchain::Project>& projects) {
    std::vector<fs::path> folders;
    for (const auto& project : projects) {
        const auto sources = sources_of(project);
        for (auto& folder : sources ? sources->folders() : std::vector{project.directory}) {
            folders.push_back(std::move(folder));
        }
    }
    return folders;
}

// A file that is neither a source nor a test concerns nobody. A project that cannot be understood
// is built, which says why.
bool is_concerned(const toolchain::Project& project, const std::vector<fs::path>& changed) {
    const auto sources = sources_of(project);
    return !sources || std::any_of(changed.begin(), changed.end(), [&](const fs::path& path) {
        return sources->has(path) ||
               (path.extension() == ".yaml" && is_below(path, project.directory));
    });
}

// Until interrupted. Watches before it builds: what is saved meanwhile is seen.
ExitCode watch_all(const std::vector<toolchain::Project>& projects,
                   const toolchain::BuildOptions& options, Services& services) {
    std::vector<toolchain::Project> concerned = projects;
    std::vector<fs::path> folders;
    std::optional<Watch> watch;
    while (true) {
        // A library that came with the last change is watched too.
        if (auto now = folders_of(projects); now != folders) {
            folders = std::move(now);
            watch.emplace(folders, [folders](const fs::path& folder) {
                return std::none_of(folders.begin(), folders.end(), [&](const fs::path& root) {
                    return is_below(folder, root) &&
                           toolchain::is_made(folder.lexically_relative(root));
                });
            });
        }
        for (const auto& project : concerned) {
            build_and_test(project, options, services);
        }
        services.out.note("waiting for changes; Ctrl-C ends it");
        const auto changed = watch->wait(services.cancel);
        concerned.clear();
        std::copy_if(
            projects.begin(), projects.end(), std::back_inserter(concerned),
            [&](const toolchain::Project& project) { return is_concerned(project, changed); });
    }
}

ExitCode run_build(const BuildCommandOptions& options, Services& services) {
    toolchain::BuildOptions build = options.build;
    build.optimize = !options.no_optimize;
    build.offline = services.offline;
    build.colour = services.out.style().colour;
    const auto projects = projects_of(options, build_world(services));
    if (projects.empty()) {
        services.out.note(fmt::format("nothing changed since {}", options.changed_since));
    }
    if (options.watch) {
        return watch_all(projects, build, services);
    }
    services.out.show(build_all(projects, build, services));
    return ExitCode::ok;
}

void add_build(CLI::App& command, Run& selected) {
    auto options = std::make_shared<BuildCommandOptions>();
    command
        .add_option("DIR", options->folders,
                    "A project, or a workspace or folder of several; the current folder if none")
        ->type_name("DIR");
    command.add_flag("--debug", options->build.debug,
                     "The debug profile: names and debug information, nothing optimised");
    command.add_flag("--no-optimize", options->no_optimize, "Leave wasm-opt out");
    choices(command.add_option("-O,--level", options->build.level,
                               "How hard wasm-opt tries; z if not given, and off for Go, where "
                               "it takes long and gains little"),
            {"0", "1", "2", "3", "4", "s", "z"});
    command
        .add_option("--target", options->build.target,
                    "The compiler's target: wasm32-wasip1 instead of Rust's or clang's usual one")
        ->type_name("TRIPLE");
    command
        .add_option("--compiler", options->build.compiler,
                    "The compiler to run: tinygo, clang++-19")
        ->type_name("PROGRAM");
    command.add_flag("--watch", options->watch,
                     "Build again when a source changes, and run the tests");
    command
        .add_option("--changed-since", options->changed_since,
                    "Only projects whose sources differ from this git revision")
        ->type_name("REV");
    command.footer(
        "wasmplug build\n"
        "wasmplug build plugins --changed-since origin/main\n"
        "wasmplug build --compiler tinygo -O s");
    selects(command, selected, options, run_build);
}

}  // namespace

extern const Command build_command;
const Command build_command = {
    .name = "build",
    .summary = "Compile a plugin with its language's own tools, and optimise it",
    .group = Group::create,
    .add = add_build};

}  // namespace wasmplug
