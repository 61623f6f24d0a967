#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <string>

#include "base/curl.hpp"
#include "base/curl_list.hpp"
#include "base/http.hpp"

// One request of an HttpClient as libcurl sees it: what is set, what comes back, where it is sent
// on to. The loop that runs many of them is in http.cpp.
namespace wasmplug {

// One request on its way, through all of its hops.
struct HttpTransfer {
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
    std::chrono::steady_clock::time_point last_progress;
    curl_off_t moved = 0;
    std::string error_text = std::string(CURL_ERROR_SIZE, '\0');
    CurlList headers;
    CurlList resolve;

    bool success() const { return response.status >= 200 && response.status < 300; }
};

// A loop of libcurl's, which is set up at the first one. Throws Error when it cannot start.
CURLM* new_multi();

// Throws Error when there is no memory for it.
CURL* new_easy();

// Sets everything on `easy` for the current hop and starts the transfer's watch; the handle is
// reset first.
void prepare(HttpTransfer& transfer, const std::string& user_agent);

// What the end of a transfer without a whole answer means.
HttpError error_of(const HttpTransfer& transfer, CURLcode code);

// Where the answer sends this request, prepared as its next hop; false when it is the answer.
// Throws HttpError where it must not go.
bool redirect(HttpTransfer& transfer);

}  // namespace wasmplug
