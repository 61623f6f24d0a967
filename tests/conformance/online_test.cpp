// `validate --online` against a real registry: what it says of digests, tags and modules.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include <nlohmann/json.hpp>

#include "base/hash.hpp"
#include "base/http.hpp"
#include "oci/gzip.hpp"
#include "oci/media_types.hpp"
#include "oci/tar.hpp"
#include "tests/support/fault_server.hpp"
#include "tests/support/least_module.hpp"
#include "tests/support/registry.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

using nlohmann::json;

// Imports a WASI function that Envoy has only since 1.36.
std::string newer_module() {
    using namespace std::string_literals;
    return "\0asm\1\0\0\0"s
           "\1\x9\2\x60\0\0\x60\1\x7f\1\x7f"s
           "\2\x22\1\x16wasi_snapshot_preview1\7fd_sync\0\1"s
           "\3\3\2\0\1"s
           "\7\x24\2\x17proxy_abi_version_0_2_1\0\1\6malloc\0\2"s
           "\xa\x9\2\2\0\xb\4\0\x41\0\xb"s;
}

class ValidateOnline : public testing::Test {
  protected:
    void SetUp() override {
        WASMPLUG_NEEDS(Registry::installed(), "docker-registry");
        registry_ = std::make_unique<Registry>();
        first_ = push("1.0.0", least_module("1"));
    }

    std::string image() const { return registry_->host() + "/acme/auth"; }

    json push(const std::string& tag, const std::string& module) {
        sandbox_.write("plugin.wasm", module);
        return sandbox_.json({"push", "plugin.wasm", image() + ":" + tag});
    }

    static std::string manifest(const std::string& url, const std::string& sha256 = "") {
        return fmt::format(
            "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n"
            "  name: auth\n  namespace: apps\nspec:\n  selector:\n    matchLabels:\n"
            "      app: shop\n  url: {}\n{}",
            url, sha256.empty() ? "" : "  sha256: " + sha256 + "\n");
    }

    json judge(const std::string& text, int exit_code, std::vector<std::string> more = {}) {
        sandbox_.write("plugin.yaml", text);
        more.insert(more.begin(), {"validate", "--online", "plugin.yaml"});
        return sandbox_.json(more, exit_code).at("documents").at(0).at("findings");
    }

    // The one finding of the rule; a null without it.
    static json of_rule(const json& findings, const std::string& rule) {
        const auto found = std::ranges::find_if(
            findings, [&](const json& finding) { return finding.at("rule") == rule; });
        return found == findings.end() ? json() : *found;
    }

    static bool says(const json& finding, const std::string& text, const char* key = "message") {
        return finding.is_object() &&
               finding.at(key).get<std::string>().find(text) != std::string::npos;
    }

    static std::string digits(const json& digest) { return digest.get<std::string>().substr(7); }

    // The index that a docker build makes, and its digest.
    std::string put_index(const std::string& tag) {
        const auto manifest =
            json{{"schemaVersion", 2},
                 {"mediaType", oci::media::oci_index},
                 {"manifests",
                  {{{"mediaType", oci::media::oci_manifest},
                    {"digest", first_.at("digest")},
                    {"size", manifest_size()},
                    {"platform", {{"os", "linux"}, {"architecture", "amd64"}}}}}}};
        const auto text = manifest.dump();
        HttpRequest request;
        request.method = "PUT";
        request.url = registry_->url("/v2/acme/auth/manifests/" + tag);
        request.headers = {{"Content-Type", oci::media::oci_index}};
        request.body = body_of(text);
        EXPECT_EQ(HttpClient("tests").send(request, Cancel{}).status, 201);
        return sha256_hex(text);
    }

    std::size_t manifest_size() const {
        HttpRequest request;
        request.url = registry_->url("/v2/acme/auth/manifests/1.0.0");
        request.headers = {{"Accept", oci::media::oci_manifest}};
        return HttpClient("tests").send(request, Cancel{}).body.size();
    }

    Sandbox sandbox_;
    std::unique_ptr<Registry> registry_;
    json first_;
};

