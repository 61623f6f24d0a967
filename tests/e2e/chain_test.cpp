// Pictures of which plugins run where.
#include <gtest/gtest.h>

#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

constexpr const char* plugins =
    "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n"
    "metadata: {name: auth, namespace: shop}\n"
    "spec:\n  url: oci://r.example/auth:1.4.0\n  phase: AUTHN\n"
    "  match: [{mode: SERVER, ports: [{number: 8080}]}]\n---\n"
    "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n"
    "metadata: {name: headers, namespace: shop}\n"
    "spec:\n  url: 'oci://r.example/he\"ad<ers>:2.0.0'\n  priority: 20\n";

TEST(Chain, IsDrawnByGraphviz) {
    WASMPLUG_NEEDS_PROGRAM("dot");
    Sandbox sandbox;
    sandbox.write("m.yaml", plugins);
    const auto drawn = sandbox.run({"chain", "m.yaml", "-o", "svg"});
    ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
    sandbox.write("chain.svg", drawn.out);
    // A reader of XML, not we, says what stands in the picture.
    const auto texts = sandbox.run_program(
        {"python3", "-c",
         "import xml.etree.ElementTree as t\n"
         "for e in t.parse('chain.svg').iter('{http://www.w3.org/2000/svg}text'): print(e.text)"});
    ASSERT_EQ(texts.exit_code, 0) << texts.err;
    for (const char* line :
         {"1. shop/auth\n", "inbound on 8080\n", "2. shop/headers\n", "priority 20\n"}) {
        EXPECT_NE(texts.out.find(line), std::string::npos) << line << texts.out;
    }
}

TEST(Chain, SaysWhatIsMissingForAPicture) {
    Sandbox sandbox;
    sandbox.write("m.yaml", plugins);
    sandbox.set("PATH", "/nonexistent");
    const auto drawn = sandbox.run({"chain", "m.yaml", "-o", "svg"});
    EXPECT_EQ(drawn.exit_code, 1);
    EXPECT_EQ(drawn.out, "");
    EXPECT_NE(drawn.err.find("cannot run dot: not found on PATH"), std::string::npos) << drawn.err;
}

}  // namespace
}  // namespace wasmplug::test
