#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace wasmplug {

// A request to stop, which every wait honours: by polling `fd()` beside its own
// descriptors for at most `poll_timeout()`, or by calling `check()` between steps.
// It is set by a signal, by `CancelSource`, or when its deadline has passed. Cheap to copy.
class Cancel {
  public:
    using Clock = std::chrono::steady_clock;

    Cancel() = default;  // never requested

    bool requested() const;

    // Readable once a stop is requested; -1 when that can never happen. Never read from it.
    int fd() const;

    // How long poll(2) may wait before a deadline has to be looked at; -1 means for ever.
    int poll_timeout() const;

    // Throws Error: ExitCode::interrupted for a signal, ExitCode::failure for a deadline.
    void check() const;

    // The same token, which also stops `limit` from now (the earlier deadline wins).
    // `what` names the limit in the error: "--timeout 30s".
    Cancel within(Clock::duration limit, std::string what) const;

    // Sleeps, or throws as check() does when a stop is requested meanwhile.
    void sleep_for(Clock::duration time) const;

  private:
    friend class CancelSource;
    friend Cancel cancel_on_signals();
    struct State;
    std::shared_ptr<State> state_;
    std::optional<Clock::time_point> deadline_;
    std::string limit_name_;
};

class CancelSource {
  public:
    CancelSource();

    void request() const;

    Cancel token() const { return token_; }

  private:
    Cancel token_;
};

// Installs the handlers of SIGINT, SIGTERM and SIGHUP, once a process; a second signal
// leaves at once with 130. SIGPIPE is ignored from here on.
Cancel cancel_on_signals();

}  // namespace wasmplug
