#include "base/http_load.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <utility>

#include "base/curl.hpp"
#include "base/fd.hpp"
#include "base/http_transfer.hpp"

namespace wasmplug {
namespace {

using Clock = std::chrono::steady_clock;

// libcurl makes and frees this buffer with every request; a larger one is given back to the kernel
// each time.
constexpr long buffer_size = 16L * 1024;

std::size_t drop(char*, std::size_t size, std::size_t count, void*) {
    return size * count;
}

// libcurl's loop, told which sockets have something for it: curl().multi_perform() would ask them
// all, one by one, each time.
class SocketLoop {
  public:
    SocketLoop()
        : multi_(new_multi()),
          epoll_(::epoll_create1(EPOLL_CLOEXEC)),
          alarm_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
        if (!epoll_ || !alarm_ || !watch(EPOLL_CTL_ADD, alarm_.get(), EPOLLIN)) {
            curl().multi_cleanup(multi_);
            throw Error("no file descriptor is left");
        }
        curl().multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, on_socket);
        curl().multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
        curl().multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, on_timer);
        curl().multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    }

    SocketLoop(const SocketLoop&) = delete;
    SocketLoop& operator=(const SocketLoop&) = delete;

    ~SocketLoop() { curl().multi_cleanup(multi_); }

    CURLM* multi() const { return multi_; }

    // Readable descriptors that end wait() besides libcurl's.
    void add(int fd) const { watch(EPOLL_CTL_ADD, fd, EPOLLIN); }

    void remove(int fd) const { watch(EPOLL_CTL_DEL, fd, 0); }

    // Lets libcurl do what it asked to do by now.
    void run_timers() {
        if (timer_ && *timer_ <= Clock::now()) {
            timer_.reset();
            int active = 0;
            curl().multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &active);
        }
    }

    // Until a socket has something, which libcurl then handles, or `until`; at most `limit`.
    void wait(std::optional<Clock::time_point> until, std::chrono::milliseconds limit) {
        set_alarm(until);
        if (timer_) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(*timer_ - Clock::now());
            limit = std::clamp(left, std::chrono::milliseconds(0), limit);
        }
        std::array<epoll_event, 64> events{};
        const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                       static_cast<int>(limit.count()));
        for (int i = 0; i < count; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            const int ready = ((event.events & (EPOLLIN | EPOLLHUP)) != 0 ? CURL_CSELECT_IN : 0) |
                              ((event.events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                              ((event.events & EPOLLERR) != 0 ? CURL_CSELECT_ERR : 0);
            // Of a descriptor that is not its own libcurl wants to know nothing, and says so.
            int active = 0;
            curl().multi_socket_action(multi_, event.data.fd, ready, &active);
        }
    }

  private:
    bool watch(int operation, int fd, std::uint32_t events) const {
        epoll_event event{};
        event.events = events;
        event.data.fd = fd;
        return ::epoll_ctl(epoll_.get(), operation, fd, &event) == 0;
    }

    // epoll_wait() counts in milliseconds, and a request that is due must not be late by one.
    void set_alarm(std::optional<Clock::time_point> at) {
        if (at == alarm_at_) {
            return;
        }
        alarm_at_ = at;
        itimerspec spec{};
        if (at) {
            const auto since = std::max(at->time_since_epoch(), Clock::duration(1));
            const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
            spec.it_value.tv_sec = seconds.count();
            spec.it_value.tv_nsec = (since - seconds).count();
        }
        ::timerfd_settime(alarm_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
    }

    static int on_socket(CURL*, curl_socket_t fd, int what, void* user, void* known) {
        const auto& loop = *static_cast<SocketLoop*>(user);
        if (what == CURL_POLL_REMOVE) {
            loop.remove(fd);
            return 0;
        }
        const std::uint32_t events = ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0U) |
                                     ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0U);
        loop.watch(known == nullptr ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, events);
        curl().multi_assign(loop.multi_, fd, user);
        return 0;
    }

    static int on_timer(CURLM*, long milliseconds, void* user) {
        auto& loop = *static_cast<SocketLoop*>(user);
        loop.timer_.reset();
        if (milliseconds >= 0) {
            loop.timer_ = Clock::now() + std::chrono::milliseconds(milliseconds);
        }
        return 0;
    }

    CURLM* multi_;
    Fd epoll_;
    Fd alarm_;
    std::optional<Clock::time_point> alarm_at_;
    std::optional<Clock::time_point> timer_;
};

}  // namespace

struct HttpLoad::Impl {
    struct Slot {
        HttpTransfer transfer;
        Clock::time_point begun;
    };

    Impl(HttpRequest wanted, std::string agent)
        : request(std::move(wanted)), user_agent(std::move(agent)) {
        const auto url = parse_url(request.url);
        if (!url || url->has_user) {
            throw HttpError(HttpError::Kind::bad_url,
                            "'" + display_url(request.url) + "' is no http or https URL");
        }
    }

    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    ~Impl() {
        for (auto& slot : slots) {
            curl().multi_remove_handle(loop.multi(), slot.transfer.easy);
            curl().easy_cleanup(slot.transfer.easy);
        }
    }

