#include "base/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <thread>

#include "base/error.hpp"
#include "base/fd.hpp"
#include "base/forks.hpp"
#include "base/terminal.hpp"

namespace wasmplug {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds grace{2};  // between TERM and KILL

struct Pipe {
    Fd read_end;
    Fd write_end;

    Pipe() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) {
            throw system_error("cannot create a pipe", errno);
        }
        read_end.reset(ends[0]);
        write_end.reset(ends[1]);
    }
};

void set_nonblocking(int fd) {
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

std::vector<std::string> environment_for(const ProcessSpec& spec) {
    std::map<std::string, std::string> values;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const std::size_t equals = text.find('=');
        values.emplace(text.substr(0, equals),
                       equals == std::string_view::npos ? "" : text.substr(equals + 1));
    }
    for (const auto& [name, value] : spec.env) {
        if (value) {
            values[name] = *value;
        } else {
            values.erase(name);
        }
    }
    std::vector<std::string> entries;
    entries.reserve(values.size());
    for (const auto& [name, value] : values) {
        entries.push_back(name + "=" + value);
    }
    return entries;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> out;
    out.reserve(texts.size() + 1);
    for (const auto& text : texts) {
        out.push_back(
            const_cast<char*>(text.c_str()));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    }
    out.push_back(nullptr);
    return out;
}

struct Streams {
    int in = -1;  // -1: /dev/null, or ours when the spec inherits
    int out = -1;
    int err = -1;
};

void limit_child(int resource, rlim_t value) {
    const rlimit limit{.rlim_cur = value, .rlim_max = value};
    ::setrlimit(static_cast<__rlimit_resource>(resource), &limit);
}

// The rest of a forked child. Nothing of ours is torn down: it belongs to the parent.
[[noreturn]] void serve(const ProcessSpec& spec, int status) {
    if (::close_range(STDERR_FILENO + 1, ~0U, 0) != 0) {
        ::close(status);
    }
    int code = 1;
    try {
        code = spec.in_fork();
    } catch (...) {
        code = 1;
    }
    ::_exit(code);
}

// Runs between fork and exec: only async-signal-safe calls. Reports errno through `status`.
[[noreturn]] void become(const ProcessSpec& spec, const Streams& streams, const char* program,
                         char* const* argv, char* const* env, int status) {
    if (!spec.inherit) {
        ::setpgid(0, 0);
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int null = ::open("/dev/null", O_RDWR);
        ::dup2(streams.in >= 0 ? streams.in : null, STDIN_FILENO);
        ::dup2(streams.out >= 0 ? streams.out : null, STDOUT_FILENO);
        ::dup2(streams.err >= 0 ? streams.err : null, STDERR_FILENO);
    }
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
        ::signal(number, SIG_DFL);
    }
    if (spec.memory_limit != 0) {
        limit_child(RLIMIT_AS, spec.memory_limit);
    }
    if (spec.processor_limit.count() != 0) {
        limit_child(RLIMIT_CPU, static_cast<rlim_t>(spec.processor_limit.count()));
    }
    if (spec.memory_limit != 0 || spec.processor_limit.count() != 0) {
        limit_child(RLIMIT_CORE, 0);
    }
    if (spec.directory.empty() || ::chdir(spec.directory.c_str()) == 0) {
        if (program == nullptr) {
            serve(spec, status);
        }
        ::execve(program, argv, env);
    }
    const int failed = errno;
    [[maybe_unused]] const auto written = ::write(status, &failed, sizeof failed);
    ::_exit(127);
}

// The child's pid, once exec has succeeded.
pid_t spawn(const ProcessSpec& spec, const Streams& streams) {
    const bool forks = spec.in_fork && !has_threads();
    const auto environment = [&](const std::string& name) -> std::optional<std::string> {
        for (const auto& [changed, value] : spec.env) {
            if (changed == name) {
                return value;
            }
        }
        return process_environment(name);
    };
    const auto program = forks ? std::nullopt : find_program(spec.argv.at(0), environment);
    if (!program && !forks) {
        throw Error("cannot run " + spec.argv[0] + ": not found on PATH",
                    "install it, or put it on PATH");
    }
    const auto env_texts = forks ? std::vector<std::string>{} : environment_for(spec);
    const auto env = pointers(env_texts);
    const auto argv = pointers(spec.argv);
    Pipe status;
    const pid_t pid = ::fork();
    if (pid < 0) {
        throw system_error("cannot start " + spec.argv[0], errno);
    }
    if (pid == 0) {
        become(spec, streams, program ? program->c_str() : nullptr, argv.data(), env.data(),
               status.write_end.get());
    }
    if (!spec.inherit) {
        ::setpgid(pid, pid);  // in both processes: whoever comes first
    }
    status.write_end.reset();
    int failed = 0;
    ssize_t n = 0;
    while ((n = ::read(status.read_end.get(), &failed, sizeof failed)) < 0 && errno == EINTR) {
    }
    if (n > 0) {
        ::waitpid(pid, nullptr, 0);
        throw system_error("cannot run " + spec.argv[0], failed);
    }
    return pid;
}

