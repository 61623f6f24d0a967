#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "oci/manifest.hpp"
#include "oci/store.hpp"

namespace wasmplug::oci {

// Where a manifest keeps its module, as Istio's agent looks for it (pkg/wasm/imagefetcher.go).
struct ModuleLayer {
    Descriptor layer;
    bool packed = true;  // a tar.gz with plugin.wasm in it; else the layer is the module
};

// One host's answer to a manifest.
struct HostVerdict {
    std::string host;  // "Istio", "Envoy Gateway", "Higress"
    bool loads = false;
    std::string message;  // what it logs when it does not
};

// The layer Istio would take, and its own words when it would take none.
struct IstioChoice {
    std::optional<ModuleLayer> layer;
    std::string message;
};

IstioChoice choose_as_istio(const Manifest& manifest);

// Who loads an image of this shape. Contents are not looked at.
std::vector<HostVerdict> verdicts(const Manifest& manifest);

// The layer that holds the module in any format we can read, Istio's choice first: also a single
// raw wasm layer (CNCF, wasm-to-oci, one-layer solo) or file named *.wasm (oras). Nothing when
// there is none.
std::optional<ModuleLayer> find_module_layer(const Manifest& manifest);

// When the image says that it was made: its annotation, else its config's; RFC 3339. Nothing when
// it says nothing, or a time that stands for none, as reproducible builds write (1970, year 1).
std::optional<std::string> created_of(Store& store, const Manifest& manifest);

struct ModuleFacts {
    std::string sha256;  // 64 digits, of plugin.wasm
    std::uint64_t size = 0;
    std::string path;  // in the layer; empty for a raw layer
};

// Streams the module's bytes to `sink` and proves the layer. Throws Error naming `where` for every
// hostile shape: no or several plugin.wasm, links and devices in its place, names that leave the
// archive, contents that are no wasm, more than limit::module bytes, broken or truncated data.
// Nothing that `sink` got may be used before this returns.
ModuleFacts read_module(Store& store, const ModuleLayer& layer, const Sink& sink,
                        const std::string& where);

// The same over bytes that come from elsewhere.
class ModuleExtractor {
  public:
    ModuleExtractor(bool packed, Sink sink);
    ModuleExtractor(ModuleExtractor&&) noexcept;
    ~ModuleExtractor();

    void write(std::string_view bytes);
    ModuleFacts finish();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace wasmplug::oci
