#include "base/http_transfer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <string_view>

#include "base/image_reference.hpp"
#include "base/time.hpp"

namespace wasmplug {
namespace {

using Clock = std::chrono::steady_clock;

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

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<HttpTransfer*>(user);
    std::string_view line(data, size * count);
    transfer.last_progress = Clock::now();
    transfer.connected = true;
    if (line.starts_with("HTTP/")) {
        transfer.response.headers.clear();  // of a 1xx or of a proxy's CONNECT before this one
        transfer.response.status = 0;
        if (const std::size_t at = line.find_first_not_of(' ', line.find(' '));
            at != std::string_view::npos) {
            std::from_chars(line.data() + at, line.data() + line.size(), transfer.response.status);
        }
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
    auto& transfer = *static_cast<HttpTransfer*>(user);
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
    auto& transfer = *static_cast<HttpTransfer*>(user);
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
    static_cast<HttpTransfer*>(user)->read_offset = static_cast<std::uint64_t>(offset);
    return CURL_SEEKFUNC_OK;
}

int on_progress(void* user, curl_off_t, curl_off_t down, curl_off_t up_total, curl_off_t up) {
    auto& transfer = *static_cast<HttpTransfer*>(user);
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
    if (const CURLcode code = curl().easy_setopt(easy, option, value); code != CURLE_OK) {
        throw Error(fmt::format("libcurl refuses option {}: {}", static_cast<int>(option),
                                curl().easy_strerror(code)));
    }
}

void refuse_line_breaks(std::string_view text) {
    if (text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
        throw HttpError(HttpError::Kind::bad_url, "a header value contains a line break");
    }
}

void set_headers(HttpTransfer& transfer) {
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

void set_method(HttpTransfer& transfer) {
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

void set_tls(HttpTransfer& transfer) {
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

// The proxies of the environment, by Go's rules where libcurl's differ, since that is what the
// other clients of a registry follow: never to this machine itself, and HTTP_PROXY in capitals too
// (but for a CGI, where a client of the server could set it).
void set_proxy(const HttpTransfer& transfer) {
    const auto url = parse_url(transfer.url);
    if (!url) {
        return;
    }
    if (is_loopback_host(url->host)) {
        set(transfer.easy, CURLOPT_PROXY, "");
        return;
    }
    const char* capitals = std::getenv("HTTP_PROXY");
    if (url->scheme == "http" && capitals != nullptr && std::getenv("http_proxy") == nullptr &&
        std::getenv("REQUEST_METHOD") == nullptr) {
        set(transfer.easy, CURLOPT_PROXY, capitals);
    }
}

std::string host_of(const HttpTransfer& transfer) {
    const auto url = parse_url(transfer.url);
    if (!url) {
        return display_url(transfer.url);
    }
    const bool usual = url->port == (url->scheme == "https" ? "443" : "80");
    return usual ? url->host : url->host + ":" + url->port;
}

}  // namespace

CURLM* new_multi() {
    static std::once_flag once;
    std::call_once(once, [] { curl().global_init(CURL_GLOBAL_DEFAULT); });
    CURLM* multi = curl().multi_init();
    if (multi == nullptr) {
        throw Error("libcurl cannot start");
    }
    return multi;
}

CURL* new_easy() {
    CURL* easy = curl().easy_init();
    if (easy == nullptr) {
        throw Error("out of memory");
    }
    return easy;
}

void prepare(HttpTransfer& transfer, const std::string& user_agent) {
    const HttpRequest& request = *transfer.request;
    CURL* easy = transfer.easy;
    curl().easy_reset(easy);
    set(easy, CURLOPT_URL, transfer.url.c_str());
    set(easy, CURLOPT_PRIVATE, &transfer);
    set(easy, CURLOPT_ERRORBUFFER, transfer.error_text.data());
    set(easy, CURLOPT_USERAGENT, user_agent.c_str());
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
    set_proxy(transfer);
    transfer.connected = false;
    transfer.last_progress = Clock::now();
}

HttpError error_of(const HttpTransfer& transfer, CURLcode code) {
    using Kind = HttpError::Kind;
    const std::string host = host_of(transfer);
    std::string detail = transfer.error_text.c_str();
    if (detail.empty()) {
        detail = curl().easy_strerror(code);
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
        case CURLE_UNSUPPORTED_PROTOCOL:
            // libcurl's code for an answer without a status line too ("Received HTTP/0.9 …").
            if (transfer.connected || detail.find("HTTP/0.9") != std::string::npos) {
                return {Kind::cut, host + " answered with something that is not HTTP"};
            }
            [[fallthrough]];
        case CURLE_URL_MALFORMAT:
            return {Kind::bad_url, "'" + display_url(transfer.url) + "' is no http or https URL"};
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
            return {Kind::resolve, "cannot reach " + host + ": " + detail};
        case CURLE_COULDNT_CONNECT:
            return {Kind::connect, "cannot connect to " + host + ": " + detail};
        case CURLE_OPERATION_TIMEDOUT:
            if (transfer.connected) {
                return {Kind::stall, host + " gave no whole answer within " +
                                         format_duration(transfer.request->stall_timeout)};
            }
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
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR:
        case CURLE_GOT_NOTHING:
            return {Kind::cut, "the connection to " + host + " broke: " + detail};
        default:
            return {transfer.connected ? Kind::cut : Kind::connect,
                    "the connection to " + host + " broke: " + detail};
    }
}

bool redirect(HttpTransfer& transfer) {
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

}  // namespace wasmplug