int exit_code_of(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Ends with the process group gone: TERM, then KILL after the grace.
int end_group(pid_t pid) {
    ::kill(-pid, SIGTERM);
    const auto until = Clock::now() + grace;
    int status = 0;
    for (;;) {
        const pid_t done = ::waitpid(pid, &status, WNOHANG);
        if (done == pid || (done < 0 && errno == ECHILD)) {
            break;
        }
        if (Clock::now() >= until) {
            ::kill(-pid, SIGKILL);
            while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
            }
            break;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ::kill(-pid, SIGKILL);  // grandchildren that ignored TERM
    return exit_code_of(status);
}

// Moves bytes between one child and its spec until both outputs are closed.
class Pump {
  public:
    Pump(const ProcessSpec& spec, ProcessResult& result, Fd& in, Fd& out, Fd& err)
        : spec_(spec), result_(result), in_(in), out_(out), err_(err) {
        set_nonblocking(in_.get());
        if (spec.input.empty()) {
            in_.reset();
        }
    }

    bool open() const { return out_ || err_; }

    // Waits up to `timeout` ms (-1: for ever) until bytes can move, the child ends or a stop is
    // requested. Returns whether an output had something to say.
    bool step(int timeout, int child_fd, int cancel_fd) {
        std::array<pollfd, 5> waits{{{.fd = in_.get(), .events = POLLOUT, .revents = 0},
                                     {.fd = out_.get(), .events = POLLIN, .revents = 0},
                                     {.fd = err_.get(), .events = POLLIN, .revents = 0},
                                     {.fd = child_fd, .events = POLLIN, .revents = 0},
                                     {.fd = cancel_fd, .events = POLLIN, .revents = 0}}};
        if (::poll(waits.data(), waits.size(), timeout) <= 0) {
            return false;
        }
        if (waits[0].revents != 0) {
            feed();
        }
        if (waits[1].revents != 0) {
            drain(out_, result_.out, spec_.on_stdout);
        }
        if (waits[2].revents != 0) {
            drain(err_, result_.err, spec_.on_stderr);
        }
        return waits[1].revents != 0 || waits[2].revents != 0;
    }

  private:
    void feed() {
        const ssize_t n = ::write(in_.get(), spec_.input.data() + fed_, spec_.input.size() - fed_);
        if (n > 0) {
            fed_ += static_cast<std::size_t>(n);
        }
        if ((n < 0 && errno != EINTR && errno != EAGAIN) || fed_ == spec_.input.size()) {
            in_.reset();  // EPIPE is the child's choice not to read on
        }
    }

    void drain(Fd& fd, std::string& kept, const std::function<void(std::string_view)>& on_bytes) {
        std::array<char, 16384> buffer;
        const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
            return;
        }
        if (n <= 0) {
            fd.reset();
            return;
        }
        const std::string_view bytes(buffer.data(), static_cast<std::size_t>(n));
        if (on_bytes) {
            on_bytes(bytes);
            return;
        }
        kept += bytes;
        if (kept.size() > spec_.output_limit) {
            throw Error(
                fmt::format("{} printed more than {} bytes", spec_.argv[0], spec_.output_limit));
        }
    }

    const ProcessSpec& spec_;
    ProcessResult& result_;
    Fd& in_;
    Fd& out_;
    Fd& err_;
    std::size_t fed_ = 0;
};

// Kills the group unless it is told that the child has ended.
struct GroupGuard {
    pid_t pid;

    ~GroupGuard() {
        if (pid > 0) {
            end_group(pid);
        }
    }
};

int wait_inherited(pid_t pid, const Cancel& cancel) {
    for (int status = 0;;) {
        const pid_t done = ::waitpid(pid, &status, WNOHANG);
        if (done == pid) {
            return exit_code_of(status);
        }
        if (cancel.requested()) {
            ::kill(pid, SIGTERM);
            while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
            }
            cancel.check();
        }
        pollfd stop{.fd = cancel.fd(), .events = POLLIN, .revents = 0};
        ::poll(&stop, 1, 20);
    }
}

}  // namespace