    // Handles keep their options from one request to the next; only the answer is new.
    Slot* free_slot(std::size_t limit) {
        if (!idle.empty()) {
            Slot* slot = idle.back();
            idle.pop_back();
            return slot;
        }
        if (slots.size() >= limit) {
            return nullptr;
        }
        Slot& slot = slots.emplace_back();
        slot.transfer.request = &request;
        slot.transfer.url = request.url;
        slot.transfer.easy = new_easy();
        prepare(slot.transfer, user_agent);
        CURL* easy = slot.transfer.easy;
        curl().easy_setopt(easy, CURLOPT_PRIVATE, &slot);
        curl().easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
        curl().easy_setopt(easy, CURLOPT_BUFFERSIZE, buffer_size);
        curl().easy_setopt(easy, CURLOPT_HEADERFUNCTION, nullptr);
        curl().easy_setopt(easy, CURLOPT_HEADERDATA, nullptr);
        curl().easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
        curl().easy_setopt(easy, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
        curl().easy_setopt(easy, CURLOPT_TIMEOUT_MS, long{request.stall_timeout.count()});
        return &slot;
    }

    void start(Slot& slot, Clock::time_point begun) {
        slot.begun = begun;
        slot.transfer.read_offset = 0;
        curl().multi_add_handle(loop.multi(), slot.transfer.easy);
    }

    bool collect(LoadRun& run) {
        bool any = false;
        int left = 0;
        while (const CURLMsg* message = curl().multi_info_read(loop.multi(), &left)) {
            if (message->msg != CURLMSG_DONE) {
                continue;
            }
            const CURLcode code = message->data.result;
            CURL* easy = message->easy_handle;
            Slot* slot = nullptr;
            long status = 0;
            curl().easy_getinfo(easy, CURLINFO_PRIVATE, &slot);
            curl().easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
            run.samples.push_back({.latency = Clock::now() - slot->begun,
                                   .status = code == CURLE_OK ? static_cast<int>(status) : 0});
            if (code != CURLE_OK && run.error.empty()) {
                curl_off_t connected = 0;  // microseconds until it was
                curl().easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
                slot->transfer.connected = connected > 0;
                run.error = error_of(slot->transfer, code).what();
            }
            curl().multi_remove_handle(loop.multi(), easy);
            idle.push_back(slot);
            any = true;
        }
        return any;
    }

    LoadRun run(const LoadPlan& plan, const Cancel& cancel);

    HttpRequest request;
    std::string user_agent;
    SocketLoop loop;
    std::deque<Slot> slots;
    std::vector<Slot*> idle;
};

LoadRun HttpLoad::Impl::run(const LoadPlan& plan, const Cancel& cancel) {
    LoadRun result;
    result.samples.reserve(plan.requests);
    const std::size_t limit = std::max<std::size_t>(plan.concurrency, 1);
    curl().multi_setopt(loop.multi(), CURLMOPT_MAXCONNECTS, static_cast<long>(limit));
    if (cancel.fd() >= 0) {
        loop.add(cancel.fd());
    }
    const auto begin = Clock::now();
    const auto due = [&](std::size_t i) {
        return plan.rate <= 0
                   ? Clock::now()
                   : begin + std::chrono::duration_cast<Clock::duration>(
                                 std::chrono::duration<double>(static_cast<double>(i) / plan.rate));
    };
    std::size_t started = 0;
    bool crowded = false;  // the next request is late for want of a connection, and not for ours
    while (result.samples.size() < plan.requests && !cancel.requested()) {
        std::optional<Clock::time_point> next;
        while (started < plan.requests) {
            const auto when = due(started);
            if (when > Clock::now()) {
                next = when;
                break;
            }
            Slot* slot = free_slot(limit);
            crowded = crowded || slot == nullptr;
            if (slot == nullptr) {
                break;
            }
            start(*slot, crowded ? when : Clock::now());
            crowded = false;
            ++started;
        }
        loop.run_timers();
        if (!collect(result)) {
            const int most = cancel.poll_timeout();
            loop.wait(next, std::chrono::milliseconds(most < 0 ? 1000 : std::min(most, 1000)));
            collect(result);
        }
    }
    if (cancel.fd() >= 0) {
        loop.remove(cancel.fd());
    }
    result.elapsed = Clock::now() - begin;
    return result;
}

HttpLoad::HttpLoad(HttpRequest request, std::string user_agent)
    : impl_(std::make_unique<Impl>(std::move(request), std::move(user_agent))) {}

HttpLoad::HttpLoad(HttpLoad&&) noexcept = default;
HttpLoad::~HttpLoad() = default;

LoadRun HttpLoad::run(const LoadPlan& plan, const Cancel& cancel) {
    return impl_->run(plan, cancel);
}

}  // namespace wasmplug
