#include "wasm/loading.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "istio/releases.hpp"
#include "wasm/bodies.hpp"
#include "wasm/container.hpp"
#include "wasm/start.hpp"

namespace wasmplug::wasm {

namespace {

// Lines as logged by Envoy 1.40.0 (source/extensions/common/wasm/wasm.cc and wasm_vm.cc).
constexpr const char* parse_failed = "Wasm VM failed Failed to parse corrupted Wasm module";
constexpr const char* abi_unknown = "Wasm VM failed Missing or unknown Proxy-Wasm ABI version";
constexpr const char* bytecode_failed = "Wasm VM failed Failed to load Wasm bytecode";
constexpr const char* code_not_loaded = "Wasm VM failed Failed to load Wasm code";
constexpr const char* instance_failed = "Failed to create new Wasm instance";
constexpr const char* malloc_missing = "Wasm VM failed Wasm module is missing malloc function.";
constexpr const char* code_not_initialized = "Wasm VM failed Failed to initialize Wasm code";
constexpr const char* plugin_not_created = "Unable to create Wasm plugin";

// Envoy starts V8 with --wasm_max_mem_pages=16384.
constexpr std::uint64_t most_memory_pages = 16'384;

LoadVerdict refused(std::string message, const char* then, std::string reason) {
    LoadVerdict verdict;
    verdict.loads = false;
    verdict.log = {message, then};
    verdict.message = std::move(message);
    verdict.reason = std::move(reason);
    return verdict;
}

LoadVerdict not_initialized(std::string message, std::string reason) {
    return refused(std::move(message), code_not_initialized, std::move(reason));
}

std::string wasi_reason(const WasiFunction& function, const EnvoyRules& rules) {
    const bool go = function.since == WasiEpoch::b;
    return fmt::format("Envoy 1.{} does not offer {}, Envoy 1.{} is the first that does{}",
                       rules.minor, function.name, go ? 33 : 39,
                       go ? "; every Go plugin imports it" : "");
}

std::string unknown_import_reason(const Import& import, AbiVersion abi) {
    const HostFunction* function =
        import.module == "env" ? find_host_function(import.name) : nullptr;
    if (function != nullptr) {
        return fmt::format("{} does not exist in ABI {}, which this module announces", import.name,
                           to_text(abi));
    }
    if (import.kind == ExternalKind::global) {
        return "Envoy offers no globals; link the module so that it imports none";
    }
    return fmt::format("no Envoy offers {}.{}; the plugin, or a library in it, must do without",
                       import.module, import.name);
}

// The signature that the host offers for an import, or a verdict that it offers none.
struct Offer {
    std::string_view signature;
    std::string reason;
};

Offer offer_for(const Import& import, AbiVersion abi, const EnvoyRules& rules) {
    if (is_wasi_module(import.module)) {
        const WasiFunction* function = find_wasi_function(import.name);
        if (function != nullptr && function->since <= rules.wasi) {
            return {function->signature, {}};
        }
        if (function != nullptr) {
            return {{}, wasi_reason(*function, rules)};
        }
    } else if (import.module == "env") {
        const HostFunction* function = find_host_function(import.name);
        if (function != nullptr && function->abis.has(abi)) {
            return {function->signature, {}};
        }
    }
    return {{}, unknown_import_reason(import, abi)};
}

// src/v8/v8.cc link(): imports in their order, the first fault ends it.
std::optional<LoadVerdict> link(const Module& module, AbiVersion abi, const EnvoyRules& rules) {
    for (const auto& import : module.imports) {
        const std::string name = import.module + "." + import.name;
        switch (import.kind) {
            case ExternalKind::memory:
            case ExternalKind::table:
                continue;  // made by the host under any name
            case ExternalKind::tag:
                return refused(code_not_initialized, plugin_not_created,
                               fmt::format("Envoy offers no exception tags, and {} is one", name));
            case ExternalKind::global:
                return not_initialized(
                    "Failed to load Wasm module due to a missing import: " + name,
                    unknown_import_reason(import, abi));
            case ExternalKind::function:
                break;
        }
        const Offer offer = offer_for(import, abi, rules);
        if (offer.signature.empty()) {
            return not_initialized("Failed to load Wasm module due to a missing import: " + name,
                                   offer.reason);
        }
        const std::string wanted = to_text(*module.type_of(import));
        if (wanted != offer.signature) {
            return not_initialized(
                fmt::format("Failed to load Wasm module due to an import type mismatch: {}, "
                            "want: {}, but host exports: {}",
                            name, wanted, offer.signature),
                fmt::format("{} is declared with another type than the host's", name));
        }
    }
    return std::nullopt;
}

std::optional<LoadVerdict> instantiate(std::string_view bytes, const Module& module) {
    for (const auto& memory : module.memories) {
        if (memory.minimum > most_memory_pages) {
            return not_initialized(
                instance_failed,
                fmt::format("the memory begins with {} pages and Envoy allows {} (1 GiB)",
                            memory.minimum, most_memory_pages));
        }
    }
    if (module.start) {
        if (const auto fault = certain_fault(bytes, module, *module.start)) {
            return not_initialized(instance_failed,
                                   "the start function ends in a trap: " + fault->detail);
        }
    }
    return std::nullopt;
}

std::optional<LoadVerdict> check_export(const Module& module, std::string_view name,
                                        std::string_view signature) {
    const Export* exported = module.find_function(name);
    const FunctionType* type =
        exported == nullptr ? nullptr : module.function_type(exported->index);
    if (type == nullptr || to_text(*type) == signature) {
        return std::nullopt;
    }
    return not_initialized(
        fmt::format("Bad function signature for: {}, want: {}, but the module exports: {}", name,
                    signature, to_text(*type)),
        fmt::format("{} is exported with another type than the ABI's", name));
}

// src/wasm.cc getFunctions(): every export that the host knows, in the order it looks.
std::optional<LoadVerdict> check_exports(const Module& module, AbiVersion abi) {
    const std::string_view entry = entry_of(module);
    const std::pair<std::string_view, std::string_view> fixed[] = {
        {entry, "void -> void"},
        {entry == "_initialize" ? "main" : "", "i32 i32 -> i32"},
        {"malloc", "i32 -> i32"},
    };
    for (const auto& [name, signature] : fixed) {
        if (auto bad = check_export(module, name, signature)) {
            return bad;
        }
    }
    const Export* allocator = allocator_of(module);
    if (allocator == nullptr) {
        return not_initialized(malloc_missing,
                               "export malloc or proxy_on_memory_allocate, which Envoy needs to "
                               "hand data to the plugin");
    }
    if (auto bad = check_export(module, allocator->name, "i32 -> i32")) {
        return bad;
    }
    for (const auto& callback : callbacks()) {
        if (callback.abis.has(abi)) {
            if (auto bad = check_export(module, callback.name, callback.signature)) {
                return bad;
            }
        }
    }
    return std::nullopt;
}

// src/wasm.cc startVm(): "_initialize" and then "main", or "_start".
std::optional<LoadVerdict> run_entry(std::string_view bytes, const Module& module) {
    const std::string_view entry = entry_of(module);
    const std::string_view names[] = {entry, entry == "_initialize" ? "main" : ""};
    for (const auto name : names) {
        const Export* exported = module.find_function(name);
        if (exported == nullptr) {
            continue;
        }
        if (const auto fault = certain_fault(bytes, module, exported->index)) {
            const std::string why = fault->restricted_call ? "Uncaught Error: restricted_callback"
                                                           : "Uncaught RuntimeError: unreachable";
            auto verdict = not_initialized(fmt::format("Function: {} failed: {}", name, why),
                                           fmt::format("{} {}", name, fault->detail));
            verdict.when_run = true;
            return verdict;
        }
    }
    return std::nullopt;
}

// What V8 takes of WebAssembly; it compiles before anything is linked.
std::optional<LoadVerdict> compile(const BodiesVerdict& bodies, const EnvoyRules& rules) {
    if (!bodies.fault.empty()) {
        return refused(bytecode_failed, code_not_loaded, bodies.fault);
    }
    for (const auto& feature : known_features) {
        const auto first = bodies.features.first(feature.feature);
        if (!first || feature.v8 <= rules.v8) {
            continue;
        }
        const bool later = rules.v8_later >= feature.v8;
        return refused(
            bytecode_failed, code_not_loaded,
            fmt::format("it uses {} (byte {}), which need V8 {}.{}, and Envoy 1.{}{} has {}.{}; "
                        "compile without them",
                        feature.name, *first, feature.v8 / 100, feature.v8 % 100, rules.minor,
                        later ? fmt::format(" before 1.{}.{}", rules.minor, rules.later_patch) : "",
                        rules.v8 / 100, rules.v8 % 100));
    }
    return std::nullopt;
}

// What is the same for every Envoy, found once.
struct Analysis {
    std::string_view bytes;
    ContainerScan container;
    std::optional<Module> module;
    std::string fault;  // why there is no module
    BodiesVerdict bodies;
};

Analysis analyse(std::string_view bytes) {
    Analysis found{.bytes = bytes, .container = {}, .module = {}, .fault = {}, .bodies = {}};
    if (bytes.empty()) {
        return found;
    }
    found.container = scan_container(bytes);
    try {
        found.module = read_module(bytes);
    } catch (const ModuleError& error) {
        found.fault = error.what();
        return found;
    }
    found.bodies = judge_bodies(bytes, *found.module);
    return found;
}

LoadVerdict would_load(const Analysis& found, const EnvoyRules& rules) {
    if (found.bytes.empty()) {
        LoadVerdict verdict;
        verdict.loads = false;
        verdict.message = plugin_not_created;
        verdict.log = {plugin_not_created};
        verdict.reason = "the file is empty";
        return verdict;
    }
    if (found.container.corrupted) {
        return refused(parse_failed, code_not_loaded,
                       found.fault.empty() ? "its sections cannot be read" : found.fault);
    }
    if (!found.container.abi) {
        return refused(abi_unknown, code_not_loaded,
                       "no function proxy_abi_version_0_1_0, _0_2_0 or _0_2_1 is exported; is "
                       "the Proxy-Wasm SDK linked in?");
    }
    if (found.container.bad_names) {
        return refused(parse_failed, code_not_loaded, "the name section cannot be read; strip it");
    }
    if (!found.module) {
        return refused(bytecode_failed, code_not_loaded, found.fault);
    }
    const Module& module = *found.module;
    const AbiVersion abi = *found.container.abi;
    for (auto verdict :
         {compile(found.bodies, rules), link(module, abi, rules), instantiate(found.bytes, module),
          check_exports(module, abi), run_entry(found.bytes, module)}) {
        if (verdict) {
            return *verdict;
        }
    }
    LoadVerdict verdict;
    verdict.not_judged = found.bodies.not_judged;
    return verdict;
}

}  // namespace

int newest_envoy_minor() {
    return istio::envoys().back().minor;
}

// WASI: proxy-wasm-cpp-host f383473 (to Envoy 1.32), beb8a4e (1.33 to 1.38), f2db56a (1.39).
EnvoyRules envoy_rules(int minor) {
    const auto all = istio::envoys();
    minor = std::clamp(minor, oldest_envoy_minor, all.back().minor);
    const auto& envoy = all[static_cast<std::size_t>(minor - all.front().minor)];
    return {.minor = minor,
            .wasi = minor <= 32   ? WasiEpoch::a
                    : minor <= 38 ? WasiEpoch::b
                                  : WasiEpoch::c,
            .v8 = envoy.v8,
            .v8_later = envoy.v8_later,
            .later_patch = envoy.later_patch};
}

std::optional<int> loads_since(std::string_view bytes) {
    const Analysis found = analyse(bytes);
    std::optional<int> since;
    for (int minor = newest_envoy_minor(); minor >= oldest_envoy_minor; --minor) {
        if (!would_load(found, envoy_rules(minor)).loads) {
            break;
        }
        since = minor;
    }
    return since;
}

LoadVerdict would_load(std::string_view bytes, const EnvoyRules& rules) {
    return would_load(analyse(bytes), rules);
}

JudgedModule judge_module(std::string_view bytes, const EnvoyRules& rules) {
    Analysis found = analyse(bytes);
    return {would_load(found, rules), std::move(found.module)};
}

}  // namespace wasmplug::wasm
