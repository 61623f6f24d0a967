#include "base/http_load.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "base/http_transfer.hpp"

namespace wasmplug {
namespace {

using Clock = std::chrono::steady_clock;

std::size_t drop(char*, std::size_t size, std::size_t count, void*) {
    return size * count;
}

}  // namespace

struct HttpLoad::Impl {
    struct Slot {
        HttpTransfer transfer;
        Clock::time_point begun;
    };

    Impl(HttpRequest wanted, std::string agent)
        : request(std::move(wanted)), user_agent(std::move(agent)), multi(new_multi()) {
        const auto url = parse_url(request.url);
        if (!url || url->has_user) {
            curl_multi_cleanup(multi);
            throw HttpError(HttpError::Kind::bad_url,
                            "'" + display_url(request.url) + "' is no http or https URL");
        }
    }

    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    ~Impl() {
        for (auto& slot : slots) {
            curl_multi_remove_handle(multi, slot.transfer.easy);
            curl_easy_cleanup(slot.transfer.easy);
        }
        curl_multi_cleanup(multi);
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
        slot.transfer.easy = curl_easy_init();
        prepare(slot.transfer, user_agent);
        CURL* easy = slot.transfer.easy;
        curl_easy_setopt(easy, CURLOPT_PRIVATE, &slot);
        curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, nullptr);
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, nullptr);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, long{request.stall_timeout.count()});
        return &slot;
    }

    void start(Slot& slot, Clock::time_point begun) {
        slot.begun = begun;
        slot.transfer.read_offset = 0;
        curl_multi_add_handle(multi, slot.transfer.easy);
    }

    bool collect(LoadRun& run) {
        bool any = false;
        int left = 0;
        while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
            if (message->msg != CURLMSG_DONE) {
                continue;
            }
            const CURLcode code = message->data.result;
            CURL* easy = message->easy_handle;
            Slot* slot = nullptr;
            long status = 0;
            curl_easy_getinfo(easy, CURLINFO_PRIVATE, &slot);
            curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
            run.samples.push_back({.latency = Clock::now() - slot->begun,
                                   .status = code == CURLE_OK ? static_cast<int>(status) : 0});
            if (code != CURLE_OK && run.error.empty()) {
                run.error = error_of(slot->transfer, code).what();
            }
            curl_multi_remove_handle(multi, easy);
            idle.push_back(slot);
            any = true;
        }
        return any;
    }

    void wait(Clock::time_point until, const Cancel& cancel) const {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
        int timeout = static_cast<int>(std::clamp<long>(left.count(), 0, 1000));
        if (const int limit = cancel.poll_timeout(); limit >= 0) {
            timeout = std::min(timeout, limit);
        }
        curl_waitfd stop{.fd = cancel.fd(), .events = CURL_WAIT_POLLIN, .revents = 0};
        curl_multi_poll(multi, &stop, cancel.fd() >= 0 ? 1 : 0, timeout, nullptr);
    }

    LoadRun run(const LoadPlan& plan, const Cancel& cancel);

    HttpRequest request;
    std::string user_agent;
    CURLM* multi = nullptr;
    std::deque<Slot> slots;
    std::vector<Slot*> idle;
};

LoadRun HttpLoad::Impl::run(const LoadPlan& plan, const Cancel& cancel) {
    LoadRun result;
    result.samples.reserve(plan.requests);
    const std::size_t limit = std::max<std::size_t>(plan.concurrency, 1);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(limit));
    const auto begin = Clock::now();
    const auto due = [&](std::size_t i) {
        return plan.rate <= 0
                   ? Clock::now()
                   : begin + std::chrono::duration_cast<Clock::duration>(
                                 std::chrono::duration<double>(static_cast<double>(i) / plan.rate));
    };
    std::size_t started = 0;
    bool crowded = false;  // the next request is late for want of a connection, and not for ours
    while (result.samples.size() < plan.requests) {
        cancel.check();
        auto next = Clock::now() + std::chrono::seconds(1);
        while (started < plan.requests) {
            const auto when = due(started);
            if (when > Clock::now()) {
                next = std::min(next, when);
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
        int active = 0;
        curl_multi_perform(multi, &active);
        if (!collect(result)) {
            wait(next, cancel);
        }
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
