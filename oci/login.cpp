#include "oci/login.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "oci/credential_helper.hpp"

namespace wasmplug::oci {
namespace fs = std::filesystem;

namespace {

using nlohmann::ordered_json;

fs::path file_to_write(const Environment& environment) {
    if (const auto file = environment("REGISTRY_AUTH_FILE"); file && !file->empty()) {
        return *file;
    }
    return docker_config_file(environment);
}

ordered_json parse(const std::string& text, const fs::path& file) {
    if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
        return ordered_json::object();
    }
    ordered_json document = parse_json(text, file.string());
    if (!document.is_object()) {
        throw Error(fmt::format("{} is no JSON object", file.string()),
                    "it is left as it is; mend it or name another with DOCKER_CONFIG");
    }
    return document;
}

std::string helper_for(const ordered_json& document, const std::string& host) {
    if (const auto helpers = document.find("credHelpers");
        helpers != document.end() && helpers->is_object()) {
        for (const auto& key : {credential_key(host), host}) {
            if (const auto found = helpers->find(key);
                found != helpers->end() && found->is_string()) {
                return found->get<std::string>();
            }
        }
    }
    const auto store = document.find("credsStore");
    return store != document.end() && store->is_string() ? store->get<std::string>()
                                                         : std::string{};
}

// docker indents with a tab.
std::string text_of(const ordered_json& document) {
    return document.dump(1, '\t', false, ordered_json::error_handler_t::replace) + "\n";
}

ordered_json entry_of(const Credential& credential) {
    ordered_json entry = ordered_json::object();
    entry["auth"] = base64_encode(credential.username + ":" + credential.password.reveal());
    if (!credential.identity_token.empty()) {
        entry["auth"] = base64_encode(credential.username + ":");
        entry["identitytoken"] = credential.identity_token.reveal();
    }
    return entry;
}

}  // namespace

std::string store_credential(const std::string& host, const Credential& credential,
                             Services& services) {
    const fs::path file = file_to_write(services.environment);
    std::error_code error;
    fs::create_directories(file.parent_path(), error);
    if (!fs::exists(file, error)) {
        write_file(file, "{}\n", 0600);
    }
    LockedFile locked(file);
    ordered_json document = parse(locked.text(), file);
    const std::string key = credential_key(host);
    if (const std::string helper = helper_for(document, host); !helper.empty()) {
        helper_store(helper, key, credential, services);
        return "docker-credential-" + helper;
    }
    if (!document.contains("auths") || !document["auths"].is_object()) {
        document["auths"] = ordered_json::object();
    }
    document["auths"][key] = entry_of(credential);
    locked.replace(text_of(document));
    fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write, error);
    return file.string();
}

bool remove_credential(const std::string& host, Services& services) {
    const fs::path file = file_to_write(services.environment);
    if (!read_file_if_there(file)) {
        return false;
    }
    LockedFile locked(file);
    ordered_json document = parse(locked.text(), file);
    bool removed = false;
    if (const std::string helper = helper_for(document, host); !helper.empty()) {
        removed = helper_erase(helper, credential_key(host), services);
    }
    const auto auths = document.find("auths");
    if (auths == document.end() || !auths->is_object()) {
        return removed;
    }
    bool changed = false;
    const std::string key = credential_key(host);
    for (const std::string& spelling :
         {key, host, "https://" + host, "https://" + host + "/v1/", "http://" + host}) {
        changed = auths->erase(spelling) > 0 || changed;
    }
    if (changed) {
        locked.replace(text_of(document));
    }
    return removed || changed;
}

}  // namespace wasmplug::oci
