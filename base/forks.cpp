#include "base/forks.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <new>
#include <utility>

#include "base/error.hpp"
#include "base/fd.hpp"
#include "base/parallel.hpp"

namespace wasmplug {
namespace {

// The number that is taken next, in memory that all forks share.
class Counter {
  public:
    Counter()
        : page_(::mmap(nullptr, sizeof(Value), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                       -1, 0)) {
        if (page_ == MAP_FAILED) {
            throw system_error("cannot share memory", errno);
        }
        new (page_) Value(0);
    }

    Counter(const Counter&) = delete;
    Counter& operator=(const Counter&) = delete;

    ~Counter() { ::munmap(page_, sizeof(Value)); }

    std::size_t take() { return (*static_cast<Value*>(page_))++; }

  private:
    using Value = std::atomic<std::size_t>;
    static_assert(Value::is_always_lock_free);
    void* page_;
};

// What a fork says of one number: this, and then the result, or an error's message and hint.
struct Header {
    std::uint64_t number = 0;
    std::uint64_t size = 0;
    std::uint64_t hint_size = 0;
    std::uint64_t failed = 0;
};

void send(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno != EINTR) {
            ::_exit(1);  // nobody listens
        }
        bytes.remove_prefix(n < 0 ? 0 : static_cast<std::size_t>(n));
    }
}

[[noreturn]] void serve(std::size_t n, const std::function<std::string(std::size_t)>& work,
                        Counter& next, int out) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
        ::signal(number, SIG_DFL);
    }
    for (std::size_t i = next.take(); i < n; i = next.take()) {
        Header header{.number = i};
        std::string result;
        std::string hint;
        try {
            result = work(i);
        } catch (const Error& error) {
            header.failed = 1;
            result = error.full_message();
            hint = error.hint();
        } catch (const std::exception& error) {
            header.failed = 1;
            result = error.what();
        }
        header.size = result.size();
        header.hint_size = hint.size();
        std::string head(sizeof header, '\0');
        std::memcpy(head.data(), &header, sizeof header);
        send(out, head);
        send(out, result);
        send(out, hint);
    }
    ::_exit(0);
}

// One fork, killed when it is still there at the end; workers of its own die with it.
class Fork {
  public:
    Fork(std::size_t n, const std::function<std::string(std::size_t)>& work, Counter& next) {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
            throw system_error("cannot create a pipe", errno);
        }
        out_.reset(ends[0]);
        Fd in(ends[1]);
        pid_ = ::fork();
        if (pid_ < 0) {
            throw system_error("cannot start a process", errno);
        }
        if (pid_ == 0) {
            serve(n, work, next, in.get());
        }
        ::setpgid(pid_, pid_);  // in both processes: whoever comes first
    }

    Fork(Fork&& other) noexcept
        : pid_(std::exchange(other.pid_, 0)),
          out_(std::move(other.out_)),
          bytes_(std::move(other.bytes_)) {}

    Fork& operator=(Fork&&) = delete;

    ~Fork() {
        if (pid_ > 0) {
            ::kill(-pid_, SIGKILL);
            ::kill(pid_, SIGKILL);  // before it has a group
            wait();
        }
    }

    int fd() const { return out_.get(); }

    // Reads what is there; false at the end.
    bool read() {
        std::array<char, 65536> buffer;
        const ssize_t got = ::read(out_.get(), buffer.data(), buffer.size());
        if (got > 0) {
            bytes_.append(buffer.data(), static_cast<std::size_t>(got));
        } else if (got == 0 || errno != EINTR) {
            out_.reset();
            const int status = wait();
            if (status != 0 || !bytes_.empty()) {
                throw Error(fmt::format("a process of ours ended with {}", status));
            }
            return false;
        }
        return true;
    }

    // Hands out the messages that are complete.
    template <class Take>
    void messages(const Take& take) {
        Header header;
        while (bytes_.size() >= sizeof header) {
            std::memcpy(&header, bytes_.data(), sizeof header);
            const auto whole = sizeof header + header.size + header.hint_size;
            if (bytes_.size() < whole) {
                return;
            }
            take(header, bytes_.substr(sizeof header, header.size),
                 bytes_.substr(sizeof header + header.size, header.hint_size));
            bytes_.erase(0, whole);
        }
    }

  private:
    int wait() {
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        pid_ = 0;
        return status;
    }

    pid_t pid_ = 0;
    Fd out_;
    std::string bytes_;
};

}  // namespace

bool has_threads() {
    std::error_code none;
    std::filesystem::directory_iterator tasks("/proc/self/task", none);
    const auto count = std::distance(begin(tasks), end(tasks));
    return none || count != 1;
}

std::optional<std::vector<std::string>> in_forks(
    std::size_t n, const std::function<std::string(std::size_t)>& work, const Cancel& cancel,
    std::size_t forks) {
    if (n < 2 || has_threads()) {
        return std::nullopt;
    }
    cancel.check();
    Counter next;
    std::vector<Fork> running;
    for (std::size_t i = 0; i < std::min(n, forks == 0 ? processors() : forks); ++i) {
        running.emplace_back(n, work, next);
    }
    std::vector<std::string> results(n);
    std::vector<std::optional<Error>> errors(n);
    for (std::size_t left = running.size(); left > 0;) {
        std::vector<pollfd> waits{{.fd = cancel.fd(), .events = POLLIN, .revents = 0}};
        for (const auto& each : running) {
            waits.push_back({.fd = each.fd(), .events = POLLIN, .revents = 0});
        }
        ::poll(waits.data(), waits.size(), cancel.poll_timeout());
        cancel.check();
        for (std::size_t i = 0; i < running.size(); ++i) {
            if (waits[i + 1].revents == 0) {
                continue;
            }
            const bool goes_on = running[i].read();
            running[i].messages([&](const Header& header, std::string result, std::string hint) {
                if (header.failed != 0) {
                    errors[header.number].emplace(result, std::move(hint));
                } else {
                    results[header.number] = std::move(result);
                }
            });
            left -= goes_on ? 0 : 1;
        }
    }
    for (auto& error : errors) {
        if (error) {
            throw std::move(*error);
        }
    }
    return results;
}

}  // namespace wasmplug
