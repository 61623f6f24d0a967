// The real parts that other suites stand on are what they are taken for.
#include <gtest/gtest.h>

#include "base/cancel.hpp"
#include "base/hash.hpp"
#include "base/http.hpp"
#include "tests/support/envoy.hpp"
#include "tests/support/registry.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

HttpResponse get(const std::string& url, const std::string& authorization = {}) {
    HttpRequest request;
    request.url = url;
    request.authorization = Secret(authorization);
    return HttpClient("tests").send(request, Cancel{});
}

std::string basic(const std::string& password) {
    return "Basic " + base64_encode(std::string(Registry::user) + ":" + password);
}

TEST(Parts, AnOpenRegistryAnswersAnyone) {
    WASMPLUG_NEEDS_PROGRAM("docker-registry");
    const Registry registry;
    EXPECT_EQ(get(registry.url()).status, 200);
}

TEST(Parts, AnHtpasswdRegistryWantsThePassword) {
    WASMPLUG_NEEDS_PROGRAM("docker-registry");
    const Registry registry(Registry::Auth::htpasswd);
    EXPECT_EQ(get(registry.url()).status, 401);
    EXPECT_EQ(get(registry.url(), basic("wrong")).status, 401);
    EXPECT_EQ(get(registry.url(), basic(Registry::password)).status, 200);
}

TEST(Parts, ATokenRegistryTakesTheTokensOfItsServer) {
    WASMPLUG_NEEDS_PROGRAM("docker-registry");
    const Registry registry(Registry::Auth::token);
    const auto challenge = get(registry.url());
    ASSERT_EQ(challenge.status, 401);
    const auto said = header(challenge.headers, "WWW-Authenticate").value_or("");
    const auto from = said.find("realm=\"") + 7;
    const auto realm = said.substr(from, said.find('"', from) - from);
    const auto ask = realm + "?service=test-registry&scope=repository:a/b:pull,push";

    EXPECT_EQ(get(ask, basic("wrong")).status, 401);
    const auto answer = get(ask, basic(Registry::password)).body;
    const auto start = answer.find("\"token\":\"") + 9;
    const auto token = answer.substr(start, answer.find('"', start) - start);
    EXPECT_EQ(get(registry.url(), "Bearer " + token).status, 200);
    EXPECT_EQ(get(registry.url(), "Bearer " + token + "x").status, 401);
    EXPECT_EQ(registry.token_requests().size(), 2U);
}

TEST(Parts, SkopeoReadsARegistryInASandbox) {
    WASMPLUG_NEEDS_PROGRAM("docker-registry");
    WASMPLUG_NEEDS_PROGRAM("skopeo");
    const Registry registry(Registry::Auth::htpasswd);
    Sandbox sandbox;
    const std::vector<std::string> list = {"skopeo", "list-tags", "--tls-verify=false",
                                           "docker://" + registry.host() + "/no/such"};
    const auto anonymous = sandbox.run_program(list);
    EXPECT_NE(anonymous.err.find("authentication required"), std::string::npos) << anonymous.err;
    write_file(sandbox.home() / ".docker-login.json", registry.docker_config());
    sandbox.set("REGISTRY_AUTH_FILE", (sandbox.home() / ".docker-login.json").string());
    const auto known = sandbox.run_program(list);
    EXPECT_NE(known.err.find("404 (Not Found)"), std::string::npos) << known.err;
}

TEST(Parts, EnvoyIsTheReleaseThatTheTablesDescribe) {
    WASMPLUG_NEEDS(envoy_binary(), "envoy");
    Sandbox sandbox;
    const auto version = sandbox.run_program({envoy_binary()->string(), "--version"});
    EXPECT_NE(version.out.find("/1.40.0/"), std::string::npos) << version.out;
}

}  // namespace
}  // namespace wasmplug::test
