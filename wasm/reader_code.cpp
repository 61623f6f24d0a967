// Initialisers, element segments, code and data.

#include <fmt/format.h>

#include "wasm/reader.hpp"

namespace wasmplug::wasm {

// Judges an initialiser (§5.4.9), which must leave one value of the kind `wanted`, when it is
// known. Which instructions are constant depends on the features of the engine; all that Envoy's V8
// takes are known here.
void Reader::constant_expression(Bytes& in, std::optional<Kind> wanted) {
    constants_.clear();
    std::size_t start = in.offset();
    std::uint8_t opcode = in.u8("an initialiser");
    for (; opcode != 0x0b; start = in.offset(), opcode = in.u8("an initialiser")) {
        constant_instruction(opcode, start, in);
    }
    if (constants_.size() != 1) {
        fault(ModuleError::Kind::malformed, start,
              fmt::format("an initialiser leaves {} values, not one", constants_.size()));
    }
    if (wanted && constants_[0] != Kind::any && constants_[0] != *wanted) {
        fault(ModuleError::Kind::malformed, start,
              fmt::format("an initialiser is of type {}, and {} is wanted", to_text(constants_[0]),
                          to_text(*wanted)));
    }
}

void Reader::constant_instruction(std::uint8_t opcode, std::size_t start, Bytes& in) {
    switch (opcode) {
        case 0x23:
            constant_global(in, start);
            return;
        case 0x41:
            in.signed_leb(32, "a constant");
            constants_.push_back(Kind::i32);
            return;
        case 0x42:
            in.signed_leb(64, "a constant");
            constants_.push_back(Kind::i64);
            return;
        case 0x43:
            in.take(4, "a constant");
            constants_.push_back(Kind::f32);
            return;
        case 0x44:
            in.take(8, "a constant");
            constants_.push_back(Kind::f64);
            return;
        case 0x6a:  // i32 and i64 add, sub, mul: extended constant expressions
        case 0x6b:
        case 0x6c:
        case 0x7c:
        case 0x7d:
        case 0x7e:
            constant_arithmetic(opcode, start);
            return;
        case 0xd0: {
            const std::int64_t heap = in.signed_leb(33, "a heap type");
            constants_.push_back(kind_of({0x63, heap}).value_or(Kind::any));
            return;
        }
        case 0xd2:
            referenced_function(in, "a function reference");
            constants_.push_back(Kind::funcref);
            return;
        case 0xfb:
        case 0xfd:
            if (constant_prefixed_instruction(opcode, in)) {
                return;
            }
            [[fallthrough]];
        default:
            fault(ModuleError::Kind::malformed, start,
                  fmt::format("instruction 0x{:02x} is not constant", opcode));
    }
}

// global.get: of a global that never changes and was declared before.
void Reader::constant_global(Bytes& in, std::size_t start) {
    const std::uint32_t index = in.u32("a global");
    check_index(index, module_.globals.size(), start, "global");
    const Global& global = module_.globals[index];
    if (global.is_mutable) {
        fault(ModuleError::Kind::malformed, start,
              fmt::format("an initialiser reads global {}, which is mutable", index));
    }
    if (index >= module_.imported_globals) {
        module_.features.note(Feature::garbage_collection, start);
    }
    constants_.push_back(kind_of(global.type).value_or(Kind::any));
}

void Reader::constant_arithmetic(std::uint8_t opcode, std::size_t start) {
    module_.features.note(Feature::extended_constants, start);
    const Kind kind = opcode < 0x7c ? Kind::i32 : Kind::i64;
    if (constants_.size() < 2 || constants_[constants_.size() - 1] != kind ||
        constants_[constants_.size() - 2] != kind) {
        fault(ModuleError::Kind::malformed, start,
              fmt::format("instruction 0x{:02x} in an initialiser wants two {}", opcode,
                          to_text(kind)));
    }
    constants_.pop_back();
}

bool Reader::constant_prefixed_instruction(std::uint8_t prefix, Bytes& in) {
    const std::size_t start = in.offset();
    const std::uint32_t opcode = in.u32("an instruction");
    if (prefix == 0xfd) {  // v128.const
        if (opcode == 12) {
            in.take(16, "a constant");
            constants_.push_back(Kind::v128);
        }
        return opcode == 12;
    }
    module_.features.note(Feature::garbage_collection, start);
    switch (opcode) {
        case 0x00:  // struct.new
        case 0x01:  // struct.new_default
        case 0x06:  // array.new
        case 0x07:  // array.new_default
            in.u32("a type");
            break;
        case 0x08:  // array.new_fixed
            in.u32("a type");
            in.u32("a length");
            break;
        case 0x1a:  // any.convert_extern
        case 0x1b:  // extern.convert_any
        case 0x1c:  // ref.i31
            break;
        default:
            return false;
    }
    // How many fields it takes is not known here: what it leaves stands for everything.
    constants_.assign(1, Kind::any);
    return true;
}

std::uint32_t Reader::referenced_function(Bytes& in, const char* what) {
    const std::uint32_t index = function_index(in, what);
    module_.referenced[index] = true;
    return index;
}

void Reader::element_section(Bytes& in) {
    const std::uint32_t count =
        in.count(limits_.element_segments, "the number of element segments");
    module_.element_segments.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        element_segment(in);
    }
}

