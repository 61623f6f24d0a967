#include "base/http.hpp"

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

#include "base/curl.hpp"
#include "base/http_transfer.hpp"

namespace wasmplug {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct HttpClient::Impl {
    explicit Impl(std::string agent) : user_agent(std::move(agent)), multi(new_multi()) {
        curl().multi_setopt(multi, CURLMOPT_MAXCONNECTS, 32L);
    }

    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    ~Impl() {
        for (CURL* easy : idle) {
            curl().easy_cleanup(easy);
        }
        curl().multi_cleanup(multi);
    }

    void run(std::span<const HttpRequest> requests, std::size_t parallel, const OnDone& on_done,
             const Cancel& cancel);

    CURL* take_handle() {
        if (idle.empty()) {
            return new_easy();
        }
        CURL* easy = idle.back();
        idle.pop_back();
        return easy;
    }

    std::string user_agent;
    CURLM* multi = nullptr;
    std::vector<CURL*> idle;  // keep their TLS sessions

    class Batch;
};

// The requests of one call; whatever still runs is taken off the loop in the destructor.
class HttpClient::Impl::Batch {
  public:
    Batch(Impl& client, std::span<const HttpRequest> requests, const OnDone& on_done)
        : client_(client), requests_(requests), on_done_(on_done) {}

    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;

    ~Batch() {
        for (auto& transfer : running_) {
            if (transfer->easy != nullptr) {
                curl().multi_remove_handle(client_.multi, transfer->easy);
                curl().easy_cleanup(transfer->easy);
            }
        }
    }

    void run(std::size_t parallel, const Cancel& cancel) {
        std::size_t next = 0;
        while (next < requests_.size() || !running_.empty()) {
            cancel.check();
            while (next < requests_.size() &&
                   running_.size() < std::max<std::size_t>(parallel, 1)) {
                begin(next++);
            }
            int active = 0;
            curl().multi_perform(client_.multi, &active);
            if (!collect() && active > 0) {
                wait(cancel);
            }
        }
    }

  private:
    void begin(std::size_t index) {
        auto transfer = std::make_unique<HttpTransfer>();
        transfer->request = &requests_[index];
        transfer->index = index;
        transfer->url = requests_[index].url;
        try {
            const auto url = parse_url(transfer->url);
            if (!url || url->has_user) {
                throw HttpError(HttpError::Kind::bad_url, "'" + display_url(transfer->url) +
                                                              "' is no http or https URL" +
                                                              (url ? " without a user name" : ""));
            }
            launch(*transfer);
        } catch (const HttpError& error) {
            if (transfer->easy != nullptr) {
                curl().easy_cleanup(transfer->easy);
            }
            on_done_(index, nullptr, &error);
            return;
        }
        running_.push_back(std::move(transfer));
    }

    void launch(HttpTransfer& transfer) {
        if (transfer.easy == nullptr) {
            transfer.easy = client_.take_handle();
        }
        prepare(transfer, client_.user_agent);
        curl().multi_add_handle(client_.multi, transfer.easy);
    }

    // Handles what has ended; whether there was anything.
    bool collect() {
        bool any = false;
        int left = 0;
        while (const CURLMsg* message = curl().multi_info_read(client_.multi, &left)) {
            if (message->msg == CURLMSG_DONE) {
                HttpTransfer* transfer = nullptr;
                curl().easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
                finish(*transfer, message->data.result);
                any = true;
            }
        }
        return end_stalled() || any;
    }

    void finish(HttpTransfer& transfer, CURLcode code) {
        curl().multi_remove_handle(client_.multi, transfer.easy);
        if (transfer.failure) {
            std::rethrow_exception(transfer.failure);
        }
        try {
            if (code != CURLE_OK || transfer.too_large) {
                throw error_of(transfer, code);
            }
            if (redirect(transfer)) {
                launch(transfer);
                return;
            }
        } catch (const HttpError& error) {
            // A failed handle may still hold its buffers, and then refuses new options.
            curl().easy_cleanup(std::exchange(transfer.easy, nullptr));
            const std::size_t index = release(transfer)->index;
            on_done_(index, nullptr, &error);
            return;
        }
        transfer.response.url = transfer.url;
        const auto done = release(transfer);
        on_done_(done->index, &done->response, nullptr);
    }

    std::unique_ptr<HttpTransfer> release(HttpTransfer& transfer) {
        if (transfer.easy != nullptr) {
            client_.idle.push_back(std::exchange(transfer.easy, nullptr));
        }
        const auto found = std::ranges::find_if(
            running_, [&](const auto& running) { return running.get() == &transfer; });
        auto owned = std::move(*found);
        running_.erase(found);
        return owned;
    }

    // While it connects, libcurl's own limit holds; the watch starts with the request.
    static bool is_connected(HttpTransfer& transfer) {
        if (!transfer.connected) {
            curl_off_t microseconds = 0;
            curl().easy_getinfo(transfer.easy, CURLINFO_PRETRANSFER_TIME_T, &microseconds);
            if (microseconds > 0) {
                transfer.connected = true;
                transfer.last_progress = Clock::now();
            }
        }
        return transfer.connected;
    }

    bool end_stalled() {
        const auto now = Clock::now();
        for (const auto& transfer : running_) {
            if (is_connected(*transfer) &&
                now - transfer->last_progress >= transfer->request->stall_timeout) {
                transfer->stalled = true;
                finish(*transfer, CURLE_OPERATION_TIMEDOUT);
                return true;
            }
        }
        return false;
    }

    void wait(const Cancel& cancel) {
        auto until = Clock::now() + milliseconds(1000);
        for (const auto& transfer : running_) {
            if (transfer->connected) {
                until = std::min(until, transfer->last_progress + transfer->request->stall_timeout);
            }
        }
        auto wait = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
        int timeout = static_cast<int>(std::clamp<decltype(wait)>(wait, 1, 1000));
        if (const int limit = cancel.poll_timeout(); limit >= 0) {
            timeout = std::min(timeout, limit);
        }
        curl_waitfd stop{.fd = cancel.fd(), .events = CURL_WAIT_POLLIN, .revents = 0};
        curl().multi_poll(client_.multi, &stop, cancel.fd() >= 0 ? 1 : 0, timeout, nullptr);
    }

    Impl& client_;
    std::span<const HttpRequest> requests_;
    const OnDone& on_done_;
    std::vector<std::unique_ptr<HttpTransfer>> running_;
};

void HttpClient::Impl::run(std::span<const HttpRequest> requests, std::size_t parallel,
                           const OnDone& on_done, const Cancel& cancel) {
    Batch(*this, requests, on_done).run(parallel, cancel);
}

HttpClient::HttpClient(std::string user_agent)
    : impl_(std::make_unique<Impl>(std::move(user_agent))) {}

HttpClient::~HttpClient() = default;

HttpResponse HttpClient::send(const HttpRequest& request, const Cancel& cancel) {
    HttpResponse answer;
    std::optional<HttpError> failure;
    impl_->run(
        {&request, 1}, 1,
        [&](std::size_t, HttpResponse* response, const HttpError* error) {
            if (response != nullptr) {
                answer = std::move(*response);
            } else {
                failure = *error;
            }
        },
        cancel);
    if (failure) {
        throw *failure;  // NOLINT(misc-throw-by-value-catch-by-reference): no pointer
    }
    return answer;
}

void HttpClient::send_all(const std::vector<HttpRequest>& requests, std::size_t parallel,
                          const OnDone& on_done, const Cancel& cancel) {
    impl_->run(requests, parallel, on_done, cancel);
}

}  // namespace wasmplug
