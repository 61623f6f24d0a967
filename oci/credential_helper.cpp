#include "oci/credential_helper.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace wasmplug::oci {
namespace {

using nlohmann::ordered_json;

constexpr std::chrono::seconds patience{10};

std::string first_line(std::string_view text) {
    return printable(text.substr(0, std::min(text.find('\n'), std::size_t{300})));
}

bool says_not_found(std::string_view answer) {
    return answer.find("credentials not found") != std::string_view::npos;
}

ProcessResult run(const std::string& helper, const char* verb, std::string input,
                  Services& services) {
    const bool valid_name = !helper.empty() && std::ranges::all_of(helper, [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
    });
    if (!valid_name) {
        throw Error(fmt::format("'{}' is no name of a credential helper", printable(helper)));
    }
    const std::string program = "docker-credential-" + helper;
    if (!find_program(program, services.environment)) {
        throw HelperMissing(fmt::format("there is no {} on PATH", program));
    }
    ProcessSpec spec;
    spec.argv = {program, verb};
    spec.input = std::move(input);
    spec.output_limit = std::size_t{1} << 20;
    spec.timeout = patience;
    spec.on_stderr = [&](std::string_view text) {
        services.out.stream(text);
    };
    ProcessResult result = services.spawn(spec, services.cancel);
    if (result.timed_out) {
        throw Error(fmt::format("{} {} did not answer within 10 s", program, verb));
    }
    return result;
}

[[noreturn]] void fail(const std::string& helper, const char* verb, const ProcessResult& result) {
    throw Error(fmt::format("docker-credential-{} {} failed: {}", helper, verb,
                            result.out.empty() ? fmt::format("exit code {}", result.exit_code)
                                               : first_line(result.out)));
}

}  // namespace

std::optional<Credential> helper_get(const std::string& helper, const std::string& key,
                                     Services& services) {
    const ProcessResult result = run(helper, "get", key, services);
    if (result.exit_code != 0) {
        if (says_not_found(result.out)) {
            return std::nullopt;
        }
        fail(helper, "get", result);
    }
    const auto answer = parse_json(result.out, "the answer of docker-credential-" + helper);
    const auto text = [&](const char* name) {
        return answer.is_object() && answer.contains(name) && answer[name].is_string()
                   ? answer[name].get<std::string>()
                   : std::string{};
    };
    Credential credential;
    credential.from = "docker-credential-" + helper;
    credential.username = text("Username");
    if (credential.username == "<token>") {
        credential.username.clear();
        credential.identity_token = Secret(text("Secret"));
    } else {
        credential.password = Secret(text("Secret"));
    }
    return credential;
}

void helper_store(const std::string& helper, const std::string& key, const Credential& credential,
                  Services& services) {
    const bool token = !credential.identity_token.empty();
    const ordered_json entry = {
        {"ServerURL", key},
        {"Username", token ? "<token>" : credential.username},
        {"Secret", token ? credential.identity_token.reveal() : credential.password.reveal()}};
    const ProcessResult result = run(helper, "store", compact_json(entry), services);
    if (result.exit_code != 0) {
        fail(helper, "store", result);
    }
}

bool helper_erase(const std::string& helper, const std::string& key, Services& services) {
    const ProcessResult result = run(helper, "erase", key, services);
    if (result.exit_code != 0 && !says_not_found(result.out)) {
        fail(helper, "erase", result);
    }
    return result.exit_code == 0;
}

}  // namespace wasmplug::oci