void Reader::element_segment(Bytes& in) {
    const std::size_t start = in.offset();
    const std::uint32_t flags = in.u32("an element segment");
    if (flags > 7) {
        fault(ModuleError::Kind::malformed, start,
              fmt::format("{} are no flags of an element segment", flags));
    }
    const bool passive = (flags & 1) != 0;
    const bool explicit_kind = (flags & 3) != 0;
    const bool expressions = (flags & 4) != 0;
    std::uint32_t table = 0;
    if (!passive) {
        table = (flags & 2) != 0 ? in.u32("a table") : 0;
        check_index(table, module_.tables.size(), start, "table");
        constant_expression(in, module_.tables[table].is_64 ? Kind::i64 : Kind::i32);
    }
    ValueType type{0x70, 0};
    if (explicit_kind) {
        if (expressions) {
            type = reference_type(in);
        } else if (in.u8("an element kind") != 0) {
            fault(ModuleError::Kind::malformed, start, "unknown kind of element");
        }
    }
    if (!passive) {
        const auto held = kind_of(module_.tables[table].element);
        const auto given = kind_of(type);
        if (held && given && *held != *given) {
            fault(ModuleError::Kind::malformed, start,
                  fmt::format("elements of type {} do not fit table {} of {}", to_text(*given),
                              table, to_text(*held)));
        }
    }
    module_.element_segments.push_back(type);
    for (std::uint32_t left = in.count(limits_.table_elements, "the number of elements"); left > 0;
         --left) {
        if (expressions) {
            constant_expression(in, kind_of(type));
        } else {
            referenced_function(in, "an element");
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

// What an initialiser leaves that is one i32.const and nothing else.
static std::optional<std::uint32_t> plain_i32(Bytes initialiser) {
    if (initialiser.u8("an initialiser") != 0x41) {
        return std::nullopt;
    }
    const std::int64_t value = initialiser.signed_leb(32, "a constant");
    if (initialiser.u8("an initialiser") != 0x0b) {
        return std::nullopt;
    }
    return static_cast<std::uint32_t>(value);
}

void Reader::data_section(Bytes& in) {
    const std::uint32_t count = in.count(limits_.data_segments, "the number of data segments");
    module_.data.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::size_t start = in.offset();
        DataSegment segment;
        const std::uint32_t flags = in.u32("a data segment");
        if (flags > 2) {
            fault(ModuleError::Kind::malformed, start,
                  fmt::format("{} are no flags of a data segment", flags));
        }
        if (flags != 1) {
            const std::uint32_t memory = flags == 2 ? in.u32("a memory") : 0;
            check_index(memory, module_.memories.size(), start, "memory");
            const Bytes initialiser = in;
            constant_expression(in, module_.memories[memory].is_64 ? Kind::i64 : Kind::i32);
            segment.address = memory == 0 ? plain_i32(initialiser) : std::nullopt;
        }
        segment.size = static_cast<std::uint32_t>(in.sized("a data segment").size());
        segment.offset = in.offset() - segment.size;
        module_.data.push_back(segment);
    }
}

}  // namespace wasmplug::wasm
