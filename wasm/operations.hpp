#pragma once

// The instructions that only take values from the stack and put one there: what each takes and
// gives, and the immediates that have bounds. Control, variables, tables and references are code
// (bodies.cpp).

#include <array>
#include <cstdint>

#include "wasm/module.hpp"

namespace wasmplug::wasm {

// A value on the stack of a function. `any` is what an unreachable stack holds; `address` stands
// for i32 or i64, by the memory that is named.
enum class Kind : std::uint8_t {
    any,
    i32,
    i64,
    f32,
    f64,
    v128,
    funcref,
    externref,
    exnref,
    address
};

const char* to_text(Kind kind);

// Nothing for a type that only the garbage-collected part of WebAssembly has.
std::optional<Kind> kind_of(const ValueType& type);

struct Operation {
    bool known = false;
    std::array<Kind, 3> takes{};
    std::uint8_t taken = 0;
    Kind gives = Kind::any;      // any: nothing
    bool memory = false;         // an alignment and an offset follow
    std::uint8_t alignment = 0;  // log2 of the greatest; of an atomic access, the only one
    std::uint8_t lanes = 0;      // a lane below it follows; 0: none
};

// By the second byte of 0x00, 0xfc, 0xfd and 0xfe.
const Operation& plain_operation(std::uint32_t opcode);
const Operation& saturating_operation(std::uint32_t opcode);
const Operation& vector_operation(std::uint32_t opcode);
const Operation& atomic_operation(std::uint32_t opcode);

}  // namespace wasmplug::wasm
