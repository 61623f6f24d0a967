#pragma once

// The seam before the interpreter. The file behind it compiles as C++17 only, so this header
// stays within C++17 and includes nothing of ours.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wasmplug::host {

// One letter a value: i (i32), I (i64), f (f32), F (f64), r (reference), v (v128).
struct Signature {
    std::string params;
    std::string results;
};

bool operator==(const Signature& a, const Signature& b);

struct Import {
    std::string module;
    std::string name;
    enum class Kind { function, table, memory, global, tag } kind = Kind::function;
    Signature signature;  // of a function
};

struct Export {
    std::string name;
    Import::Kind kind = Import::Kind::function;
    Signature signature;
};

struct Frame {
    std::uint32_t function = 0;  // index in the module's function space
    std::uint32_t offset = 0;    // in the interpreter's own code, not in the file
};

struct Trap {
    enum class Kind { trap, out_of_fuel, stopped_by_host };
    Kind kind = Kind::trap;
    std::string message;
    std::vector<Frame> frames;  // innermost first, at most 20
};

struct CallResult {
    std::uint64_t value = 0;  // of a function with a result
    std::optional<Trap> trap;
};

// What a host function gives back; `trap` ends the guest's call.
struct HostResult {
    std::uint64_t value = 0;
    std::optional<std::string> trap;
};

using HostCall = std::function<HostResult(std::size_t import, const std::uint64_t* arguments)>;

// Bytes that are in the first memory when an instance begins.
struct InitialData {
    std::uint32_t address = 0;
    std::string_view bytes;
};

struct EngineOptions {
    std::uint64_t memory_pages = 16384;  // Envoy's --wasm_max_mem_pages: 1 GiB
    std::uint32_t call_depth = 8000;     // near V8's on Envoy's stack
    bool exact = false;                  // count each instruction, not slices of them
    // For a module whose data section was cut off: within the memory's first size.
    std::vector<InitialData> data;
};

// A linked plugin. Not for several threads.
class Instance {
  public:
    virtual ~Instance() = default;

    // Handle of an exported function, or nothing.
    virtual std::optional<std::size_t> function(std::string_view name) const = 0;

    // Runs until it returns or traps. May be called again from within a host call.
    virtual CallResult call(std::size_t function, const std::uint64_t* arguments,
                            std::size_t count) = 0;

    // Base of the exported memory; changes when the guest runs. Null without one.
    virtual std::uint8_t* memory() = 0;
    virtual std::size_t memory_size() const = 0;

    // Instructions left before a call traps with out_of_fuel, and how many were spent so far.
    // Without EngineOptions::exact a call is counted in slices, always the same for the same work.
    virtual void set_fuel(std::uint64_t instructions) = 0;
    virtual std::uint64_t instructions() const = 0;
};

// A parsed and validated module, linked as often as wanted.
class Module {
  public:
    virtual ~Module() = default;
    virtual const std::vector<Import>& imports() const = 0;
    virtual const std::vector<Export>& exports() const = 0;

    // Every function import goes to `host` by its index in imports(); imported memories and
    // tables are made. `trap` is set, and null returned, when the start function traps or needs
    // more than `fuel` instructions, or the memory is too large.
    virtual std::unique_ptr<Instance> instantiate(HostCall host, std::uint64_t fuel,
                                                  std::optional<Trap>& trap) = 0;
};

// Null with `error` filled for what the interpreter cannot read.
std::unique_ptr<Module> load_module(std::string_view bytes, EngineOptions options,
                                    std::string& error);

}  // namespace wasmplug::host
