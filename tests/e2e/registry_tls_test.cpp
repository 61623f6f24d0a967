// The flags and variables by which the product trusts a registry and reaches it. What each kind of
// bad certificate does is in tests/unit/oci/tls_test.cpp.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/certificates.hpp"
#include "tests/support/fake_registry.hpp"
#include "tests/support/least_module.hpp"
#include "tests/support/relay.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

constexpr auto registry_name = "registry.example.test";

class RegistryTls : public testing::Test {
  protected:
    void SetUp() override {
        sandbox_.write("plugin.wasm", least_module());
        sandbox_.write("ca.pem", authority_.certificate);
        sandbox_.write("me.pem", mine_.certificate);
        sandbox_.write("me.key", mine_.key);
    }

    ProcessResult push(const std::string& host, std::vector<std::string> flags) {
        flags.insert(flags.begin(), {"push", "plugin.wasm", host + "/acme/auth:1.0.0"});
        return sandbox_.run(flags);
    }

    Sandbox sandbox_;
    FakeRegistry registry_;
    Certificate authority_ = make_authority("ours");
    Certificate mine_ = issue(authority_, {.name = "me"});
    TlsFront front_{{.certificate = issue(authority_, {.hosts = {"127.0.0.1", registry_name}}),
                     .backend = registry_.port(),
                     .client_ca = authority_.certificate}};
};

TEST_F(RegistryTls, TrustsWhatItIsTold) {
    const auto unknown = push(front_.host(), {});
    EXPECT_EQ(unknown.exit_code, 1);
    EXPECT_NE(unknown.err.find("--ca-file"), std::string::npos) << unknown.err;
    EXPECT_TRUE(registry_.seen().empty());
    sandbox_.write("m.yaml",
                   "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n"
                   "metadata: {name: auth}\nspec:\n  url: oci://" +
                       front_.host() + "/acme/auth:1.0.0\n");
    const auto update = sandbox_.run(
        {"update", "m.yaml", front_.host() + "/acme/auth:2.0.0", "--sha256", std::string(64, 'a')});
    EXPECT_EQ(update.exit_code, 1);
    EXPECT_NE(update.err.find("--ca-file"), std::string::npos) << update.err;
    const auto trusted =
        push(front_.host(), {"--ca-file", "ca.pem", "--cert", "me.pem", "--key", "me.key"});
    EXPECT_EQ(trusted.exit_code, 0) << trusted.err;
    EXPECT_EQ(trusted.err.find("warning"), std::string::npos) << trusted.err;
    EXPECT_EQ(front_.clients().back(), "me");
    sandbox_.set("SSL_CERT_FILE", (sandbox_.work() / "ca.pem").string());
    const auto pulled = sandbox_.run({"pull", front_.host() + "/acme/auth:1.0.0", "back.wasm"});
    EXPECT_EQ(pulled.exit_code, 0) << pulled.err;
    EXPECT_EQ(sandbox_.read("back.wasm"), least_module());
}

TEST_F(RegistryTls, InsecureSaysSoEachTime) {
    for (int i = 0; i < 2; ++i) {
        const auto pushed = push(front_.host(), {"--insecure"});
        EXPECT_EQ(pushed.exit_code, 0) << pushed.err;
        EXPECT_NE(pushed.err.find("certificates are not verified (--insecure)"), std::string::npos)
            << pushed.err;
    }
}

TEST_F(RegistryTls, GoesThroughTheProxyOfTheEnvironment) {
    const ConnectProxy proxy({{std::string(registry_name) + ":443", front_.port()}},
                             "who:proxy-secret");
    sandbox_.set("HTTPS_PROXY", "http://who:proxy-secret@" + proxy.host());
    const auto pushed = push(registry_name, {"--ca-file", "ca.pem", "-v"});
    EXPECT_EQ(pushed.exit_code, 0) << pushed.err;
    EXPECT_EQ((pushed.out + pushed.err).find("proxy-secret"), std::string::npos) << pushed.err;
    EXPECT_FALSE(proxy.heads().empty());
    sandbox_.set("NO_PROXY", registry_name);
    const auto around = push(registry_name, {"--ca-file", "ca.pem", "--timeout", "1s"});
    EXPECT_NE(around.exit_code, 0);
    EXPECT_NE(around.err.find(registry_name), std::string::npos) << around.err;
}

}  // namespace
}  // namespace wasmplug::test
