#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/cancel.hpp"
#include "base/error.hpp"

namespace wasmplug {

// In the order sent or received; some names repeat. Compared without regard to case.
using Headers = std::vector<std::pair<std::string, std::string>>;

// The first value of `name`, or nothing.
std::optional<std::string> header(const Headers& headers, std::string_view name);

// A string that must not reach a terminal, a log or an error. Prints as "***".
class Secret {
  public:
    Secret() = default;

    explicit Secret(std::string value) : value_(std::move(value)) {}

    const std::string& reveal() const { return value_; }

    bool empty() const { return value_.empty(); }

  private:
    std::string value_;
};

// A body that can be sent again from its start (retry, 307): its size is known and any part of
// it can be read at any time.
struct BodySource {
    std::uint64_t size = 0;
    std::function<std::size_t(std::uint64_t offset, std::span<char> into)> read = {};
};

BodySource body_of(std::string text);

// Per-host transport settings. `ca_file` replaces the system's roots; empty means SSL_CERT_FILE,
// then the system's.
struct TlsOptions {
    std::string ca_file;
    std::string client_certificate;
    std::string client_key;
    bool insecure = false;  // no verification; the caller has warned
};

struct HttpRequest {
    std::string method = "GET";
    std::string url;
    Headers headers;
    Secret authorization;  // value of the Authorization header; dropped per hop when a redirect
                           // leaves the origin (scheme, host, port)
    std::optional<BodySource> body;
    // Called with parts of a 2xx body instead of keeping it in HttpResponse::body.
    std::function<void(std::string_view)> sink;
    // Called before the first part, with the 2xx status and headers the parts belong to.
    std::function<void(int status, const Headers&)> on_answer;
    std::function<void(std::uint64_t sent, std::uint64_t total)> on_sent;
    std::size_t body_limit = std::size_t{16} << 20;  // of a kept body; more is an HttpError
    int max_redirects = 10;  // 301, 302, 303, 307, 308 of GET and HEAD, 307 and 308 of the rest;
                             // 0: the 3xx is the answer
    bool allow_downgrade = false;  // follow a redirect from https to http
    TlsOptions tls;
    // "HOST:PORT:ADDRESS" as curl --resolve takes it.
    std::vector<std::string> resolve;
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds stall_timeout{30'000};  // no byte either way for this long
};

struct HttpResponse {
    int status = 0;
    Headers headers;
    std::string body;
    std::string url;  // that answered: the last hop's
};

// The request had no answer, or only part of one.
class HttpError : public Error {
  public:
    enum class Kind { bad_url, resolve, connect, tls, timeout, stall, cut, too_large, redirect };

    HttpError(Kind kind, const std::string& message, std::string hint = {})
        : Error(message, std::move(hint)), kind_(kind) {}

    Kind kind() const { return kind_; }

  private:
    Kind kind_;
};

// The seams: production passes an HttpClient's, a test passes lambdas.
// Any status is an answer; HttpError for none; as Cancel::check when stopped.
using Send = std::function<HttpResponse(const HttpRequest&, const Cancel&)>;

// Runs all requests, at most `parallel` at once, in one curl multi loop on the calling thread.
// on_done(i, response, error) is called once for each, with exactly one of the two pointers set;
// what it throws ends the rest. It must not send through the same client.
using OnDone = std::function<void(std::size_t, HttpResponse*, const HttpError*)>;
using SendAll = std::function<void(const std::vector<HttpRequest>&, std::size_t parallel,
                                   const OnDone&, const Cancel&)>;

// libcurl behind the seams; one a process, so that connections, names and TLS sessions are kept.
// It never follows redirects through libcurl and never hands it a credential as an option.
// Proxy variables (http_proxy, https_proxy, no_proxy) are honoured. Not for use by several
// threads at once; each thread of a parallel loop has its own.
class HttpClient {
  public:
    explicit HttpClient(std::string user_agent);
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    HttpResponse send(const HttpRequest& request, const Cancel& cancel);
    void send_all(const std::vector<HttpRequest>& requests, std::size_t parallel,
                  const OnDone& on_done, const Cancel& cancel);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

struct Url {
    std::string scheme;
    std::string host;
    std::string port;       // always set: the scheme's own when none is written
    std::string path;       // begins with "/"
    std::string query;      // without "?"
    bool has_user = false;  // user:password@ is written in it

    // "https://ghcr.io:443", lower case: what a credential belongs to.
    std::string origin() const { return scheme + "://" + host + ":" + port; }
};

// Nothing for what is not an absolute http or https URL.
std::optional<Url> parse_url(std::string_view text);

// Resolves `reference` (a Location header) against `base`, without user:password and fragment;
// throws HttpError when it is no http or https URL.
std::string resolve_url(std::string_view base, std::string_view reference);

// RFC 3986, section 2.1: every byte that is neither unreserved (section 2.3) nor in `also_plain`
// becomes %XX.
std::string percent_encoded(std::string_view text, std::string_view also_plain = {});

// Adds "key=value" with the right "?" or "&"; the value is percent-encoded but for ":" and "/".
std::string with_query(std::string url, std::string_view key, std::string_view value);

// Without user:password and without the query, for people and logs.
std::string display_url(std::string_view url);

}  // namespace wasmplug
