#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/yaml.hpp"
#include "base/yaml_write.hpp"
#include "istio/plugin_url.hpp"
#include "manifest/generate.hpp"

namespace wasmplug::manifest {
namespace {

using nlohmann::ordered_json;

bool present(const Draft& draft, std::string_view path) {
    return !draft.get(path).is_null();
}

std::string text_or(const Draft& draft, std::string_view path, std::string_view otherwise) {
    const auto value = draft.get(path);
    return value.is_string() ? value.get<std::string>() : std::string(otherwise);
}

ordered_json metadata_of(const Draft& draft) {
    ordered_json metadata = {{"name", draft.name()}};
    if (!draft.ns().empty()) {
        metadata["namespace"] = draft.ns();
    }
    return metadata;
}

// Image or HTTP, as Envoy Gateway has them; a file:// url has no counterpart.
ordered_json gateway_code(const Draft& draft) {
    const auto url = text_or(draft, "url", "");
    const auto read = istio::read_plugin_url(url);
    const auto sha = text_or(draft, "sha256", "");
    if (read.transport == istio::Transport::file) {
        throw Error("Envoy Gateway reads no module from a file",
                    "push it to a registry: wasmplug push");
    }
    const bool image = read.transport == istio::Transport::oci;
    ordered_json source = {{"url", image ? read.path : url}};
    if (!sha.empty()) {
        source["sha256"] = sha;
    }
    if (image && present(draft, "imagePullSecret")) {
        source["pullSecretRef"] = {{"name", draft.get("imagePullSecret")}};
    }
    ordered_json code = {{"type", image ? "Image" : "HTTP"}};
    code[image ? "image" : "http"] = std::move(source);
    if (const auto policy = text_or(draft, "imagePullPolicy", "");
        policy == "Always" || policy == "IfNotPresent") {
        code["pullPolicy"] = policy;
    }
    return code;
}

// The Wasm filter's own configuration, as istiod composes it (pilot/pkg/model/extensions.go).
ordered_json wasm_config(const Draft& draft, const istio::Release& release) {
    const auto url = text_or(draft, "url", "");
    const auto strategy = text_or(draft, "failStrategy", "FAIL_CLOSE");
    ordered_json config = {{"name", draft.name()}};
    if (present(draft, "pluginName")) {
        config["root_id"] = draft.get("pluginName");
    }
    if (present(draft, "pluginConfig")) {
        // Keys sorted, as Go writes a map.
        const auto sorted = nlohmann::json(draft.get("pluginConfig"));
        config["configuration"] = {
            {"@type", "type.googleapis.com/google.protobuf.StringValue"},
            {"value", sorted.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)}};
    }
    if (release.envoy >= 33) {
        config["failure_policy"] = strategy == "FAIL_CLOSE" ? "FAIL_CLOSED" : strategy;
    } else if (strategy == "FAIL_OPEN") {
        config["fail_open"] = true;
    }
    ordered_json vm = {{"runtime", "envoy.wasm.runtime.v8"}};
    if (url.starts_with("file://")) {
        vm["code"]["local"]["filename"] = istio::read_plugin_url(url).path;
    } else {
        vm["code"]["remote"]["http_uri"] = {
            {"uri", url.find("://") == std::string::npos ? "oci://" + url : url},
            {"timeout", "30s"},
            {"cluster", "_"}};
        if (present(draft, "sha256")) {
            vm["code"]["remote"]["sha256"] = draft.get("sha256");
        }
    }
    ordered_json variables;
    const auto env = draft.get("vmConfig.env");
    for (const auto& item : env.is_array() ? env : ordered_json::array()) {
        if (item.value("valueFrom", "INLINE") == "HOST") {
            variables["host_env_keys"].push_back(item["name"]);
        } else {
            variables["key_values"][item["name"].get<std::string>()] = item.value("value", "");
        }
    }
    if (!variables.is_null()) {
        vm["environment_variables"] = std::move(variables);
    }
    config["vm_config"] = std::move(vm);
    return config;
}

std::string filter_context(const Draft& draft) {
    const auto match = draft.get("match");
    if (!match.is_array() || match.size() != 1) {
        return "ANY";
    }
    const auto mode = match[0].value("mode", "UNDEFINED");
    return mode == "SERVER" ? "SIDECAR_INBOUND" : mode == "CLIENT" ? "SIDECAR_OUTBOUND" : "ANY";
}

constexpr const char* github_workflow =
    R"(# Builds, tests and validates on every change, publishes tags.
# wasmplug and the plugin's compiler have to be on the runner's PATH.
name: wasm-plugin
on:
  push:
    branches: [main]
    tags: ["v*"]
  pull_request:
permissions:
  contents: read
  packages: write
  security-events: write
jobs:
  plugin:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: wasmplug build .
      - run: wasmplug test .
      - run: wasmplug validate --only-ours -o github --report sarif=wasmplug.sarif .
      - run: wasmplug package .
      - uses: github/codeql-action/upload-sarif@v3
        if: always()
        with:
          sarif_file: wasmplug.sarif
      - if: startsWith(github.ref, 'refs/tags/')
        env:
          PASSWORD: ${{ secrets.GITHUB_TOKEN }}
        run: |
          echo "$PASSWORD" | wasmplug login ghcr.io -u "$GITHUB_ACTOR" --password-stdin
          wasmplug push . "ghcr.io/$GITHUB_REPOSITORY:${GITHUB_REF_NAME#v}"
)";

