#pragma once

#include <string>
#include <vector>

namespace wasmplug::test {

// A certificate with its key, both PEM, made for one run.
struct Certificate {
    std::string name;
    std::string certificate;
    std::string key;
};

struct CertificateRequest {
    std::string name = "test";
    std::vector<std::string> hosts = {};  // "127.0.0.1", "registry.example.test"
    int days = 1;                         // negative: expired that many days ago
};

Certificate make_authority(const std::string& name);
Certificate issue(const Certificate& authority, const CertificateRequest& request);

}  // namespace wasmplug::test
