#include "oci/certificates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "base/error.hpp"

namespace wasmplug::oci {
namespace fs = std::filesystem;

std::vector<fs::path> certificate_folders(const Environment& environment) {
    const fs::path home = environment("HOME").value_or("/");
    const auto config = environment("XDG_CONFIG_HOME");
    const fs::path own = config && !config->empty() ? fs::path(*config) : home / ".config";
    return {own / "containers" / "certs.d", "/etc/containers/certs.d", "/etc/docker/certs.d"};
}

TlsOptions with_certificates(TlsOptions given, const std::string& host,
                             const std::vector<fs::path>& folders) {
    for (const auto& folder : folders) {
        std::vector<fs::path> files;
        std::error_code error;
        for (const auto& entry : fs::directory_iterator(folder / host, error)) {
            files.push_back(entry.path());
        }
        if (files.empty()) {
            continue;
        }
        std::ranges::sort(files);
        for (const auto& file : files) {
            if (file.extension() == ".crt" && given.ca_file.empty()) {
                given.ca_file = file.string();
            }
            if (file.extension() == ".cert" && given.client_certificate.empty()) {
                const fs::path key = fs::path(file).replace_extension(".key");
                if (!fs::exists(key, error)) {
                    throw Error(fmt::format("{} has no {} beside it", file.string(),
                                            key.filename().string()));
                }
                given.client_certificate = file.string();
                given.client_key = key.string();
            }
        }
        return given;
    }
    return given;
}

}  // namespace wasmplug::oci
