#include "manifest/fields.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace wasmplug::manifest {
namespace {

constexpr std::int64_t int32_min = std::numeric_limits<std::int32_t>::min();
constexpr std::int64_t int32_max = std::numeric_limits<std::int32_t>::max();

constexpr std::array<EnumValue, 4> phases = {{
    {"UNSPECIFIED_PHASE", 12, "after the STATS plugins, near the router; the default"},
    {"AUTHN", 12, "before Istio's authentication filters (jwt_authn)"},
    {"AUTHZ", 12, "after authentication, before Istio's authorization filters (rbac)"},
    {"STATS", 12, "after authorization, before Istio's telemetry; only a position"},
}};
constexpr std::array<EnumValue, 4> extension_phases = {{
    {"UNSPECIFIED", 30, "after the STATS plugins, near the router; the default"},
    phases[1],
    phases[2],
    phases[3],
}};
constexpr std::array<EnumValue, 3> pull_policies = {{
    {"UNSPECIFIED_POLICY", 12, "Always for an image whose path ends in :latest, else IfNotPresent"},
    {"IfNotPresent", 12, "a module in the agent's cache is used"},
    {"Always", 12,
     "the tag is resolved again after an edit of the resource; a tag that moves "
     "without an edit is not followed"},
}};
constexpr std::array<EnumValue, 3> fail_strategies = {{
    {"FAIL_CLOSE", 12,
     "requests are refused (403 when the module cannot be fetched, 503 after a "
     "trap); the default"},
    {"FAIL_OPEN", 12, "a module that cannot be fetched or has trapped is skipped"},
    {"FAIL_RELOAD", 27,
     "after a trap the VM is made anew on the next request; a failed fetch "
     "refuses requests as FAIL_CLOSE does"},
}};
constexpr std::array<EnumValue, 3> plugin_types = {{
    {"UNSPECIFIED_PLUGIN_TYPE", 20, "HTTP; the default"},
    {"HTTP", 20, "an HTTP filter"},
    {"NETWORK", 20, "a network filter, for connections"},
}};
constexpr std::array<EnumValue, 4> modes = {{
    {"UNDEFINED", 16, "always; the default"},
    {"CLIENT", 16, "outbound at a sidecar, and any gateway"},
    {"SERVER", 16, "inbound at a sidecar, and waypoints; never a gateway"},
    {"CLIENT_AND_SERVER", 16, "always"},
}};
constexpr std::array<EnumValue, 2> env_sources = {{
    {"INLINE", 12, "`value` is the value; the default"},
    {"HOST", 12, "the proxy's own variable of the same name, absent when it has none"},
}};

constexpr std::string_view validation = "istio pkg/config/validation/validation.go";
constexpr std::string_view push = "istio pilot/pkg/model/extensions.go";
constexpr std::string_view fetch = "istio pkg/wasm";

constexpr std::array<Field, 1> selector_fields = {{
    {.name = "matchLabels",
     .type = Type::string_map,
     .meaning = "labels that a pod must all have; wildcards are refused",
     .source = validation,
     .rules_since = 23,
     .max_length = 4096,
     .cel = Cel::label_keys,
     .cel_since = 23},
}};

constexpr std::array<Field, 4> target_fields = {{
    {.name = "group",
     .type = Type::string,
     .meaning = "\"\" for Service, gateway.networking.k8s.io for Gateway and GatewayClass, "
                "networking.istio.io for ServiceEntry",
     .source = validation,
     .since = 20,
     .rules_since = 23,
     .max_length = 253,
     .pattern = Pattern::group},
    {.name = "kind",
     .type = Type::string,
     .meaning = "Service, ServiceEntry, Gateway or GatewayClass; the webhook refuses others",
     .source = validation,
     .since = 20,
     .required = true,
     .rules_since = 23,
     .min_length = 1,
     .max_length = 63,
     .pattern = Pattern::kind},
    {.name = "name",
     .type = Type::string,
     .meaning = "the target's name, in the plugin's own namespace",
     .source = validation,
     .since = 20,
     .required = true,
     .rules_since = 23,
     .min_length = 1,
     .max_length = 253},
    {.name = "namespace",
     .type = Type::string,
     .meaning = "must stay empty: a target is always in the plugin's namespace",
     .source = validation,
     .since = 20,
     .cel = Cel::no_namespace,
     .cel_since = 23},
}};

constexpr std::array<Field, 1> port_fields = {{
    {.name = "number",
     .type = Type::integer,
     .meaning = "the service port outbound, the container port inbound, the listener's own port "
                "(8080, not 80) at a gateway; never matches HTTP at a waypoint",
     .source = push,
     .since = 16,
     .required = true,
     .minimum = 1,
     .maximum = 65535},
}};

constexpr std::array<Field, 2> match_fields = {{
    {.name = "mode",
     .type = Type::enumeration,
     .meaning = "direction of the traffic, seen from the proxy",
     .source = push,
     .since = 16,
     .values = modes,
     .enum_name = "istio.type.v1beta1.WorkloadMode"},
    {.name = "ports",
     .type = Type::list,
     .meaning = "any of these ports; unset is every port",
     .source = push,
     .since = 16,
     .children = port_fields,
     .list_key = "number"},
}};

constexpr std::array<Field, 3> env_fields = {{
    {.name = "name",
     .type = Type::string,
     .meaning = "the variable's name; those that begin with ISTIO_META_ never reach the plugin",
     .source = fetch,
     .required = true,
     .min_length = 1,
     .max_length = 256},
    {.name = "valueFrom",
     .type = Type::enumeration,
     .meaning = "where the value comes from",
     .source = validation,
     .values = env_sources,
     .enum_name = "istio.extensions.v1alpha1.EnvValueSource"},
    {.name = "value",
     .type = Type::string,
     .meaning = "the value; only with INLINE",
     .source = validation,
     .max_length = 2048},
}};

constexpr std::array<Field, 1> vm_fields = {{
    {.name = "env",
     .type = Type::list,
     .meaning = "environment variables of the VM",
     .source = validation,
     .children = env_fields,
     .max_length = 256,
     .list_key = "name",
     .cel = Cel::inline_value},
}};

constexpr std::array<Field, 1> lua_fields = {{
    {.name = "inlineCode",
     .type = Type::string,
     .meaning = "Lua source for Envoy's Lua filter",
     .source = validation,
     .since = 30,
     .required = true,
     .min_length = 1,
     .max_length = 65536},
}};

// What WasmPlugin has at its top and TrafficExtension below `wasm`.
constexpr std::array<Field, 10> payload_fields = {{
    {.name = "url",
     .type = Type::string,
     .meaning = "where the module is: oci://REGISTRY/REPOSITORY:TAG, http(s)://…, file:///path in "
                "the proxy's container; without a scheme it is an image",
     .source = validation,
     .required = true,
     .min_length = 1,
     .cel = Cel::url_scheme},
    {.name = "sha256",
     .type = Type::string,
     .meaning = "oci: the digest of the image manifest; http(s): of the unpacked module; file: "
                "never looked at",
     .source = fetch,
     .pattern = Pattern::sha256},
    {.name = "imagePullPolicy",
     .type = Type::enumeration,
     .meaning = "whether a cached module may be used",
     .source = fetch,
     .values = pull_policies,
     .enum_name = "istio.extensions.v1alpha1.PullPolicy"},
    {.name = "imagePullSecret",
     .type = Type::string,
     .meaning = "a Secret of type kubernetes.io/dockerconfigjson in the plugin's namespace",
     .source = fetch,
     .min_length = 1,
     .max_length = 253},
    {.name = "verificationKey",
     .type = Type::string,
     .meaning = "accepted and read by nothing: signatures were never implemented",
     .source = push,
     .hidden = true},
    {.name = "pluginConfig",
     .type = Type::free_object,
     .meaning = "given to the plugin as compact JSON with sorted keys; numbers are doubles",
     .source = push},
    {.name = "pluginName",
     .type = Type::string,
     .meaning = "Envoy's root_id: which root context of a module with several",
     .source = push,
     .min_length = 1,
     .max_length = 256},
    {.name = "failStrategy",
     .type = Type::enumeration,
     .meaning = "what happens when the module cannot be fetched or traps; a module that Envoy "
                "cannot load is fatal under each of them",
     .source = push,
     .since = 19,
     .values = fail_strategies,
     .enum_name = "istio.extensions.v1alpha1.FailStrategy"},
    {.name = "vmConfig",
     .type = Type::object,
     .meaning = "the VM's environment",
     .source = push,
     .children = vm_fields},
    {.name = "type",
     .type = Type::enumeration,
     .meaning = "HTTP or network filter",
     .source = push,
     .since = 20,
     .values = plugin_types,
     .enum_name = "istio.extensions.v1alpha1.PluginType"},
}};

constexpr Field selector_field = {
    .name = "selector",
    .type = Type::object,
    .meaning =
        "the pods it is for, in its namespace; unset is all of them, in the root namespace "
        "all of the mesh. Never reaches a waypoint",
    .source = push,
    .children = selector_fields};
constexpr Field target_refs_field = {
    .name = "targetRefs",
    .type = Type::list,
    .meaning =
        "the gateways and services it is for; the way to a waypoint. Sidecars ignore a "
        "plugin that has them",
    .source = push,
    .since = 22,
    .children = target_fields,
    .rules_since = 24,
    .max_length = 16};
constexpr Field priority_field = {
    .name = "priority",
    .type = Type::integer,
    .meaning = "order within the phase: higher runs first, unset runs last, after 0 and negatives",
    .source = "istio pilot/pkg/model/push_context.go",
    .nullable = true,
    .rules_since = 22,
    .minimum = int32_min,
    .maximum = int32_max,
    .int32 = true};
constexpr Field match_field = {
    .name = "match",
    .type = Type::list,
    .meaning = "the traffic it is for: any of these; unset or empty is all",
    .source = push,
    .since = 16,
    .children = match_fields};
constexpr Field phase_field = {.name = "phase",
                               .type = Type::enumeration,
                               .meaning = "where in the filter chain it stands",
                               .source = "istio pilot/pkg/networking/core",
                               .values = phases,
                               .enum_name = "istio.extensions.v1alpha1.PluginPhase"};

constexpr std::array<Field, 16> wasm_plugin_fields = {{
    selector_field,
    {.name = "targetRef",
     .type = Type::object,
     .meaning = "one target; replaced by targetRefs",
     .source = push,
     .since = 20,
     .children = target_fields,
     .hidden = true,
     .rules_since = 23},
    target_refs_field,
    payload_fields[0],
    payload_fields[1],
    payload_fields[2],
    payload_fields[3],
    payload_fields[4],
    payload_fields[5],
    payload_fields[6],
    phase_field,
    priority_field,
    payload_fields[7],
    payload_fields[8],
    match_field,
    payload_fields[9],
}};

constexpr std::array<Field, 7> traffic_extension_fields = {{
    selector_field,
    target_refs_field,
    {.name = "phase",
     .type = Type::enumeration,
     .meaning = phase_field.meaning,
     .source = phase_field.source,
     .since = 30,
     .values = extension_phases,
     .enum_name = "istio.extensions.v1alpha1.TrafficExtension.ExecutionPhase"},
    priority_field,
    match_field,
    {.name = "wasm",
     .type = Type::object,
     .meaning = "a Wasm module; exactly one of wasm and lua",
     .source = validation,
     .since = 30,
     .children = payload_fields},
    {.name = "lua",
     .type = Type::object,
     .meaning = "a Lua script, for HTTP; exactly one of wasm and lua",
     .source = validation,
     .since = 30,
     .children = lua_fields},
}};

constexpr Field wasm_plugin_spec = {.name = "spec",
                                    .type = Type::object,
                                    .meaning = "a Wasm plugin and where it runs",
                                    .source = validation,
                                    .children = wasm_plugin_fields,
                                    .required = true,
                                    .cel = Cel::one_of_targets,
                                    .cel_since = 24};
constexpr Field traffic_extension_spec = {
    .name = "spec",
    .type = Type::object,
    .meaning = "a Wasm plugin or Lua script and where it runs",
    .source = validation,
    .since = 30,
    .children = traffic_extension_fields,
    .required = true,
    .cel = Cel::one_of_payload,
    .cel_since = 30};

constexpr std::array<std::pair<std::string_view, std::string_view>, 34> confusions = {{
    {"spec.selector.labels", "spec.selector.matchLabels"},
    {"spec.workloadSelector", "spec.selector"},
    {"spec.selector.app", "spec.selector.matchLabels.app"},
    {"spec.policy", "spec.failStrategy"},
    {"spec.pullPolicy", "spec.imagePullPolicy"},
    {"spec.imagePullSecrets", "spec.imagePullSecret (one name, not a list)"},
    {"spec.pullSecret", "spec.imagePullSecret"},
    {"spec.image", "spec.url"},
    {"spec.uri", "spec.url"},
    {"spec.config", "spec.pluginConfig"},
    {"spec.configuration", "spec.pluginConfig"},
    {"spec.rootId", "spec.pluginName"},
    {"spec.rootID", "spec.pluginName"},
    {"spec.failOpen", "spec.failStrategy: FAIL_OPEN"},
    {"spec.failurePolicy", "spec.failStrategy"},
    {"spec.failureStrategy", "spec.failStrategy"},
    {"spec.env", "spec.vmConfig.env"},
    {"spec.vm", "spec.vmConfig"},
    {"spec.sha", "spec.sha256"},
    {"spec.digest", "spec.sha256"},
    {"spec.checksum", "spec.sha256"},
    {"spec.order", "spec.priority"},
    {"spec.matches", "spec.match"},
    {"spec.target", "spec.targetRefs"},
    {"spec.defaultConfig", "spec.pluginConfig (defaultConfig is Higress' own field)"},
    {"spec.defaultConfigDisable", "nothing: that field is Higress' own"},
    {"spec.matchRules", "nothing: that field is Higress' own"},
    {"spec.vmConfig.environment", "spec.vmConfig.env"},
    {"spec.vmConfig.envs", "spec.vmConfig.env"},
    {"spec.match[].port", "spec.match[].ports: [{number: …}]"},
    {"spec.match[].ports[].port", "spec.match[].ports[].number"},
    {"spec.configType", "nothing: wasm and lua are told apart by the field that is set"},
    {"spec.lua.inline", "spec.lua.inlineCode"},
    {"spec.wasm.config", "spec.wasm.pluginConfig"},
}};

void collect(const Field& field, const std::string& prefix, std::vector<std::string>& into) {
    for (const auto& child : field.children) {
        auto path = prefix + "." + std::string(child.name);
        into.push_back(path);
        if (child.type == Type::list) {
            path += "[]";
        }
        collect(child, path, into);
    }
}

}  // namespace

