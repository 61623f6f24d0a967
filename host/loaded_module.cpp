#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "host/imports.hpp"
#include "host/vm.hpp"
#include "wasm/limits.hpp"
#include "wasm/loading.hpp"
#include "wasm/module.hpp"

namespace wasmplug::host {
namespace {

constexpr std::uint8_t data_section = 11;
constexpr std::uint64_t page_size = 65'536;

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) {
        text += (text.empty() ? "" : "\n") + line;
    }
    return text;
}

// A linker of Go's leaves tens of thousands of data segments, and the interpreter runs a program
// for each. Where all have plain addresses within the memory and no instruction may name one (that
// takes the data count), they are copied instead, and the interpreter gets what is before them:
// behind are only custom sections.
std::string_view without_data(std::string_view bytes, const wasm::Module& declared,
                              std::vector<InitialData>& data) {
    const auto section = std::find_if(declared.sections.begin(), declared.sections.end(),
                                      [](const auto& each) { return each.id == data_section; });
    if (section == declared.sections.begin() || section == declared.sections.end() ||
        declared.announced_data || declared.memories.empty()) {
        return bytes;
    }
    const std::uint64_t room = declared.memories[0].minimum * page_size;
    for (const auto& segment : declared.data) {
        if (!segment.address || std::uint64_t{*segment.address} + segment.size > room) {
            return bytes;
        }
    }
    data.reserve(declared.data.size());
    for (const auto& segment : declared.data) {
        data.push_back({*segment.address, bytes.substr(segment.offset, segment.size)});
    }
    const auto before = std::prev(section);
    return bytes.substr(0, before->offset + before->size);
}

std::unique_ptr<LoadedModule> refuse(std::optional<LoadFailure>& failure, std::string message) {
    failure = LoadFailure{.message = std::move(message)};
    return nullptr;
}

std::unique_ptr<LoadedModule> give_up(std::optional<LoadFailure>& failure,
                                      const std::string& reason) {
    failure = LoadFailure{.message = "the embedded host cannot run this module: " + reason,
                          .beyond_us = true};
    return nullptr;
}

}  // namespace

std::unique_ptr<LoadedModule> LoadedModule::load(std::string bytes, bool exact,
                                                 std::optional<LoadFailure>& failure) {
    const auto judged = wasm::judge_module(bytes, wasm::envoy_rules(wasm::newest_envoy_minor()));
    if (!judged.verdict.loads && !judged.verdict.when_run) {
        return refuse(failure, joined(judged.verdict.log));
    }
    const auto& declared = *judged.module;  // what loads has been read
    if (const auto over = wasm::over_limits(declared)) {
        return give_up(failure, *over);
    }
    auto loaded = std::make_unique<LoadedModule>();
    loaded->bytes_ = std::move(bytes);
    std::string error;
    EngineOptions options;
    options.exact = exact;
    const auto code = without_data(loaded->bytes_, declared, options.data);
    loaded->module_ = load_module(code, std::move(options), error);
    if (!loaded->module_) {
        return give_up(failure, error);
    }
    loaded->abi_ = wasm::abi_of(declared).value_or(AbiVersion::v0_2_1);
    for (const auto& import : loaded->module_->imports()) {
        const auto* offered = import.kind == Import::Kind::function
                                  ? find_import(import.module, import.name, loaded->abi_)
                                  : nullptr;
        if (import.kind == Import::Kind::function &&
            (offered == nullptr || !(signature_of(*offered) == import.signature))) {
            return give_up(failure,
                           fmt::format("it does not offer {}.{}", import.module, import.name));
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
