#include <fmt/format.h>

#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/image_reference.hpp"
#include "commands/command.hpp"
#include "oci/login.hpp"

namespace wasmplug {
namespace {

struct LogoutOptions {
    std::string host;
};

struct LogoutResult {
    std::string host;
    bool was_logged_in = false;
};

std::string to_text(const LogoutResult& result) {
    return fmt::format("{} {}\n", result.was_logged_in ? "logged out of" : "not logged in to",
                       result.host);
}

nlohmann::ordered_json to_json(const LogoutResult& result) {
    return {{"version", 1}, {"host", result.host}, {"was_logged_in", result.was_logged_in}};
}

ExitCode run_logout(const LogoutOptions& options, Services& services) {
    const std::string host = parse_reference(options.host + "/any/thing").host;
    services.out.show(LogoutResult{host, oci::remove_credential(host, services)});
    return ExitCode::ok;
}

void add_logout(CLI::App& command, Run& selected) {
    auto options = std::make_shared<LogoutOptions>();
    command.add_option("HOST", options->host, "The registry, as ghcr.io or 127.0.0.1:5000")
        ->required()
        ->type_name("HOST");
    command.footer("wasmplug logout ghcr.io");
    selects(command, selected, options, run_logout);
}

}  // namespace

extern const Command logout_command;
const Command logout_command = {.name = "logout",
                                .summary = "Forget the credentials of a registry",
                                .group = Group::ship,
                                .add = add_logout};

}  // namespace wasmplug
