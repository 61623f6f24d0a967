// Values, variables and references; body_control.cpp has blocks, branches, calls, exceptions,
// body_prefixed.cpp what stands behind a prefix byte.

#include "wasm/body_judge.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace wasmplug::wasm {

namespace {

Kind known_kind(const ValueType& type, bool& known) {
    const auto kind = kind_of(type);
    known = known && kind.has_value();
    return kind.value_or(Kind::any);
}

Signature signature_from(const std::optional<FunctionType>& type) {
    Signature made;
    if (!type) {
        return made;
    }
    made.known = true;
    for (const auto& parameter : type->parameters) {
        made.takes.push_back(known_kind(parameter, made.known));
    }
    for (const auto& result : type->results) {
        made.gives.push_back(known_kind(result, made.known));
    }
    return made;
}

bool is_reference(Kind kind) {
    return kind == Kind::funcref || kind == Kind::externref || kind == Kind::exnref;
}

// Those of variable().
bool is_variable(std::uint8_t opcode) {
    return opcode >= 0x1a && opcode <= 0x24;
}

}  // namespace

BodyJudge::BodyJudge(std::string_view bytes, const Module& module, FeatureUse& features,
                     std::uint64_t most_work)
    : bytes_(bytes), module_(module), features_(features), work_left_(most_work) {
    signatures_.reserve(module.types.size());
    for (const auto& type : module.types) {
        signatures_.push_back(signature_from(type));
    }
}

void BodyJudge::judge(std::uint32_t body) {
    const Body& code = module_.bodies[body];
    Bytes in(bytes_.substr(code.offset, code.size), code.offset);
    at_ = code.offset;
    const Signature& type =
        signature(module_.functions[module_.imported_functions + body], "the function's own type");
    locals_.clear();
    stack_.clear();
    frames_.clear();
    for (const Kind kind : type.takes) {
        locals_.emplace_back(locals_.size() + 1, kind);
    }
    locals(in);
    open(0x02, {}, type.gives);
    while (!frames_.empty()) {
        if (old_exceptions_ && new_exceptions_) {  // a rule of V8's, not of the specification
            invalid("it has exceptions of the first form (try) and of the second (try_table)");
        }
        if (in.at_end()) {
            at_ = in.offset();
            invalid("the function does not end");
        }
        at_ = in.offset();
        instruction(in);
    }
    if (!in.at_end()) {
        at_ = in.offset();
        invalid("there is code behind the end of the function");
    }
}

void BodyJudge::locals(Bytes& in) {
    std::uint64_t total = locals_.size();
    for (std::uint32_t groups = in.u32("the groups of locals"); groups > 0; --groups) {
        total += in.u32("a number of locals");
        at_ = in.offset();
        locals_.emplace_back(total, value_type(in));
    }
}

Kind BodyJudge::local(Bytes& in) const {
    const std::uint32_t index = in.u32("a local");
    for (const auto& [end, kind] : locals_) {
        if (index < end) {
            return kind;
        }
    }
    invalid(fmt::format("local {} does not exist, there are {}", index,
                        locals_.empty() ? 0 : locals_.back().first));
}

void BodyJudge::invalid(const std::string& what) const {
    throw ModuleError(ModuleError::Kind::malformed, at_, what);
}

void BodyJudge::spend(std::size_t work) {
    if (work > work_left_) {
        throw NotJudged{"its calls and branches compare too many types"};
    }
    work_left_ -= work;
}

const Signature& BodyJudge::signature(std::uint32_t type, const char* what) {
    const Signature& found = signatures_[type];
    if (!found.known) {
        throw NotJudged{fmt::format("{} has garbage-collected types", what)};
    }
    return found;
}

std::uint32_t BodyJudge::index(Bytes& in, std::size_t count, const char* what) {
    const std::uint32_t index = in.u32(what);
    if (index >= count) {
        invalid(fmt::format("{} {} does not exist, there are {}", what, index, count));
    }
    return index;
}

const Signature& BodyJudge::function(Bytes& in) {
    return signature(module_.functions[index(in, module_.functions.size(), "function")],
                     "a function that is called");
}

Kind BodyJudge::value_type(Bytes& in) {
    ValueType type{in.u8("a value type"), 0};
    if (type.code == 0x63 || type.code == 0x64) {
        type.heap = in.signed_leb(33, "a heap type");
        features_.note(Feature::garbage_collection, at_);
    }
    if (type.code == 0x69) {
        features_.note(Feature::exception_references, at_);
    }
    const auto kind = kind_of(type);
    if (kind) {
        return *kind;
    }
    if ((type.code >= 0x63 && type.code <= 0x64) || (type.code >= 0x69 && type.code <= 0x74)) {
        features_.note(Feature::garbage_collection, at_);
        throw NotJudged{"it has garbage-collected types"};
    }
    invalid(fmt::format("0x{:02x} is no value type", type.code));
}

