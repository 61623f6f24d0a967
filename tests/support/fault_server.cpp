#include "tests/support/fault_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <list>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "base/fd.hpp"

namespace wasmplug::test {
namespace {

int hex_value(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : 0;
}

std::string decode(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size()) {
            out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
            i += 2;
        } else {
            out += text[i] == '+' ? ' ' : text[i];
        }
    }
    return out;
}

SeenRequest parse_head(const std::string& head) {
    SeenRequest request;
    std::size_t at = head.find("\r\n");
    const std::string line = head.substr(0, at);
    const std::size_t first = line.find(' ');
    const std::size_t second = line.find(' ', first + 1);
    request.method = line.substr(0, first);
    request.target = line.substr(first + 1, second - first - 1);
    while (at != std::string::npos && at + 2 < head.size()) {
        const std::size_t end = head.find("\r\n", at + 2);
        const std::string field = head.substr(at + 2, end - at - 2);
        if (const std::size_t colon = field.find(':'); colon != std::string::npos) {
            const std::size_t value = field.find_first_not_of(' ', colon + 1);
            request.headers.emplace_back(field.substr(0, colon),
                                         value == std::string::npos ? "" : field.substr(value));
        }
        at = end;
    }
    return request;
}

}  // namespace

std::vector<std::string> SeenRequest::queries(std::string_view key) const {
    std::vector<std::string> values;
    std::size_t at = target.find('?');
    while (at != std::string::npos) {
        const std::size_t end = target.find('&', at + 1);
        const std::string pair = target.substr(at + 1, end - at - 1);
        const std::size_t equals = pair.find('=');
        if (pair.substr(0, equals) == key) {
            values.push_back(equals == std::string::npos ? "" : decode(pair.substr(equals + 1)));
        }
        at = end;
    }
    return values;
}

std::string SeenRequest::query(std::string_view key) const {
    const auto values = queries(key);
    return values.empty() ? "" : values.front();
}

struct FaultServer::Impl {
    Handler handler;
    EarlyHandler early;
    Fd listener;
    int port = 0;
    std::atomic<bool> stopping = false;
    mutable std::mutex mutex;
    std::vector<SeenRequest> seen;
    int connections = 0;
    std::list<std::jthread> workers;
    std::jthread acceptor;

    // Waits in small steps so that the destructor never hangs; false when it is time to end.
    bool wait(int fd, short events) const {
        while (!stopping) {
            pollfd poll_fd{.fd = fd, .events = events, .revents = 0};
            if (::poll(&poll_fd, 1, 20) > 0) {
                return true;
            }
        }
        return false;
    }

    bool send(int fd, std::string_view bytes) const {
        while (!bytes.empty()) {
            if (!wait(fd, POLLOUT)) {
                return false;
            }
            const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent < 0) {
                return false;
            }
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }

    bool receive(int fd, std::string& into) const {
        char buffer[65536];
        if (!wait(fd, POLLIN)) {
            return false;
        }
        const auto got = ::recv(fd, buffer, sizeof buffer, 0);
        if (got <= 0) {
            return false;
        }
        into.append(buffer, static_cast<std::size_t>(got));
        return true;
    }

