#pragma once

// The validator of body_judge.cpp and body_control.cpp; others call judge_bodies().

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "wasm/bodies.hpp"
#include "wasm/operations.hpp"

namespace wasmplug::wasm {

// Thrown for a body whose types this validator does not know.
struct NotJudged {
    std::string why;
};

// A function type as the stack sees it. Not `known`: it has garbage-collected types.
struct Signature {
    std::vector<Kind> takes;
    std::vector<Kind> gives;
    bool known = false;
};

// Judges one body after the other; what costs memory is kept between them.
class BodyJudge {
  public:
    BodyJudge(std::string_view bytes, const Module& module, FeatureUse& features,
              std::uint64_t most_work);

    // Throws ModuleError or NotJudged.
    void judge(std::uint32_t body);

  private:
    using Kinds = std::span<const Kind>;

    struct Frame {
        std::uint8_t opcode = 0;  // of the block; that of "else", "catch" once it was met
        Kinds takes;
        Kinds gives;
        std::size_t height = 0;
        bool unreachable = false;
    };

    // Instructions by group; each says whether it knew the opcode.
    void instruction(Bytes& in);
    bool control(std::uint8_t opcode, Bytes& in);
    bool branch(std::uint8_t opcode, Bytes& in);
    bool exception(std::uint8_t opcode, Bytes& in);
    bool call(std::uint8_t opcode, Bytes& in);
    bool variable(std::uint8_t opcode, Bytes& in);
    bool reference(std::uint8_t opcode, Bytes& in);
    bool prefixed(std::uint8_t opcode, Bytes& in);
    bool bulk(std::uint32_t opcode, Bytes& in);
    bool bulk_of_memory(std::uint32_t opcode, Bytes& in);
    bool bulk_of_table(std::uint32_t opcode, Bytes& in);
    void pop_three(Kind first, Kind second, Kind third);
    bool vector(std::uint32_t opcode, Bytes& in);
    bool atomic(std::uint32_t opcode, Bytes& in);
    bool plain(std::uint8_t opcode, Bytes& in);

    void operate(const Operation& operation, Kind address);
    Kind memory_immediate(const Operation& operation, bool exact, Bytes& in);
    void lane_immediate(unsigned lanes, Bytes& in);
    void select();
    void select_typed(Bytes& in);
    void catches(Bytes& in);
    void indirect_call(bool tail, Bytes& in);
    void leave_by_call(const Signature& callee);
    void delegate(Bytes& in);
    void begin_handler(std::uint8_t opcode, Kinds takes);

    void locals(Bytes& in);
    Kind local(Bytes& in) const;
    std::pair<Kinds, Kinds> block_type(Bytes& in);
    const Signature& signature(std::uint32_t type, const char* what);
    const Signature& function(Bytes& in);
    Kind value_type(Bytes& in);
    Kind address_of(std::uint32_t memory);
    Kind memory_index(Bytes& in);
    std::pair<Kind, Kind> table_index(Bytes& in);  // its index type, its elements
    std::uint32_t index(Bytes& in, std::size_t count, const char* what);

    void push(Kind kind) { stack_.push_back(kind); }

    void push_all(Kinds kinds);
    Kind pop();

    void pop(Kind wanted) {
        if (stack_.size() > frames_.back().height && stack_.back() == wanted) {
            stack_.pop_back();
        } else {
            pop_other(wanted);
        }
    }

    void pop_other(Kind wanted);
    void pop_all(Kinds kinds);
    void check_top(Kinds kinds);
    void open(std::uint8_t opcode, Kinds takes, Kinds gives);
    Frame close();
    void end();
    void unreachable();
    const Frame& target(Bytes& in);

    static Kinds label(const Frame& frame) {
        return frame.opcode == 0x03 ? frame.takes : frame.gives;
    }

    void spend(std::size_t work);
    [[noreturn]] void invalid(const std::string& what) const;

    std::string_view bytes_;
    const Module& module_;
    FeatureUse& features_;
    std::vector<Signature> signatures_;
    std::vector<std::pair<std::uint64_t, Kind>> locals_;  // the first index behind a group
    std::vector<Kind> stack_;
    std::vector<Frame> frames_;
    std::size_t at_ = 0;  // the instruction that is being judged
    std::uint64_t work_left_;
    bool old_exceptions_ = false;  // try … catch, in any body so far
    bool new_exceptions_ = false;  // try_table, throw_ref
};

}  // namespace wasmplug::wasm
