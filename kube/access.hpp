#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "base/http.hpp"
#include "base/terminal.hpp"

namespace wasmplug::kube {

// The current context, put together as kubectl does from the files of KUBECONFIG, else
// ~/.kube/config: of a name, the first wins.
struct ClusterContext {
    std::string name;
    std::string server;
    std::string certificate_authority;       // file
    std::string certificate_authority_data;  // PEM
    bool insecure = false;
    std::filesystem::path file;  // that names the current context
};

// Nothing when there is no kubeconfig, or none names a current context.
// Throws Error for a file that cannot be read, and for a context without a cluster.
std::optional<ClusterContext> current_context(const Environment& environment);

// What GET /version says, which API servers answer without a credential by default: "v1.36.0";
// "answers 401" and the like when it does not. Throws HttpError when there is no answer.
std::string server_version(const ClusterContext& context, const Send& send, const Cancel& cancel);

}  // namespace wasmplug::kube
