#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/file.hpp"

namespace wasmplug::test {

// A real Kubernetes API server with Istio's CRDs on loopback, for as long as the object lives.
// No controllers run beside it: objects are stored, and nothing else happens to them.
class KubeServer {
  public:
    // What tools/kube-server has built for the go.mod of this tree.
    static std::optional<std::filesystem::path> built();

    // Names the server and the CRDs: changes with tests/support/kube_test_server/go.{mod,sum}.
    static std::string version_key();

    // `flags` are further ones of kube-apiserver. Throws when it does not come up.
    explicit KubeServer(const std::string& flags = {});
    KubeServer(const KubeServer&) = delete;
    KubeServer& operator=(const KubeServer&) = delete;
    ~KubeServer();

    // Contexts "admin" and "restricted", a user without any right.
    std::filesystem::path kubeconfig() const { return folder() / "kubeconfig"; }

    struct Request {
        std::string path;  // "/apis/…?dryRun=All"
        std::string body;  // YAML or JSON
    };

    struct Answer {
        int status = 0;
        std::string body;
    };

    // POSTs them as the administrator, one after the other over one connection.
    std::vector<Answer> post(const std::vector<Request>& requests) const;

  private:
    std::filesystem::path folder() const { return scratch_.path() / "kube"; }

    TemporaryDirectory scratch_;
    std::string url_;
};

}  // namespace wasmplug::test
