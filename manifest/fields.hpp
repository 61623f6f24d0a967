#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wasmplug::manifest {

enum class Kind { wasm_plugin, traffic_extension };

constexpr std::string_view api_version = "extensions.istio.io/v1alpha1";

std::string_view to_string(Kind kind);

enum class Type {
    object,       // named children
    free_object,  // anything below it (pluginConfig)
    string_map,   // any key, string values (matchLabels)
    list,         // of objects with the children
    string,
    enumeration,
    integer,
};

enum class Pattern { none, sha256, group, kind };

// The regular expression as the CRD has it.
std::string_view to_string(Pattern pattern);

// Rules that a field's own type and limits cannot say. Each is evaluated by the layers that
// know it (CEL in the CRD, code in the webhook).
enum class Cel {
    none,
    url_scheme,
    one_of_targets,  // selector, targetRef, targetRefs
    one_of_payload,  // wasm, lua
    label_keys,      // no wildcard, not empty
    no_namespace,    // of a targetRef
    inline_value,    // env value only with INLINE
};

struct EnumValue {
    std::string_view name;
    int since;  // Istio 1.since
    std::string_view meaning;
};

// One field of the two kinds: the table that validate, explain, generate, convert and
// completion read. Sources: the CRDs of istio.io/api v1.19 to v1.31 (every limit and its first
// release), reference text in istio.io/docs, and the code named by `source`.
struct Field {
    std::string_view name;
    Type type;
    std::string_view meaning;
    std::string_view source;  // where the behaviour is decided
    int since = 12;           // first release that has it
    std::span<const Field> children = {};
    std::span<const EnumValue> values = {};
    std::string_view enum_name = {};  // as the webhook's decoder calls it
    bool required = false;
    bool nullable = false;
    bool hidden = false;  // kept for old manifests; explain says so and generate never writes it
    // The limits below and `required` hold from Istio 1.rules_since on.
    int rules_since = 20;
    std::size_t min_length = 0;
    std::size_t max_length = std::numeric_limits<std::size_t>::max();  // also items, properties
    std::int64_t minimum = std::numeric_limits<std::int64_t>::min();
    std::int64_t maximum = std::numeric_limits<std::int64_t>::max();
    bool int32 = false;  // the CRD says it as a format, not by its limits
    Pattern pattern = Pattern::none;
    std::string_view list_key = {};  // x-kubernetes-list-map-keys
    Cel cel = Cel::none;
    int cel_since = 20;
};

// The spec itself, whose children are the fields.
const Field& spec_of(Kind kind);

const Field* find_child(const Field& parent, std::string_view name);

// "spec.match[].mode", also spelled "spec.match.mode", "spec.match[0].mode" or "match.mode".
// Nullptr when there is no such field.
const Field* find_field(Kind kind, std::string_view path);

// "spec.url", "spec.match[].ports[].number", … of the whole table, in its order.
std::vector<std::string> all_paths(Kind kind);

// Words that people write for something else: Kubernetes' own names, older APIs, Higress, Envoy.
// Empty when nothing is known.
std::string_view known_confusion(std::string_view path);

}  // namespace wasmplug::manifest