// The stack.

void BodyJudge::push_all(Kinds kinds) {
    spend(kinds.size());
    stack_.insert(stack_.end(), kinds.begin(), kinds.end());
}

Kind BodyJudge::pop() {
    const Frame& frame = frames_.back();
    if (stack_.size() > frame.height) {
        const Kind top = stack_.back();
        stack_.pop_back();
        return top;
    }
    if (!frame.unreachable) {
        invalid("the stack is empty where a value is wanted");
    }
    return Kind::any;
}

void BodyJudge::pop_other(Kind wanted) {
    const Frame& frame = frames_.back();
    if (stack_.size() == frame.height) {
        if (!frame.unreachable) {
            invalid(fmt::format("{} is wanted and the stack is empty", to_text(wanted)));
        }
        return;
    }
    const Kind top = stack_.back();
    if (top != wanted && top != Kind::any && wanted != Kind::any) {
        invalid(fmt::format("{} is wanted and {} is on the stack", to_text(wanted), to_text(top)));
    }
    stack_.pop_back();
}

void BodyJudge::pop_all(Kinds kinds) {
    spend(kinds.size());
    for (auto kind = kinds.rbegin(); kind != kinds.rend(); ++kind) {
        pop(*kind);
    }
}

// As pop_all and a push of what was there: the types of several labels are looked for.
void BodyJudge::check_top(Kinds kinds) {
    spend(kinds.size());
    const Frame& frame = frames_.back();
    const std::size_t there = stack_.size() - frame.height;
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        const Kind wanted = kinds[kinds.size() - 1 - i];
        if (i >= there) {
            if (!frame.unreachable) {
                invalid(fmt::format("{} is wanted and the stack is empty", to_text(wanted)));
            }
            return;
        }
        const Kind held = stack_[stack_.size() - 1 - i];
        if (held != wanted && held != Kind::any) {
            invalid(
                fmt::format("{} is wanted and {} is on the stack", to_text(wanted), to_text(held)));
        }
    }
}

void BodyJudge::unreachable() {
    frames_.back().unreachable = true;
    stack_.resize(frames_.back().height);
}

// Instructions.

void BodyJudge::instruction(Bytes& in) {
    const std::uint8_t opcode = in.u8("an instruction");
    // By how often each is met: a megabyte of code is judged at every start of a Go plugin's test.
    const bool known = (is_variable(opcode) ? variable(opcode, in) : plain(opcode, in)) ||
                       control(opcode, in) || branch(opcode, in) || call(opcode, in) ||
                       exception(opcode, in) || reference(opcode, in) || prefixed(opcode, in);
    if (!known) {
        invalid(fmt::format("instruction 0x{:02x} is unknown", opcode));
    }
}

bool BodyJudge::plain(std::uint8_t opcode, Bytes& in) {
    const Operation& operation = plain_operation(opcode);
    if (operation.known) {
        operate(operation, operation.memory ? memory_immediate(operation, false, in) : Kind::i32);
        return true;
    }
    switch (opcode) {
        case 0x41:
            in.signed_leb(32, "a constant");
            push(Kind::i32);
            return true;
        case 0x42:
            in.signed_leb(64, "a constant");
            push(Kind::i64);
            return true;
        case 0x43:
            in.take(4, "a constant");
            push(Kind::f32);
            return true;
        case 0x44:
            in.take(8, "a constant");
            push(Kind::f64);
            return true;
        case 0x3f:  // memory.size
            push(memory_index(in));
            return true;
        case 0x40: {  // memory.grow
            const Kind pages = memory_index(in);
            pop(pages);
            push(pages);
            return true;
        }
        default:
            return false;
    }
}

void BodyJudge::operate(const Operation& operation, Kind address) {
    for (std::size_t i = operation.taken; i-- > 0;) {
        const Kind kind = operation.takes[i];
        pop(kind == Kind::address ? address : kind);
    }
    if (operation.gives != Kind::any) {
        push(operation.gives);
    }
}

Kind BodyJudge::address_of(std::uint32_t memory) {
    if (memory >= module_.memories.size()) {
        invalid(module_.memories.empty() ? "it uses a memory and the module has none"
                                         : fmt::format("memory {} does not exist, there are {}",
                                                       memory, module_.memories.size()));
    }
    return module_.memories[memory].is_64 ? Kind::i64 : Kind::i32;
}

Kind BodyJudge::memory_index(Bytes& in) {
    const std::size_t start = in.offset();
    const Kind address = address_of(in.u32("a memory"));
    if (in.offset() != start + 1) {  // without several memories it is one byte
        features_.note(Feature::several_memories, at_);
    }
    return address;
}

