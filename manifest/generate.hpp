#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "istio/releases.hpp"
#include "manifest/fields.hpp"

namespace wasmplug::manifest {

// What a plugin is to be, before it is YAML. Values stand at paths of the field table, below spec
// and as WasmPlugin has them ("url", "vmConfig.env", "pluginConfig.a.b"); where TrafficExtension
// keeps them is decided here.
class Draft {
  public:
    Draft(Kind kind, std::string ns, std::string name);
    Draft(const Draft&);
    Draft& operator=(const Draft&);
    ~Draft();

    // The whole value of a field. Throws usage_error when the field does not exist.
    void put(std::string_view path, nlohmann::ordered_json value);

    // One more item of a list.
    void append(std::string_view path, nlohmann::ordered_json item);

    // `--set PATH=VALUE`: typed by the field, below pluginConfig as YAML would type it.
    // `--set-string` takes the text. List items are written ports[0].number. Throws usage_error.
    void set(std::string_view assignment, bool as_string);

    Kind kind() const { return kind_; }

    const std::string& ns() const { return ns_; }

    const std::string& name() const { return name_; }

    // The spec as the API server will have it, in the order of the table.
    nlohmann::ordered_json spec() const;

    // The fields of WasmPlugin, whatever the kind; null when not set.
    nlohmann::ordered_json get(std::string_view path) const;

  private:
    Kind kind_;
    std::string ns_;
    std::string name_;
    struct Values;
    std::unique_ptr<Values> values_;
};

// The commented manifest. It is validated for the release before it is returned; throws Error
// with what is wrong.
std::string write_manifest(const Draft& draft, const istio::Release& release);

// "prod/auth" into namespace and name; "auth" has no namespace. Throws usage_error for names that
// the API server would refuse.
std::pair<std::string, std::string> split_name(std::string_view text);

// The last part of the repository, as a name: "ghcr.io/acme/Auth_v2:1.0" gives "auth-v2".
std::string name_from_reference(std::string_view reference);

struct Translation {
    std::string text;
    std::vector<std::string> lost;  // what the other kind cannot say, one sentence each
};

// Envoy Gateway's EnvoyExtensionPolicy (v1.9). Throws Error for what it cannot hold at all.
Translation write_extension_policy(const Draft& draft);

// An EnvoyFilter that puts the same plugin where WasmPlugin has no words for: the agent fetches
// it through ECDS as it does for a WasmPlugin.
Translation write_envoy_filter(const Draft& draft, const istio::Release& release);

// Alerts on metrics that exist. `counters` are what plugins count themselves: one alert each, on
// any increase.
std::string write_prometheus_rule(const std::string& ns, const std::string& name,
                                  const istio::Release& release,
                                  const std::vector<std::string>& counters = {});

enum class Ci { github, gitlab };

// A pipeline that calls only commands this binary has.
std::string write_ci(Ci ci);

}  // namespace wasmplug::manifest
