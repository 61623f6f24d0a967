#include "oci/retry.hpp"

#include <time.h>

#include <algorithm>
#include <cctype>

namespace wasmplug::oci {

using std::chrono::milliseconds;

bool is_transient(int status) {
    switch (status) {
        case 408:
        case 429:
        case 499:
        case 500:
        case 502:
        case 503:
        case 504:
            return true;
        default:
            return status >= 520 && status <= 524;
    }
}

bool is_transient(const HttpError& error) {
    switch (error.kind()) {
        case HttpError::Kind::connect:
        case HttpError::Kind::resolve:
        case HttpError::Kind::timeout:
        case HttpError::Kind::stall:
        case HttpError::Kind::cut:
            return true;
        case HttpError::Kind::bad_url:
        case HttpError::Kind::tls:
        case HttpError::Kind::too_large:
        case HttpError::Kind::redirect:
            return false;
    }
    return false;
}

std::optional<milliseconds> retry_after(const HttpResponse& response,
                                        std::chrono::system_clock::time_point now) {
    const auto text = header(response.headers, "Retry-After");
    if (!text || text->empty()) {
        return std::nullopt;
    }
    if (text->size() <= 9 &&
        std::ranges::all_of(*text, [](unsigned char c) { return std::isdigit(c) != 0; })) {
        return std::chrono::seconds(std::stol(*text));
    }
    struct tm parts = {};
    // RFC 7231 §7.1.1.1, the one form that senders may use.
    const char* end = ::strptime(text->c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (end == nullptr || *end != '\0') {
        return std::nullopt;
    }
    const auto when = std::chrono::system_clock::from_time_t(::timegm(&parts));
    return std::max(std::chrono::ceil<milliseconds>(when - now), milliseconds(0));
}

milliseconds retry_delay(const RetryPolicy& policy, int next, double random,
                         std::optional<milliseconds> asked) {
    milliseconds delay = policy.first;
    for (int i = 1; i < next && delay < policy.most; ++i) {
        delay *= 2;
    }
    delay = std::min(delay, policy.most);
    const auto jittered = milliseconds(
        static_cast<milliseconds::rep>(static_cast<double>(delay.count()) * (0.5 + random / 2)));
    return std::max(jittered, std::min(asked.value_or(milliseconds(0)), policy.longest_wait));
}

}  // namespace wasmplug::oci