constexpr const char* gitlab_pipeline =
    R"(# Builds, tests and validates on every change, publishes tags.
# wasmplug and the plugin's compiler have to be in the runner's image.
stages: [check, publish]
check:
  stage: check
  script:
    - wasmplug build .
    - wasmplug test .
    - wasmplug validate --only-ours --report gitlab=gl-code-quality.json --report junit=wasmplug.xml .
    - wasmplug package .
  artifacts:
    when: always
    reports:
      codequality: gl-code-quality.json
      junit: wasmplug.xml
publish:
  stage: publish
  rules:
    - if: $CI_COMMIT_TAG
  script:
    - wasmplug build .
    - echo "$CI_REGISTRY_PASSWORD" | wasmplug login "$CI_REGISTRY" -u "$CI_REGISTRY_USER" --password-stdin
    - wasmplug push . "$CI_REGISTRY_IMAGE:${CI_COMMIT_TAG#v}"
)";

}  // namespace

Translation write_extension_policy(const Draft& draft) {
    Translation result;
    const auto lose = [&](std::string_view path, std::string_view why) {
        if (present(draft, path)) {
            result.lost.push_back(fmt::format("{} is lost: {}", path, why));
        }
    };
    if (text_or(draft, "type", "HTTP") == "NETWORK") {
        throw Error("Envoy Gateway has no network plugins");
    }
    lose("phase", "the order is that of the list");
    lose("priority", "the order is that of the list");
    lose("match", "a policy is for all traffic of its target");
    lose("selector", "targets are gateways and routes; give --target");
    const auto targets = draft.get("targetRefs");
    if (!targets.is_array() || targets.empty()) {
        throw usage_error("a policy needs a target",
                          "give --target Gateway/NAME or HTTPRoute/NAME");
    }
    ordered_json wasm = {{"name", draft.name()}};
    if (present(draft, "pluginName")) {
        wasm["rootID"] = draft.get("pluginName");
    }
    wasm["code"] = gateway_code(draft);
    if (present(draft, "pluginConfig")) {
        wasm["config"] = draft.get("pluginConfig");
    }
    const auto strategy = text_or(draft, "failStrategy", "FAIL_CLOSE");
    if (strategy == "FAIL_RELOAD") {
        result.lost.emplace_back("failStrategy FAIL_RELOAD is lost: there is failOpen or nothing");
    }
    wasm["failOpen"] = strategy == "FAIL_OPEN";
    const auto env = draft.get("vmConfig.env");
    for (const auto& item : env.is_array() ? env : ordered_json::array()) {
        if (item.value("valueFrom", "INLINE") == "HOST") {
            wasm["env"]["hostKeys"].push_back(item["name"]);
        } else {
            result.lost.push_back(
                fmt::format("vmConfig.env {} is lost: only the proxy's own "
                            "variables can be passed on",
                            item["name"].get<std::string>()));
        }
    }
    ordered_json document = {{"apiVersion", "gateway.envoyproxy.io/v1alpha1"},
                             {"kind", "EnvoyExtensionPolicy"},
                             {"metadata", metadata_of(draft)}};
    document["spec"]["targetRefs"] = targets;
    document["spec"]["wasm"] = ordered_json::array({wasm});
    result.text = yaml::write(
        document,
        {.comments = {{{"spec", "wasm"}, "In the order of this list, after extProc and lua."}}});
    return result;
}

