// docs/kind.md, step by step, with a real registry, a real compiler and a real API server in the
// place of the cluster's.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "base/file.hpp"
#include "tests/support/kube_server.hpp"
#include "tests/support/registry.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

// The lines of every block that is meant to be run, in order.
std::string steps() {
    const std::string text = read_file(WASMPLUG_SOURCE_DIR "/docs/kind.md");
    constexpr std::string_view open = "```sh\n";
    std::string all;
    for (auto at = text.find(open); at != std::string::npos; at = text.find(open, at)) {
        at += open.size();
        all += text.substr(at, text.find("```", at) - at);
    }
    return all;
}

std::string with_host(std::string text, std::string_view name, std::string_view host) {
    for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at)) {
        text.replace(at, name.size(), host);
        at += host.size();
    }
    return text;
}

TEST(KindDocument, IsTrueAsFarAsTheApiServer) {
    if (!KubeServer::built()) {
        GTEST_SKIP() << "tools/kube-server builds the API server that this asks";
    }
    WASMPLUG_NEEDS(Registry::installed(), "docker-registry");
    Sandbox sandbox;
    WASMPLUG_NEEDS(use_toolchain(sandbox, "cpp"), "cpp");
    const Registry registry;
    const KubeServer server;
    sandbox.set("KUBECONFIG", server.kubeconfig().string());
    sandbox.add_path(*KubeServer::built());
    const std::string script = with_host(steps(), "localhost:5001", registry.host());
    const auto run = sandbox.shell("set -ex\n" + script);
    ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
    EXPECT_NE(run.out.find("wasmplugin.extensions.istio.io/hello configured"), std::string::npos)
        << run.out;
    const auto stored = sandbox.shell("kubectl get wasmplugin hello -o jsonpath='{.spec.url}'");
    EXPECT_EQ(stored.out, "oci://kind-registry:5000/hello:0.1.0") << stored.err;
}

}  // namespace
}  // namespace wasmplug::test
