#pragma once

#include "istio/releases.hpp"
#include "manifest/finding.hpp"
#include "manifest/objects.hpp"

// The layers one by one. Each judges an object that is ours by itself, as if the others did not
// exist, and adds what it would say.
namespace wasmplug::manifest {

// The API server: schema, limits, CEL and metadata, and what its strict decoding adds. CEL rules
// are judged even where the schema objects already, so that one run tells everything.
void check_api_server(const Object& object, const istio::Release& release, Findings& findings);

// Only metadata and the names at the top, which are alike for every kind.
void check_metadata(const Object& object, Findings& findings);

// Keys that stand twice, which strict decoding refuses.
void check_duplicate_keys(const Object& object, Findings& findings);

// istiod's webhook: decoding as jsonpb does (integers for enums, snake_case and quoted numbers
// pass), then ValidateWasmPlugin or ValidateTrafficExtension.
void check_webhook(const Object& object, const istio::Release& release, Findings& findings);

struct RuntimeSettings {
    std::string_view root_namespace = "istio-system";
};

// What istiod's push, the agent and Envoy make of an object that was accepted.
void check_runtime(const Object& object, const istio::Release& release,
                   const RuntimeSettings& settings, Findings& findings);

// The key's range of `key` in the mapping, else the beginning of the mapping: where a finding
// about something missing points.
yaml::Range key_range(const yaml::Node& mapping, std::string_view key);
yaml::Range beginning_of(const yaml::Node& node);

// Calls visit(key text, key node, value) for what Kubernetes sees of a mapping.
template <class Visit>
void each_entry(const yaml::Node& mapping, const Visit& visit) {
    if (mapping.has_plain_keys()) {
        for (const auto entry : mapping.entries()) {
            visit(entry.key.text(), entry.key, entry.value);
        }
        return;
    }
    for (const auto& entry : mapping.effective_entries()) {
        visit(std::string_view(entry.key.key_text()), entry.key, entry.value);
    }
}

// As Go's encoding/json names what it cannot take: "bool", "number", "array".
std::string_view json_type(const yaml::Node& node);

}  // namespace wasmplug::manifest