Translation write_envoy_filter(const Draft& draft, const istio::Release& release) {
    Translation result;
    if (text_or(draft, "type", "HTTP") == "NETWORK") {
        throw Error("an EnvoyFilter of a network plugin has to name its listener and filter chain",
                    "write it by hand, or use a WasmPlugin with type: NETWORK");
    }
    for (const std::string_view path :
         {"phase", "priority", "imagePullPolicy", "imagePullSecret"}) {
        if (present(draft, path)) {
            result.lost.push_back(
                fmt::format("{} is lost: the filter stands before the router, "
                            "and the agent pulls without a secret",
                            path));
        }
    }
    const auto context = filter_context(draft);
    const std::string type = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
    ordered_json extension = {{"applyTo", "EXTENSION_CONFIG"}, {"match", {{"context", context}}}};
    extension["patch"] = {
        {"operation", "ADD"},
        {"value",
         {{"name", draft.name()},
          {"typed_config", {{"@type", type}, {"config", wasm_config(draft, release)}}}}}};
    ordered_json filter = {{"applyTo", "HTTP_FILTER"}};
    filter["match"] = {{"context", context},
                       {"listener",
                        {{"filterChain",
                          {{"filter",
                            {{"name", "envoy.filters.network.http_connection_manager"},
                             {"subFilter", {{"name", "envoy.filters.http.router"}}}}}}}}}};
    filter["patch"] = {
        {"operation", "INSERT_BEFORE"},
        {"value",
         {{"name", draft.name()},
          {"config_discovery",
           {{"config_source", {{"ads", ordered_json::object()}, {"initial_fetch_timeout", "0s"}}},
            {"type_urls",
             ordered_json::array({type,
                                  "type.googleapis.com/envoy.extensions.filters.http.rbac.v3."
                                  "RBAC"})}}}}}};
    ordered_json document = {{"apiVersion", "networking.istio.io/v1alpha3"},
                             {"kind", "EnvoyFilter"},
                             {"metadata", metadata_of(draft)}};
    if (present(draft, "selector")) {
        document["spec"]["workloadSelector"]["labels"] = draft.get("selector.matchLabels");
    }
    document["spec"]["configPatches"] = ordered_json::array({extension, filter});
    const yaml::Path patches{"spec", "configPatches"};
    result.text = yaml::write(
        document,
        {.comments = {{patches / std::size_t{0},
                       "The plugin, delivered as ECDS: the agent fetches the module as it does "
                       "for a WasmPlugin."},
                      {patches / std::size_t{1}, "Where it stands in the filter chain."}}});
    return result;
}

std::string write_prometheus_rule(const std::string& ns, const std::string& name,
                                  const istio::Release& release,
                                  const std::vector<std::string>& counters) {
    const auto alert = [](const char* title, const std::string& expression, const char* time,
                          const char* severity, const char* summary) {
        return ordered_json{{"alert", title},
                            {"expr", expression},
                            {"for", time},
                            {"labels", {{"severity", severity}}},
                            {"annotations", {{"summary", summary}}}};
    };
    // A counter that is born with 1 shows no increase; `unless … offset` catches that first one.
    const std::string failures = "istio_agent_wasm_remote_fetch_count{result!=\"success\"}";
    auto rules = ordered_json::array();
    rules.push_back(alert("WasmModuleFetchFailing",
                          fmt::format("sum by (namespace, pod, result) (increase({0}[10m]) or "
                                      "({0} unless {0} offset 10m)) > 0",
                                      failures),
                          "0m", "critical",
                          "A proxy cannot fetch a Wasm module ({{ $labels.result }})"));
    rules.push_back(alert("WasmConfigRejected",
                          "sum(increase(pilot_total_xds_rejects{type=\"ecds\"}[10m])) > 0", "0m",
                          "critical", "Proxies reject the configuration of a Wasm plugin"));
    rules.push_back(alert("WasmVmRecreatedOften",
                          "sum by (namespace, pod) "
                          "(increase(envoy_wasm_envoy_wasm_runtime_v8_created[10m])) > 20",
                          "10m", "warning", "Wasm VMs are made anew again and again"));
    if (release.minor >= istio::since::fail_reload) {
        rules.push_back(
            alert("WasmReloadFailing",
                  "sum by (namespace, pod) "
                  "(increase({__name__=~\"envoy_wasm_.+_vm_reload_failure\"}[10m])) > 0",
                  "0m", "critical", "A plugin with FAIL_RELOAD does not come back"));
    }
    for (const auto& counter : counters) {
        rules.push_back(
            alert("WasmPluginErrors",
                  fmt::format("sum by (namespace, pod) (increase({}[10m])) > 0", counter), "0m",
                  "warning", "A plugin could not do its work"));
    }
    ordered_json document = {{"apiVersion", "monitoring.coreos.com/v1"},
                             {"kind", "PrometheusRule"},
                             {"metadata", {{"name", name}}}};
    if (!ns.empty()) {
        document["metadata"]["namespace"] = ns;
    }
    document["spec"]["groups"] =
        ordered_json::array({{{"name", "wasm-plugins"}, {"rules", std::move(rules)}}});
    const auto at = yaml::Path{"spec", "groups"} / std::size_t{0} / "rules";
    return yaml::write(
        document,
        {.comments = {
             {at / std::size_t{0},
              "istio-agent downloads the modules; Envoy's own remote_load metrics stay 0."},
             {at / std::size_t{1},
              "What Envoy cannot load is rejected, whatever failStrategy says."},
             {at / std::size_t{2},
              "All plugins of a proxy together. A configuration push makes one VM a thread and "
              "one more."}}});
}

std::string write_ci(Ci ci) {
    return ci == Ci::github ? github_workflow : gitlab_pipeline;
}

}  // namespace wasmplug::manifest
