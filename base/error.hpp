#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace wasmplug {

// What the shell sees. Documented in wasmplug(1); a value is never reused.
enum class ExitCode : int {
    ok = 0,
    failure = 1,    // the work could not be done
    usage = 2,      // the command line was wrong; nothing was tried
    rejected = 3,   // the work was done and the answer is no (validate, verify, test)
    waiting = 4,    // a person has to decide (a paused rollout)
    changed = 5,    // changed underneath us; nothing was written, try again
    half_done = 6,  // half done, and the undo failed too
    interrupted = 130,
};

// Thrown when a command cannot go on. `what()` is one sentence for the user,
// without "error:" and without a full stop; `hint` says what to do about it.
class Error : public std::runtime_error {
  public:
    explicit Error(const std::string& message, std::string hint = {},
                   ExitCode code = ExitCode::failure)
        : std::runtime_error(message), hint_(std::move(hint)), code_(code) {}

    const std::string& hint() const { return hint_; }

    ExitCode code() const { return code_; }

    // What was being done, innermost first: "reading plugin.wasm", "packaging ./auth".
    const std::vector<std::string>& context() const { return context_; }

    void add_context(std::string doing) { context_.push_back(std::move(doing)); }

    // The context, outermost first, and then what(), joined by ": ".
    std::string full_message() const {
        std::string message = what();
        for (const auto& doing : context_) {
            message.insert(0, doing + ": ");
        }
        return message;
    }

  private:
    std::string hint_;
    ExitCode code_;
    std::vector<std::string> context_;
};

inline Error usage_error(const std::string& message, std::string hint = {}) {
    return Error(message, std::move(hint), ExitCode::usage);
}

// A system call's failure: "cannot read plugin.wasm: No such file or directory".
Error system_error(const std::string& doing, int error_number);

// Runs `work`; an Error that leaves it carries `doing` as its next outer context.
template <class Work>
decltype(auto) in_context(const std::string& doing, Work&& work) {
    try {
        return std::forward<Work>(work)();
    } catch (Error& error) {
        error.add_context(doing);
        throw;
    }
}

}  // namespace wasmplug
