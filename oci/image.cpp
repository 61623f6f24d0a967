#include "oci/image.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/output.hpp"
#include "base/terminal.hpp"
#include "base/time.hpp"
#include "oci/media_types.hpp"
#include "oci/tar.hpp"

namespace wasmplug::oci {
namespace {

constexpr std::string_view wasm_magic("\0asm", 4);

std::string basename(const std::string& name) {
    const std::size_t slash = name.find_last_of('/');
    return slash == std::string::npos ? name : name.substr(slash + 1);
}

std::string as_multierror(const std::string& compat, const std::string& artifact) {
    return fmt::format(
        "the given image is in invalid format as an OCI image: 2 errors occurred: "
        "could not parse as compat variant: {}; could not parse as oci variant: {}",
        compat, artifact);
}

bool is_raw_module(const Descriptor& layer) {
    return layer.media_type == media::solo_content || layer.media_type == media::cncf_layer ||
           layer.media_type == "application/vnd.wasm.content.layer.v1+wasm";
}

// A file that oras pushed as it was: whatever its type says, it is named.
bool is_named_module(const Descriptor& layer) {
    const auto title = layer.annotations.find(annotation::title);
    return title != layer.annotations.end() && title->second.ends_with(".wasm");
}

bool is_packed(const Descriptor& layer) {
    return layer.media_type == media::oci_layer_gzip ||
           layer.media_type == media::docker_layer_gzip;
}

}  // namespace

IstioChoice choose_as_istio(const Manifest& manifest) {
    const auto& layers = manifest.layers;
    if (manifest.media_type == media::docker_manifest) {
        if (layers.empty()) {
            return {.layer = {},
                    .message =
                        "could not extract Wasm file from the image as Docker container "
                        "number of layers must be greater than zero"};
        }
        if (layers.back().media_type != media::docker_layer_gzip) {
            return {.layer = {},
                    .message =
                        fmt::format("could not extract Wasm file from the image as Docker "
                                    "container invalid media type {} (expect {})",
                                    printable(layers.back().media_type), media::docker_layer_gzip)};
        }
        return {.layer = ModuleLayer{.layer = layers.back(), .packed = true}, .message = {}};
    }
    std::string compat;
    if (layers.empty()) {
        compat = "number of layers must be greater than zero";
    } else if (layers.back().media_type == media::oci_layer_gzip) {
        return {.layer = ModuleLayer{.layer = layers.back(), .packed = true}, .message = {}};
    } else {
        compat = fmt::format("invalid media type {} (expect {})",
                             printable(layers.back().media_type), media::oci_layer_gzip);
    }
    if (layers.size() != 2) {
        return {.layer = {},
                .message = as_multierror(
                    compat, fmt::format("number of layers must be 2 but got {}", layers.size()))};
    }
    const auto found = std::ranges::find_if(
        layers, [](const Descriptor& layer) { return layer.media_type == media::solo_content; });
    if (found == layers.end()) {
        return {.layer = {},
                .message = as_multierror(compat, fmt::format("could not find the layer of type {}",
                                                             media::solo_content))};
    }
    return {.layer = ModuleLayer{.layer = *found, .packed = false}, .message = {}};
}

std::vector<HostVerdict> verdicts(const Manifest& manifest) {
    const IstioChoice istio = choose_as_istio(manifest);
    const bool loads = istio.layer.has_value();
    // Envoy Gateway's and Higress' fetchers are forks of Istio's with the same three formats.
    return {{.host = "Istio", .loads = loads, .message = istio.message},
            {.host = "Envoy Gateway", .loads = loads, .message = istio.message},
            {.host = "Higress", .loads = loads, .message = istio.message}};
}

std::optional<std::string> created_of(Store& store, const Manifest& manifest) {
    constexpr std::uint64_t config_limit = std::uint64_t{64} << 10;
    std::string text;
    if (const auto stated = manifest.annotations.find(annotation::created);
        stated != manifest.annotations.end()) {
        text = stated->second;
    } else if (!manifest.is_index && manifest.config.size > 2 &&
               manifest.config.size <= config_limit) {
        std::string bytes;
        store.read_blob(manifest.config, [&](std::string_view part) { bytes += part; });
        try {
            const auto config = parse_json(bytes, "the config");
            if (config.is_object() && config.contains("created") && config["created"].is_string()) {
                text = config["created"].get<std::string>();
            }
        } catch (const Error&) {
            return std::nullopt;  // an artifact's config may be anything
        }
    }
    const auto time = parse_time(text);
    const bool stands_for_none = text.starts_with("1970-01-01") || text.starts_with("0001-");
    return time && !stands_for_none ? std::optional(text) : std::nullopt;
}

std::optional<ModuleLayer> find_module_layer(const Manifest& manifest) {
    if (auto istio = choose_as_istio(manifest); istio.layer) {
        return istio.layer;
    }
    for (const auto& is_module : {is_raw_module, is_named_module}) {
        const auto raw = std::ranges::find_if(manifest.layers, is_module);
        if (raw != manifest.layers.end()) {
            return ModuleLayer{.layer = *raw, .packed = false};
        }
    }
    if (!manifest.layers.empty() && is_packed(manifest.layers.back())) {
        return ModuleLayer{.layer = manifest.layers.back(), .packed = true};
    }
    return std::nullopt;
}

struct ModuleExtractor::State {
    bool packed;
    Sink sink;
    Sha256 hash;
    ModuleFacts facts;
    std::string head;  // the first bytes, until the magic can be judged
    bool found = false;
    Gunzip gunzip;
    TarReader tar;

