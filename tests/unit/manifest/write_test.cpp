#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "manifest/chain.hpp"
#include "manifest/convert.hpp"
#include "manifest/difference.hpp"
#include "manifest/generate.hpp"
#include "manifest/validate.hpp"

namespace wasmplug::manifest {
namespace {

const std::string digest(64, 'a');

const std::string plugin =
    "# owned by team shop\n"
    "apiVersion: extensions.istio.io/v1alpha1\n"
    "kind: WasmPlugin # the kind\n"
    "metadata: {name: auth, namespace: prod}\n"
    "spec:\n"
    "  # which pods\n"
    "  selector:\n"
    "    matchLabels:\n"
    "      app: shop   # the shop\n"
    "  # where it is\n"
    "  url: oci://registry.internal/acme/auth:1.0.0   # pinned below\n"
    "  phase: \"UNSPECIFIED_PHASE\"\n"
    "  pluginConfig:\n"
    "    text: |\n"
    "      one\n"
    "\n"
    "      two\n"
    "    # the last one\n"
    "  priority: 10\n"
    "# end\n";

Draft draft() {
    Draft made(Kind::wasm_plugin, "prod", "auth");
    made.put("url", "oci://registry.internal/acme/auth:1.0.0");
    made.put("sha256", digest);
    return made;
}

nlohmann::ordered_json read(const std::string& text) {
    return yaml::to_json(yaml::File::parse(text, "t.yaml").single());
}

TEST(Generate, KeepsStringsStrings) {
    auto made = draft();
    made.set("pluginConfig.mode=on", true);
    made.set("pluginConfig.version=1.10", true);
    made.set("pluginConfig.limit=10", false);
    made.set("selector.matchLabels.release=1.0", false);
    made.append("vmConfig.env", {{"name", "A"}, {"value", "no"}});
    const auto spec = read(write_manifest(made, istio::newest_release()))["spec"];
    EXPECT_EQ(spec["pluginConfig"]["mode"], "on");
    EXPECT_EQ(spec["pluginConfig"]["version"], "1.10");
    EXPECT_EQ(spec["pluginConfig"]["limit"], 10);
    EXPECT_EQ(spec["selector"]["matchLabels"]["release"], "1.0");
    EXPECT_EQ(spec["vmConfig"]["env"][0]["value"], "no");
}

TEST(Generate, QuotesADigestOfDigits) {
    auto made = draft();
    made.put("sha256", std::string(64, '1'));
    EXPECT_EQ(read(write_manifest(made, istio::newest_release()))["spec"]["sha256"],
              std::string(64, '1'));
}

TEST(Generate, RefusesWhatTheReleaseDoesNotHave) {
    auto made = draft();
    made.set("failStrategy=FAIL_RELOAD", false);
    EXPECT_NO_THROW(write_manifest(made, istio::release_for("istio-1.27")));
    EXPECT_THROW(write_manifest(made, istio::release_for("istio-1.26")), Error);
}

TEST(Generate, RefusesUnknownFieldsAndValues) {
    auto made = draft();
    EXPECT_THROW(made.set("phaze=AUTHN", false), Error);
    EXPECT_THROW(made.set("phase=EARLY", false), Error);
    EXPECT_THROW(made.set("priority=high", false), Error);
    EXPECT_THROW(made.set("phase", false), Error);
}

TEST(Generate, PutsThePayloadBelowWasm) {
    Draft made(Kind::traffic_extension, "prod", "auth");
    made.put("url", "oci://registry.internal/acme/auth:1.0.0");
    made.set("phase=UNSPECIFIED_PHASE", false);
    const auto spec = read(write_manifest(made, istio::newest_release()))["spec"];
    EXPECT_EQ(spec["wasm"]["url"], "oci://registry.internal/acme/auth:1.0.0");
    EXPECT_EQ(spec["phase"], "UNSPECIFIED");
}

TEST(Generate, NamesWhatEnvoyGatewayCannotSay) {
    auto made = draft();
    made.set("phase=AUTHN", false);
    EXPECT_THROW(write_extension_policy(made), Error);
    made.append("targetRefs", {{"group", "g"}, {"kind", "Gateway"}, {"name", "web"}});
    const auto policy = write_extension_policy(made);
    ASSERT_EQ(policy.lost.size(), 1U);
    const auto wasm = read(policy.text)["spec"]["wasm"][0];
    EXPECT_EQ(wasm["code"]["image"]["url"], "registry.internal/acme/auth:1.0.0");
    EXPECT_EQ(wasm["code"]["image"]["sha256"], digest);
}

TEST(Generate, AlertsOnlyOnMetricsThatExist) {
    const auto text = write_prometheus_rule("monitoring", "wasm", istio::newest_release());
    EXPECT_EQ(text.find("envoy_wasm_failed"), std::string::npos);
    EXPECT_EQ(read(text)["spec"]["groups"][0]["rules"].size(), 4U);
    const auto own = read(
        write_prometheus_rule("", "wasm", istio::newest_release(), {"wasmplug_auth_errors_total"}));
    EXPECT_EQ(own["spec"]["groups"][0]["rules"][4]["expr"],
              "sum by (namespace, pod) (increase(wasmplug_auth_errors_total[10m])) > 0");
}

TEST(Convert, MovesFieldsWithTheirComments) {
    const auto there = convert(yaml::File::parse(plugin, "plugin.yaml"), Kind::traffic_extension);
    EXPECT_EQ(there.count, 1U);
    EXPECT_EQ(there.text,
              "# owned by team shop\n"
              "apiVersion: extensions.istio.io/v1alpha1\n"
              "kind: TrafficExtension # the kind\n"
              "metadata: {name: auth, namespace: prod}\n"
              "spec:\n"
              "  # which pods\n"
              "  selector:\n"
              "    matchLabels:\n"
              "      app: shop   # the shop\n"
              "  wasm:\n"
              "    # where it is\n"
              "    url: oci://registry.internal/acme/auth:1.0.0   # pinned below\n"
              "    pluginConfig:\n"
              "      text: |\n"
              "        one\n"
              "\n"
              "        two\n"
              "      # the last one\n"
              "  phase: \"UNSPECIFIED\"\n"
              "  priority: 10\n"
              "# end\n");
}

TEST(Convert, ComesBackWithTheSameMeaning) {
    const auto there = convert(yaml::File::parse(plugin, "plugin.yaml"), Kind::traffic_extension);
    const auto back = convert(yaml::File::parse(there.text, "plugin.yaml"), Kind::wasm_plugin);
    EXPECT_EQ(nlohmann::json(read(back.text)), nlohmann::json(read(plugin)));
    for (const auto* comment : {"# owned by", "# the kind", "# which pods", "# the shop",
                                "# where it is", "# pinned below", "# the last one", "# end"}) {
        EXPECT_NE(back.text.find(comment), std::string::npos) << comment;
    }
}

TEST(Convert, TurnsATargetIntoAList) {
    const auto text = convert(yaml::File::parse("apiVersion: extensions.istio.io/v1alpha1\n"
                                                "kind: WasmPlugin\n"
                                                "metadata: {name: a}\n"
                                                "spec:\n"
                                                "  targetRef:\n"
                                                "    # the gateway\n"
                                                "    kind: Gateway\n"
                                                "    group: gateway.networking.k8s.io\n"
                                                "    name: web\n"
                                                "  url: oci://registry.internal/acme/auth:1.0.0\n",
                                                "plugin.yaml"),
                              Kind::traffic_extension)
                          .text;
    EXPECT_EQ(read(text)["spec"]["targetRefs"][0]["name"], "web");
    EXPECT_NE(text.find("# the gateway"), std::string::npos);
}

TEST(Convert, TakesJsonAndFlowStyle) {
    const auto text =
        convert(yaml::File::parse(R"({"apiVersion": "extensions.istio.io/v1alpha1",)"
                                  R"( "kind": "WasmPlugin", "metadata": {"name": "a"},)"
                                  R"( "spec": {"url": "oci://registry.internal/acme/auth:1"}})",
                                  "plugin.json"),
                Kind::traffic_extension)
            .text;
    EXPECT_EQ(nlohmann::json::parse(text)["spec"]["wasm"]["url"],
              "oci://registry.internal/acme/auth:1");
}

TEST(Convert, RefusesLua) {
    EXPECT_THROW(convert(yaml::File::parse("apiVersion: extensions.istio.io/v1alpha1\n"
                                           "kind: TrafficExtension\n"
                                           "spec: {lua: {inlineCode: x}}\n",
                                           "plugin.yaml"),
                         Kind::wasm_plugin),
                 Error);
}

std::vector<Placement> placements_of(const std::string& text) {
    std::vector<Placement> all;
    for (const auto& object : objects_in(yaml::File::parse(text, "plugins.yaml"))) {
        all.push_back(place(object, all.size()));
    }
    return all;
}

std::string simple(const std::string& name, const std::string& ns, const std::string& spec) {
    return "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: " + name +
           ", namespace: " + ns + "}\nspec: {url: 'oci://r.internal/acme/" + name + ":1', " + spec +
           "}\n---\n";
}

TEST(Chain, OrdersByPhaseThenPriorityWithUnsetLast) {
    const auto chains =
        build_chains(placements_of(simple("unset", "prod", "phase: AUTHN") +
                                   simple("low", "prod", "phase: AUTHN, priority: -5") +
                                   simple("high", "prod", "phase: AUTHN, priority: 5") +
                                   simple("early", "prod", "phase: AUTHZ, priority: 100") +
                                   simple("late", "prod", "priority: 1000")),
                     "istio-system");
    ASSERT_EQ(chains.size(), 1U);
    std::vector<std::string> names;
    for (const auto& link : chains.front().links) {
        names.push_back(link.plugin.name);
    }
    EXPECT_EQ(names, (std::vector<std::string>{"high", "low", "unset", "early", "late"}));
}

TEST(Chain, BringsTheRootNamespaceToEveryScope) {
    const auto chains = build_chains(placements_of(simple("mesh", "istio-system", "phase: AUTHN") +
                                                   simple("own", "prod", "phase: AUTHN")),
                                     "istio-system");
    ASSERT_EQ(chains.size(), 2U);
    ASSERT_EQ(chains[1].links.size(), 2U);
    EXPECT_EQ(chains[1].links[0].plugin.name, "own");
    EXPECT_EQ(chains[1].links[1].plugin.name, "mesh");
    EXPECT_NE(chains_text(chains).find("namespace prod, every pod"), std::string::npos);
}

TEST(Chain, SaysOnWhichConditionAPluginJoins) {
    const auto chains = build_chains(
        placements_of(simple("a", "prod", "selector: {matchLabels: {app: shop}}") +
                      simple("b", "prod", "selector: {matchLabels: {app: shop, version: v2}}") +
                      simple("c", "prod", "selector: {matchLabels: {app: cart}}")),
        "istio-system");
    ASSERT_EQ(chains.size(), 3U);
    ASSERT_EQ(chains[0].links.size(), 2U);
    EXPECT_EQ(chains[0].links[1].condition, "only pods with version=v2");
    EXPECT_EQ(chains[2].links.size(), 1U);
}

TEST(Differences, NameThePathOfEachValue) {
    const auto changes =
        differences(nlohmann::ordered_json::parse(R"({"a":{"b":1,"c":[1,2]}})"),
                    nlohmann::ordered_json::parse(R"({"a":{"b":2,"c":[1]},"d":1})"));
    ASSERT_EQ(changes.size(), 3U);
    EXPECT_EQ(changes[0].path, "a.b");
    EXPECT_EQ(changes[1].path, "a.c[1]");
    EXPECT_EQ(changes[2].path, "d");
}

}  // namespace
}  // namespace wasmplug::manifest