std::optional<std::filesystem::path> find_program(
    const std::string& name,
    const std::function<std::optional<std::string>(const std::string&)>& environment) {
    if (name.find('/') != std::string::npos) {
        return ::access(name.c_str(), X_OK) == 0 ? std::optional<std::filesystem::path>(name)
                                                 : std::nullopt;
    }
    const std::string path = environment("PATH").value_or("/usr/local/bin:/usr/bin:/bin");
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find(':', begin), path.size());
        const std::filesystem::path folder = path.substr(begin, end - begin);
        const std::filesystem::path candidate = (folder.empty() ? "." : folder) / name;
        std::error_code none;
        if (::access(candidate.c_str(), X_OK) == 0 &&
            std::filesystem::is_regular_file(candidate, none)) {
            return candidate;
        }
        begin = end + 1;
    }
    return std::nullopt;
}

ProcessResult run_process(const ProcessSpec& spec, const Cancel& cancel) {
    cancel.check();
    ProcessResult result;
    if (spec.inherit) {
        result.exit_code = wait_inherited(spawn(spec, {}), cancel);
        return result;
    }
    Pipe in;
    Pipe out;
    Pipe err;
    GroupGuard child{spawn(spec, {in.read_end.get(), out.write_end.get(), err.write_end.get()})};
    in.read_end.reset();
    out.write_end.reset();
    err.write_end.reset();

    Pump pump(spec, result, in.write_end, out.read_end, err.read_end);
    const Fd ending(static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0)));
    const Cancel limited =
        spec.timeout ? cancel.within(*spec.timeout, "the time limit of " + spec.argv[0]) : cancel;
    for (;;) {
        int status = 0;
        const bool ended = ::waitpid(child.pid, &status, WNOHANG) == child.pid;
        if (ended) {
            child.pid = 0;
            result.exit_code = exit_code_of(status);
            // What is in the pipes is still read; a daemon left behind may hold them open for
            // ever, and is not waited for.
            while (pump.open() && pump.step(0, -1, -1)) {
            }
            return result;
        }
        cancel.check();
        if (limited.requested()) {
            result.timed_out = true;
            result.exit_code = end_group(std::exchange(child.pid, 0));
            return result;
        }
        pump.step(limited.poll_timeout(), ending.get(), cancel.fd());
    }
}

struct Child::Impl {
    pid_t pid = 0;
    std::optional<int> exit_code;
    Fd stop_reading;  // closing it ends the reader
    std::jthread reader;

    Impl() = default;
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    ~Impl() {
        if (!exit_code) {
            end_group(pid);
        }
        finish_reading();
    }

    // What the child wrote before its end has been handed over when this returns.
    void finish_reading() {
        stop_reading.reset();
        if (reader.joinable()) {
            reader.join();
        }
    }
};

Child::Child(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Child::Child(Child&&) noexcept = default;
Child& Child::operator=(Child&&) noexcept = default;
Child::~Child() = default;

int Child::pid() const {
    return impl_->pid;
}

std::chrono::nanoseconds Child::processor_time() const {
    clockid_t clock{};
    timespec used{};
    if (impl_->exit_code || ::clock_getcpuclockid(impl_->pid, &clock) != 0 ||
        ::clock_gettime(clock, &used) != 0) {
        return std::chrono::nanoseconds(0);
    }
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

std::optional<int> Child::ended() {
    int status = 0;
    if (!impl_->exit_code && ::waitpid(impl_->pid, &status, WNOHANG) == impl_->pid) {
        impl_->exit_code = exit_code_of(status);
        impl_->finish_reading();
    }
    return impl_->exit_code;
}

void Child::stop() {
    if (!impl_->exit_code) {
        impl_->exit_code = end_group(impl_->pid);
        impl_->finish_reading();
    }
}

Child start_process(const ProcessSpec& spec) {
    auto impl = std::make_unique<Child::Impl>();
    if (!spec.on_stdout && !spec.on_stderr) {
        impl->pid = spawn(spec, {});
        return Child(std::move(impl));
    }
    Pipe out;
    Pipe err;
    Pipe stop;
    impl->pid = spawn(spec, {-1, out.write_end.get(), err.write_end.get()});
    impl->stop_reading = std::move(stop.write_end);
    impl->reader = std::jthread([spec, out = std::move(out.read_end), err = std::move(err.read_end),
                                 stop = std::move(stop.read_end)]() mutable {
        ProcessResult dropped;
        Pipe none;
        ProcessSpec silent = spec;
        silent.input.clear();
        const auto drop = [](std::string_view) {
        };
        silent.on_stdout = spec.on_stdout ? spec.on_stdout : drop;
        silent.on_stderr = spec.on_stderr ? spec.on_stderr : drop;
        Pump pump(silent, dropped, none.write_end, out, err);
        pollfd stopped{.fd = stop.get(), .events = POLLIN, .revents = 0};
        while (pump.open() && ::poll(&stopped, 1, 0) == 0) {
            pump.step(-1, -1, stop.get());
        }
        while (pump.open() && pump.step(0, -1, -1)) {
        }
    });
    return Child(std::move(impl));
}

}  // namespace wasmplug
