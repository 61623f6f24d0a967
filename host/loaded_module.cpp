#include <fmt/format.h>

#include <utility>

#include "host/imports.hpp"
#include "host/vm.hpp"
#include "wasm/limits.hpp"
#include "wasm/loading.hpp"
#include "wasm/module.hpp"

namespace wasmplug::host {
namespace {

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) {
        text += (text.empty() ? "" : "\n") + line;
    }
    return text;
}

std::unique_ptr<LoadedModule> refuse(std::optional<LoadFailure>& failure, std::string message) {
    failure = LoadFailure{plugintest::Outcome::load_failed, std::move(message)};
    return nullptr;
}

}  // namespace

std::unique_ptr<LoadedModule> LoadedModule::load(std::string bytes, bool exact,
                                                 std::optional<LoadFailure>& failure) {
    const auto verdict = wasm::would_load(bytes, wasm::envoy_rules(wasm::newest_envoy_minor()));
    if (!verdict.loads) {
        return refuse(failure, joined(verdict.log));
    }
    const auto declared = wasm::read_module(bytes);
    if (const auto over = wasm::over_limits(declared)) {
        return refuse(failure, *over);
    }
    auto loaded = std::make_unique<LoadedModule>();
    loaded->bytes_ = std::move(bytes);
    std::string error;
    EngineOptions options;
    options.exact = exact;
    loaded->module_ = load_module(loaded->bytes_, options, error);
    if (!loaded->module_) {
        return refuse(failure,
                      fmt::format("the embedded interpreter cannot run this module: {}", error));
    }
    loaded->abi_ = wasm::abi_of(declared).value_or(AbiVersion::v0_2_1);
    for (const auto& import : loaded->module_->imports()) {
        const auto* offered = import.kind == Import::Kind::function
                                  ? find_import(import.module, import.name, loaded->abi_)
                                  : nullptr;
        if (import.kind == Import::Kind::function &&
            (offered == nullptr || !(signature_of(*offered) == import.signature))) {
            return refuse(failure, fmt::format("the embedded host does not offer {}.{}",
                                               import.module, import.name));
        }
        loaded->linked_.push_back(offered);
    }
    return loaded;
}

std::string LoadedModule::function_name(std::uint32_t index) const {
    const auto declared = wasm::read_module(bytes_);
    const auto names = wasm::read_names(bytes_, declared);
    const auto found = names.functions.find(index);
    return found == names.functions.end() ? "" : found->second;
}

}  // namespace wasmplug::host
