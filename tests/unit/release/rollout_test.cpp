#include "release/rollout.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace wasmplug::release {
namespace {

GateRecord said(const std::string& answer) {
    return {"plan", "eu", std::string(64, 'b'), answer, "", "", ""};
}

TEST(Rollout, AWaveStandsWhereItsTargetsAndItsGatesSay) {
    EXPECT_EQ(judge_wave(3, 0, false, true, std::nullopt), WaveState::pending);
    EXPECT_EQ(judge_wave(3, 2, false, true, std::nullopt), WaveState::partial);
    EXPECT_EQ(judge_wave(3, 3, false, true, std::nullopt), WaveState::changed);
    EXPECT_EQ(judge_wave(3, 3, false, false, std::nullopt), WaveState::passed);
    EXPECT_EQ(judge_wave(3, 3, false, true, said("passed")), WaveState::passed);
    EXPECT_EQ(judge_wave(3, 3, false, true, said("promoted")), WaveState::passed);
    EXPECT_EQ(judge_wave(3, 3, false, true, said("paused")), WaveState::waiting);
    EXPECT_EQ(judge_wave(3, 3, false, true, said("failed")), WaveState::failed);
    EXPECT_EQ(judge_wave(3, 1, true, true, said("passed")), WaveState::rolled_back);
}

Located plugin(const std::string& ns, const std::string& name, const std::string& scope) {
    return locate(yaml::File::parse("apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n"
                                    "metadata: {name: " +
                                        name + ", namespace: " + ns +
                                        "}\nspec:\n  url: oci://r.example/p:1\n" + scope,
                                    "m.yaml"))
        .front();
}

TEST(Rollout, SelectorsAreDisjointOnlyWhenOneLabelDiffers) {
    const auto meet = [](const char* a, const char* b) {
        return may_meet(plugin("x", "a", a), plugin("x", "b", b), "istio-system").has_value();
    };
    EXPECT_TRUE(meet("", ""));
    EXPECT_TRUE(meet("", "  selector: {matchLabels: {app: web}}\n"));
    EXPECT_TRUE(meet("  selector: {matchLabels: {app: web}}\n",
                     "  selector: {matchLabels: {track: canary}}\n"));
    EXPECT_FALSE(meet("  selector: {matchLabels: {app: web, track: canary}}\n",
                      "  selector: {matchLabels: {track: stable}}\n"));
    EXPECT_FALSE(meet("  targetRefs: [{kind: Gateway, name: a}]\n",
                      "  targetRefs: [{kind: Gateway, name: b}]\n"));
    EXPECT_TRUE(meet("  targetRefs: [{kind: Gateway, name: a}]\n",
                     "  targetRefs: [{kind: Gateway, name: a}]\n"));
    EXPECT_TRUE(meet("  targetRef: {kind: Gateway, name: a}\n",
                     "  targetRefs: [{kind: Gateway, name: a}]\n"));
    EXPECT_FALSE(
        meet("  targetRef: {kind: Gateway, name: a}\n", "  targetRef: {kind: Gateway, name: b}\n"));
    EXPECT_FALSE(
        meet("  targetRef: {kind: Gateway, name: a}\n", "  selector: {matchLabels: {app: web}}\n"));
    EXPECT_TRUE(meet("  targetRef: {kind: Gateway, name: a}\n", ""))
        << "without a selector it runs at the gateway too";
    EXPECT_FALSE(may_meet(plugin("x", "a", ""), plugin("y", "a", ""), "istio-system").has_value());
    EXPECT_TRUE(may_meet(plugin("x", "a", ""), plugin("istio-system", "a", ""), "istio-system")
                    .has_value());
}

TEST(Rollout, MatchesAreDisjointWhenModeOrPortDiffers) {
    const auto meet = [](const char* a, const char* b) {
        return may_meet(plugin("x", "a", a), plugin("x", "b", b), "istio-system").has_value();
    };
    EXPECT_FALSE(meet("  match: [{mode: CLIENT}]\n", "  match: [{mode: SERVER}]\n"));
    EXPECT_TRUE(meet("  match: [{mode: CLIENT}]\n", "  match: [{mode: CLIENT_AND_SERVER}]\n"));
    EXPECT_TRUE(meet("  match: [{mode: CLIENT}]\n", ""));
    EXPECT_TRUE(meet("  match: [{mode: CLIENT}]\n", "  match: []\n"));
    EXPECT_FALSE(meet("  match: [{ports: [{number: 80}, {number: 81}]}]\n",
                      "  match: [{mode: CLIENT, ports: [{number: 82}]}]\n"));
    EXPECT_TRUE(meet("  match: [{ports: [{number: 80}, {number: 81}]}]\n",
                     "  match: [{mode: SERVER, ports: [{number: 9}]}, {ports: [{number: 81}]}]\n"));
}

Plan plan(const std::string& rest) {
    return parse_plan(yaml::File::parse("apiVersion: wasmplug.dev/v1alpha1\nkind: RolloutPlan\n"
                                        "plugin: {url: oci://r.example/p, to: 1.1.0}\n" +
                                            rest,
                                        "plan.yaml"),
                      "plan.yaml");
}

std::string problem_of(const std::string& rest) {
    try {
        plan(rest);
    } catch (const Error& error) {
        return error.what();
    }
    return {};
}

TEST(Plan, SaysWhereItIsWrongAndWhatWasMeant) {
    EXPECT_EQ(problem_of("waves:\n- name: a\n  target: []\n"),
              "plan.yaml:5:3: a wave lacks 'targets'");
    EXPECT_EQ(problem_of("gates:\n- {name: e, wait: 1m}\nwaves:\n"
                         "- {name: a, targets: [{file: x}], gates: [f]}\n"),
              "plan.yaml:7:42: no gate is called 'f'");
    EXPECT_EQ(problem_of("gates:\n- {name: e, command: [x, \"{{wave.nam}}\"]}\nwaves:\n"
                         "- {name: a, targets: [{file: x}]}\n"),
              "plan.yaml:7:3: wave 'a' has no value for '{{wave.nam}}'");
    EXPECT_EQ(problem_of("gates:\n- {name: e}\nwaves: [{name: a, targets: [{file: x}]}]\n"),
              "plan.yaml:5:3: gate 'e' asks 0 things, not one");
}

TEST(Plan, ReadsAllThatTheFormatHas) {
    const Plan one = parse_plan(yaml::File::parse(R"(
apiVersion: wasmplug.dev/v1alpha1
kind: RolloutPlan
plugin: {url: oci://r/p, to: v1.3.0}
defaults: {settle: 60s, timeout: 10m, onFailure: pause}
gates:
  - name: errors
    prometheus: {address: http://prom:9090}
    query: 'sum(rate(istio_requests_total{destination_version="{{wave.version}}"}[2m])) * 100'
    max: 1
    interval: 30s
    count: 5
    failureLimit: 1
    errorLimit: 4
    noData: fail
  - name: smoke
    command: [./smoke.sh, "{{wave.name}}"]
    timeout: 2m
waves:
  - {name: canary, vars: {version: c}, targets: [{file: dev/rl-canary.yaml}]}
  - {name: eu, vars: {version: s}, targets: [{file: eu/*.yaml}], pause: manual}
)",
                                                  "plan.yaml"),
                                "rl.rollout.yaml");
    EXPECT_EQ(one.name, "rl");
    EXPECT_EQ(one.to, "v1.3.0");
    EXPECT_EQ(one.settle, std::chrono::seconds(60));
    EXPECT_EQ(one.timeout, std::chrono::minutes(10));
    EXPECT_EQ(one.on_failure, OnFailure::pause);
    const Gate& errors = one.gates[0];
    EXPECT_EQ(errors.count, 5U);
    EXPECT_EQ(errors.failure_limit, 1U);
    EXPECT_EQ(errors.error_limit, 4U);
    EXPECT_EQ(errors.no_data, NoData::fail);
    EXPECT_EQ(errors.interval, std::chrono::seconds(30));
    EXPECT_EQ(one.gates[1].timeout, std::chrono::minutes(2));
    const auto gates = gates_of(one, one.waves[1]);
    ASSERT_EQ(gates.size(), 3U);
    EXPECT_EQ(describe(gates[0]),
              "PromQL sum(rate(istio_requests_total{destination_version=\"s\"}[2m])) * 100 <= 1");
    EXPECT_EQ(describe(gates[1]), "command ./smoke.sh eu");
    EXPECT_TRUE(std::holds_alternative<ManualCheck>(gates[2].check));
}

TEST(Plan, SaysThatObjectsInAClusterComeLater) {
    EXPECT_EQ(problem_of("waves:\n- name: a\n  targets: [{context: p, namespace: w, name: r}]\n"),
              "plan.yaml:6:13: this target is an object in a cluster, and those cannot be rolled "
              "out yet");
}

TEST(Plan, WarnsOfAMetricThatIsAskedBeforeTheClusterCanHaveTheChange) {
    const std::string waves = "waves:\n- {name: eu, targets: [{file: x}]}\n";
    const std::string metric =
        "- {name: errors, prometheus: {address: http://p}, query: up, max: 1}\n";
    const auto warnings = warnings_of(plan("gates:\n" + metric + waves));
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_NE(warnings[0].text.find("whether or not the cluster has them"), std::string::npos);
    EXPECT_TRUE(
        warnings_of(plan("gates:\n- {name: synced, command: [./synced]}\n" + metric + waves))
            .empty());
}

TEST(Plan, RendersWhatAWaveSaysAndWarnsOfMetricsThatNobodyExports) {
    const Plan one = plan(
        "gates:\n- name: errors\n  prometheus: {address: http://p}\n"
        "  query: rate(envoy_wasm_failed_total{v=\"{{wave.version}}\"}[2m])\n  max: 1\n"
        "waves:\n- {name: eu, vars: {version: v2}, targets: [{file: x}], pause: manual}\n");
    const auto gates = gates_of(one, one.waves[0]);
    ASSERT_EQ(gates.size(), 2u);
    EXPECT_EQ(describe(gates[0]), "PromQL rate(envoy_wasm_failed_total{v=\"v2\"}[2m]) <= 1");
    EXPECT_EQ(describe(gates[1]), "a person promotes");
    EXPECT_EQ(warnings_of(one).size(), 2u);
}

}  // namespace
}  // namespace wasmplug::release