TEST_F(ValidateOnline, TakesTheDigestOfTheImageManifestAndNoOther) {
    const auto url = "oci://" + image() + ":1.0.0";
    EXPECT_TRUE(judge(manifest(url, digits(first_.at("digest"))), 0).empty());
    const auto module = of_rule(judge(manifest(url, first_.at("module_sha256")), 3), "WP111");
    EXPECT_TRUE(says(module, "digest of plugin.wasm")) << module;
    EXPECT_TRUE(says(module, digits(first_.at("digest")), "fix")) << module;
    EXPECT_EQ(module.at("line"), 11);
    EXPECT_EQ(module.at("path"), "spec.sha256");
    const auto other = of_rule(judge(manifest(url, std::string(64, 'a')), 3), "WP111");
    EXPECT_TRUE(says(other, "of which the repository has no image")) << other;
    const auto twice =
        judge(manifest("oci://" + image() + "@" + first_.at("digest").get<std::string>(),
                       std::string(64, 'a')),
              3);
    EXPECT_TRUE(of_rule(twice, "WP111").is_null()) << twice;
    EXPECT_FALSE(of_rule(twice, "WP040").is_null()) << twice;
    const auto placeholder = judge(manifest(url, "REPLACE_ME"), 3);
    EXPECT_TRUE(of_rule(placeholder, "WP111").is_null()) << placeholder;
}

TEST_F(ValidateOnline, MendsTheDigestOfAnythingElseInTheImage) {
    const auto url = "oci://" + image() + ":1.0.0";
    const auto right = manifest(url, digits(first_.at("digest")));
    sandbox_.write("module.yaml", manifest(url, first_.at("module_sha256")));
    sandbox_.write("index.yaml", manifest("oci://" + image() + ":2.0.0", put_index("2.0.0")));
    sandbox_.write("unknown.yaml", manifest(url, std::string(64, 'a')));
    const auto result = sandbox_.json(
        {"validate", "--fix", "--online", "module.yaml", "index.yaml", "unknown.yaml"}, 3);
    EXPECT_EQ(result.at("mended").size(), 2U);
    EXPECT_EQ(sandbox_.read("module.yaml"), right);
    EXPECT_EQ(sandbox_.read("index.yaml"),
              manifest("oci://" + image() + ":2.0.0", digits(first_.at("digest"))));
    EXPECT_EQ(sandbox_.read("unknown.yaml"), manifest(url, std::string(64, 'a')))
        << "nobody but the author knows which image was meant";
}

TEST_F(ValidateOnline, SeesThatATagWasMoved) {
    const auto second = push("1.0.0", least_module("2"));
    const auto url = "oci://" + image() + ":1.0.0";
    const auto old = digits(first_.at("digest"));
    const auto moved = of_rule(judge(manifest(url, old), 3), "WP111");
    EXPECT_TRUE(says(moved, "the tag was moved")) << moved;
    EXPECT_TRUE(says(moved, second.at("digest"))) << moved;
    EXPECT_TRUE(says(moved, image() + "@sha256:" + old, "fix")) << moved;
    EXPECT_TRUE(judge(manifest("oci://" + image() + "@sha256:" + old), 0).empty());
}

TEST_F(ValidateOnline, KnowsTheDigestOfAnIndex) {
    const auto index = put_index("2.0.0");
    const auto url = "oci://" + image() + ":2.0.0";
    const auto pinned = of_rule(judge(manifest(url, index), 3), "WP110");
    EXPECT_TRUE(says(pinned, "digest of the index")) << pinned;
    EXPECT_TRUE(says(pinned, digits(first_.at("digest")), "fix")) << pinned;
    const auto in_url =
        of_rule(judge(manifest("oci://" + image() + "@sha256:" + index), 3), "WP110");
    EXPECT_EQ(in_url.at("path"), "spec.url");
    EXPECT_TRUE(judge(manifest(url, digits(first_.at("digest"))), 0).empty());
}

TEST_F(ValidateOnline, SaysWhatIsMissingAndWhatIsThereInstead) {
    const auto tag = of_rule(judge(manifest("oci://" + image() + ":1.0.1"), 3), "WP112");
    EXPECT_TRUE(says(tag, "is not there")) << tag;
    EXPECT_TRUE(says(tag, "1.0.0", "fix")) << tag;
    const auto repository =
        of_rule(judge(manifest("oci://" + registry_->host() + "/acme/none:1"), 3), "WP112");
    EXPECT_TRUE(says(repository, "acme/none:1 is not there")) << repository;
}

