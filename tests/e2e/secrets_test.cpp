// A password in a URL is neither taken nor repeated.
#include <gtest/gtest.h>

#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

TEST(Secrets, AreNotRepeatedFromAUrl) {
    Sandbox sandbox;
    sandbox.write("x.test.yaml",
                  "wasmplug: 1\nplugin: {wasm: x.wasm}\n"
                  "tests: [{name: a, request: {path: /}, expect: {response: {status: 200}}}]\n");
    const std::vector<std::vector<std::string>> commands{
        {"test", "x.test.yaml", "--report", "junit=out.xml", "-o", "json", "--url"},
        {"test", "--record"},
        {"bench", "--url"},
        {"bench", "--url", "http://127.0.0.1:9/", "--baseline-url"}};
    for (auto words : commands) {
        for (const std::string scheme : {"http", "htp"}) {
            auto all = words;
            all.push_back(scheme + "://user:s3cret@127.0.0.1:9/");
            const auto result = sandbox.run(all);
            EXPECT_EQ(result.exit_code, 2) << words[0] << result.err;
            EXPECT_EQ((result.out + result.err).find("s3cret"), std::string::npos)
                << result.out << result.err;
            EXPECT_NE(result.err.find(scheme == "http" ? "--header 'authorization: ...'"
                                                       : "no http or https URL"),
                      std::string::npos)
                << result.err;
        }
    }
    EXPECT_FALSE(sandbox.exists("out.xml"));
}

}  // namespace
}  // namespace wasmplug::test