    static void reset(Fd& fd) {
        const linger now{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
        fd.reset();
    }

    void silence(int fd) const {
        std::string ignored;
        while (receive(fd, ignored)) {
            ignored.clear();
        }
    }

    // Whether the connection goes on.
    bool answer(Fd& fd, const SeenRequest& request, const Answer& answer) const {
        if (answer.reset) {
            reset(fd);
            return false;
        }
        if (answer.stall) {
            silence(fd.get());
            return false;
        }
        if (!answer.raw.empty()) {
            send(fd.get(), answer.raw);
            return false;
        }
        std::string head = "HTTP/1.1 " + std::to_string(answer.status) + " Status\r\n";
        for (const auto& [name, value] : answer.headers) {
            head += name + ": " + value + "\r\n";
        }
        if (!answer.no_content_length && answer.status != 204 && answer.status != 304 &&
            !header(answer.headers, "Content-Length")) {
            head += "Content-Length: " +
                    std::to_string(answer.lie_about_length.value_or(answer.body.size())) + "\r\n";
        }
        const bool closes = answer.close || answer.no_content_length || answer.lie_about_length;
        head += closes ? "Connection: close\r\n\r\n" : "\r\n";
        if (answer.trickle.count() > 0) {
            for (const char c : head) {
                if (stopping || !send(fd.get(), {&c, 1})) {
                    return false;
                }
                std::this_thread::sleep_for(answer.trickle);
            }
            head.clear();
        }
        std::string_view body = request.method == "HEAD" ? std::string_view{} : answer.body;
        if (answer.cut_after) {
            send(fd.get(), head + std::string(body.substr(0, *answer.cut_after)));
            // What was sent must arrive before the reset overtakes it.
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            reset(fd);
            return false;
        }
        if (answer.stall_after) {
            send(fd.get(), head + std::string(body.substr(0, *answer.stall_after)));
            silence(fd.get());
            return false;
        }
        return send(fd.get(), head) && send(fd.get(), body) && !closes;
    }

    void serve(Fd fd, int number) {
        std::string buffer;
        for (;;) {
            std::size_t end = std::string::npos;
            while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
                if (!receive(fd.get(), buffer)) {
                    return;
                }
                if (buffer[0] < 'A' || buffer[0] > 'Z') {  // a TLS hello, as real servers answer it
                    send(fd.get(), "HTTP/1.0 400 Bad Request\r\n\r\n");
                    return;
                }
            }
            SeenRequest request = parse_head(buffer.substr(0, end + 2));
            request.connection = number;
            buffer.erase(0, end + 4);
            if (early) {
                std::optional<Answer> now;
                {
                    const std::lock_guard lock(mutex);
                    now = early(request);
                    if (now) {
                        seen.push_back(request);
                    }
                }
                if (now) {
                    now->close = true;
                    answer(fd, request, *now);
                    return;
                }
            }
            const std::size_t length =
                std::stoul(header(request.headers, "Content-Length").value_or("0"));
            while (buffer.size() < length) {
                if (!receive(fd.get(), buffer)) {
                    return;
                }
            }
            request.body = buffer.substr(0, length);
            buffer.erase(0, length);
            Answer given;
            {
                const std::lock_guard lock(mutex);
                seen.push_back(request);
                given = handler(request);
            }
            if (!answer(fd, request, given)) {
                return;
            }
        }
    }

    void accept() {
        while (wait(listener.get(), POLLIN)) {
            Fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!fd) {
                continue;
            }
            const int one = 1;
            ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            workers.emplace_back(
                [this, connection = std::move(fd), number = connections++]() mutable {
                    serve(std::move(connection), number);
                });
        }
    }
};

FaultServer::FaultServer(Handler handler, EarlyHandler early) : impl_(std::make_unique<Impl>()) {
    impl_->handler = std::move(handler);
    impl_->early = std::move(early);
    impl_->listener.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(impl_->listener.get(), generic, size) != 0 ||
        ::listen(impl_->listener.get(), 64) != 0 ||
        ::getsockname(impl_->listener.get(), generic, &size) != 0) {
        throw std::runtime_error("cannot listen on loopback");
    }
    impl_->port = ntohs(address.sin_port);
    impl_->acceptor = std::jthread([this] { impl_->accept(); });
}

FaultServer::~FaultServer() {
    impl_->stopping = true;
    impl_->acceptor.join();
    impl_->workers.clear();
}

int FaultServer::port() const {
    return impl_->port;
}

std::vector<SeenRequest> FaultServer::seen() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->seen;
}

std::vector<std::string> FaultServer::log() const {
    std::vector<std::string> lines;
    for (const auto& request : seen()) {
        lines.push_back(request.method + " " + request.path());
    }
    return lines;
}

}  // namespace wasmplug::test