// An alignment, with bit 6 a memory's index, an offset; returns the type of an address.
Kind BodyJudge::memory_immediate(const Operation& operation, bool exact, Bytes& in) {
    std::uint32_t alignment = in.u32("an alignment");
    std::uint32_t memory = 0;
    if ((alignment & 0x40) != 0) {
        alignment &= ~0x40U;
        memory = in.u32("a memory");
        features_.note(Feature::several_memories, at_);
    }
    if (alignment > operation.alignment || (exact && alignment != operation.alignment)) {
        invalid(fmt::format("an alignment of 2^{} where {}2^{} is possible", alignment,
                            exact ? "" : "at most ", operation.alignment));
    }
    const Kind address = address_of(memory);
    const std::size_t start = in.offset();
    const std::uint64_t offset = in.u64("an offset");
    if (in.offset() > start + 5) {  // longer than 32 bits can be
        features_.note(Feature::memory64, at_);
    }
    if (address == Kind::i32 && offset > 0xffff'ffff) {
        invalid("an offset goes beyond 32 bits");
    }
    return address;
}

bool BodyJudge::variable(std::uint8_t opcode, Bytes& in) {
    switch (opcode) {
        case 0x1a:
            pop();
            return true;
        case 0x1b:
            select();
            return true;
        case 0x1c:
            select_typed(in);
            return true;
        case 0x20:
            push(local(in));
            return true;
        case 0x21:
            pop(local(in));
            return true;
        case 0x22: {
            const Kind kind = local(in);
            pop(kind);
            push(kind);
            return true;
        }
        case 0x23:
        case 0x24: {
            const Global& global = module_.globals[index(in, module_.globals.size(), "global")];
            const auto kind = kind_of(global.type);
            if (!kind) {
                throw NotJudged{"a global has a garbage-collected type"};
            }
            if (opcode == 0x23) {
                push(*kind);
            } else if (global.is_mutable) {
                pop(*kind);
            } else {
                invalid("it writes a global that is not mutable");
            }
            return true;
        }
        default:
            return false;
    }
}

void BodyJudge::select() {
    pop(Kind::i32);
    const Kind second = pop();
    const Kind first = pop();
    if (is_reference(first) || is_reference(second)) {
        invalid("a select of references must name their type");
    }
    if (first != second && first != Kind::any && second != Kind::any) {
        invalid(fmt::format("a select between {} and {}", to_text(first), to_text(second)));
    }
    push(first == Kind::any ? second : first);
}

void BodyJudge::select_typed(Bytes& in) {
    if (in.u32("the number of types") != 1) {
        invalid("a select names one type");
    }
    const Kind kind = value_type(in);
    pop(Kind::i32);
    pop(kind);
    pop(kind);
    push(kind);
}

std::pair<Kind, Kind> BodyJudge::table_index(Bytes& in) {
    const Size& table = module_.tables[index(in, module_.tables.size(), "table")];
    const auto element = kind_of(table.element);
    if (!element) {
        throw NotJudged{"a table has a garbage-collected type"};
    }
    return {table.is_64 ? Kind::i64 : Kind::i32, *element};
}

bool BodyJudge::reference(std::uint8_t opcode, Bytes& in) {
    switch (opcode) {
        case 0x25: {  // table.get
            const auto [at, element] = table_index(in);
            pop(at);
            push(element);
            return true;
        }
        case 0x26: {  // table.set
            const auto [at, element] = table_index(in);
            pop(element);
            pop(at);
            return true;
        }
        case 0xd0: {  // ref.null
            const auto kind = kind_of({0x63, in.signed_leb(33, "a heap type")});
            if (!kind || !is_reference(*kind)) {
                features_.note(Feature::garbage_collection, at_);
                throw NotJudged{"it has garbage-collected types"};
            }
            if (*kind == Kind::exnref) {
                features_.note(Feature::exception_references, at_);
            }
            push(*kind);
            return true;
        }
        case 0xd1: {  // ref.is_null
            const Kind kind = pop();
            if (kind != Kind::any && !is_reference(kind)) {
                invalid(fmt::format("a reference is wanted and {} is on the stack", to_text(kind)));
            }
            push(Kind::i32);
            return true;
        }
        case 0xd2: {  // ref.func
            const std::uint32_t function = index(in, module_.functions.size(), "function");
            if (!module_.referenced[function]) {
                invalid(
                    fmt::format("function {} is referenced and not declared in an element "
                                "segment, an export or a global",
                                function));
            }
            push(Kind::funcref);
            return true;
        }
        case 0xd3:  // ref.eq, ref.as_non_null, br_on_null, br_on_non_null, and all of 0xfb
        case 0xd4:
        case 0xd5:
        case 0xd6:
        case 0xfb:
            features_.note(Feature::garbage_collection, at_);
            throw NotJudged{"it has instructions of typed references or garbage collection"};
        default:
            return false;
    }
}

}  // namespace wasmplug::wasm
