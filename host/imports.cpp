#include "host/imports.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/terminal.hpp"
#include "host/pairs.hpp"

namespace wasmplug::host {
namespace {

constexpr std::array map_names{
    "request_headers",       "request_trailers",       "response_headers", "response_trailers",
    "grpc_initial_metadata", "grpc_trailing_metadata", "call_headers",     "call_trailers"};
constexpr std::array buffer_names{
    "request_body", "response_body",    "downstream_data",      "upstream_data", "call_body",
    "grpc_message", "vm_configuration", "plugin_configuration", "call_data"};
constexpr std::array stream_names{"request", "response", "downstream", "upstream"};

template <class Names>
std::string name_in(const Names& names, std::uint64_t value) {
    return value < names.size() ? names[value] : std::to_string(value);
}

std::string pairs_text(std::string_view bytes) {
    std::string text;
    for (const auto& [name, value] : parse_pairs(bytes)) {
        text +=
            fmt::format("{}{}: {}", text.empty() ? "" : ", ", printable(name), printable(value));
    }
    return "{" + text + "}";
}

std::string path_text(std::string_view path) {
    std::string text(path);
    std::replace(text.begin(), text.end(), '\0', '.');
    return in_quotes(text);
}

// One argument, or an address and size together; `at` is moved behind it.
std::string describe_argument(Vm& vm, char kind, Arguments arguments, std::size_t& at) {
    const std::uint64_t value = arguments[at++];
    switch (kind) {
        case 'm':
            return name_in(map_names, value);
        case 'b':
            return name_in(buffer_names, value);
        case 't':
            return name_in(stream_names, value);
        case 'l':
            return plugintest::log_level_name(static_cast<int>(value));
        case 's':
        case 'p':
        case 'k': {
            const auto bytes = vm.read(value, arguments[at++]);
            if (!bytes) {
                return "<outside the memory>";
            }
            return kind == 's'   ? in_quotes(*bytes)
                   : kind == 'p' ? pairs_text(*bytes)
                                 : path_text(*bytes);
        }
        case 'q':
            return std::to_string(static_cast<std::int64_t>(value));
        default:
            return std::to_string(static_cast<std::int32_t>(value));
    }
}

}  // namespace

std::string in_quotes(std::string_view text) {
    constexpr std::size_t shown = 200;
    std::string line = printable(text.substr(0, shown));
    for (auto at = line.find('\n'); at != std::string::npos; at = line.find('\n', at)) {
        line.replace(at, 1, "\\n");
    }
    return fmt::format("\"{}{}\"", line, text.size() > shown ? "…" : "");
}

Signature signature_of(const HostImport& import) {
    Signature signature;
    for (const char kind : import.arguments) {
        signature.params += kind == 'q'                                 ? "I"
                            : kind == 's' || kind == 'p' || kind == 'k' ? "ii"
                                                                        : "i";
    }
    signature.results = import.returns ? "i" : "";
    return signature;
}

std::vector<const HostImport*> all_imports() {
    std::vector<const HostImport*> all;
    for (const auto* table :
         {&http_imports(), &state_imports(), &call_imports(), &wasi_imports()}) {
        for (const auto& import : *table) {
            all.push_back(&import);
        }
    }
    return all;
}

const HostImport* find_import(std::string_view module, std::string_view name, AbiVersion abi) {
    const bool wasi = module == "wasi_snapshot_preview1" || module == "wasi_unstable";
    for (const auto* import : all_imports()) {
        const bool here = import->module == "wasi" ? wasi : import->module == module;
        if (here && import->name == name) {
            const bool offered = abi == AbiVersion::v0_1_0   ? import->in_0_1_0
                                 : abi == AbiVersion::v0_2_0 ? import->in_0_2_0
                                                             : import->in_0_2_1;
            return offered ? import : nullptr;
        }
    }
    return nullptr;
}

std::string describe_call(Vm& vm, const HostImport& import, Arguments arguments) {
    std::string text;
    std::size_t at = 0;
    for (const char kind : import.arguments) {
        if (kind == 'o') {
            ++at;  // where the guest wants the result: an address says nothing
            continue;
        }
        text += (text.empty() ? "" : ", ") + describe_argument(vm, kind, arguments, at);
    }
    return fmt::format("{}({})", import.name, text);
}

}  // namespace wasmplug::host
