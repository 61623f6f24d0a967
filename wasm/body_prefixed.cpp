// The instructions of two numbers: 0xfc bulk memory and tables, 0xfd vectors, 0xfe threads.

#include <fmt/format.h>

#include "wasm/body_judge.hpp"

namespace wasmplug::wasm {

bool BodyJudge::prefixed(std::uint8_t opcode, Bytes& in) {
    if (opcode < 0xfc || opcode > 0xfe) {
        return false;
    }
    const std::uint32_t second = in.u32("an instruction");
    const bool known = opcode == 0xfc   ? bulk(second, in)
                       : opcode == 0xfd ? vector(second, in)
                                        : atomic(second, in);
    if (!known) {
        invalid(fmt::format("instruction 0x{:02x} {} is unknown", opcode, second));
    }
    return true;
}

bool BodyJudge::bulk(std::uint32_t opcode, Bytes& in) {
    if (const Operation& operation = saturating_operation(opcode); operation.known) {
        operate(operation, Kind::i32);
        return true;
    }
    return bulk_of_memory(opcode, in) || bulk_of_table(opcode, in);
}

void BodyJudge::pop_three(Kind first, Kind second, Kind third) {
    pop(third);
    pop(second);
    pop(first);
}

bool BodyJudge::bulk_of_memory(std::uint32_t opcode, Bytes& in) {
    switch (opcode) {
        case 8:  // memory.init
        case 9:  // data.drop
            if (!module_.announced_data) {
                invalid("it names a data segment and the module has no data count section");
            }
            index(in, *module_.announced_data, "data segment");
            if (opcode == 8) {
                pop_three(memory_index(in), Kind::i32, Kind::i32);
            }
            return true;
        case 10: {  // memory.copy
            const Kind to = memory_index(in);
            const Kind from = memory_index(in);
            pop_three(to, from, to == from ? to : Kind::i32);
            return true;
        }
        case 11: {  // memory.fill
            const Kind address = memory_index(in);
            pop_three(address, Kind::i32, address);
            return true;
        }
        default:
            return false;
    }
}

bool BodyJudge::bulk_of_table(std::uint32_t opcode, Bytes& in) {
    switch (opcode) {
        case 12:    // table.init
        case 13: {  // elem.drop
            const std::uint32_t segment =
                index(in, module_.element_segments.size(), "element segment");
            if (opcode == 12) {
                const auto [at, element] = table_index(in);
                const auto given = kind_of(module_.element_segments[segment]);
                if (given && *given != element) {
                    invalid(fmt::format("elements of type {} do not fit a table of {}",
                                        to_text(*given), to_text(element)));
                }
                pop_three(at, Kind::i32, Kind::i32);
            }
            return true;
        }
        case 14: {  // table.copy
            const auto [to, held] = table_index(in);
            const auto [from, given] = table_index(in);
            if (held != given) {
                invalid("it copies between tables of two types");
            }
            pop_three(to, from, to == from ? to : Kind::i32);
            return true;
        }
        case 15: {  // table.grow
            const auto [size, element] = table_index(in);
            pop(size);
            pop(element);
            push(size);
            return true;
        }
        case 16:  // table.size
            push(table_index(in).first);
            return true;
        case 17: {  // table.fill
            const auto [at, element] = table_index(in);
            pop_three(at, element, at);
            return true;
        }
        default:
            return false;
    }
}

void BodyJudge::lane_immediate(unsigned lanes, Bytes& in) {
    const unsigned lane = in.u8("a lane");
    if (lane >= lanes) {
        invalid(fmt::format("lane {} does not exist, there are {}", lane, lanes));
    }
}

bool BodyJudge::vector(std::uint32_t opcode, Bytes& in) {
    const Operation& operation = vector_operation(opcode);
    if (!operation.known) {
        return false;
    }
    if (opcode >= 0x100) {
        features_.note(Feature::relaxed_simd, at_);
    }
    const Kind address = operation.memory ? memory_immediate(operation, false, in) : Kind::i32;
    if (opcode == 12) {
        in.take(16, "a constant");
    }
    if (opcode == 13) {
        for (int i = 0; i < 16; ++i) {
            lane_immediate(32, in);
        }
    }
    if (operation.lanes != 0) {
        lane_immediate(operation.lanes, in);
    }
    operate(operation, address);
    return true;
}

bool BodyJudge::atomic(std::uint32_t opcode, Bytes& in) {
    const Operation& operation = atomic_operation(opcode);
    if (!operation.known) {
        return false;
    }
    if (opcode == 3) {
        if (in.u8("a fence") != 0) {
            invalid("a fence is followed by zero");
        }
        return true;
    }
    operate(operation, memory_immediate(operation, true, in));
    return true;
}

}  // namespace wasmplug::wasm
