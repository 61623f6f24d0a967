// Blocks, branches, calls and exceptions.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "wasm/body_judge.hpp"

namespace wasmplug::wasm {

namespace {

// V8's src/wasm/wasm-limits.h, kV8MaxWasmFunctionBrTableSize.
constexpr std::uint32_t most_targets = 65'520;

// A block of one result points at its entry.
constexpr std::array<Kind, 9> single{Kind::any,     Kind::i32,       Kind::i64,
                                     Kind::f32,     Kind::f64,       Kind::v128,
                                     Kind::funcref, Kind::externref, Kind::exnref};

constexpr std::uint8_t op_block = 0x02;
constexpr std::uint8_t op_loop = 0x03;
constexpr std::uint8_t op_if = 0x04;
constexpr std::uint8_t op_else = 0x05;
constexpr std::uint8_t op_try = 0x06;
constexpr std::uint8_t op_catch = 0x07;
constexpr std::uint8_t op_delegate = 0x18;
constexpr std::uint8_t op_catch_all = 0x19;

}  // namespace

std::pair<BodyJudge::Kinds, BodyJudge::Kinds> BodyJudge::block_type(Bytes& in) {
    const std::uint8_t first = in.peek("a block's type");
    if (first == 0x40) {
        in.u8("a block's type");
        return {};
    }
    if (first >= 0x40 && first < 0x80) {  // one negative byte: a value type
        const auto kind = static_cast<std::size_t>(value_type(in));
        return {Kinds{}, Kinds(&single[kind], 1)};
    }
    const std::int64_t type = in.signed_leb(33, "a block's type");
    if (type < 0 || static_cast<std::uint64_t>(type) >= module_.types.size()) {
        invalid(fmt::format("a block has type {}, there are {}", type, module_.types.size()));
    }
    if (!module_.types[static_cast<std::size_t>(type)]) {
        invalid(fmt::format("a block has type {}, which is no function type", type));
    }
    const Signature& found = signature(static_cast<std::uint32_t>(type), "a block");
    return {found.takes, found.gives};
}

void BodyJudge::open(std::uint8_t opcode, Kinds takes, Kinds gives) {
    frames_.push_back({opcode, takes, gives, stack_.size(), false});
    push_all(takes);
}

// What a block must have left when it ends, or gives way to its "else" or "catch".
BodyJudge::Frame BodyJudge::close() {
    const Frame frame = frames_.back();
    pop_all(frame.gives);
    if (stack_.size() != frame.height) {
        invalid(fmt::format("{} values too many are on the stack at the end of a block",
                            stack_.size() - frame.height));
    }
    frames_.pop_back();
    return frame;
}

void BodyJudge::end() {
    const Frame frame = close();
    if (frame.opcode == op_if && !std::ranges::equal(frame.takes, frame.gives)) {
        invalid("an 'if' without 'else' must give what it takes");
    }
    push_all(frame.gives);
}

bool BodyJudge::control(std::uint8_t opcode, Bytes& in) {
    switch (opcode) {
        case 0x00:
            unreachable();
            return true;
        case 0x01:
            return true;
        case op_block:
        case op_loop:
        case op_if:
        case op_try: {
            const auto [takes, gives] = block_type(in);
            if (opcode == op_if) {
                pop(Kind::i32);
            }
            old_exceptions_ = old_exceptions_ || opcode == op_try;
            pop_all(takes);
            open(opcode, takes, gives);
            return true;
        }
        case op_else: {
            if (frames_.back().opcode != op_if) {
                invalid("an 'else' without its 'if'");
            }
            const Frame frame = close();
            open(op_else, frame.takes, frame.gives);
            return true;
        }
        case 0x0b:
            end();
            return true;
        default:
            return false;
    }
}

const BodyJudge::Frame& BodyJudge::target(Bytes& in) {
    const std::uint32_t depth = in.u32("a label");
    if (depth >= frames_.size()) {
        invalid(fmt::format("label {} does not exist, there are {}", depth, frames_.size()));
    }
    return frames_[frames_.size() - 1 - depth];
}

bool BodyJudge::branch(std::uint8_t opcode, Bytes& in) {
    switch (opcode) {
        case 0x0c:  // br
            pop_all(label(target(in)));
            unreachable();
            return true;
        case 0x0d: {  // br_if
            const Kinds kinds = label(target(in));
            pop(Kind::i32);
            pop_all(kinds);
            push_all(kinds);
            return true;
        }
        case 0x0e: {  // br_table
            std::uint32_t targets = in.count(most_targets, "the targets of a br_table");
            pop(Kind::i32);
            const Frame* first = nullptr;
            for (++targets; targets > 0; --targets) {
                const Frame& next = target(in);
                if (first != nullptr && label(next).size() != label(*first).size()) {
                    invalid("the targets of a br_table take different numbers of values");
                }
                // One after the other is mostly the same: compared once.
                if (first == nullptr || label(next).data() != label(*first).data()) {
                    check_top(label(next));
                    first = &next;
                }
            }
            unreachable();
            return true;
        }
        case 0x0f:  // return
            pop_all(frames_.front().gives);
            unreachable();
            return true;
        default:
            return false;
    }
}

void BodyJudge::leave_by_call(const Signature& callee) {
    features_.note(Feature::tail_calls, at_);
    if (!std::ranges::equal(callee.gives, frames_.front().gives)) {
        invalid("a tail call gives something else than the function");
    }
    unreachable();
}

void BodyJudge::indirect_call(bool tail, Bytes& in) {
    const std::uint32_t type = index(in, module_.types.size(), "type");
    if (!module_.types[type]) {
        invalid(fmt::format("type {} is no function type", type));
    }
    const auto [at, element] = table_index(in);
    if (element != Kind::funcref) {
        invalid(fmt::format("a call through a table of {}", to_text(element)));
    }
    const Signature& callee = signature(type, "a function that is called");
    pop(at);
    pop_all(callee.takes);
    if (tail) {
        leave_by_call(callee);
    } else {
        push_all(callee.gives);
    }
}

bool BodyJudge::call(std::uint8_t opcode, Bytes& in) {
    switch (opcode) {
        case 0x10: {
            const Signature& callee = function(in);
            pop_all(callee.takes);
            push_all(callee.gives);
            return true;
        }
        case 0x11:
        case 0x13:
            indirect_call(opcode == 0x13, in);
            return true;
        case 0x12: {
            const Signature& callee = function(in);
            pop_all(callee.takes);
            leave_by_call(callee);
            return true;
        }
        case 0x14:
        case 0x15:
            features_.note(Feature::garbage_collection, at_);
            throw NotJudged{"it calls through a typed reference"};
        default:
            return false;
    }
}

// Each catch branches, with what the tag carries, to a label around the try_table.
void BodyJudge::catches(Bytes& in) {
    for (std::uint32_t left = in.count(100'000, "the catches"); left > 0; --left) {
        const std::uint8_t form = in.u8("a catch");
        if (form > 3) {
            invalid(fmt::format("{} is no form of catch", form));
        }
        std::vector<Kind> carried;
        if (form < 2) {
            carried = signature(module_.tags[index(in, module_.tags.size(), "tag")], "a tag").takes;
        }
        if ((form & 1) != 0) {
            carried.push_back(Kind::exnref);
        }
        if (!std::ranges::equal(carried, label(target(in)))) {
            invalid("a catch carries something else than its label takes");
        }
    }
}

void BodyJudge::begin_handler(std::uint8_t opcode, Kinds takes) {
    const std::uint8_t before = frames_.back().opcode;
    if (before != op_try && before != op_catch) {
        invalid("a catch without its try");
    }
    const Frame frame = close();
    frames_.push_back({opcode, frame.takes, frame.gives, stack_.size(), false});
    push_all(takes);
}

void BodyJudge::delegate(Bytes& in) {
    if (frames_.back().opcode != op_try) {
        invalid("a delegate without its try");
    }
    const Frame frame = close();
    target(in);  // counted from around the try
    push_all(frame.gives);
}

bool BodyJudge::exception(std::uint8_t opcode, Bytes& in) {
    switch (opcode) {
        case op_catch:
            begin_handler(
                opcode,
                signature(module_.tags[index(in, module_.tags.size(), "tag")], "a tag").takes);
            return true;
        case op_catch_all:
            begin_handler(opcode, {});
            return true;
        case op_delegate:
            delegate(in);
            return true;
        case 0x08:  // throw
            pop_all(signature(module_.tags[index(in, module_.tags.size(), "tag")], "a tag").takes);
            unreachable();
            return true;
        case 0x09: {  // rethrow
            const std::uint8_t block = target(in).opcode;
            if (block != op_catch && block != op_catch_all) {
                invalid("a rethrow that is not inside a catch");
            }
            unreachable();
            return true;
        }
        case 0x0a:  // throw_ref
            features_.note(Feature::exception_references, at_);
            new_exceptions_ = true;
            pop(Kind::exnref);
            unreachable();
            return true;
        case 0x1f: {  // try_table
            features_.note(Feature::exception_references, at_);
            new_exceptions_ = true;
            const auto [takes, gives] = block_type(in);
            catches(in);
            pop_all(takes);
            open(op_block, takes, gives);
            return true;
        }
        default:
            return false;
    }
}

BodiesVerdict judge_bodies(std::string_view bytes, const Module& module, std::uint64_t most_work) {
    BodiesVerdict verdict;
    verdict.features = module.features;
    BodyJudge judge(bytes, module, verdict.features, most_work);
    for (std::uint32_t body = 0; body < module.bodies.size(); ++body) {
        const std::uint32_t function = module.imported_functions + body;
        try {
            judge.judge(body);
        } catch (const ModuleError& error) {
            verdict.fault = fmt::format("function {} is invalid: {}", function, error.what());
            return verdict;
        } catch (const NotJudged& limit) {
            if (verdict.not_judged.empty()) {
                verdict.not_judged = fmt::format("function {}: {}", function, limit.why);
            }
        }
    }
    return verdict;
}

}  // namespace wasmplug::wasm
