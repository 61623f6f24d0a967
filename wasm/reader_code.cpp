// Initialisers, element segments, code and data.

#include <fmt/format.h>

#include <array>

#include "wasm/reader.hpp"

namespace wasmplug::wasm {

// Skips an initialiser (§5.4.9). Which instructions are constant depends on the features of the
// engine; all that Envoy's V8 takes are known here.
void Reader::constant_expression(Bytes& in) const {
    while (true) {
        const std::size_t start = in.offset();
        const std::uint8_t opcode = in.u8("an initialiser");
        switch (opcode) {
            case 0x0b:
                return;
            case 0x23:  // global.get
                check_index(in.u32("a global"), module_.globals.size(), start, "global");
                break;
            case 0x41:
                in.signed_leb(32, "a constant");
                break;
            case 0x42:
                in.signed_leb(64, "a constant");
                break;
            case 0x43:
                in.take(4, "a constant");
                break;
            case 0x44:
                in.take(8, "a constant");
                break;
            case 0x6a:  // i32 and i64 add, sub, mul: extended constant expressions
            case 0x6b:
            case 0x6c:
            case 0x7c:
            case 0x7d:
            case 0x7e:
                break;
            case 0xd0:
                in.signed_leb(33, "a heap type");
                break;
            case 0xd2:
                function_index(in, "a function reference");
                break;
            case 0xfb:
            case 0xfd:
                if (constant_prefixed_instruction(opcode, in)) {
                    break;
                }
                [[fallthrough]];
            default:
                fault(ModuleError::Kind::malformed, start,
                      fmt::format("instruction 0x{:02x} is not constant", opcode));
        }
    }
}

bool Reader::constant_prefixed_instruction(std::uint8_t prefix, Bytes& in) const {
    const std::uint32_t opcode = in.u32("an instruction");
    if (prefix == 0xfd) {  // v128.const
        if (opcode == 12) {
            in.take(16, "a constant");
        }
        return opcode == 12;
    }
    switch (opcode) {
        case 0x00:  // struct.new
        case 0x01:  // struct.new_default
        case 0x06:  // array.new
        case 0x07:  // array.new_default
            in.u32("a type");
            return true;
        case 0x08:  // array.new_fixed
            in.u32("a type");
            in.u32("a length");
            return true;
        case 0x1a:  // any.convert_extern
        case 0x1b:  // extern.convert_any
        case 0x1c:  // ref.i31
            return true;
        default:
            return false;
    }
}

void Reader::element_section(Bytes& in) {
    module_.element_segments = in.count(limits_.element_segments, "the number of element segments");
    for (std::uint32_t i = 0; i < module_.element_segments; ++i) {
        element_segment(in);
    }
}

void Reader::element_segment(Bytes& in) const {
    const std::size_t start = in.offset();
    const std::uint32_t flags = in.u32("an element segment");
    if (flags > 7) {
        fault(ModuleError::Kind::malformed, start,
              fmt::format("{} are no flags of an element segment", flags));
    }
    const bool passive = (flags & 1) != 0;
    const bool explicit_kind = (flags & 3) != 0;
    const bool expressions = (flags & 4) != 0;
    if (!passive) {
        if ((flags & 2) != 0) {
            in.u32("a table");
        }
        constant_expression(in);
    }
    if (explicit_kind) {
        if (expressions) {
            reference_type(in);
        } else {
            in.u8("an element kind");
        }
    }
    for (std::uint32_t left = in.count(limits_.table_elements, "the number of elements"); left > 0;
         --left) {
        if (expressions) {
            constant_expression(in);
        } else {
            function_index(in, "an element");
        }
    }
}

void Reader::code_section(Bytes& in) {
    const std::uint32_t count = in.count(limits_.functions, "the number of bodies");
    module_.bodies.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::size_t start = in.offset();
        const std::uint32_t size = in.u32("a function's size");
        if (size > limits_.function_bytes) {
            fault(ModuleError::Kind::limit, start,
                  fmt::format("a function has {} bytes, over the limit of {}", size,
                              limits_.function_bytes));
        }
        Bytes body = in.part(size, "a function");
        const std::size_t offset = body.offset();
        std::uint64_t locals = 0;
        for (std::uint32_t groups = body.count(limits_.locals, "the groups of locals"); groups > 0;
             --groups) {
            locals += body.u32("a number of locals");
            value_type(body);
            if (locals > limits_.locals) {
                fault(ModuleError::Kind::limit, offset,
                      fmt::format("a function has {} locals, over the limit of {}", locals,
                                  limits_.locals));
            }
        }
        if (body.at_end() || bytes_[offset + size - 1] != 0x0b) {
            fault(ModuleError::Kind::malformed, offset + size, "a function does not end");
        }
        module_.bodies.push_back({offset, size, static_cast<std::uint32_t>(locals)});
    }
}

void Reader::data_section(Bytes& in) {
    module_.data_segments = in.count(limits_.data_segments, "the number of data segments");
    for (std::uint32_t i = 0; i < module_.data_segments; ++i) {
        const std::size_t start = in.offset();
        const std::uint32_t flags = in.u32("a data segment");
        if (flags > 2) {
            fault(ModuleError::Kind::malformed, start,
                  fmt::format("{} are no flags of a data segment", flags));
        }
        if (flags != 1) {
            const std::uint32_t memory = flags == 2 ? in.u32("a memory") : 0;
            check_index(memory, module_.memories.size(), start, "memory");
            constant_expression(in);
        }
        in.sized("a data segment");
    }
}

}  // namespace wasmplug::wasm
