#include "wasm/start.hpp"

#include <fmt/format.h>

#include "wasm/abi.hpp"

namespace wasmplug::wasm {

namespace {

constexpr int most_calls = 16;

enum class Step { next, call, unreachable, stop };

// Reads one instruction and its immediates. Only those are known that go on to the next one
// without a condition; everything else is `stop`. Loads and stores pass: they could trap first,
// but then the module is refused all the same.
Step read_instruction(Bytes& in, std::uint32_t& callee) {
    const std::uint8_t opcode = in.u8("an instruction");
    switch (opcode) {
        case 0x00:
            return Step::unreachable;
        case 0x01:  // nop
        case 0x1a:  // drop
            return Step::next;
        case 0x10:
            callee = in.u32("a function");
            return Step::call;
        case 0x20:  // local.get, set, tee; global.get, set
        case 0x21:
        case 0x22:
        case 0x23:
        case 0x24:
            in.u32("an index");
            return Step::next;
        case 0x41:
            in.signed_leb(32, "a constant");
            return Step::next;
        case 0x42:
            in.signed_leb(64, "a constant");
            return Step::next;
        default:
            break;
    }
    if (opcode >= 0x28 && opcode <= 0x3e) {
        in.u32("an alignment");
        in.u64("an offset");
        return Step::next;
    }
    // Comparisons and arithmetic without division, conversion or truncation: they cannot trap.
    const bool harmless = (opcode >= 0x45 && opcode <= 0x6c) || (opcode >= 0x71 && opcode <= 0x7e);
    return harmless ? Step::next : Step::stop;
}

std::optional<StartFault> walk(std::string_view bytes, const Module& module, std::uint32_t function,
                               int& calls_left, bool& stopped) {
    if (function < module.imported_functions) {
        std::uint32_t index = 0;
        for (const auto& import : module.imports) {
            if (import.kind != ExternalKind::function || index++ != function) {
                continue;
            }
            if (allowed_at_start(import.module, import.name)) {
                return std::nullopt;
            }
            return StartFault{true, fmt::format("calls {}.{} before the plugin runs", import.module,
                                                import.name)};
        }
    }
    const Body& body = module.bodies[function - module.imported_functions];
    Bytes in(bytes.substr(body.offset, body.size), body.offset);
    for (std::uint32_t groups = in.u32("the groups of locals"); groups > 0; --groups) {
        in.u32("a number of locals");
        const std::uint8_t type = in.u8("a value type");
        if (type == 0x63 || type == 0x64) {
            in.signed_leb(33, "a heap type");
        }
    }
    while (in.left() > 1) {
        std::uint32_t callee = 0;
        switch (read_instruction(in, callee)) {
            case Step::next:
                break;
            case Step::unreachable:
                return StartFault{false, "meets an 'unreachable' instruction"};
            case Step::call:
                if (callee >= module.functions.size() || --calls_left < 0) {
                    stopped = true;
                    return std::nullopt;
                }
                if (auto fault = walk(bytes, module, callee, calls_left, stopped)) {
                    return fault;
                }
                if (stopped) {
                    return std::nullopt;
                }
                break;
            case Step::stop:
                stopped = true;
                return std::nullopt;
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<StartFault> certain_fault(std::string_view bytes, const Module& module,
                                        std::uint32_t function) {
    int calls_left = most_calls;
    bool stopped = false;
    try {
        return walk(bytes, module, function, calls_left, stopped);
    } catch (const ModuleError&) {
        return std::nullopt;  // an instruction that is not what it seems: nothing is certain
    }
}

}  // namespace wasmplug::wasm
