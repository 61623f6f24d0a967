#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace wasmplug::istio {

enum class Transport { oci, http, file };

// An image reference as the agent's library (go-containerregistry's name.ParseReference) reads it.
struct FetchReference {
    std::string registry;    // "" is Docker Hub
    std::string repository;  // without registry; "library/" is not added
    std::string tag;         // "" when none is written
    std::string digest;      // "sha256:…", "" when none is written
};

// Nothing when the agent cannot parse it. A repository of one character is parsed, although the
// library used to refuse it and so do the agents that link an older one.
std::optional<FetchReference> parse_fetch_reference(std::string_view text);

// One spec.url through everyone who reads it. An empty text means that this one accepts it.
struct PluginUrl {
    std::string api_server;  // CEL rule of the CRD
    std::string webhook;     // validateWasmPluginURL; without "failed to parse" it is final
    // istiod's push: the plugin is dropped with one line in istiod's log and nothing else.
    std::string discarded;
    std::string unfetchable;  // the agent cannot make an image reference of it

    Transport transport = Transport::oci;
    bool explicit_scheme = false;
    bool empty_host = false;
    bool user_info = false;  // dropped for oci, sent as basic authentication for http
    bool password = false;
    bool query_dropped = false;  // a query or fragment on an image
    std::string scheme_as_written;
    std::string path;  // file: the name that Envoy opens; else host and path
    std::string host;
    std::optional<FetchReference> image;
};

// Judges by the rules of the newest release; the CEL rule and the webhook's have been the same
// since 1.20. Sources: CRD of istio.io/api; validateWasmPluginURL in
// pkg/config/validation/validation.go; pilot/pkg/model/extensions.go; pkg/wasm/imagefetcher.go.
PluginUrl read_plugin_url(std::string_view url);

}  // namespace wasmplug::istio
