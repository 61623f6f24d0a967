#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/cancel.hpp"

namespace wasmplug {

struct ProcessSpec {
    std::vector<std::string> argv;    // argv[0] is looked up in PATH; never a shell
    std::filesystem::path directory;  // empty: stay where we are
    // Changes to our environment: a value sets, nothing unsets.
    std::vector<std::pair<std::string, std::optional<std::string>>> env;
    // Called in a fork of this process, which ends with what it returns, instead of running argv:
    // a worker of ours saves an exec that way. Only while we have no other thread, for a lock that
    // one holds would stay held for ever; argv has to do the same work otherwise. It writes with
    // write_stdout(), never through a stream of ours.
    std::function<int()> in_fork;
    std::string input;  // standard input; at its end it is closed
    // Streamed as it arrives, and then not kept in the result.
    std::function<void(std::string_view)> on_stdout;
    std::function<void(std::string_view)> on_stderr;
    std::size_t output_limit = std::size_t{64} << 20;  // kept bytes a stream; more is an Error
    std::optional<std::chrono::milliseconds> timeout;  // then TERM, and KILL 2 s later
    std::size_t memory_limit = 0;                      // RLIMIT_AS in bytes; 0: none
    std::chrono::seconds processor_limit{0};           // RLIMIT_CPU; 0: none
    bool inherit = false;  // the child has our own stdin, stdout and stderr (a terminal program)
};

struct ProcessResult {
    int exit_code = 0;  // 128 + N when ended by signal N
    std::string out;
    std::string err;
    bool timed_out = false;
};

// The seam: production passes run_process, a test passes a lambda.
// Throws Error when the program cannot be started at all (its hint says how to get it on PATH)
// and as Cancel::check does; the child's whole process group has ended by then.
using Spawn = std::function<ProcessResult(const ProcessSpec&, const Cancel&)>;

ProcessResult run_process(const ProcessSpec& spec, const Cancel& cancel);

// A server that runs while the object lives; its process group gets TERM, then KILL after
// 2 s, and is waited for in the destructor. It also ends when we are killed: the kernel ends it
// with the thread that started it, so start it from one that outlives it.
class Child {
  public:
    struct Impl;
    explicit Child(std::unique_ptr<Impl> impl);
    Child(Child&&) noexcept;
    Child& operator=(Child&&) noexcept;
    ~Child();

    int pid() const;

    // Used so far by all of its threads; 0 when it has ended.
    std::chrono::nanoseconds processor_time() const;

    // Its exit code (128 + N for signal N) once it has ended; all of its output has been handed
    // over by then. Not to be called from the spec's callbacks.
    std::optional<int> ended();

    // Ends it now, as the destructor would.
    void stop();

  private:
    std::unique_ptr<Impl> impl_;
};

using Start = std::function<Child(const ProcessSpec&)>;

// Output goes to the spec's callbacks, which a reader thread calls, or is dropped when there are
// none.
Child start_process(const ProcessSpec& spec);

// The absolute path of a program on PATH, or nothing.
std::optional<std::filesystem::path> find_program(
    const std::string& name,
    const std::function<std::optional<std::string>(const std::string&)>& environment);

}  // namespace wasmplug
