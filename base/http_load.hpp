#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "base/http.hpp"

namespace wasmplug {

struct LoadPlan {
    std::size_t requests = 1;
    std::size_t concurrency = 1;  // connections; HTTP/1.1, so a connection carries one request
    // Requests a second, started on time whatever became of those before; 0: each connection
    // sends its next request as soon as it has an answer.
    double rate = 0;
};

struct LoadSample {
    // From the moment when it was to start (with a rate) or did start, to its last byte: a
    // request that had to wait for a connection has waited.
    std::chrono::nanoseconds latency{0};
    int status = 0;  // 0: no whole answer
};

struct LoadRun {
    // As many as were asked for, in the order they ended; fewer when it was stopped.
    std::vector<LoadSample> samples;
    std::chrono::nanoseconds elapsed{0};
    std::string error;  // of the first request without an answer
};

// The same request over and over, on connections that are kept from one run to the next. Bodies
// are read and dropped, redirects are answers. A request may take as long as its stall_timeout.
class HttpLoad {
  public:
    // Throws HttpError for a URL that is none.
    HttpLoad(HttpRequest request, std::string user_agent);
    ~HttpLoad();
    HttpLoad(HttpLoad&&) noexcept;
    HttpLoad(const HttpLoad&) = delete;
    HttpLoad& operator=(const HttpLoad&) = delete;

    // Returns when stopped with what has ended by then.
    LoadRun run(const LoadPlan& plan, const Cancel& cancel);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace wasmplug
