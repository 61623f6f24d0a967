#include "toolchain/doctor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/image_reference.hpp"
#include "base/text.hpp"
#include "base/yaml.hpp"
#include "commands/command.hpp"
#include "envoy/server.hpp"
#include "kube/access.hpp"
#include "oci/credentials.hpp"

namespace wasmplug {
namespace {

using toolchain::Check;

struct DoctorOptions {
    std::string folder;
};

struct DoctorResult {
    std::vector<toolchain::Project> projects;
    std::vector<Check> checks;

    bool lacks_something() const {
        return std::any_of(checks.begin(), checks.end(),
                           [](const Check& check) { return check.needed && !check.ok; });
    }
};

std::string to_text(const DoctorResult& result, const Output::Style& style) {
    std::string text;
    for (const auto& project : result.projects) {
        text += fmt::format("{}: {} ({})\n", project.directory.string(), project.name,
                            toolchain::to_text(project.language));
    }
    Table table;
    for (const auto& check : result.checks) {
        const std::string mark = check.ok       ? paint("32", "ok", style.result_colour)
                                 : check.needed ? paint("31", "missing", style.result_colour)
                                                : "absent";
        table.rows.push_back({mark, check.title, check.ok ? check.found : check.problem});
    }
    text += to_text(table);
    // What is needed first; what another language needs is not worth a line here.
    for (const bool needed : {true, false}) {
        for (const auto& check : result.checks) {
            if (!check.ok && check.needed == needed && check.relevant && !check.mend.empty()) {
                text += fmt::format("\n{}: {}{}\n  {}\n", check.title, check.problem,
                                    needed ? "" : " (not needed to build)", check.mend);
            }
        }
    }
    return text + (result.lacks_something() ? "" : "\nnothing needed is missing\n");
}

nlohmann::ordered_json to_json(const DoctorResult& result) {
    using nlohmann::ordered_json;
    const auto text_or_null = [](const std::string& text) {
        return text.empty() ? ordered_json() : ordered_json(text);
    };
    ordered_json projects = ordered_json::array();
    for (const auto& project : result.projects) {
        projects.push_back({{"directory", project.directory.string()},
                            {"name", project.name},
                            {"language", toolchain::to_text(project.language)}});
    }
    ordered_json checks = ordered_json::array();
    for (const auto& check : result.checks) {
        checks.push_back({{"id", check.id},
                          {"title", check.title},
                          {"ok", check.ok},
                          {"needed", check.needed},
                          {"found", text_or_null(check.found)},
                          {"problem", text_or_null(check.problem)},
                          {"mend", text_or_null(check.mend)}});
    }
    return {{"version", 1},
            {"ok", !result.lacks_something()},
            {"projects", projects},
            {"checks", checks}};
}

// A folder that holds none is looked at for the machine's sake.
std::vector<toolchain::Project> projects_in(const std::string& folder) {
    try {
        return toolchain::find_projects(folder.empty() ? "." : folder);
    } catch (const Error&) {
        if (!folder.empty()) {
            throw;
        }
        return {};
    }
}

Check check_envoy(Services& services) {
    Check check{.id = "envoy", .title = "Envoy"};
    try {
        const auto program = envoy::find_envoy("", services.environment);
        ProcessSpec spec;
        spec.argv = {program.string(), "--version"};
        spec.timeout = std::chrono::seconds(10);
        const auto result = services.spawn(spec, services.cancel);
        const auto at = result.out.find("version: ");
        check.ok = result.exit_code == 0 && at != std::string::npos;
        if (check.ok) {
            const std::string version = result.out.substr(at + 9);
            check.found = first_line(version) + ", " + program.string();
        } else {
            check.problem = fmt::format("{} does not say its version", program.string());
        }
    } catch (const Error& error) {
        check.problem = error.what();
        check.mend = error.hint();
    }
    return check;
}

// The registry that the project's plugin.yaml fetches from; nothing when it names none.
std::optional<ImageReference> registry_of(const toolchain::Project& project) {
    const auto manifest = project.directory / "plugin.yaml";
    if (!std::filesystem::exists(manifest)) {
        return std::nullopt;
    }
    const auto file = yaml::File::read(manifest);
    for (const auto& document : file.documents()) {
        const yaml::Node* url = document.root->at({"spec", "url"});
        if (url == nullptr || !url->as_string()) {
            continue;
        }
        if (auto reference = try_parse_reference(*url->as_string());
            reference && reference->kind == ImageReference::Kind::registry) {
            return reference;
        }
    }
    return std::nullopt;
}

std::string looked_into(const Environment& environment) {
    std::string files;
    for (const auto& file : oci::credential_files(environment)) {
        if (std::filesystem::exists(file)) {
            files += (files.empty() ? "" : ", ") + file.string();
        }
    }
    return files.empty() ? "no credential file is there" : "nothing for it in " + files;
}

// Which source wins for each registry of the projects; never what it holds.
std::vector<Check> check_registries(const std::vector<toolchain::Project>& projects,
                                    Services& services) {
    std::vector<Check> checks;
    std::set<std::string> seen;
    oci::Credentials credentials(services);
    for (const auto& project : projects) {
        const auto reference = registry_of(project);
        if (!reference || !seen.insert(reference->name()).second) {
            continue;
        }
        // Without it the project cannot be pushed: a registry that asks for nobody is no fault.
        Check check{.id = "registry", .title = "registry " + reference->name(), .needed = true};
        try {
            const auto found =
                credentials.find(reference->host, reference->repository, oci::Need::writing);
            check.ok = true;
            check.found = !found ? "anonymous: " + looked_into(services.environment)
                          : found->username.empty() ? "a token from " + found->from
                                                    : found->username + " from " + found->from;
        } catch (const Error& error) {
            check.problem = error.what();
            check.mend = error.hint().empty() ? "wasmplug login " + reference->host : error.hint();
        }
        checks.push_back(std::move(check));
    }
    return checks;
}

Check check_cluster(Services& services) {
    Check check{.id = "cluster", .title = "cluster"};
    try {
        const auto context = kube::current_context(services.environment);
        if (!context) {
            check.problem = "no kubeconfig names a current context";
            check.mend = "kubectl config use-context NAME";
            return check;
        }
        check.title = "cluster of context " + context->name;
        check.found = context->server;
        if (!services.offline) {
            check.found += ", " + kube::server_version(*context, services.send, services.cancel);
        }
        check.ok = true;
    } catch (const HttpError& error) {
        check.problem = error.what();
        check.mend = "kubectl cluster-info";
    } catch (const Error& error) {
        check.problem = error.what();
        check.mend = error.hint();
    }
    return check;
}

ExitCode run_doctor(const DoctorOptions& options, Services& services) {
    DoctorResult result;
    result.projects = projects_in(options.folder);
    const toolchain::BuildWorld world{.spawn = services.spawn,
                                      .environment = services.environment,
                                      .cancel = services.cancel,
                                      .stream = [](std::string_view) {},
                                      .verbose =
                                          [&services](std::string_view text) {
                                              services.out.verbose(text);
                                          }};
    services.out.progress("looking at the tool chains");
    result.checks = toolchain::check_toolchains(result.projects, world);
    result.checks.push_back(check_envoy(services));
    for (auto& check : check_registries(result.projects, services)) {
        result.checks.push_back(std::move(check));
    }
    result.checks.push_back(check_cluster(services));
    services.out.progress("");
    services.out.show(result);
    return result.lacks_something() ? ExitCode::rejected : ExitCode::ok;
}

void add_doctor(CLI::App& command, Run& selected) {
    auto options = std::make_shared<DoctorOptions>();
    command
        .add_option("DIR", options->folder,
                    "The project whose tool chain is needed; without one, any whole tool chain "
                    "will do")
        ->type_name("DIR");
    command.footer("wasmplug doctor\nwasmplug doctor auth -o json");
    selects(command, selected, options, run_doctor);
}

}  // namespace

extern const Command doctor_command;
const Command doctor_command = {
    .name = "doctor",
    .summary = "Say what is missing on this machine, and the command that mends it",
    .group = Group::other,
    .add = add_doctor};

}  // namespace wasmplug
