#include "base/cancel.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include "base/error.hpp"
#include "base/fd.hpp"
#include "base/worker.hpp"

namespace wasmplug {

struct Cancel::State {
    Fd read_end;
    Fd write_end;
    std::atomic<bool> requested = false;

    State() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
            throw system_error("cannot create a pipe", errno);
        }
        read_end.reset(ends[0]);
        write_end.reset(ends[1]);
    }
};

namespace {

constexpr int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};

std::atomic<int> signal_pipe = -1;
std::atomic<std::atomic<bool>*> signal_flag = nullptr;

void on_signal(int) {
    const int saved = errno;
    if (signal_flag.load()->exchange(true)) {
        ::_exit(static_cast<int>(ExitCode::interrupted));
    }
    const char byte = 0;
    [[maybe_unused]] const auto written = ::write(signal_pipe.load(), &byte, 1);
    errno = saved;
}

}  // namespace

bool Cancel::requested() const {
    return (state_ && state_->requested) || (deadline_ && Clock::now() >= *deadline_);
}

int Cancel::fd() const {
    return state_ ? state_->read_end.get() : -1;
}

int Cancel::poll_timeout() const {
    if (!deadline_) {
        return -1;
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - Clock::now()).count();
    return static_cast<int>(std::clamp<decltype(left)>(left, 0, 3'600'000));
}

void Cancel::check() const {
    if (state_ && state_->requested) {
        throw Error("interrupted", {}, ExitCode::interrupted);
    }
    if (deadline_ && Clock::now() >= *deadline_) {
        throw Error("gave up after " + limit_name_);
    }
}

Cancel Cancel::within(Clock::duration limit, std::string what) const {
    Cancel result = *this;
    const auto until = Clock::now() + limit;
    if (!deadline_ || until < *deadline_) {
        result.deadline_ = until;
        result.limit_name_ = std::move(what);
    }
    return result;
}

void Cancel::sleep_for(Clock::duration time) const {
    const auto until = Clock::now() + time;
    for (;;) {
        check();
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
        if (left <= 0) {
            return;
        }
        int wait = static_cast<int>(std::min<decltype(left)>(left, 3'600'000));
        if (const int limit = poll_timeout(); limit >= 0) {
            wait = std::min(wait, limit);
        }
        pollfd stop{.fd = fd(), .events = POLLIN, .revents = 0};
        ::poll(&stop, 1, wait);
    }
}

CancelSource::CancelSource() {
    token_.state_ = std::make_shared<Cancel::State>();
}

void CancelSource::request() const {
    if (!token_.state_->requested.exchange(true)) {
        const char byte = 0;
        [[maybe_unused]] const auto written = ::write(token_.state_->write_end.get(), &byte, 1);
    }
}

Cancel cancel_on_signals() {
    static const CancelSource source = [] {
        CancelSource made;
        const auto token = made.token();
        signal_pipe = token.state_->write_end.get();
        signal_flag = &token.state_->requested;
        struct sigaction action = {};
        action.sa_handler = on_signal;
        for (const int number : ending_signals) {
            ::sigaction(number, &action, nullptr);
        }
        ::signal(SIGPIPE, SIG_IGN);
        return made;
    }();
    return source.token();
}

void end_on_signals() {
    for (const int number : ending_signals) {
        ::signal(number, SIG_DFL);
    }
}

}  // namespace wasmplug
