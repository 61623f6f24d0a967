#include "commands/registry_flags.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "base/file.hpp"

namespace wasmplug {
namespace {

constexpr std::size_t password_limit = std::size_t{1} << 20;

// "5MiB", "5242880".
std::uint64_t parse_size(const std::string& text) {
    std::size_t end = 0;
    std::uint64_t value = 0;
    while (end < text.size() && end < 12 && text[end] >= '0' && text[end] <= '9') {
        value = value * 10 + static_cast<std::uint64_t>(text[end++] - '0');
    }
    const std::string unit = text.substr(end);
    const unsigned shift = unit == "KiB" ? 10 : unit == "MiB" ? 20 : unit == "GiB" ? 30 : 0;
    if (end == 0 || value == 0 || (shift == 0 && !unit.empty() && unit != "B")) {
        throw usage_error(fmt::format("'{}' is no size", text), "write it as 5MiB");
    }
    return value << shift;
}

}  // namespace

void add_registry_flags(CLI::App& command, RegistryFlags& flags, RegistryUse use) {
    command.add_flag("--plain-http", flags.plain_http, "Use http where https is usual");
    command.add_flag("--insecure", flags.insecure, "Do not verify the registry's certificate");
    command
        .add_option("--ca-file", flags.ca_file, "Trust these authorities in place of the system's")
        ->type_name("FILE");
    if (use == RegistryUse::several) {
        return;
    }
    command.add_option("--cert", flags.certificate, "Client certificate, PEM")->type_name("FILE");
    command.add_option("--key", flags.key, "Key of the client certificate, PEM")->type_name("FILE");
    command.add_option("-u,--username", flags.username, "Account at the registry")
        ->type_name("NAME");
    command.add_flag("--password-stdin", flags.password_stdin,
                     "Read the account's password or token from standard input");
    if (use == RegistryUse::write) {
        command
            .add_option("--chunk", flags.chunk,
                        "Upload in parts of this size, for proxies that limit requests")
            ->type_name("SIZE");
    }
}

oci::RegistryOptions registry_options(const RegistryFlags& flags, Services& services) {
    oci::RegistryOptions options;
    options.plain_http = flags.plain_http;
    options.tls = {.ca_file = flags.ca_file,
                   .client_certificate = flags.certificate,
                   .client_key = flags.key,
                   .insecure = flags.insecure};
    if (!flags.chunk.empty()) {
        options.chunk = parse_size(flags.chunk);
    }
    if (flags.insecure) {
        services.out.warn(
            "certificates are not verified (--insecure): anyone on the way can read "
            "and change what is sent");
    }
    if (flags.password_stdin != !flags.username.empty()) {
        throw usage_error(flags.password_stdin ? "--password-stdin needs --username"
                                               : "--username needs --password-stdin");
    }
    if (flags.password_stdin) {
        std::string password = read_stdin(password_limit);
        if (password.ends_with('\n')) {
            password.pop_back();
            if (password.ends_with('\r')) {
                password.pop_back();
            }
        }
        if (password.empty()) {
            throw usage_error("standard input holds no password");
        }
        options.credential = oci::Credential{.username = flags.username,
                                             .password = Secret(password),
                                             .identity_token = {},
                                             .registry_token = {},
                                             .from = "--username"};
    }
    return options;
}

}  // namespace wasmplug
