#include <fmt/format.h>
#include <libdeflate.h>

#include <string>

#include <nlohmann/json.hpp>

#include "base/curl.hpp"
#include "commands/command.hpp"

namespace wasmplug {
namespace {

struct VersionOptions {};

struct VersionResult {
    std::string version;
    std::string compiler;
    std::string curl;
    std::string deflate;  // decides the bytes, and so the digest, of a package
};

std::string to_text(const VersionResult& result) {
    return fmt::format("wasmplug {}\n{}, libcurl {}, libdeflate {}\n", result.version,
                       result.compiler, result.curl, result.deflate);
}

nlohmann::ordered_json to_json(const VersionResult& result) {
    return {{"version", 1},
            {"wasmplug", result.version},
            {"compiler", result.compiler},
            {"libcurl", result.curl},
            {"libdeflate", result.deflate}};
}

ExitCode run_version(const VersionOptions&, Services& services) {
    services.out.show(VersionResult{.version = WASMPLUG_VERSION,
                                    .compiler = "g++ " __VERSION__,
                                    .curl = curl().version_info(CURLVERSION_NOW)->version,
                                    .deflate = LIBDEFLATE_VERSION_STRING});
    return ExitCode::ok;
}

void add_version(CLI::App& command, Run& selected) {
    selects(command, selected, std::make_shared<VersionOptions>(), run_version);
}

}  // namespace

extern const Command version_command;
const Command version_command = {.name = "version",
                                 .summary = "Show the version and what it is built with",
                                 .group = Group::other,
                                 .add = add_version};

}  // namespace wasmplug
