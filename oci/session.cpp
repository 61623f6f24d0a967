#include "oci/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/image_reference.hpp"
#include "base/time.hpp"
#include "oci/certificates.hpp"
#include "oci/registry_error.hpp"

namespace wasmplug::oci {

using std::chrono::milliseconds;

namespace {

constexpr std::size_t parallel_requests = 4;
// One for a fresh token, one for a token that expired under way or got too small a scope.
constexpr int authentication_rounds = 2;

// The server at the other end speaks TLS: Go's and nginx' words for a plain request there.
bool wants_https(const HttpResponse& response) {
    return response.status == 400 &&
           (response.body.find("HTTP request to an HTTPS server") != std::string::npos ||
            response.body.find("plain HTTP request was sent to HTTPS port") != std::string::npos);
}

}  // namespace

Session::Session(std::string host, RegistryOptions options, Services& services)
    : host_(std::move(host)),
      options_(std::move(options)),
      services_(services),
      credentials_(services) {
    options_.tls = with_certificates(std::move(options_.tls), host_,
                                     certificate_folders(services.environment));
    const bool loopback = is_loopback_host(host_);
    scheme_known_ = options_.plain_http || !loopback;
    https_ = !options_.plain_http && !loopback;
}

std::string Session::url(const std::string& path) const {
    return (https_ ? "https://" : "http://") + host_ + path;
}

bool Session::is_own_origin(const std::string& target) const {
    const auto own = parse_url(url("/"));
    const auto other = parse_url(target);
    return own && other && own->origin() == other->origin();
}

bool Session::may_go_to(const std::string& target) const {
    const auto own = parse_url(url("/"));
    const auto other = parse_url(target);
    if (!own || !other || (own->scheme == "https" && other->scheme == "http")) {
        return false;
    }
    const auto is_private = [](const std::string& host) {
        return is_private_address(host) || is_loopback_host(host);
    };
    return own->host == other->host ||
           (!is_metadata_host(other->host) && (!is_private(other->host) || is_private(own->host)));
}

// What one call of exchange() keeps while it repeats.
struct Session::Round {
    const std::vector<ApiRequest>& requests;
    std::vector<ApiResult> results;
    std::vector<std::size_t> pending;
    std::vector<int> tries;  // repetitions so far
    int authentications = 0;
    std::vector<std::size_t> unauthorized;
    std::vector<std::size_t> failed;  // transient, may be repeated
};

std::vector<ApiResult> Session::exchange(const std::vector<ApiRequest>& requests) {
    Round round{.requests = requests,
                .results = std::vector<ApiResult>(requests.size()),
                .pending = std::vector<std::size_t>(requests.size()),
                .tries = std::vector<int>(requests.size())};
    std::iota(round.pending.begin(), round.pending.end(), std::size_t{0});
    while (!round.pending.empty()) {
        std::vector<HttpRequest> batch;
        for (const std::size_t i : round.pending) {
            HttpRequest http = requests[i].http;
            if (is_own_origin(http.url)) {
                http.authorization = authorization(requests[i].scope);
                http.tls = options_.tls;
            } else {
                http.tls.ca_file = options_.tls.ca_file;
                http.tls.insecure = options_.tls.insecure;
            }
            http.stall_timeout = options_.stall_timeout;
            batch.push_back(std::move(http));
        }
        const auto on_done = [&](std::size_t n, HttpResponse* response, const HttpError* error) {
            ApiResult& result = round.results[round.pending[n]];
            result = {};
            if (response != nullptr) {
                result.response = std::move(*response);
            } else {
                result.error = *error;
            }
        };
        services_.send_all(batch, parallel_requests, on_done, services_.cancel);
        if (switch_scheme(round.results)) {
            // The addresses were made for the other scheme.
            std::vector<ApiRequest> again = requests;
            for (auto& request : again) {
                const auto old = parse_url(request.http.url);
                request.http.url = url(old->path + (old->query.empty() ? "" : "?" + old->query));
            }
            return exchange(again);
        }
        sort_results(round);
        if (!round.unauthorized.empty()) {
            const ApiRequest& request = requests[round.unauthorized.front()];
            if (round.authentications++ == authentication_rounds ||
                !answer_challenge(round.results[round.unauthorized.front()].response,
                                  request.scope)) {
                round.unauthorized.clear();
            }
        }
        if (!round.failed.empty()) {
            const std::size_t first = round.failed.front();
            pause(round.tries[first], requests[first].what, round.results[first]);
        }
        round.pending = std::move(round.unauthorized);
        round.pending.insert(round.pending.end(), round.failed.begin(), round.failed.end());
        std::ranges::sort(round.pending);
    }
    return std::move(round.results);
}

void Session::sort_results(Round& round) {
    round.unauthorized.clear();
    round.failed.clear();
    for (const std::size_t i : round.pending) {
        const ApiResult& result = round.results[i];
        if (result.is(401) && is_own_origin(round.requests[i].http.url)) {
            round.unauthorized.push_back(i);
            continue;
        }
        // A stalled request has already cost the user its whole limit, and a name that nobody knows
        // is mostly mistyped: once more is enough.
        const bool once = result.error && (result.error->kind() == HttpError::Kind::stall ||
                                           result.error->kind() == HttpError::Kind::timeout ||
                                           result.error->kind() == HttpError::Kind::resolve);
        const int allowed = once ? 1 : options_.retry.attempts - 1;
        if (round.requests[i].repeat && result.transient() && round.tries[i] < allowed) {
            ++round.tries[i];
            round.failed.push_back(i);
        }
    }
}

HttpResponse Session::send(const ApiRequest& request) {
    ApiResult result = std::move(exchange({request}).front());
    if (result.error) {
        HttpError error = *result.error;
        if (!request.what.empty()) {
            error.add_context(request.what);
        }
        throw error;
    }
    return std::move(result.response);
}

void Session::pause(int next, const std::string& what, const ApiResult& failed) {
    const auto asked = failed.error ? std::nullopt : retry_after(failed.response, services_.now());
    std::uniform_real_distribution<double> uniform(0, 1);
    const milliseconds delay = retry_delay(options_.retry, next, uniform(random_), asked);
    const std::string reason =
        failed.error ? std::string(failed.error->what())
                     : fmt::format("{} answered {}{}", host_, failed.response.status,
                                   asked ? ", Retry-After " + format_duration(*asked) : "");
    services_.out.note(fmt::format("{}: {}; trying again in {} ({} of {})", what, reason,
                                   format_duration(delay), next + 1, options_.retry.attempts));
    services_.sleep(delay, services_.cancel);
}

void Session::send_and_forget(const std::string& method, const std::string& target,
                              const std::string& scope) {
    HttpRequest request;
    request.method = method;
    request.url = target;
    if (is_own_origin(target)) {
        request.authorization = authorization(scope);
        request.tls = options_.tls;
    }
    try {
        services_.send(request, Cancel{}.within(std::chrono::seconds(3), "3 s"));
    } catch (const Error& error) {
        services_.out.verbose(fmt::format("{} {}: {}", method, display_url(target), error.what()));
    }
}

void Session::progress(const std::string& what, std::uint64_t sent, std::uint64_t total) {
    if (!services_.out.style().progress) {
        return;
    }
    const auto now = Cancel::Clock::now();
    const auto began = progress_began_.try_emplace(what, now).first->second;
    const double seconds = std::chrono::duration<double>(now - began).count();
    std::string line = fmt::format("{}: {} %", what, total == 0 ? 100 : sent * 100 / total);
    if (seconds > 0.2 && sent < total) {  // before that a rate is a guess
        line += fmt::format(
            ", {}/s", format_size(static_cast<std::uint64_t>(static_cast<double>(sent) / seconds)));
    }
    services_.out.progress(line);
}

// A loopback registry is asked over plain http first. When that turns out wrong, once, https.
bool Session::switch_scheme(const std::vector<ApiResult>& results) {
    if (scheme_known_ || results.empty()) {
        return false;
    }
    const bool refused = std::ranges::any_of(results, [](const ApiResult& result) {
        return !result.error && wants_https(result.response);
    });
    // A HEAD's answer has no body to say it in.
    const bool doubtful = std::ranges::all_of(results, [](const ApiResult& result) {
        return result.error ? result.error->kind() == HttpError::Kind::cut : result.is(400);
    });
    if (refused) {
        scheme_known_ = true;
        https_ = true;
        return true;
    }
    if (!doubtful) {
        scheme_known_ =
            std::ranges::any_of(results, [](const ApiResult& result) { return !result.error; });
        return false;
    }
    // Some TLS servers only hang up. One probe tells them from a registry that lost a connection.
    HttpRequest probe;
    probe.url = "https://" + host_ + "/v2/";
    probe.tls = options_.tls;
    probe.stall_timeout = milliseconds(5'000);
    try {
        services_.send(probe, services_.cancel);
        scheme_known_ = true;
        https_ = true;
        return true;
    } catch (const HttpError& error) {
        if (error.kind() == HttpError::Kind::tls &&
            std::string_view(error.what()).starts_with("cannot trust")) {
            throw;
        }
        scheme_known_ = true;
        return false;
    }
}

}  // namespace wasmplug::oci