    State(bool is_packed, Sink to)
        : packed(is_packed),
          sink(std::move(to)),
          found(!is_packed),
          gunzip([this](std::string_view part) { tar.write(part); }, limit::unpacked_layer),
          tar([this](const TarEntry& entry) { return on_entry(entry); }) {}

    Sink on_entry(const TarEntry& entry) {
        if (entry.type == TarEntry::Type::device) {
            throw Error(fmt::format("holds a device: '{}'", printable(entry.name)));
        }
        if (basename(entry.name) != "plugin.wasm" || entry.type == TarEntry::Type::folder) {
            return {};
        }
        if (entry.type != TarEntry::Type::file) {
            throw Error(
                fmt::format("holds a link in place of the module: '{}'", printable(entry.name)));
        }
        if (found) {
            throw Error(fmt::format("holds plugin.wasm twice: '{}' and '{}'", printable(facts.path),
                                    printable(entry.name)),
                        "hosts take the first, people look at the last");
        }
        if (entry.size > limit::module) {
            throw too_large();
        }
        found = true;
        facts.path = entry.name;
        return [this](std::string_view part) {
            take(part);
        };
    }

    static Error too_large() {
        return Error(fmt::format("holds a module of more than {}", format_size(limit::module)),
                     "Istio's agent reads no more than that");
    }

    void take(std::string_view part) {
        if (head.size() < wasm_magic.size()) {
            head += part.substr(0, wasm_magic.size() - head.size());
            if (!wasm_magic.starts_with(head)) {
                throw not_wasm();
            }
        }
        facts.size += part.size();
        if (facts.size > limit::module) {
            throw too_large();
        }
        hash.update(part);
        sink(part);
    }

    static Error not_wasm() {
        return Error("holds a module that is no WebAssembly: it does not begin with 00 61 73 6d");
    }
};

ModuleExtractor::ModuleExtractor(bool packed, Sink sink)
    : state_(std::make_unique<State>(packed, std::move(sink))) {}

ModuleExtractor::ModuleExtractor(ModuleExtractor&&) noexcept = default;
ModuleExtractor::~ModuleExtractor() = default;

void ModuleExtractor::write(std::string_view bytes) {
    if (state_->packed) {
        state_->gunzip.write(bytes);
    } else {
        state_->take(bytes);
    }
}

ModuleFacts ModuleExtractor::finish() {
    if (state_->packed) {
        state_->gunzip.finish();
        state_->tar.finish();
        if (!state_->found) {
            throw Error("holds no plugin.wasm",
                        "hosts look for a file of that name in the last layer");
        }
    }
    // Eight bytes are the shortest module: magic and version.
    if (state_->facts.size < 8) {
        throw State::not_wasm();
    }
    state_->facts.sha256 = state_->hash.hex();
    return state_->facts;
}

ModuleFacts read_module(Store& store, const ModuleLayer& layer, const Sink& sink,
                        const std::string& where) {
    ModuleExtractor extractor(layer.packed, sink);
    const auto named = [&](const auto& work) {
        try {
            return work();
        } catch (const Error& error) {
            throw Error(fmt::format("{}: layer {} {}", where, layer.layer.digest.substr(0, 19),
                                    error.what()),
                        error.hint(), error.code());
        }
    };
    store.read_blob(layer.layer,
                    [&](std::string_view part) { named([&] { extractor.write(part); }); });
    return named([&] { return extractor.finish(); });
}

}  // namespace wasmplug::oci
