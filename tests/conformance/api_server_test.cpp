// What a real kube-apiserver with Istio's CRDs says of every case, against what was recorded and
// what the unit tests hold our own layer to. The record is of one server and one set of CRDs:
// asking again is only worth it for others, and then has to be done (tools/record-verdicts).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include <nlohmann/json.hpp>

#include "base/yaml.hpp"
#include "tests/support/api_cases.hpp"
#include "tests/support/kube_server.hpp"
#include "tests/support/require.hpp"

namespace wasmplug::test {
namespace {

using nlohmann::json;

constexpr std::string_view strict_error = "strict decoding error: ";

bool recording() {
    const char* value = std::getenv("WASMPLUG_RECORD");
    return value != nullptr && std::string_view(value) == "1";
}

// Where a client would send it: by its kind, and to the namespace that it names.
std::string resource_path(const std::string& text) {
    const auto file = yaml::File::parse(text, "case");
    std::string ns = "default";
    std::string resource = "wasmplugins";
    if (!file.documents().empty()) {
        const auto& root = *file.documents().front().root;
        const auto* kind = root.find("kind");
        if (kind != nullptr && kind->as_string() == "TrafficExtension") {
            resource = "trafficextensions";
        }
        const auto* metadata = root.find("metadata");
        const auto* named = metadata == nullptr ? nullptr : metadata->find("namespace");
        const auto name = named == nullptr ? std::nullopt : named->as_string();
        ns = name && !name->empty() ? *name : ns;
    }
    return "/apis/extensions.istio.io/v1alpha1/namespaces/" + ns + "/" + resource;
}

// "unknown field \"a\", duplicate field \"b\"": field names hold neither quotes nor commas here.
std::vector<std::string> parts_of(const std::string& text) {
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = std::min(text.find(", ", begin), text.size());
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 2;
    }
    std::sort(parts.begin(), parts.end());
    return parts;
}

// The random end of a generated name is left out.
std::string without_random(std::string said, const std::string& text) {
    const auto file = yaml::File::parse(text, "case");
    const auto* name = file.documents().empty()
                           ? nullptr
                           : file.documents().front().root->at({"metadata", "generateName"});
    const auto stem = name == nullptr ? "" : std::string(name->as_string().value_or(""));
    const auto at = stem.empty() ? std::string::npos : said.find('"' + stem);
    if (at != std::string::npos && said.starts_with("metadata.name:")) {
        said.replace(at + 1 + stem.size(), said.find('"', at + 1) - at - 1 - stem.size(), "xxxxx");
    }
    return said;
}

ApiVerdict verdict_of(const std::string& text, const KubeServer::Answer& lenient,
                      const KubeServer::Answer& strict) {
    ApiVerdict verdict{.text = text_key(text), .status = lenient.status, .says = {}, .strict = {}};
    const auto answer = json::parse(lenient.body);
    if (lenient.status != 201) {
        const auto details = answer.value("details", json::object());
        for (const auto& cause : details.value("causes", json::array())) {
            verdict.says.push_back(
                without_random(cause.value("field", "") + ": " + cause.value("message", ""), text));
        }
        if (verdict.says.empty()) {
            verdict.says.push_back(answer.value("message", ""));
        }
        std::sort(verdict.says.begin(), verdict.says.end());
    }
    const auto said = json::parse(strict.body).value("message", "");
    if (const auto at = said.find(strict_error); at != std::string::npos) {
        verdict.strict = parts_of(said.substr(at + strict_error.size()));
    }
    return verdict;
}

ApiVerdicts ask(const KubeServer& server, const std::vector<ApiCase>& cases) {
    std::vector<KubeServer::Request> requests;
    for (const auto& one : cases) {
        const auto path = resource_path(one.text) + "?dryRun=All&fieldValidation=";
        requests.push_back({path + "Ignore", one.text});
        requests.push_back({path + "Strict", one.text});
    }
    const auto answers = server.post(requests);
    ApiVerdicts verdicts{.server = KubeServer::version_key(), .verdicts = {}};
    for (std::size_t i = 0; i < cases.size(); ++i) {
        verdicts.verdicts[cases[i].name] =
            verdict_of(cases[i].text, answers[2 * i], answers[2 * i + 1]);
    }
    return verdicts;
}

// One server for the suite.
class ApiServer : public testing::Test {
  protected:
    static void TearDownTestSuite() { server_.reset(); }

    static void compare_or_record(const std::vector<ApiCase>& cases,
                                  const std::filesystem::path& file);

  private:
    static inline std::unique_ptr<KubeServer> server_;
};

void ApiServer::compare_or_record(const std::vector<ApiCase>& cases,
                                  const std::filesystem::path& file) {
    if (!server_) {
        // Objects are judged whatever their namespace: that it is there is the cluster's affair.
        server_ = std::make_unique<KubeServer>(
            "--disable-admission-plugins=ServiceAccount,NamespaceLifecycle");
    }
    const auto now = ask(*server_, cases);
    if (recording()) {
        write_verdicts(file, now);
        return;
    }
    const auto recorded = read_verdicts(file).verdicts;
    for (const auto& [name, verdict] : now.verdicts) {
        const auto found = recorded.find(name);
        ASSERT_NE(found, recorded.end()) << name << " is not recorded; run tools/record-verdicts";
        EXPECT_EQ(found->second, verdict) << name;
    }
}

bool is_of_this_server(const std::filesystem::path& file) {
    return std::filesystem::exists(file) && read_verdicts(file).server == KubeServer::version_key();
}

TEST_F(ApiServer, AnswersOurCasesAsRecorded) {
    const bool is_current = is_of_this_server(own_verdicts_file());
    if (is_current && !KubeServer::built()) {
        GTEST_SKIP() << "the recorded verdicts are of this server and these CRDs; "
                        "tools/kube-server builds it to ask again";
    }
    WASMPLUG_NEEDS(KubeServer::built().has_value(), "kube-apiserver");
    compare_or_record(own_cases(), own_verdicts_file());
}

TEST_F(ApiServer, AnswersTheSharedCasesAsRecorded) {
    const auto cases = shared_cases();
    if (cases.empty() || !KubeServer::built()) {
        GTEST_SKIP() << "needs shared/data/manifests beside the tree, and tools/kube-server";
    }
    compare_or_record(cases, shared_verdicts_file());
}

}  // namespace
}  // namespace wasmplug::test
