#include "oci/credentials.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <map>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "oci/credential_helper.hpp"

namespace wasmplug::oci {
namespace fs = std::filesystem;

namespace {

using nlohmann::ordered_json;

constexpr std::size_t file_limit = std::size_t{4} << 20;

std::optional<std::string> set_variable(const Environment& environment, const char* name) {
    auto value = environment(name);
    return value && !value->empty() ? value : std::nullopt;
}

std::string member(const ordered_json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

// "https://index.docker.io/v1/" -> "index.docker.io": old docker versions wrote whole URLs.
std::string host_of_key(std::string key) {
    for (const char* scheme : {"https://", "http://"}) {
        if (key.starts_with(scheme)) {
            key.erase(0, std::string_view(scheme).size());
            return key.substr(0, key.find('/'));
        }
    }
    return key.substr(0, key.find('/'));
}

// What brings a helper, by Debian's name where Debian has it.
std::string helper_mend(const std::string& helper) {
    static const std::map<std::string, std::string> known{
        {"ecr-login", "apt-get install amazon-ecr-credential-helper"},
        {"pass", "apt-get install golang-docker-credential-helpers"},
        {"secretservice", "apt-get install golang-docker-credential-helpers"},
    };
    const auto found = known.find(helper);
    return found != known.end() ? found->second
                                : "install it, or take the key out of the file and log in again";
}

std::optional<Credential> from_entry(const ordered_json& entry, const std::string& file) {
    if (!entry.is_object() || entry.empty()) {
        return std::nullopt;  // docker's marker for "a helper has it"
    }
    Credential credential;
    credential.from = file;
    credential.identity_token = Secret(member(entry, "identitytoken"));
    credential.registry_token = Secret(member(entry, "registrytoken"));
    credential.username = member(entry, "username");
    credential.password = Secret(member(entry, "password"));
    if (std::string packed = member(entry, "auth"); !packed.empty()) {
        std::string pair;
        try {
            pair = base64_decode(packed);
        } catch (const Error&) {
            throw Error(fmt::format("{} holds an \"auth\" that is no base64", file),
                        "run 'wasmplug login' again");
        }
        const std::size_t colon = pair.find(':');
        if (colon == std::string::npos) {
            throw Error(fmt::format("{} holds an \"auth\" that is no user:password", file),
                        "run 'wasmplug login' again");
        }
        credential.username = pair.substr(0, colon);
        std::string password = pair.substr(colon + 1);
        password.resize(std::min(password.find('\0'), password.size()));  // docker 1.x padded it
        credential.password = Secret(password);
    }
    const bool empty = credential.username.empty() && credential.identity_token.empty() &&
                       credential.registry_token.empty();
    return empty ? std::nullopt : std::optional(credential);
}

const ordered_json* find_entry(const ordered_json& auths, const std::string& host,
                               const std::string& repository) {
    // podman: the most specific namespace wins.
    for (std::string key = host + "/" + repository;;) {
        if (const auto found = auths.find(key); found != auths.end()) {
            return &*found;
        }
        const std::size_t slash = key.rfind('/');
        if (slash == std::string::npos) {
            break;
        }
        key.resize(slash);
    }
    const std::string hub = credential_key(host);
    if (const auto found = auths.find(hub); found != auths.end()) {
        return &*found;
    }
    for (const auto& [key, value] : auths.items()) {
        const bool is_url = key.starts_with("http://") || key.starts_with("https://");
        if (is_url && host_of_key(key) == host) {
            return &value;
        }
    }
    return nullptr;
}

}  // namespace

std::string credential_key(const std::string& host) {
    return host == "docker.io" || host == "index.docker.io" || host == "registry-1.docker.io"
               ? "https://index.docker.io/v1/"
               : host;
}

fs::path docker_config_file(const Environment& environment) {
    if (const auto folder = set_variable(environment, "DOCKER_CONFIG")) {
        return fs::path(*folder) / "config.json";
    }
    return fs::path(environment("HOME").value_or("/")) / ".docker" / "config.json";
}

std::vector<fs::path> credential_files(const Environment& environment) {
    std::vector<fs::path> files;
    const fs::path home = environment("HOME").value_or("/");
    files.push_back(docker_config_file(environment));
    const auto runtime = set_variable(environment, "XDG_RUNTIME_DIR");
    files.push_back(runtime
                        ? fs::path(*runtime) / "containers" / "auth.json"
                        : fs::path("/run/containers") / std::to_string(::getuid()) / "auth.json");
    const auto config = set_variable(environment, "XDG_CONFIG_HOME");
    files.push_back((config ? fs::path(*config) : home / ".config") / "containers" / "auth.json");
    files.push_back(home / ".dockercfg");
    return files;
}

std::optional<Credential> Credentials::find(const std::string& host, const std::string& repository,
                                            Need need) {
    const auto& environment = services_.environment;
    const auto user = set_variable(environment, "WASMPLUG_USERNAME");
    const auto password = set_variable(environment, "WASMPLUG_PASSWORD");
    if (user && password) {
        return Credential{.username = *user,
                          .password = Secret(*password),
                          .identity_token = {},
                          .registry_token = {},
                          .from = "WASMPLUG_USERNAME"};
    }
    const auto in_text = [&](const std::optional<std::string>& text, const std::string& name) {
        const bool blank = !text || text->find_first_not_of(" \t\r\n") == std::string::npos;
        return blank ? std::nullopt : in_file(*text, name, host, repository, need);
    };
    const auto in_path = [&](const fs::path& file) {
        return in_text(read_file_if_there(file, file_limit), file.string());
    };
    const auto named = set_variable(environment, "REGISTRY_AUTH_FILE");
    if (auto found = named ? in_path(*named) : std::nullopt) {
        return found;
    }
    if (auto found =
            in_text(set_variable(environment, "DOCKER_AUTH_CONFIG"), "DOCKER_AUTH_CONFIG")) {
        return found;
    }
    for (const auto& file : credential_files(environment)) {
        if (auto found = in_path(file)) {
            return found;
        }
    }
    return std::nullopt;
}

std::optional<Credential> Credentials::in_file(const std::string& text, const std::string& name,
                                               const std::string& host,
                                               const std::string& repository, Need need) {
    const ordered_json document = parse_json(text, name);
    if (!document.is_object()) {
        throw Error(fmt::format("{} is no JSON object", name));
    }
    const std::string key = credential_key(host);
    if (const auto helpers = document.find("credHelpers");
        helpers != document.end() && helpers->is_object()) {
        for (const auto& wanted : {key, host}) {
            if (const std::string helper = member(*helpers, wanted.c_str()); !helper.empty()) {
                return from_helper(helper, name, host, need);
            }
        }
    }
    // A file of podman's has no such key; one of docker's may list what its store cannot hold.
    if (const std::string store = member(document, "credsStore"); !store.empty()) {
        if (auto found = from_helper(store, name, host, need)) {
            return found;
        }
    }
    const auto auths = document.find("auths");
    const bool old_format = auths == document.end() && name.ends_with(".dockercfg");
    if (!old_format && (auths == document.end() || !auths->is_object())) {
        return std::nullopt;
    }
    const ordered_json* entry = find_entry(old_format ? document : *auths, host, repository);
    return entry == nullptr ? std::nullopt : from_entry(*entry, name);
}

std::optional<Credential> Credentials::from_helper(const std::string& helper,
                                                   const std::string& file, const std::string& host,
                                                   Need need) {
    const std::string key = credential_key(host);
    const auto [known, fresh] = helped_.try_emplace(helper + " " + key);
    if (!fresh) {
        return known->second;
    }
    try {
        known->second = helper_get(helper, key, services_);
    } catch (const HelperMissing& missing) {
        const std::string text = fmt::format(
            "{} names the credential helper '{}' for {}, and "
            "there is no docker-credential-{} on PATH",
            file, helper, key, helper);
        if (need == Need::writing) {
            helped_.erase(known);
            throw Error(text, helper_mend(helper));
        }
        services_.out.warn(text, "going on without credentials");
    }
    return known->second;
}

}  // namespace wasmplug::oci
