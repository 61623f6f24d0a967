#include "wasm/module.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace wasmplug::wasm {

std::string to_text(const ValueType& type) {
    const auto heap_text = [&] {
        // Abstract heap types are the negative one-byte codes of the shorthand reference types.
        return type.heap >= 0 ? std::to_string(type.heap)
                              : to_text(ValueType{static_cast<std::uint8_t>(type.heap & 0x7f), 0});
    };
    switch (type.code) {
        case 0x7f:
            return "i32";
        case 0x7e:
            return "i64";
        case 0x7d:
            return "f32";
        case 0x7c:
            return "f64";
        case 0x7b:
            return "v128";
        case 0x70:
            return "funcref";
        case 0x6f:
            return "externref";
        case 0x6e:
            return "anyref";
        case 0x69:
            return "exnref";
        case 0x63:
            return "(ref null " + heap_text() + ")";
        case 0x64:
            return "(ref " + heap_text() + ")";
        default:
            return fmt::format("type 0x{:02x}", type.code);
    }
}

namespace {

std::string types_text(const std::vector<ValueType>& types) {
    if (types.empty()) {
        return "void";
    }
    std::string text;
    for (const auto& type : types) {
        text += (text.empty() ? "" : " ") + to_text(type);
    }
    return text;
}

}  // namespace

std::string to_text(const FunctionType& type) {
    return types_text(type.parameters) + " -> " + types_text(type.results);
}

std::string_view to_text(ExternalKind kind) {
    switch (kind) {
        case ExternalKind::function:
            return "function";
        case ExternalKind::table:
            return "table";
        case ExternalKind::memory:
            return "memory";
        case ExternalKind::global:
            return "global";
        case ExternalKind::tag:
            return "tag";
    }
    return "";
}

const FunctionType* Module::function_type(std::uint32_t index) const {
    if (index >= functions.size()) {
        return nullptr;
    }
    const auto& type = types[functions[index]];
    return type ? &*type : nullptr;
}

const FunctionType* Module::type_of(const Import& import) const {
    if (import.kind != ExternalKind::function && import.kind != ExternalKind::tag) {
        return nullptr;
    }
    const auto& type = types[import.type];
    return type ? &*type : nullptr;
}

const Export* Module::find_export(std::string_view name) const {
    const auto found = std::find_if(exports.begin(), exports.end(),
                                    [&](const Export& each) { return each.name == name; });
    return found == exports.end() ? nullptr : &*found;
}

const Export* Module::find_function(std::string_view name) const {
    const Export* found = find_export(name);
    return found != nullptr && found->kind == ExternalKind::function ? found : nullptr;
}

const Section* Module::find_custom(std::string_view name) const {
    const auto found = std::find_if(sections.begin(), sections.end(), [&](const Section& each) {
        return each.id == 0 && each.name == name;
    });
    return found == sections.end() ? nullptr : &*found;
}

std::optional<std::string> over_limits(const Module& module, const EngineLimits& limits) {
    if (module.memories.size() > 1) {
        return fmt::format("the module has {} memories, the engine takes one",
                           module.memories.size());
    }
    for (const auto& memory : module.memories) {
        if (memory.minimum > limits.memory_pages) {
            return fmt::format("the memory begins with {} pages, over the limit of {}",
                               memory.minimum, limits.memory_pages);
        }
    }
    std::uint64_t elements = 0;
    for (const auto& table : module.tables) {
        elements += std::min(table.minimum, limits.table_elements + 1);
    }
    if (elements > limits.table_elements) {
        return fmt::format("the tables begin with more than {} elements", limits.table_elements);
    }
    std::uint64_t locals = 0;
    for (const auto& body : module.bodies) {
        locals += body.locals;
    }
    if (locals > limits.total_locals) {
        return fmt::format("the functions have {} locals, over the limit of {}", locals,
                           limits.total_locals);
    }
    return std::nullopt;
}

}  // namespace wasmplug::wasm
