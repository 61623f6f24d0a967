#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/http.hpp"

namespace wasmplug::oci {

// What goes on after an answer that is no success.
struct RetryPolicy {
    int attempts = 6;
    std::chrono::milliseconds first{250};
    std::chrono::milliseconds most{8'000};
    std::chrono::milliseconds longest_wait{60'000};  // what a server's Retry-After may ask for
};

// 408, 429, 500, 502, 503, 504, nginx's 499 and a proxy's 520 to 524.
bool is_transient(int status);

// A connection that failed, stalled or broke; not a bad certificate, URL or redirect.
bool is_transient(const HttpError& error);

// Seconds or an HTTP date, of any answer that carries it; nothing when absent or unreadable.
std::optional<std::chrono::milliseconds> retry_after(const HttpResponse& response,
                                                     std::chrono::system_clock::time_point now);

// How long to wait before attempt `next` (1 is the first repetition): doubling, with a jitter
// from half to all of it (`random` in [0, 1)), at least what the server asked for.
std::chrono::milliseconds retry_delay(const RetryPolicy& policy, int next, double random,
                                      std::optional<std::chrono::milliseconds> asked);

}  // namespace wasmplug::oci
