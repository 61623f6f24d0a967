#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/image_reference.hpp"
#include "oci/image.hpp"
#include "wasm/lint.hpp"
#include "wasm/loading.hpp"

namespace wasmplug {

// The image that a module was found in.
struct InspectedImage {
    std::string reference;
    std::string digest;        // of the image manifest
    std::string index_digest;  // of the index it was chosen from; empty: none
    oci::Manifest manifest;
    std::vector<oci::HostVerdict> hosts;
    std::optional<std::vector<oci::Descriptor>> referrers;  // when asked for
};

struct InspectResult {
    std::string what;
    std::optional<InspectedImage> image;
    std::string sha256;  // of the module
    std::uint64_t size = 0;
    std::optional<wasm::Module> module;  // nothing: it cannot be read, and `fault` says why
    std::string fault;
    wasm::LanguageGuess language;
    std::vector<wasm::Producer> producers;
    std::size_t named_functions = 0;
    std::vector<wasm::Warning> warnings;
    std::optional<int> loads_since;
    std::string host;           // of --for; empty: none was named
    wasm::LoadVerdict verdict;  // for `host`, or for the newest Envoy
};

std::string to_text(const InspectResult& result);
nlohmann::ordered_json to_json(const InspectResult& result);

}  // namespace wasmplug
