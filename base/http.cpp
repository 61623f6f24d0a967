#include "base/http.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <exception>
#include <mutex>

#include "base/curl_list.hpp"
#include "base/time.hpp"

namespace wasmplug {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr long buffer_size = 256L * 1024;
// What is kept of an error page; the registries' own limits are lower.
constexpr std::size_t error_body_limit = std::size_t{1} << 20;

bool is_redirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool follows(const std::string& method, int status) {
    const bool safe = method == "GET" || method == "HEAD";
    return is_redirect(status) && (safe || status == 307 || status == 308);
}

// One request on its way, through all of its hops.
struct Transfer {
    const HttpRequest* request = nullptr;
    std::size_t index = 0;
    CURL* easy = nullptr;
    std::string url;
    bool at_home = true;  // no hop has left the origin: credentials and client certificate go along
    int hops = 0;
    HttpResponse response;
    std::uint64_t read_offset = 0;
    std::exception_ptr failure;  // thrown by a callback of the caller's
    bool sinking = false;
    bool too_large = false;
    bool stalled = false;
    bool connected = false;
    Clock::time_point last_progress;
    curl_off_t moved = 0;
    std::string error_text = std::string(CURL_ERROR_SIZE, '\0');
    CurlList headers;
    CurlList resolve;

    bool success() const { return response.status >= 200 && response.status < 300; }
};

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    std::string_view line(data, size * count);
    transfer.last_progress = Clock::now();
    transfer.connected = true;
    if (line.starts_with("HTTP/")) {
        transfer.response.headers.clear();  // of a 1xx or of a proxy's CONNECT before this one
        const std::size_t space = line.find(' ');
        transfer.response.status = space == std::string_view::npos
                                       ? 0
                                       : std::atoi(std::string(line.substr(space)).c_str());
        return size * count;
    }
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && transfer.response.headers.size() < 1000) {
        std::string_view value = line.substr(colon + 1);
        const std::size_t first = value.find_first_not_of(" \t\r\n");
        const std::size_t last = value.find_last_not_of(" \t\r\n");
        value = first == std::string_view::npos ? std::string_view{}
                                                : value.substr(first, last - first + 1);
        transfer.response.headers.emplace_back(line.substr(0, colon), value);
    }
    return size * count;
}

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    const std::string_view part(data, size * count);
    transfer.last_progress = Clock::now();
    if (transfer.success() && transfer.request->sink) {
        try {
            if (!transfer.sinking && transfer.request->on_answer) {
                transfer.request->on_answer(transfer.response.status, transfer.response.headers);
            }
            transfer.sinking = true;
            transfer.request->sink(part);
        } catch (...) {
            transfer.failure = std::current_exception();
            return 0;
        }
        return part.size();
    }
    auto& body = transfer.response.body;
    if (transfer.success()) {
        if (body.size() + part.size() > transfer.request->body_limit) {
            transfer.too_large = true;
            return 0;
        }
        body += part;
    } else {
        body += part.substr(0, error_body_limit - std::min(error_body_limit, body.size()));
    }
    return part.size();
}

std::size_t on_read(char* into, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    const BodySource& body = *transfer.request->body;
    const std::size_t wanted = std::min<std::uint64_t>(
        size * count, body.size - std::min(body.size, transfer.read_offset));
    if (wanted == 0) {
        return 0;
    }
    try {
        const std::size_t read = body.read(transfer.read_offset, {into, wanted});
        transfer.read_offset += read;
        if (read == 0) {
            throw Error("what is being sent became shorter meanwhile");
        }
        return read;
    } catch (...) {
        transfer.failure = std::current_exception();
        return CURL_READFUNC_ABORT;
    }
}

int on_seek(void* user, curl_off_t offset, int origin) {
    if (origin != SEEK_SET || offset < 0) {
        return CURL_SEEKFUNC_CANTSEEK;
    }
    static_cast<Transfer*>(user)->read_offset = static_cast<std::uint64_t>(offset);
    return CURL_SEEKFUNC_OK;
}