TEST_F(ValidateOnline, ReportsARegistryThatDoesNotAnswer) {
    std::string host;
    {
        const Registry gone;
        host = gone.host();
    }
    const auto silent = of_rule(judge(manifest("oci://" + host + "/acme/auth:1.0.0"), 3), "WP115");
    EXPECT_TRUE(says(silent, "not checked")) << silent;
    EXPECT_TRUE(says(silent, host)) << silent;
    const Registry closed(Registry::Auth::htpasswd);
    const auto refused =
        of_rule(judge(manifest("oci://" + closed.host() + "/acme/auth:1.0.0"), 3), "WP115");
    EXPECT_TRUE(says(refused, "401")) << refused;
    EXPECT_TRUE(says(refused, "wasmplug login", "fix")) << refused;
}

TEST_F(ValidateOnline, JudgesTheModuleForEachReleaseAskedFor) {
    const auto pushed = push("3.0.0", newer_module());
    const auto text = manifest("oci://" + image() + ":3.0.0", digits(pushed.at("digest")));
    EXPECT_TRUE(judge(text, 0, {"--for", "istio-1.31"}).empty());
    const auto older = judge(text, 3, {"--for", "istio-1.31", "--for", "istio-1.24"});
    ASSERT_EQ(older.size(), 1U) << older;
    EXPECT_TRUE(says(of_rule(older, "WP113"), "istio-1.24")) << older;
    EXPECT_TRUE(says(of_rule(older, "WP113"), "fd_sync")) << older;
}

TEST_F(ValidateOnline, GoesToTheNameThatTheRegistryHasHere) {
    const auto text =
        manifest("oci://registry.kube-system:5000/acme/auth:1.0.0", digits(first_.at("digest")));
    EXPECT_TRUE(
        judge(text, 0, {"--via", "registry.kube-system:5000=" + registry_->host()}).empty());
    sandbox_.write("plugin.yaml", text);
    EXPECT_EQ(sandbox_.run({"validate", "--online", "--via", "nonsense", "plugin.yaml"}).exit_code,
              2);
    EXPECT_EQ(sandbox_.run({"validate", "--via", "a=b", "plugin.yaml"}).exit_code, 2);
    EXPECT_EQ(sandbox_.run({"validate", "--offline", "--online", "plugin.yaml"}).exit_code, 2);
}

TEST_F(ValidateOnline, JudgesPluginConfigByTheSchemaThatTheImageCarries) {
    sandbox_.write("plugin.wasm", least_module("schema"));
    sandbox_.write("config.schema.json", R"({"type": "object", "additionalProperties": false,
        "properties": {"mode": {"enum": ["strict", "off"]}}})");
    const auto config = [&](const std::string& tag, const std::string& value) {
        return manifest("oci://" + image() + ":" + tag) + "  pluginConfig:\n    mode: " + value +
               "\n";
    };
    for (const std::string layout : {"compat", "docker", "solo", "higress"}) {
        const auto pushed = sandbox_.json({"push", "plugin.wasm", image() + ":" + layout,
                                           "--layout", layout, "--schema", "config.schema.json"});
        EXPECT_TRUE(pushed.at("loads").at("Istio")) << layout;
        const auto wrong = of_rule(judge(config(layout, "loose"), 3), "WP114");
        EXPECT_TRUE(says(wrong, R"("loose" is none of "strict", "off")")) << layout << wrong;
        EXPECT_TRUE(says(wrong, "the schema in " + image() + ":" + layout)) << wrong;
        EXPECT_EQ(wrong.at("line"), 12);
        EXPECT_EQ(wrong.at("column"), 11);
        EXPECT_TRUE(of_rule(judge(config(layout, "strict"), 0), "WP114").is_null()) << layout;
    }
    // As oras pushes a file: a layer with a title.
    sandbox_.json({"push", "plugin.wasm", image() + ":titled", "--extra",
                   "config.schema.json:application/schema+json"});
    EXPECT_FALSE(of_rule(judge(config("titled", "loose"), 3), "WP114").is_null());

    // What the image says counts more than the project at hand, what the command line names most.
    sandbox_.write("config.schema.json", R"({"properties": {"mode": {"const": "new"}}})");
    EXPECT_FALSE(of_rule(judge(config("compat", "new"), 3), "WP114").is_null());
    EXPECT_TRUE(
        of_rule(judge(config("compat", "new"), 0, {"--schema", "config.schema.json"}), "WP114")
            .is_null());
    sandbox_.write("plugin.yaml", config("compat", "strict"));
    EXPECT_EQ(sandbox_.run({"validate", "plugin.yaml"}).exit_code, 3) << "the project's, offline";
}

