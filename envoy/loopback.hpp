#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "base/fd.hpp"
#include "envoy/wire.hpp"
#include "plugintest/case.hpp"

namespace wasmplug::envoy {

// Both ends of a proxy on one thread: the client in front of it, and the services behind it. One
// poll loop plays them all, so that what happened has one order.
class Loopback {
  public:
    using Clock = std::chrono::steady_clock;

    // What a service says to a request; see plugintest::CallReply for the kinds.
    using Answer = std::function<plugintest::CallReply(const plugintest::Message&)>;

    // Listens on loopback, on a port of the kernel's, and returns "127.0.0.1:PORT". With no
    // `answer` the port is taken and refuses connections.
    std::string add_service(std::string name, Answer answer);

    struct Seen {
        std::string service;
        plugintest::Message request;
    };

    struct Exchange {
        std::optional<plugintest::Message> response;  // nothing: none came
        bool cut = false;        // the connection ended before the response did
        bool left = false;       // the client went away, as it was told to
        std::vector<Seen> seen;  // whole requests at services, in order
        bool unended = false;    // a service still waits for the end of a request
    };

    // Sends the request to `address` and plays the services until the response is complete, the
    // connection ends, or `limit` has passed; then for `linger` more, so that what the proxy does
    // after the response is seen too.
    Exchange exchange(const std::string& address, const plugintest::Message& request,
                      std::optional<std::chrono::nanoseconds> client_leaves,
                      std::chrono::milliseconds limit, std::chrono::milliseconds linger,
                      const Cancel& cancel);

    // Plays the services only.
    std::vector<Seen> serve(std::chrono::milliseconds time, const Cancel& cancel);

  private:
    struct Service {
        std::string name;
        Fd listener;
        Answer answer;
    };

    struct Piece {
        Clock::time_point not_before;
        std::string bytes;
        bool then_close = false;
    };

    struct Connection {
        Fd fd;
        const Service* service = nullptr;  // nullptr: the client
        WireReader reader{WireReader::Kind::request};
        std::deque<Piece> out;
        bool reset = false;
    };

    void accept_from(const Service& service);
    void read_from(Connection& connection);
    void write_to(Connection& connection);
    void answer(Connection& connection);
    bool step(Clock::time_point until, const Cancel& cancel);

    std::list<Service> services_;
    std::list<Connection> connections_;
    std::vector<Seen> seen_;
};

}  // namespace wasmplug::envoy