int on_progress(void* user, curl_off_t, curl_off_t down, curl_off_t up_total, curl_off_t up) {
    auto& transfer = *static_cast<Transfer*>(user);
    if (down + up != transfer.moved) {
        transfer.moved = down + up;
        transfer.last_progress = Clock::now();
        transfer.connected = true;
        if (transfer.request->on_sent && up > 0) {
            try {
                transfer.request->on_sent(static_cast<std::uint64_t>(up),
                                          static_cast<std::uint64_t>(up_total));
            } catch (...) {
                transfer.failure = std::current_exception();
                return 1;
            }
        }
    }
    return 0;
}

template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
    if (const CURLcode code = curl_easy_setopt(easy, option, value); code != CURLE_OK) {
        throw Error(std::string("libcurl: ") + curl_easy_strerror(code));
    }
}

void refuse_line_breaks(std::string_view text) {
    if (text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
        throw HttpError(HttpError::Kind::bad_url, "a header value contains a line break");
    }
}

void set_headers(Transfer& transfer) {
    const HttpRequest& request = *transfer.request;
    transfer.headers.reset();
    // "Expect: 100-continue" costs a round trip for every body of more than 1 MB.
    append(transfer.headers, "Expect:");
    if (!header(request.headers, "Content-Type")) {
        append(transfer.headers, "Content-Type:");
    }
    for (const auto& [name, value] : request.headers) {
        refuse_line_breaks(name);
        refuse_line_breaks(value);
        append(transfer.headers, value.empty() ? name + ";" : name + ": " + value);
    }
    if (!request.authorization.empty() && transfer.at_home) {
        refuse_line_breaks(request.authorization.reveal());
        append(transfer.headers, "Authorization: " + request.authorization.reveal());
    }
    set(transfer.easy, CURLOPT_HTTPHEADER, transfer.headers.get());
}

