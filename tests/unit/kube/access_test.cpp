#include "kube/access.hpp"

#include <gtest/gtest.h>

#include <map>

#include "base/file.hpp"

namespace wasmplug::kube {
namespace {

class Kubeconfig : public ::testing::Test {
  protected:
    void put(const std::string& name, std::string_view text) {
        std::filesystem::create_directories((folder_.path() / name).parent_path());
        write_file(folder_.path() / name, text);
    }

    std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

    Environment environment() {
        return [this](const std::string& name) -> std::optional<std::string> {
            const auto found = variables.find(name);
            return found == variables.end() ? std::nullopt : std::optional(found->second);
        };
    }

    std::map<std::string, std::string> variables;

  private:
    TemporaryDirectory folder_;
};

constexpr const char* one =
    "apiVersion: v1\nkind: Config\ncurrent-context: staging\n"
    "contexts:\n- name: staging\n  context: {cluster: c1, user: u}\n"
    "clusters:\n- name: c1\n  cluster:\n    server: https://one:6443\n"
    "    certificate-authority: pki/ca.pem\n";

TEST_F(Kubeconfig, IsLookedForInTheHomeFolder) {
    variables["HOME"] = path("home");
    EXPECT_FALSE(current_context(environment()));
    put("home/.kube/config", one);
    const auto context = current_context(environment());
    ASSERT_TRUE(context);
    EXPECT_EQ(context->name, "staging");
    EXPECT_EQ(context->server, "https://one:6443");
    EXPECT_EQ(context->certificate_authority, path("home/.kube/pki/ca.pem"));
}

TEST_F(Kubeconfig, IsPutTogetherFromTheFilesOfTheVariable) {
    put("first", "contexts:\n- name: staging\n  context: {cluster: c2}\n");
    put("second", one);
    put("third",
        "current-context: other\nclusters:\n- name: c2\n  cluster: {server: 'https://two', "
        "insecure-skip-tls-verify: true, certificate-authority-data: cGVt}\n");
    variables["KUBECONFIG"] =
        path("first") + ":" + path("absent") + ":" + path("second") + ":" + path("third");
    const auto context = current_context(environment());
    ASSERT_TRUE(context);
    EXPECT_EQ(context->name, "staging");
    EXPECT_EQ(context->server, "https://two") << "of a name the first file wins";
    EXPECT_TRUE(context->insecure);
    EXPECT_EQ(context->certificate_authority_data, "pem");
}

TEST_F(Kubeconfig, WithoutTheClusterOfItsContextIsAnError) {
    put("config", "current-context: x\ncontexts:\n- name: x\n  context: {cluster: gone}\n");
    variables["KUBECONFIG"] = path("config");
    EXPECT_THROW(current_context(environment()), Error);
}

TEST(ServerVersion, ComesFromTheServerOrIsItsStatus) {
    HttpRequest asked;
    HttpResponse answer{
        .status = 200, .headers = {}, .body = R"({"gitVersion": "v1.36.0"})", .url = {}};
    const Send send = [&](const HttpRequest& request, const Cancel&) {
        asked = request;
        EXPECT_EQ(read_file(request.tls.ca_file), "pem");
        return answer;
    };
    const ClusterContext context{.name = "c",
                                 .server = "https://one",
                                 .certificate_authority = {},
                                 .certificate_authority_data = "pem",
                                 .insecure = false,
                                 .file = {}};
    EXPECT_EQ(server_version(context, send, Cancel{}), "v1.36.0");
    EXPECT_EQ(asked.url, "https://one/version");
    EXPECT_TRUE(asked.authorization.empty());
    for (const char* other : {R"({"gitVersion": null})", "{}", "[]"}) {
        answer.body = other;
        EXPECT_EQ(server_version(context, send, Cancel{}), "answers") << other;
    }
    answer.status = 401;
    EXPECT_EQ(server_version(context, send, Cancel{}), "answers 401");
}

}  // namespace
}  // namespace wasmplug::kube
