#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/http.hpp"

namespace wasmplug::test {

// What the server saw of one request.
struct SeenRequest {
    std::string method;
    std::string target;  // path and query as sent
    Headers headers;
    std::string body;
    int connection = 0;  // which accepted connection, from 0

    std::string path() const { return target.substr(0, target.find('?')); }

    // All decoded values of a query parameter, in order.
    std::vector<std::string> queries(std::string_view key) const;

    // The first of them, "" when absent.
    std::string query(std::string_view key) const;
};

// An answer, and what goes wrong while it is given.
struct Answer {
    int status = 200;
    Headers headers = {};
    std::string body = {};
    bool no_content_length = false;  // the body ends with the connection
    std::optional<std::size_t> lie_about_length = {};
    std::optional<std::size_t> cut_after = {};    // bytes of the body, then the connection is reset
    std::optional<std::size_t> stall_after = {};  // bytes of the body, then silence
    bool reset = false;                           // no answer at all: RST
    bool stall = false;                           // no answer at all: silence
    bool close = false;                           // say and do "Connection: close"
    std::chrono::milliseconds trickle{0};         // between the bytes of the head
    std::string raw = {};                         // sent instead of everything else
};

// A small HTTP/1.1 server on loopback that can misbehave at every point of an exchange. Each
// connection has its thread; handlers run one at a time.
class FaultServer {
  public:
    using Handler = std::function<Answer(const SeenRequest&)>;
    // Asked when a request's head is there and its body is not yet read: an answer given here is
    // sent at once and the connection closed.
    using EarlyHandler = std::function<std::optional<Answer>(const SeenRequest&)>;

    explicit FaultServer(Handler handler, EarlyHandler early = {});
    FaultServer(const FaultServer&) = delete;
    FaultServer& operator=(const FaultServer&) = delete;
    ~FaultServer();

    int port() const;

    std::string host() const { return "127.0.0.1:" + std::to_string(port()); }

    std::string url(const std::string& path = "/") const { return "http://" + host() + path; }

    std::vector<SeenRequest> seen() const;

    // "GET /v2/" and so on, in order of arrival; without the query.
    std::vector<std::string> log() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace wasmplug::test