void set_method(Transfer& transfer) {
    const HttpRequest& request = *transfer.request;
    CURL* easy = transfer.easy;
    if (request.method == "HEAD") {
        set(easy, CURLOPT_NOBODY, 1L);
    } else if (request.body) {
        set(easy, CURLOPT_UPLOAD, 1L);
        set(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body->size));
        set(easy, CURLOPT_READFUNCTION, on_read);
        set(easy, CURLOPT_READDATA, &transfer);
        set(easy, CURLOPT_SEEKFUNCTION, on_seek);
        set(easy, CURLOPT_SEEKDATA, &transfer);
        set(easy, CURLOPT_UPLOAD_BUFFERSIZE, buffer_size);
        set(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    } else if (request.method == "POST" || request.method == "PUT" || request.method == "PATCH") {
        // Says "Content-Length: 0"; CUSTOMREQUEST alone would say nothing, and some answer 411.
        set(easy, CURLOPT_POST, 1L);
        set(easy, CURLOPT_POSTFIELDSIZE, 0L);
        set(easy, CURLOPT_POSTFIELDS, "");
        set(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    } else if (request.method != "GET") {
        set(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
}

void set_tls(Transfer& transfer) {
    const TlsOptions& tls = transfer.request->tls;
    CURL* easy = transfer.easy;
    if (!tls.ca_file.empty()) {
        set(easy, CURLOPT_CAINFO, tls.ca_file.c_str());
    } else {
        // libcurl's tool reads these, its library does not.
        if (const char* file = std::getenv("SSL_CERT_FILE"); file != nullptr && *file != '\0') {
            set(easy, CURLOPT_CAINFO, file);
        }
        if (const char* folder = std::getenv("SSL_CERT_DIR");
            folder != nullptr && *folder != '\0') {
            set(easy, CURLOPT_CAPATH, folder);
        }
    }
    if (!tls.client_certificate.empty() && transfer.at_home) {
        set(easy, CURLOPT_SSLCERT, tls.client_certificate.c_str());
        set(easy, CURLOPT_SSLKEY,
            tls.client_key.empty() ? tls.client_certificate.c_str() : tls.client_key.c_str());
    }
    if (tls.insecure) {
        set(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        set(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

std::string host_of(const Transfer& transfer) {
    const auto url = parse_url(transfer.url);
    if (!url) {
        return display_url(transfer.url);
    }
    const bool usual = url->port == (url->scheme == "https" ? "443" : "80");
    return usual ? url->host : url->host + ":" + url->port;
}

HttpError error_of(const Transfer& transfer, CURLcode code) {
    using Kind = HttpError::Kind;
    const std::string host = host_of(transfer);
    std::string detail = transfer.error_text.c_str();
    if (detail.empty()) {
        detail = curl_easy_strerror(code);
    }
    if (transfer.too_large) {
        return {Kind::too_large, host + " sent more than " +
                                     std::to_string(transfer.request->body_limit) + " bytes"};
    }
    if (transfer.stalled) {
        return {Kind::stall,
                host + " moved no byte for " + format_duration(transfer.request->stall_timeout)};
    }
    switch (code) {
        case CURLE_URL_MALFORMAT:
        case CURLE_UNSUPPORTED_PROTOCOL:
            return {Kind::bad_url, "'" + display_url(transfer.url) + "' is no http or https URL"};
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
            return {Kind::resolve, "cannot reach " + host + ": " + detail};
        case CURLE_COULDNT_CONNECT:
            return {Kind::connect, "cannot connect to " + host + ": " + detail};
        case CURLE_OPERATION_TIMEDOUT:
            return {Kind::timeout, host + " did not accept a connection within " +
                                       format_duration(transfer.request->connect_timeout)};
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_ISSUER_ERROR:
            return {Kind::tls, "cannot trust " + host + ": " + detail,
                    "name the authority that signed its certificate: --ca-file FILE"};
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
            return {Kind::tls, "cannot talk TLS with " + host + ": " + detail};
        default:
            return {transfer.connected ? Kind::cut : Kind::connect,
                    "the connection to " + host + " broke: " + detail};
    }
}

// Where the answer sends this request, prepared as its next hop; false when it is the answer.
bool redirect(Transfer& transfer) {
    using Kind = HttpError::Kind;
    const HttpRequest& request = *transfer.request;
    if (request.max_redirects == 0 || !follows(request.method, transfer.response.status)) {
        return false;
    }
    const auto location = header(transfer.response.headers, "Location");
    if (!location) {
        return false;
    }
    if (++transfer.hops > request.max_redirects) {
        throw HttpError(Kind::redirect, display_url(request.url) + " redirects more than " +
                                            std::to_string(request.max_redirects) + " times");
    }
    const std::string next = resolve_url(transfer.url, *location);
    const auto from = parse_url(transfer.url);
    const auto to = parse_url(next);
    if (from->scheme == "https" && to->scheme == "http" && !request.allow_downgrade) {
        throw HttpError(Kind::redirect, display_url(transfer.url) +
                                            " redirects from https to plain http at " +
                                            display_url(next));
    }
    if (from->origin() != to->origin()) {
        transfer.at_home = false;  // and stays so when a later hop comes back
    }
    transfer.url = next;
    transfer.response = {};
    transfer.read_offset = 0;
    transfer.moved = 0;
    return true;
}

}  // namespace

struct HttpClient::Impl {
    explicit Impl(std::string agent) : user_agent(std::move(agent)) {
        static std::once_flag once;
        std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
        multi = curl_multi_init();
        if (multi == nullptr) {
            throw Error("libcurl cannot start");
        }
        curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 32L);
    }

    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    ~Impl() {
        for (CURL* easy : idle) {
            curl_easy_cleanup(easy);
        }
        curl_multi_cleanup(multi);
    }

    void run(std::span<const HttpRequest> requests, std::size_t parallel, const OnDone& on_done,
             const Cancel& cancel);

    CURL* take_handle() {
        if (idle.empty()) {
            CURL* easy = curl_easy_init();
            if (easy == nullptr) {
                throw Error("out of memory");
            }
            return easy;
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
                curl_multi_remove_handle(client_.multi, transfer->easy);
                curl_easy_cleanup(transfer->easy);
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
            curl_multi_perform(client_.multi, &active);
            if (!collect() && active > 0) {
                wait(cancel);
            }
        }
    }

  private:
    void begin(std::size_t index) {
        auto transfer = std::make_unique<Transfer>();
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
                curl_easy_cleanup(transfer->easy);
            }
            on_done_(index, nullptr, &error);
            return;
        }
        running_.push_back(std::move(transfer));
    }

    void launch(Transfer& transfer) {
        const HttpRequest& request = *transfer.request;
        if (transfer.easy == nullptr) {
            transfer.easy = client_.take_handle();
        }
        CURL* easy = transfer.easy;
        curl_easy_reset(easy);
        set(easy, CURLOPT_URL, transfer.url.c_str());
        set(easy, CURLOPT_PRIVATE, &transfer);
        set(easy, CURLOPT_ERRORBUFFER, transfer.error_text.data());
        set(easy, CURLOPT_USERAGENT, client_.user_agent.c_str());
        set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        set(easy, CURLOPT_NOSIGNAL, 1L);
        set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
        set(easy, CURLOPT_BUFFERSIZE, buffer_size);
        set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
        set(easy, CURLOPT_CONNECTTIMEOUT_MS, long{request.connect_timeout.count()});
        set(easy, CURLOPT_HEADERFUNCTION, on_header);
        set(easy, CURLOPT_HEADERDATA, &transfer);
        set(easy, CURLOPT_WRITEFUNCTION, on_body);
        set(easy, CURLOPT_WRITEDATA, &transfer);
        set(easy, CURLOPT_NOPROGRESS, 0L);
        set(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
        set(easy, CURLOPT_XFERINFODATA, &transfer);
        transfer.resolve.reset();
        for (const auto& entry : request.resolve) {
            append(transfer.resolve, entry);
        }
        if (transfer.resolve) {
            set(easy, CURLOPT_RESOLVE, transfer.resolve.get());
        }
        set_method(transfer);
        set_headers(transfer);
        set_tls(transfer);
        transfer.connected = false;
        transfer.last_progress = Clock::now();
        curl_multi_add_handle(client_.multi, easy);
    }

    // Handles what has ended; whether there was anything.
    bool collect() {
        bool any = false;
        int left = 0;
        while (const CURLMsg* message = curl_multi_info_read(client_.multi, &left)) {
            if (message->msg == CURLMSG_DONE) {
                Transfer* transfer = nullptr;
                curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
                finish(*transfer, message->data.result);
                any = true;
            }
        }
        return end_stalled() || any;
    }

    void finish(Transfer& transfer, CURLcode code) {
        curl_multi_remove_handle(client_.multi, transfer.easy);
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
            const std::size_t index = release(transfer)->index;
            on_done_(index, nullptr, &error);
            return;
        }
        transfer.response.url = transfer.url;
        const auto done = release(transfer);
        on_done_(done->index, &done->response, nullptr);
    }

    std::unique_ptr<Transfer> release(Transfer& transfer) {
        client_.idle.push_back(std::exchange(transfer.easy, nullptr));
        const auto found = std::ranges::find_if(
            running_, [&](const auto& running) { return running.get() == &transfer; });
        auto owned = std::move(*found);
        running_.erase(found);
        return owned;
    }

    // While it connects, libcurl's own limit holds; the watch starts with the request.
    static bool is_connected(Transfer& transfer) {
        if (!transfer.connected) {
            curl_off_t microseconds = 0;
            curl_easy_getinfo(transfer.easy, CURLINFO_PRETRANSFER_TIME_T, &microseconds);
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
        curl_multi_poll(client_.multi, &stop, cancel.fd() >= 0 ? 1 : 0, timeout, nullptr);
    }

    Impl& client_;
    std::span<const HttpRequest> requests_;
    const OnDone& on_done_;
    std::vector<std::unique_ptr<Transfer>> running_;
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
        throw *failure;
    }
    return answer;
}

void HttpClient::send_all(const std::vector<HttpRequest>& requests, std::size_t parallel,
                          const OnDone& on_done, const Cancel& cancel) {
    impl_->run(requests, parallel, on_done, cancel);
}

}  // namespace wasmplug
