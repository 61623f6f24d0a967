#include "envoy/loopback.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/error.hpp"

namespace wasmplug::envoy {
namespace {

using plugintest::CallReply;
using plugintest::Message;
using namespace std::chrono_literals;

// Between the pieces of one message: long enough for a proxy on this machine to have handed the
// one before to its filters, so that a plugin sees the chunks that a test file wrote.
constexpr auto pace = 20ms;

sockaddr_in loopback_address(std::uint16_t port) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

Fd tcp_socket() {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) {
        throw system_error("cannot open a socket", errno);
    }
    return fd;
}

const sockaddr* generic(const sockaddr_in& address) {
    return reinterpret_cast<const sockaddr*>(&address);  // NOLINT: what the socket API is
}

void without_delay(int fd) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Fd connect_to(const std::string& address) {
    const std::size_t colon = address.rfind(':');
    const auto port = static_cast<std::uint16_t>(std::stoul(address.substr(colon + 1)));
    Fd fd = tcp_socket();
    const auto to = loopback_address(port);
    if (::connect(fd.get(), generic(to), sizeof to) != 0 && errno != EINPROGRESS) {
        throw system_error("cannot connect to " + address, errno);
    }
    without_delay(fd.get());
    return fd;
}

// Closing sends a reset instead of an orderly end.
void reset_on_close(int fd) {
    const linger hard{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

}  // namespace

std::string Loopback::add_service(std::string name, Answer answer) {
    Service service{.name = std::move(name), .listener = tcp_socket(), .answer = std::move(answer)};
    auto address = loopback_address(0);
    socklen_t size = sizeof address;
    const int fd = service.listener.get();
    auto* const raw = reinterpret_cast<sockaddr*>(&address);  // NOLINT: what the socket API is
    if (::bind(fd, raw, size) != 0 || ::getsockname(fd, raw, &size) != 0 ||
        (service.answer && ::listen(fd, 64) != 0)) {
        throw system_error("cannot listen on loopback", errno);
    }
    services_.push_back(std::move(service));
    return fmt::format("127.0.0.1:{}", ntohs(address.sin_port));
}

void Loopback::accept_from(const Service& service) {
    Fd fd(::accept4(service.listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd) {
        without_delay(fd.get());
        connections_.push_back({.fd = std::move(fd), .service = &service});
    }
}

void Loopback::answer(Connection& connection) {
    const Message& request = connection.reader.message();
    seen_.push_back({connection.service->name, request});
    const CallReply reply = connection.service->answer(request);
    const auto start = Clock::now() + std::chrono::duration_cast<Clock::duration>(reply.delay);
    using enum CallReply::Kind;
    const bool head = plugintest::first_header(request.headers, ":method") == "HEAD";
    connection.reader = WireReader(WireReader::Kind::request);
    switch (reply.kind) {
        case reset:
            connection.out.push_back({start, "", true});
            break;
        case garbage:
            connection.out.push_back({start, "this is not HTTP\r\n\r\n", true});
            break;
        case timeout:
        case refused:
        case overflow:
            break;  // says nothing
        case response:
        case reset_after_headers:
        case timeout_after_headers: {
            Message message = reply.message;
            if (reply.kind != response && message.body.empty()) {
                message.body.emplace_back("never sent");  // so that the head promises more
            }
            auto pieces = wire_pieces(message, WireReader::Kind::response);
            if (head || reply.kind != response) {
                pieces.resize(1);
            }
            auto at = start;
            for (auto& piece : pieces) {
                connection.out.push_back({at, std::move(piece)});
                at += pace;
            }
            if (reply.kind == reset_after_headers) {
                connection.out.push_back({at, "", true});
            }
            break;
        }
    }
}

void Loopback::read_from(Connection& connection) {
    std::array<char, 65536> buffer;
    const ssize_t n = ::recv(connection.fd.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        connection.reset = n < 0;
        connection.reader.close();
        connection.fd.reset();
        return;
    }
    std::string_view rest(buffer.data(), static_cast<std::size_t>(n));
    while (!rest.empty() && !connection.reader.broken()) {
        rest = connection.reader.feed(rest);
        if (!connection.reader.complete() || connection.service == nullptr) {
            return;
        }
        answer(connection);
    }
}

void Loopback::write_to(Connection& connection) {
    while (!connection.out.empty() && connection.out.front().not_before <= Clock::now()) {
        Piece& piece = connection.out.front();
        if (piece.then_close && piece.bytes.empty()) {
            reset_on_close(connection.fd.get());
            connection.fd.reset();
            return;
        }
        const ssize_t n =
            ::send(connection.fd.get(), piece.bytes.data(), piece.bytes.size(), MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN)) {
            return;
        }
        if (n < 0) {
            connection.out.clear();  // the other side no longer listens; what it said is still read
            return;
        }
        piece.bytes.erase(0, static_cast<std::size_t>(n));
        if (piece.bytes.empty() && !piece.then_close) {
            connection.out.pop_front();
            if (!connection.out.empty()) {
                // From now, not from when this one was due: after a late turn of the loop two
                // pieces would leave together and arrive as one chunk.
                auto& next = connection.out.front().not_before;
                next = std::max(next, Clock::now() + pace);
            }
        }
    }
}

// One turn of the loop, which waits until `until` at most; false when that has passed.
bool Loopback::step(Clock::time_point until, const Cancel& cancel) {
    cancel.check();
    auto wake = until;
    std::vector<pollfd> waits;
    const auto now = Clock::now();
    for (const auto& connection : connections_) {
        short events = POLLIN;
        if (!connection.out.empty()) {
            wake = std::min(wake, std::max(connection.out.front().not_before, now));
            if (connection.out.front().not_before <= now) {
                events = POLLIN | POLLOUT;
            }
        }
        waits.push_back({.fd = connection.fd.get(), .events = events, .revents = 0});
    }
    for (const auto& service : services_) {
        waits.push_back(
            {.fd = service.answer ? service.listener.get() : -1, .events = POLLIN, .revents = 0});
    }
    waits.push_back({.fd = cancel.fd(), .events = POLLIN, .revents = 0});
    const bool writable_now = wake <= now;
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(wake - now).count();
    ::poll(waits.data(), waits.size(),
           writable_now ? 50 : static_cast<int>(std::clamp<decltype(wait)>(wait, 0, 1000)));
    std::size_t i = 0;
    for (auto& connection : connections_) {
        const short events = waits[i++].revents;
        if (connection.fd && (events & POLLOUT) != 0) {
            write_to(connection);
        }
        if (connection.fd && (events & (POLLIN | POLLHUP | POLLERR)) != 0) {
            read_from(connection);
        }
    }
    for (const auto& service : services_) {
        if ((waits[i++].revents & POLLIN) != 0) {
            accept_from(service);
        }
    }
    connections_.remove_if([](const Connection& connection) {
        return connection.service != nullptr && !connection.fd;
    });
    return Clock::now() < until;
}

Loopback::Exchange Loopback::exchange(const std::string& address, const Message& request,
                                      std::optional<std::chrono::nanoseconds> client_leaves,
                                      std::chrono::milliseconds limit,
                                      std::chrono::milliseconds linger, const Cancel& cancel) {
    Exchange result;
    seen_.clear();
    const bool head = plugintest::first_header(request.headers, ":method") == "HEAD";
    connections_.push_front(
        {.fd = connect_to(address), .reader = WireReader(WireReader::Kind::response, head)});
    Connection& client = connections_.front();
    auto at = Clock::now();
    for (auto& piece : wire_pieces(request, WireReader::Kind::request)) {
        client.out.push_back({at, std::move(piece)});
        at += pace;
    }
    const auto begun = Clock::now();
    const auto leave = client_leaves ? std::chrono::duration_cast<Clock::duration>(*client_leaves)
                                     : Clock::duration::max();
    auto until = begun + std::min<Clock::duration>(limit, leave);
    while (client.fd && !client.reader.complete() && !client.reader.broken() &&
           step(until, cancel)) {
    }
    if (client.reader.headers_complete()) {  // and be it that the rest was cut off
        result.response = client.reader.message();
    }
    result.cut = !client.reader.complete() && (!client.fd || client.reader.broken());
    result.left = client_leaves && !client.reader.complete() && !result.cut;
    connections_.pop_front();
    until = Clock::now() + linger;
    while (step(until, cancel)) {
    }
    result.seen = std::exchange(seen_, {});
    result.unended =
        std::any_of(connections_.begin(), connections_.end(), [](const Connection& connection) {
            return connection.service != nullptr && connection.reader.headers_complete() &&
                   !connection.reader.complete();
        });
    return result;
}

std::vector<Loopback::Seen> Loopback::serve(std::chrono::milliseconds time, const Cancel& cancel) {
    const auto until = Clock::now() + time;
    while (step(until, cancel)) {
    }
    return std::exchange(seen_, {});
}

}  // namespace wasmplug::envoy
