#pragma once

// The reader of reader.cpp and reader_code.cpp; others call read_module().

#include <optional>
#include <string_view>
#include <vector>

#include "wasm/module.hpp"
#include "wasm/operations.hpp"

namespace wasmplug::wasm {

class Reader {
  public:
    Reader(std::string_view bytes, const ModuleLimits& limits) : bytes_(bytes), limits_(limits) {}

    Module read();

  private:
    void header(Bytes& in) const;
    void section(std::uint8_t id, Bytes& in);
    void finish(std::size_t end) const;

    void type_section(Bytes& in);
    void type(Bytes& in);
    void import_section(Bytes& in);
    void import(Bytes& in);
    void function_section(Bytes& in);
    void table_section(Bytes& in);
    void memory_section(Bytes& in);
    void note_memories(std::size_t offset);
    static bool mutability(Bytes& in);
    void global_section(Bytes& in);
    void tag_section(Bytes& in);
    void export_section(Bytes& in);
    void start_section(Bytes& in);
    void element_section(Bytes& in);
    void element_segment(Bytes& in);
    void code_section(Bytes& in);
    void data_section(Bytes& in);

    ValueType value_type(Bytes& in, bool packed = false);
    ValueType reference_type(Bytes& in);
    std::vector<ValueType> value_types(Bytes& in, std::uint32_t limit, const char* what);
    Size size(Bytes& in, bool memory);
    Size table(Bytes& in);
    std::uint32_t type_index(Bytes& in, const char* what) const;
    std::uint32_t function_index(Bytes& in, const char* what) const;
    void constant_expression(Bytes& in, std::optional<Kind> wanted);
    void constant_instruction(std::uint8_t opcode, std::size_t start, Bytes& in);
    bool constant_prefixed_instruction(std::uint8_t prefix, Bytes& in);
    void constant_arithmetic(std::uint8_t opcode, std::size_t start);
    void constant_global(Bytes& in, std::size_t start);
    std::uint32_t referenced_function(Bytes& in, const char* what);
    void check_index(std::size_t index, std::size_t count, std::size_t offset,
                     const char* what) const;

    std::string_view bytes_;
    const ModuleLimits& limits_;
    Module module_;
    std::vector<Kind> constants_;  // the stack of constant_expression()
};

[[noreturn]] inline void fault(ModuleError::Kind kind, std::size_t offset,
                               const std::string& what) {
    throw ModuleError(kind, offset, what);
}

}  // namespace wasmplug::wasm