TEST_F(ValidateOnline, NeverRefusesForASchemaThatItCannotUse) {
    sandbox_.write("plugin.wasm", least_module("odd"));
    const auto judged_with = [&](const std::string& schema, const std::string& config) {
        sandbox_.json({"push", "plugin.wasm", image() + ":odd", "--annotation",
                       "wasmplug.dev/config-schema=" + schema});
        sandbox_.write("plugin.yaml",
                       manifest("oci://" + image() + ":odd") + "  pluginConfig: " + config + "\n");
        return sandbox_.run({"validate", "--online", "plugin.yaml"});
    };

    struct Case {
        std::string schema;
        const char* note;
    };

    for (const auto& [schema, note] : {
             Case{"no schema", "is not valid JSON"},
             Case{"[1]", "is no schema"},
             Case{R"({"$ref": "#"})", "round in circles"},
             Case{R"({"$ref": "http://169.254.169.254/latest"})", "nothing is fetched"},
             Case{R"x({"properties": {"a": {"pattern": "^(?!b)"}}})x", "not judged by the pattern"},
             Case{R"x({"properties": {"a": {"pattern": "(("}}})x", "no regular expression"},
         }) {
        const auto result = judged_with(schema, "{a: b}");
        EXPECT_EQ(result.exit_code, 0) << note << result.out;
        EXPECT_NE(result.err.find(note), std::string::npos) << result.err;
    }
    sandbox_.write("elsewhere/config.schema.json", std::string(300'000, '['));
    sandbox_.json({"push", "plugin.wasm", image() + ":odd", "--extra",
                   "elsewhere/config.schema.json:application/schema+json"});
    const auto large = sandbox_.run({"validate", "--online", "plugin.yaml"});
    EXPECT_EQ(large.exit_code, 0) << large.out;
    EXPECT_NE(large.err.find("larger than 256"), std::string::npos) << large.err;
    const auto partly = judged_with(
        R"x({"properties": {"a": {"pattern": "^(?!b)", "type": "number"}}})x", "{a: b}");
    EXPECT_EQ(partly.exit_code, 3) << "the rest of the schema still counts";
}

TEST_F(ValidateOnline, FetchesAModuleOverHttpOnceAndUnpacksItAsTheAgentDoes) {
    const auto module = least_module("http");
    const auto gzipped = oci::gzip(oci::tar_header("any-name", module.size()) + module +
                                   oci::tar_padding(module.size()) + oci::tar_end());
    const std::string packed(gzipped.view());
    FaultServer server([&](const SeenRequest& request) {
        return request.path() == "/x.wasm" ? Answer{.body = packed} : Answer{.status = 404};
    });
    const auto url = server.url("/x.wasm");
    const auto right = manifest(url, sha256_hex(module));
    EXPECT_TRUE(of_rule(judge(right, 0), "WP111").is_null());
    EXPECT_EQ(server.seen().size(), 1U);
    auto second = right;
    second.replace(second.find("name: auth"), 10, "name: more");
    sandbox_.write("two.yaml", right + "---\n" + second);
    EXPECT_EQ(sandbox_.run({"validate", "--online", "two.yaml"}).exit_code, 0);
    EXPECT_EQ(server.seen().size(), 2U);
    const auto wrong = of_rule(judge(manifest(url, sha256_hex(packed)), 3), "WP111");
    EXPECT_TRUE(says(wrong, "unpacked module")) << wrong;
    const auto missing = of_rule(judge(manifest(server.url("/y.wasm")), 3), "WP112");
    EXPECT_TRUE(says(missing, "404")) << missing;
}

}  // namespace
}  // namespace wasmplug::test
