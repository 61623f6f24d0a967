#include "istio/plugin_url.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>

#include <nlohmann/json.hpp>

#include "base/file.hpp"

namespace wasmplug::istio {
namespace {

std::vector<std::string> cells(const std::string& line) {
    std::vector<std::string> parts(1);
    for (const char c : line) {
        if (c == '\t') {
            parts.emplace_back();
        } else {
            parts.back() += c;
        }
    }
    return parts;
}

void check_matrix(const std::filesystem::path& file) {
    std::istringstream lines(read_file(file));
    std::string line;
    std::getline(lines, line);
    std::size_t checked = 0;
    while (std::getline(lines, line)) {
        const auto row = cells(line);
        const std::string url = nlohmann::json::parse(row[0]);
        const auto read = read_plugin_url(url);
        EXPECT_EQ(read.api_server.empty() ? "accept" : "reject", row[1]) << url;
        EXPECT_EQ(read.webhook.empty() ? "accept" : "reject: " + read.webhook, row[2]) << url;
        const auto pushed = !read.discarded.empty() ? "DROPPED by istiod: " + read.discarded
                            : !read.unfetchable.empty()
                                ? std::string("agent cannot parse image ref")
                                : std::string("fine");
        EXPECT_EQ(pushed, row[3]) << url;
        ++checked;
    }
    EXPECT_GT(checked, 10U);
}

TEST(PluginUrl, GivesTheVerdictOfEveryoneWhoReadsIt) {
    check_matrix(std::filesystem::path(WASMPLUG_SOURCE_DIR) / "tests/data/manifests/urls.tsv");
}

TEST(PluginUrl, AgreesWithTheRecordedMatrix) {
    for (std::filesystem::path folder = WASMPLUG_SOURCE_DIR; folder != folder.parent_path();
         folder = folder.parent_path()) {
        const auto matrix = folder / "shared/data/manifests/url-matrix.tsv";
        if (std::filesystem::exists(matrix)) {
            check_matrix(matrix);
            return;
        }
    }
    GTEST_SKIP() << "the recorded matrix is not beside this tree";
}

TEST(PluginUrl, CutsOnlyTheExactFilePrefix) {
    EXPECT_EQ(read_plugin_url("file:///opt/x.wasm").path, "/opt/x.wasm");
    EXPECT_EQ(read_plugin_url("FILE:///opt/x.wasm").path, "FILE:///opt/x.wasm");
    EXPECT_EQ(read_plugin_url("file:/opt/x.wasm").path, "file:/opt/x.wasm");
}

TEST(FetchReference, KnowsRegistryTagAndDigest) {
    const auto digest = "sha256:" + std::string(64, 'a');
    const auto both = parse_fetch_reference("reg.example.com:5000/ns/f:v1@" + digest);
    ASSERT_TRUE(both);
    EXPECT_EQ(both->registry, "reg.example.com:5000");
    EXPECT_EQ(both->repository, "ns/f");
    EXPECT_EQ(both->tag, "v1");
    EXPECT_EQ(both->digest, digest);
    EXPECT_EQ(parse_fetch_reference("my_registry/f:v1")->registry, "");
    EXPECT_FALSE(parse_fetch_reference("reg.example.com/Upper:v1"));
    EXPECT_FALSE(parse_fetch_reference("reg.example.com/f@sha256:abc"));
}

}  // namespace
}  // namespace wasmplug::istio
