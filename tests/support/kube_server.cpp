#include "tests/support/kube_server.hpp"

#include <fmt/format.h>

#include <sstream>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "base/hash.hpp"
#include "base/process.hpp"
#include "tests/support/require.hpp"

namespace wasmplug::test {
namespace {

namespace fs = std::filesystem;

fs::path scripts() {
    return fs::path(WASMPLUG_SOURCE_DIR) / "tests/support/kube_test_server";
}

ProcessResult run(
    std::vector<std::string> argv,
    std::vector<std::pair<std::string, std::optional<std::string>>> environment = {}) {
    return run_process({.argv = std::move(argv), .env = std::move(environment)}, Cancel());
}

}  // namespace

std::string KubeServer::version_key() {
    return sha256_hex(read_file(scripts() / "go.mod") + read_file(scripts() / "go.sum"))
        .substr(0, 16);
}

std::optional<fs::path> KubeServer::built() {
    const auto folder = cache_folder() / ("kube-" + version_key());
    return fs::exists(folder / "kube-apiserver") ? std::optional(folder) : std::nullopt;
}

KubeServer::KubeServer(const std::string& flags) {
    const auto programs = built();
    if (!programs) {
        throw std::runtime_error("tools/kube-server has built no server");
    }
    const auto started =
        run({scripts() / "up", folder(), *programs / "istio-crds.yaml"},
            {{"KUBE_BIN", programs->string()}, {"KUBE_TTL", "600"}, {"KUBE_FLAGS", flags}});
    if (started.exit_code != 0) {
        throw std::runtime_error("kube-apiserver did not start: " + started.err);
    }
    url_ = nlohmann::json::parse(read_file(kubeconfig()))["clusters"][0]["cluster"]["server"];
}

KubeServer::~KubeServer() {
    run({scripts() / "down", folder(), "--delete"});
}

std::vector<KubeServer::Answer> KubeServer::post(const std::vector<Request>& requests) const {
    const TemporaryDirectory scratch;
    std::string config;
    for (std::size_t i = 0; i < requests.size(); ++i) {
        const auto body = scratch.path() / fmt::format("{}.body", i);
        write_file(body, requests[i].body);
        config += fmt::format(
            "{}url = \"{}{}\"\ncacert = \"{}/ca.crt\"\ncert = \"{}/admin.crt\"\n"
            "key = \"{}/admin.key\"\nheader = \"Content-Type: application/{}\"\n"
            "data-binary = \"@{}\"\noutput = \"{}/{}.answer\"\nwrite-out = \"%{{http_code}}\\n\"\n",
            i == 0 ? "" : "next\n", url_, requests[i].path, folder().string(), folder().string(),
            folder().string(), requests[i].body.starts_with('{') ? "json" : "yaml", body.string(),
            scratch.path().string(), i);
    }
    write_file(scratch.path() / "config", config);
    const auto result = run({"curl", "--silent", "--max-time", "60", "--globoff", "--config",
                             scratch.path() / "config"});
    std::istringstream codes(result.out);
    std::vector<Answer> answers(requests.size());
    for (std::size_t i = 0; i < answers.size(); ++i) {
        codes >> answers[i].status;
        answers[i].body =
            read_file_if_there(scratch.path() / fmt::format("{}.answer", i)).value_or("");
    }
    if (result.exit_code != 0 || !codes) {
        throw std::runtime_error("curl: " + result.err);
    }
    return answers;
}

}  // namespace wasmplug::test
