#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "wasm/bytes.hpp"
#include "wasm/features.hpp"
#include "wasm/limits.hpp"

namespace wasmplug::wasm {

// A value type by its binary code; `heap` is the heap type of 0x63 (ref null) and 0x64 (ref).
struct ValueType {
    std::uint8_t code = 0;
    std::int64_t heap = 0;

    bool operator==(const ValueType&) const = default;
};

struct FunctionType {
    std::vector<ValueType> parameters;
    std::vector<ValueType> results;

    bool operator==(const FunctionType&) const = default;
};

// "i32", "externref", "(ref null 3)".
std::string to_text(const ValueType& type);

// "i32 i32 -> i32", "void -> void": as Envoy writes it.
std::string to_text(const FunctionType& type);

enum class ExternalKind : std::uint8_t { function = 0, table = 1, memory = 2, global = 3, tag = 4 };

std::string_view to_text(ExternalKind kind);

struct Size {           // the limits of a memory (64 KiB pages) or a table (elements)
    ValueType element;  // of a table
    std::uint64_t minimum = 0;
    std::optional<std::uint64_t> maximum;
    bool shared = false;
    bool is_64 = false;
};

struct Import {
    std::string module;
    std::string name;
    ExternalKind kind = ExternalKind::function;
    std::uint32_t type = 0;  // index into Module::types, of a function or a tag
    std::size_t offset = 0;
};

struct Export {
    std::string name;
    ExternalKind kind = ExternalKind::function;
    std::uint32_t index = 0;
    std::size_t offset = 0;
};

struct Section {
    std::uint8_t id = 0;
    std::string name;        // "type", "code" …; a custom section's own name
    std::size_t offset = 0;  // of the contents; a custom section's begin with its name
    std::size_t size = 0;    // of the contents
};

// A function's code: `size` bytes at `offset`, declarations of locals included.
struct Body {
    std::size_t offset = 0;
    std::uint32_t size = 0;
    std::uint32_t locals = 0;
};

// `size` bytes at `offset` of the file; `address` is where in memory 0 they go, when that is a
// plain i32.const.
struct DataSegment {
    std::optional<std::uint32_t> address;
    std::size_t offset = 0;
    std::uint32_t size = 0;
};

struct Global {
    ValueType type;
    bool is_mutable = false;
};

// What a module declares; no body of a function is judged. Index spaces begin with the imports, as
// in the specification.
struct Module {
    std::size_t size = 0;
    std::vector<Section> sections;
    std::vector<std::optional<FunctionType>> types;  // nothing: a struct or an array
    std::vector<Import> imports;
    std::vector<Export> exports;
    std::vector<std::uint32_t> functions;  // type of each
    std::uint32_t imported_functions = 0;
    std::vector<Size> tables;
    std::uint32_t imported_tables = 0;
    std::vector<Size> memories;
    std::uint32_t imported_memories = 0;
    std::vector<Global> globals;
    std::uint32_t imported_globals = 0;
    std::vector<std::uint32_t> tags;  // type of each
    std::optional<std::uint32_t> start;
    std::vector<Body> bodies;  // of functions[imported_functions + i]
    std::vector<DataSegment> data;
    std::optional<std::uint32_t> announced_data;  // the data count, before the code
    std::vector<ValueType> element_segments;      // type of each
    std::vector<bool> referenced;  // by function: named outside of code, so ref.func may name it
    FeatureUse features;           // what the declarations need

    // The type of a function, null when the index is out of range or names no function type.
    const FunctionType* function_type(std::uint32_t index) const;

    const FunctionType* type_of(const Import& import) const;

    // The export of that name, whatever it is, or null.
    const Export* find_export(std::string_view name) const;

    // The same, only when it is a function.
    const Export* find_function(std::string_view name) const;

    // The first custom section of that name, or null.
    const Section* find_custom(std::string_view name) const;
};

// Reads everything but the bodies of functions (judge_bodies() does); throws ModuleError at the
// first fault.
// A module that it takes has sections in order, indices in range and counts below the limits, so
// an engine may be asked to allocate what it declares once over_limits() says nothing.
Module read_module(std::string_view bytes, const ModuleLimits& limits = {});

// The names that the "name" section gives to functions. Faults end the reading quietly: the
// section is advice.
struct Names {
    std::string module;
    std::unordered_map<std::uint32_t, std::string> functions;
};

Names read_names(std::string_view bytes, const Module& module);

// The "producers" section: who made the module ("language" -> {"Rust", ""}).
struct Producer {
    std::string field;
    std::string name;
    std::string version;
};

std::vector<Producer> read_producers(std::string_view bytes, const Module& module);

}  // namespace wasmplug::wasm
