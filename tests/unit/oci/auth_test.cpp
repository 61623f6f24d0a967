#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/file.hpp"
#include "oci/challenge.hpp"
#include "oci/credentials.hpp"
#include "oci/login.hpp"
#include "oci/registry_error.hpp"
#include "oci/retry.hpp"

namespace wasmplug::oci {
namespace {

namespace fs = std::filesystem;

TEST(Challenges, AreReadFromAnyMixtureOfHeaders) {
    const auto one = parse_challenges(
        R"(Bearer realm="https://auth.example/token",service="reg, \"one\"",scope="a:b:pull c:d:*")");
    ASSERT_EQ(one.size(), 1U);
    EXPECT_EQ(one[0].scheme, "bearer");
    EXPECT_EQ(one[0].get("realm"), "https://auth.example/token");
    EXPECT_EQ(one[0].get("service"), "reg, \"one\"");
    EXPECT_EQ(one[0].get("scope"), "a:b:pull c:d:*");
    const auto both = parse_challenges(R"(Negotiate, BASIC Realm=x, bearer realm="y")");
    ASSERT_EQ(both.size(), 3U);
    EXPECT_EQ(both[1].get("realm"), "x");
    EXPECT_EQ(choose_challenge(both)->scheme, "bearer");
    EXPECT_EQ(choose_challenge(parse_challenges("Digest a=b, Basic realm=\"r\""))->scheme, "basic");
    EXPECT_FALSE(choose_challenge(parse_challenges("Negotiate")));
    EXPECT_TRUE(parse_challenges(",,, ").empty());
    EXPECT_EQ(parse_challenges("Bearer realm=\"never closed").size(), 1U);
    EXPECT_EQ(parse_challenges(Headers{{"WWW-authenticate", "Basic realm=a"},
                                       {"www-Authenticate", "Bearer realm=b"}})
                  .size(),
              2U);
}

TEST(Challenges, ARealmMustBeAsSafeAsTheRegistry) {
    const Url secure = *parse_url("https://registry.example/");
    EXPECT_EQ(realm_problem("https://auth.example/token", secure), "");
    EXPECT_NE(realm_problem("http://auth.example/token", secure), "");
    EXPECT_NE(realm_problem("https://169.254.169.254/token", secure), "");
    EXPECT_NE(realm_problem("https://localhost/token", secure), "");
    EXPECT_NE(realm_problem("file:///etc/passwd", secure), "");
    EXPECT_EQ(realm_problem("http://127.0.0.1:1/token", *parse_url("http://127.0.0.1:2/")), "");
    EXPECT_EQ(istio_realm_problem("test"), "realm scheme \"\" not allowed");
    EXPECT_EQ(istio_realm_problem("http://127.0.0.1:5/t"),
              "realm targets private/loopback/link-local IP");
    EXPECT_EQ(istio_realm_problem("https://auth.example/t"), "");
}

TEST(Retry, WaitsAsTheServerAsks) {
    const auto now = std::chrono::system_clock::from_time_t(1'795'180'608);
    const auto after = [&](const std::string& text) {
        return retry_after({.status = 429, .headers = {{"retry-after", text}}}, now);
    };
    EXPECT_EQ(after("5"), std::chrono::seconds(5));
    EXPECT_EQ(after("Thu, 20 Nov 2026 13:16:58 GMT").has_value(), true);
    EXPECT_FALSE(after("soon"));
    EXPECT_FALSE(after(""));
    const RetryPolicy policy;
    EXPECT_EQ(retry_delay(policy, 1, 0.999, std::chrono::hours(1)), policy.longest_wait);
    EXPECT_EQ(retry_delay(policy, 1, 0, std::nullopt), std::chrono::milliseconds(125));
    EXPECT_LE(retry_delay(policy, 30, 0.999, std::nullopt), policy.most);
    EXPECT_TRUE(is_transient(524));
    EXPECT_FALSE(is_transient(501));
    EXPECT_FALSE(is_transient(400));
}

TEST(RegistryErrors, SayTheReasonAndNoMore) {
    const auto reason = [](const std::string& body) {
        return reason_of({.status = 400, .headers = {}, .body = body, .url = {}});
    };
    EXPECT_EQ(reason(R"({"errors":[{"code":"NAME_UNKNOWN","message":"no such"},{"code":"X"}]})"),
              "name unknown: no such; x");
    EXPECT_EQ(reason(R"({"details":"incorrect username"})"), "incorrect username");
    EXPECT_EQ(reason("404 page not found\nmore"), "404 page not found");
    EXPECT_EQ(reason("<html><title>Sign in</title>"), "Sign in");
    EXPECT_EQ(reason("<html>"), "a web page");
    EXPECT_EQ(reason(""), "");
    EXPECT_EQ(reason("{\"errors\":"), "{\"errors\":");
    EXPECT_EQ(reason("\x1b[31mred"), "\\x1b[31mred");
}

// Helpers are answered by a lambda; config files are real.
class CredentialsTest : public testing::Test {
  protected:
    CredentialsTest() {
        services_.environment = [this](const std::string& name) -> std::optional<std::string> {
            const auto found = variables_.find(name);
            return found == variables_.end() ? std::nullopt : std::optional(found->second);
        };
        services_.spawn = [this](const ProcessSpec& spec, const Cancel&) {
            calls_.push_back(spec.argv[0] + " " + spec.argv[1] + " " + spec.input);
            return answer_;
        };
        variables_["HOME"] = folder_.path().string();
        variables_["XDG_RUNTIME_DIR"] = (folder_.path() / "run").string();
        write_file(folder_.path() / "docker-credential-box", "#!/bin/sh\n", 0755);
        variables_["PATH"] = folder_.path().string();
    }

    void config(const std::string& text, const std::string& place = ".docker/config.json") const {
        fs::create_directories((folder_.path() / place).parent_path());
        write_file(folder_.path() / place, text);
    }

    std::string found(const std::string& host, const std::string& repository = "acme/auth",
                      Need need = Need::reading) {
        const auto credential = Credentials(services_).find(host, repository, need);
        if (!credential) {
            return "anonymous";
        }
        return credential->identity_token.empty()
                   ? credential->username + ":" + credential->password.reveal()
                   : "token " + credential->identity_token.reveal();
    }

    TemporaryDirectory folder_;
    std::map<std::string, std::string> variables_;
    std::ostringstream out_;
    std::ostringstream err_;
    Output output_{out_, err_};
    ProcessResult answer_;
    std::vector<std::string> calls_;
    Services services_{.out = output_, .cancel = {}, .send = {}, .send_all = {}};
};

TEST_F(CredentialsTest, AreFoundByHostNamespaceAndOldUrls) {
    config(R"({"auths":{"ghcr.io":{"auth":"dTpw"},"reg.example/team":{"auth":"dDpw"},
               "https://old.example/v1/":{"username":"o","password":"p"},
               "https://index.docker.io/v1/":{"auth":"aDpw"},"empty.example":{},
               "acr.example":{"auth":"MDAwOg==","identitytoken":"idt"}}})");
    EXPECT_EQ(found("ghcr.io"), "u:p");
    EXPECT_EQ(found("reg.example", "team/auth"), "t:p");
    EXPECT_EQ(found("reg.example", "other/auth"), "anonymous");
    EXPECT_EQ(found("old.example"), "o:p");
    EXPECT_EQ(found("docker.io", "library/x"), "h:p");
    EXPECT_EQ(found("empty.example"), "anonymous");
    EXPECT_EQ(found("acr.example"), "token idt");
    EXPECT_EQ(found("ghcr.io.evil.example"), "anonymous");
}

TEST_F(CredentialsTest, TheEnvironmentWinsOverFiles) {
    config(R"({"auths":{"ghcr.io":{"auth":"dTpw"}}})");
    variables_["DOCKER_AUTH_CONFIG"] = R"({"auths":{"ghcr.io":{"auth":"ZTpw"}}})";
    EXPECT_EQ(found("ghcr.io"), "e:p");
    config(R"({"auths":{"ghcr.io":{"auth":"cjpw"}}})", "auth.json");
    variables_["REGISTRY_AUTH_FILE"] = (folder_.path() / "auth.json").string();
    EXPECT_EQ(found("ghcr.io"), "r:p");
    variables_["WASMPLUG_USERNAME"] = "w";
    variables_["WASMPLUG_PASSWORD"] = "p";
    EXPECT_EQ(found("ghcr.io"), "w:p");
}

TEST_F(CredentialsTest, PodmansFilesAreReadToo) {
    config(R"({"auths":{"ghcr.io":{"auth":"cDpw"}}})", "run/containers/auth.json");
    EXPECT_EQ(found("ghcr.io"), "p:p");
}

TEST_F(CredentialsTest, AHelperIsAskedOnceByTheKeyDockerUses) {
    config(R"({"credHelpers":{"ghcr.io":"box","https://index.docker.io/v1/":"box"}})");
    answer_.out = R"({"ServerURL":"","Username":"<token>","Secret":"idt"})";
    EXPECT_EQ(found("ghcr.io"), "token idt");
    EXPECT_EQ(found("docker.io", "library/x"), "token idt");
    EXPECT_EQ(calls_,
              (std::vector<std::string>{"docker-credential-box get ghcr.io",
                                        "docker-credential-box get https://index.docker.io/v1/"}));
    answer_ = {.exit_code = 1, .out = "credentials not found in native keychain\n"};
    EXPECT_EQ(found("ghcr.io"), "anonymous");
    answer_ = {.exit_code = 1, .out = "the keychain is locked\n"};
    EXPECT_THROW(found("ghcr.io"), Error);
}

TEST_F(CredentialsTest, AMissingHelperStopsAPushAndNotAPull) {
    config(R"({"credsStore":"desktop"})");
    EXPECT_EQ(found("ghcr.io"), "anonymous");
    EXPECT_NE(err_.str().find("docker-credential-desktop"), std::string::npos);
    EXPECT_THROW(found("ghcr.io", "acme/auth", Need::writing), Error);
    config(R"({"credsStore":"../../bin/sh"})");
    EXPECT_THROW(found("ghcr.io"), Error);
}

TEST_F(CredentialsTest, LoginKeepsWhatItDoesNotKnow) {
    config(R"({"psFormat":"x","auths":{"other.example":{"auth":"eDp5"}},"HttpHeaders":{"A":"b"}})");
    const Credential credential{.username = "u",
                                .password = Secret("p"),
                                .identity_token = {},
                                .registry_token = {},
                                .from = {}};
    const std::string file = store_credential("ghcr.io", credential, services_);
    const auto document = nlohmann::json::parse(read_file(file));
    EXPECT_EQ(document["psFormat"], "x");
    EXPECT_EQ(document["auths"]["other.example"]["auth"], "eDp5");
    EXPECT_EQ(document["HttpHeaders"]["A"], "b");
    EXPECT_EQ(found("ghcr.io"), "u:p");
    EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_TRUE(remove_credential("ghcr.io", services_));
    EXPECT_FALSE(remove_credential("ghcr.io", services_));
    EXPECT_EQ(found("ghcr.io"), "anonymous");
    EXPECT_EQ(nlohmann::json::parse(read_file(file))["auths"]["other.example"]["auth"], "eDp5");
}

TEST_F(CredentialsTest, LoginLeavesABrokenFileAlone) {
    config("{ not json");
    EXPECT_THROW(store_credential("ghcr.io", {}, services_), Error);
    EXPECT_EQ(read_file(folder_.path() / ".docker/config.json"), "{ not json");
}

TEST_F(CredentialsTest, LoginUsesTheHelperThatIsConfigured) {
    config(R"({"credsStore":"box"})");
    const Credential credential{.username = "u",
                                .password = Secret("p"),
                                .identity_token = {},
                                .registry_token = {},
                                .from = {}};
    EXPECT_EQ(store_credential("ghcr.io", credential, services_), "docker-credential-box");
    EXPECT_EQ(calls_.at(0),
              R"(docker-credential-box store {"ServerURL":"ghcr.io","Username":"u","Secret":"p"})");
    EXPECT_EQ(read_file(folder_.path() / ".docker/config.json"), R"({"credsStore":"box"})");
}

}  // namespace
}  // namespace wasmplug::oci
