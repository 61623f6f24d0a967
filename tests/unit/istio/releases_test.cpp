#include "istio/releases.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "istio/metrics.hpp"

namespace wasmplug::istio {
namespace {

TEST(Releases, AreFoundByIstioAndByEnvoy) {
    EXPECT_EQ(release_for("istio-1.28").envoy, 36);
    EXPECT_EQ(release_for("istio-1.28.9").minor, 28);
    EXPECT_EQ(release_for("envoy-1.36").minor, 28);
    EXPECT_EQ(release_for("istio-1.31"), newest_release());
}

TEST(Releases, RefuseWhatIsNoRelease) {
    for (const auto* host : {"istio-1.11", "istio-2.0", "1.28", "istio-1.28x", "istio-1.28.", ""}) {
        EXPECT_THROW(release_for(host), Error) << host;
    }
}

TEST(Releases, AndEnvoysAreOneTable) {
    const auto all = envoys();
    for (std::size_t i = 1; i < all.size(); ++i) {
        EXPECT_EQ(all[i].minor, all[i - 1].minor + 1);
    }
    for (const auto& release : releases()) {
        EXPECT_EQ(envoy_for(to_string(release)).minor, release.envoy);
    }
    EXPECT_EQ(envoy_for("envoy-1.40.2").minor, 40);
    EXPECT_EQ(envoy_for("istio-1.28").v8, 1308);
    EXPECT_THROW(envoy_for("envoy-1.41"), Error);
    EXPECT_THROW(envoy_for("istio-1.0"), Error);
    // Envoy runs ahead of what any Istio ships.
    EXPECT_THROW(release_for("envoy-1.40"), Error);
}

TEST(Metrics, TellTheRealOnesFromThoseOfGuides) {
    EXPECT_TRUE(judge_metric("envoy_wasm_envoy_wasm_runtime_v8_active").exists);
    EXPECT_TRUE(judge_metric("envoy_wasm_prod_auth_vm_reload_failure").exists);
    EXPECT_TRUE(judge_metric("my_plugin_requests_total").exists);
    EXPECT_FALSE(judge_metric("envoy_wasm_failed_total").exists);
    EXPECT_EQ(judge_metric("istio_agent_wasm_remote_fetch_count_total").instead,
              "istio_agent_wasm_remote_fetch_count");
}

}  // namespace
}  // namespace wasmplug::istio
