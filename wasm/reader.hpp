#pragma once

// The reader of reader.cpp and reader_code.cpp; others call read_module().

#include <optional>
#include <string_view>
#include <vector>

#include "wasm/module.hpp"

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
    void global_section(Bytes& in);
    void tag_section(Bytes& in);
    void export_section(Bytes& in);
    void start_section(Bytes& in);
    void element_section(Bytes& in);
    void element_segment(Bytes& in) const;
    void code_section(Bytes& in);
    void data_section(Bytes& in);

    ValueType value_type(Bytes& in, bool packed = false) const;
    ValueType reference_type(Bytes& in) const;
    std::vector<ValueType> value_types(Bytes& in, std::uint32_t limit, const char* what) const;
    Size size(Bytes& in, bool memory) const;
    Size table(Bytes& in) const;
    std::uint32_t type_index(Bytes& in, const char* what) const;
    std::uint32_t function_index(Bytes& in, const char* what) const;
    void constant_expression(Bytes& in) const;
    bool constant_prefixed_instruction(std::uint8_t prefix, Bytes& in) const;
    void check_index(std::size_t index, std::size_t count, std::size_t offset,
                     const char* what) const;

    std::string_view bytes_;
    const ModuleLimits& limits_;
    Module module_;
    std::optional<std::uint32_t> declared_data_;
};

[[noreturn]] inline void fault(ModuleError::Kind kind, std::size_t offset,
                               const std::string& what) {
    throw ModuleError(kind, offset, what);
}

}  // namespace wasmplug::wasm