std::string_view to_string(Kind kind) {
    return kind == Kind::wasm_plugin ? "WasmPlugin" : "TrafficExtension";
}

std::string_view to_string(Pattern pattern) {
    switch (pattern) {
        case Pattern::none:
            break;
        case Pattern::sha256:
            return "(^$|^[a-f0-9]{64}$)";
        case Pattern::group:
            return "^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
        case Pattern::kind:
            return "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$";
    }
    return "";
}

const Field& spec_of(Kind kind) {
    return kind == Kind::wasm_plugin ? wasm_plugin_spec : traffic_extension_spec;
}

const Field* find_child(const Field& parent, std::string_view name) {
    for (const auto& child : parent.children) {
        if (child.name == name) {
            return &child;
        }
    }
    return nullptr;
}

const Field* find_field(Kind kind, std::string_view path) {
    const auto* field = &spec_of(kind);
    if (path == "spec") {
        return field;
    }
    if (path.starts_with("spec.")) {
        path.remove_prefix(5);
    }
    while (!path.empty()) {
        const auto dot = path.find('.');
        auto step = path.substr(0, dot);
        step = step.substr(0, step.find('['));
        field = find_child(*field, step);
        if (field == nullptr) {
            return nullptr;
        }
        // Below these the names are the user's own.
        if (field->type == Type::free_object || field->type == Type::string_map) {
            return field;
        }
        path = dot == std::string_view::npos ? "" : path.substr(dot + 1);
    }
    return field;
}

std::vector<std::string> all_paths(Kind kind) {
    std::vector<std::string> paths;
    collect(spec_of(kind), "spec", paths);
    return paths;
}

std::string_view known_confusion(std::string_view path) {
    const auto* found = std::find_if(confusions.begin(), confusions.end(),
                                     [&](const auto& entry) { return entry.first == path; });
    return found == confusions.end() ? std::string_view() : found->second;
}

}  // namespace wasmplug::manifest
