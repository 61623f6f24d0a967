#include "commands/endpoint_flags.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "base/error.hpp"
#include "base/terminal.hpp"

namespace wasmplug {

void add_endpoint_flags(CLI::App& command, EndpointFlags& flags) {
    command.add_option("--header", flags.headers, "Send this with every request to the URL")
        ->type_name("NAME:VALUE")
        ->allow_extra_args(false);
    command.add_option("--resolve", flags.resolve, "Connect to ADDRESS for HOST:PORT of the URL")
        ->type_name("HOST:PORT:ADDRESS")
        ->allow_extra_args(false);
    command.add_option("--ca-file", flags.ca_file, "Trust the certificates in this file")
        ->type_name("FILE")
        ->allow_extra_args(false);
}

Headers parse_header_flags(const std::vector<std::string>& flags) {
    Headers headers;
    for (const auto& flag : flags) {
        const auto colon = flag.find(':');
        if (colon == std::string::npos || colon == 0) {
            throw usage_error(fmt::format("--header {} is not NAME: VALUE", printable(flag)));
        }
        const auto value = flag.find_first_not_of(' ', colon + 1);
        headers.emplace_back(flag.substr(0, colon),
                             value == std::string::npos ? "" : flag.substr(value));
    }
    return headers;
}

}  // namespace wasmplug
