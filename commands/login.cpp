#include "oci/login.hpp"

#include <fmt/format.h>

#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/image_reference.hpp"
#include "commands/registry_flags.hpp"
#include "oci/registry.hpp"

namespace wasmplug {
namespace {

struct LoginOptions {
    std::string host;
    RegistryFlags registry;
};

struct LoginResult {
    std::string host;
    std::string username;
    std::string stored_in;
};

std::string to_text(const LoginResult& result) {
    return fmt::format("logged in to {} as {}, kept in {}\n", result.host, result.username,
                       result.stored_in);
}

nlohmann::ordered_json to_json(const LoginResult& result) {
    return {{"version", 1},
            {"host", result.host},
            {"username", result.username},
            {"stored_in", result.stored_in}};
}

ExitCode run_login(const LoginOptions& options, Services& services) {
    // A repository makes the host one that parses; only the host is used.
    const ImageReference reference = parse_reference(options.host + "/any/thing");
    oci::RegistryOptions registry = registry_options(options.registry, services);
    if (!registry.credential) {
        throw usage_error(
            "login needs --username and --password-stdin",
            fmt::format("wasmplug login {} -u NAME --password-stdin < token.txt", options.host));
    }
    const auto session = oci::open_session(reference, registry, services);
    session->authenticate_fully(true);
    oci::ping(*session);
    oci::Credential credential = *registry.credential;
    credential.identity_token = session->refresh_token();
    const std::string stored = oci::store_credential(reference.host, credential, services);
    if (!stored.starts_with("docker-credential-")) {
        services.out.warn(fmt::format("the password is kept unencrypted in {}", stored),
                          "a credential helper keeps it elsewhere: credsStore in that file");
    }
    services.out.show(LoginResult{reference.host, credential.username, stored});
    return ExitCode::ok;
}

void add_login(CLI::App& command, Run& selected) {
    auto options = std::make_shared<LoginOptions>();
    command.add_option("HOST", options->host, "The registry, as ghcr.io or 127.0.0.1:5000")
        ->required()
        ->type_name("HOST");
    add_registry_flags(command, options->registry, RegistryUse::read);
    command.footer("wasmplug login ghcr.io -u acme --password-stdin < token.txt");
    selects(command, selected, options, run_login);
}

}  // namespace

extern const Command login_command;
const Command login_command = {.name = "login",
                               .summary = "Check credentials and keep them where docker does",
                               .group = Group::ship,
                               .add = add_login};

}  // namespace wasmplug
