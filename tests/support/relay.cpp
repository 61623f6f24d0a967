#include "tests/support/relay.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "base/fd.hpp"
#include "base/hash.hpp"
#include "tests/support/openssl.hpp"

namespace wasmplug::test {
namespace {

using Context = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Free<SSL_free>>;

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    return address;
}

Fd dial(int port) {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto address = loopback(port);
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        fd.reset();
    }
    return fd;
}

bool send_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

// Accepts on a port that the kernel chose, a thread for each connection, until it is destroyed.
class Listener {
  public:
    using Serve = std::function<void(Fd)>;

    explicit Listener(Serve serve) : serve_(std::move(serve)) {
        fd_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        auto address = loopback(0);
        socklen_t size = sizeof address;
        auto* generic = reinterpret_cast<sockaddr*>(&address);
        if (::bind(fd_.get(), generic, size) != 0 || ::listen(fd_.get(), 64) != 0 ||
            ::getsockname(fd_.get(), generic, &size) != 0) {
            throw std::runtime_error("cannot listen on loopback");
        }
        port_ = ntohs(address.sin_port);
        acceptor_ = std::jthread([this] { accept(); });
    }

    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    ~Listener() {
        stopping_ = true;
        acceptor_.join();
        workers_.clear();
    }

    int port() const { return port_; }

    // False when it is time to end.
    bool wait(int fd) const {
        while (!stopping_) {
            pollfd poll_fd{.fd = fd, .events = POLLIN, .revents = 0};
            if (::poll(&poll_fd, 1, 20) > 0) {
                return true;
            }
        }
        return false;
    }

    // Copies both ways until one side ends. `pending` says that the first side holds bytes that
    // poll does not see.
    void pump(int first, int second, const std::function<bool()>& pending,
              const std::function<bool()>& forth, const std::function<bool()>& back) const {
        while (!stopping_) {
            std::array<pollfd, 2> both{{{.fd = first, .events = POLLIN, .revents = 0},
                                        {.fd = second, .events = POLLIN, .revents = 0}}};
            const bool more = pending();
            if (::poll(both.data(), both.size(), more ? 0 : 20) < 0) {
                return;
            }
            if (((more || both[0].revents != 0) && !forth()) || (both[1].revents != 0 && !back())) {
                return;
            }
        }
    }

  private:
    void accept() {
        while (wait(fd_.get())) {
            Fd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (fd) {
                workers_.emplace_back(
                    [this, taken = std::move(fd)]() mutable { serve_(std::move(taken)); });
            }
        }
    }

    Serve serve_;
    Fd fd_;
    int port_ = 0;
    std::atomic<bool> stopping_ = false;
    std::list<std::jthread> workers_;
    std::jthread acceptor_;
};

bool copy(int from, int to) {
    std::array<char, 65536> buffer{};
    const auto n = ::recv(from, buffer.data(), buffer.size(), 0);
    return n > 0 && send_all(to, {buffer.data(), static_cast<std::size_t>(n)});
}

X certificate_of(const std::string& pem) {
    const Bio text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    return X(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr));
}

Context context_of(const TlsFront::Options& options) {
    Context context(SSL_CTX_new(TLS_server_method()));
    const Bio key_text(BIO_new_mem_buf(options.certificate.key.data(),
                                       static_cast<int>(options.certificate.key.size())));
    EVP_PKEY* key = PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr);
    const bool good =
        SSL_CTX_use_certificate(context.get(),
                                certificate_of(options.certificate.certificate).get()) == 1 &&
        SSL_CTX_use_PrivateKey(context.get(), key) == 1;
    EVP_PKEY_free(key);
    if (!good) {
        throw std::runtime_error("OpenSSL does not take the certificate");
    }
    if (!options.client_ca.empty()) {
        const X authority = certificate_of(options.client_ca);
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), authority.get());
        SSL_CTX_add_client_CA(context.get(), authority.get());
        SSL_CTX_set_session_id_context(context.get(),
                                       reinterpret_cast<const unsigned char*>("front"), 5);
        SSL_CTX_set_verify(
            context.get(),
            SSL_VERIFY_PEER | (options.require_client ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
            nullptr);
    }
    return context;
}

std::string common_name(SSL* session) {
    const X peer(SSL_get1_peer_certificate(session));
    std::array<char, 256> name{};
    if (peer) {
        X509_NAME_get_text_by_NID(X509_get_subject_name(peer.get()), NID_commonName, name.data(),
                                  static_cast<int>(name.size()));
    }
    return name.data();
}

}  // namespace

struct TlsFront::Impl {
    explicit Impl(Options given)
        : options(std::move(given)),
          context(context_of(options)),
          listener([this](Fd fd) { serve(std::move(fd)); }) {
        ::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
    }

    void serve(Fd fd) {
        char first = 0;
        if (!listener.wait(fd.get()) || ::recv(fd.get(), &first, 1, MSG_PEEK) != 1) {
            return;
        }
        if (first != 0x16) {
            std::array<char, 4096> request{};  // what is not read would reset the answer
            ::recv(fd.get(), request.data(), request.size(), 0);
            send_all(fd.get(),
                     "HTTP/1.0 400 Bad Request\r\n\r\n"
                     "Client sent an HTTP request to an HTTPS server.\n");
            return;
        }
        const Session session(SSL_new(context.get()));
        SSL_set_fd(session.get(), fd.get());
        if (SSL_accept(session.get()) != 1) {
            return;
        }
        {
            const std::scoped_lock lock(mutex);
            clients.push_back(common_name(session.get()));
        }
        const Fd backend = dial(options.backend);
        std::array<char, 65536> buffer{};
        listener.pump(
            fd.get(), backend.get(), [&] { return SSL_pending(session.get()) > 0; },
            [&] {
                const int n =
                    SSL_read(session.get(), buffer.data(), static_cast<int>(buffer.size()));
                return n > 0 &&
                       send_all(backend.get(), {buffer.data(), static_cast<std::size_t>(n)});
            },
            [&] {
                const auto n = ::recv(backend.get(), buffer.data(), buffer.size(), 0);
                return n > 0 && SSL_write(session.get(), buffer.data(), static_cast<int>(n)) > 0;
            });
        SSL_shutdown(session.get());
    }

    Options options;
    Context context;
    mutable std::mutex mutex;
    std::vector<std::string> clients;
    Listener listener;  // last: its threads use the rest
};

TlsFront::TlsFront(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}

TlsFront::~TlsFront() = default;

int TlsFront::port() const {
    return impl_->listener.port();
}

std::vector<std::string> TlsFront::clients() const {
    const std::scoped_lock lock(impl_->mutex);
    return impl_->clients;
}

struct ConnectProxy::Impl {
    Impl(std::map<std::string, int> given, std::string wanted)
        : places(std::move(given)),
          credentials(std::move(wanted)),
          listener([this](Fd fd) { serve(std::move(fd)); }) {}

    void serve(Fd fd) {
        std::string head;
        std::array<char, 4096> buffer{};
        while (head.find("\r\n\r\n") == std::string::npos) {
            const auto n =
                listener.wait(fd.get()) ? ::recv(fd.get(), buffer.data(), buffer.size(), 0) : 0;
            if (n <= 0) {
                return;
            }
            head.append(buffer.data(), static_cast<std::size_t>(n));
        }
        {
            const std::scoped_lock lock(mutex);
            heads.push_back(head);
        }
        if (!credentials.empty() &&
            head.find("Proxy-Authorization: Basic " + base64_encode(credentials) + "\r\n") ==
                std::string::npos) {
            send_all(fd.get(),
                     "HTTP/1.1 407 Proxy Authentication Required\r\n"
                     "Proxy-Authenticate: Basic realm=\"proxy\"\r\nContent-Length: 0\r\n\r\n");
            return;
        }
        const std::string target = head.substr(8, head.find(' ', 8) - 8);  // behind "CONNECT "
        const auto place = places.find(target);
        const Fd backend =
            head.starts_with("CONNECT ") && place != places.end() ? dial(place->second) : Fd{};
        if (!backend) {
            send_all(fd.get(), "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
            return;
        }
        send_all(fd.get(), "HTTP/1.1 200 Connection established\r\n\r\n");
        listener.pump(
            fd.get(), backend.get(), [] { return false; },
            [&] { return copy(fd.get(), backend.get()); },
            [&] { return copy(backend.get(), fd.get()); });
    }

    std::map<std::string, int> places;
    std::string credentials;
    mutable std::mutex mutex;
    std::vector<std::string> heads;
    Listener listener;
};

ConnectProxy::ConnectProxy(std::map<std::string, int> places, std::string credentials)
    : impl_(std::make_unique<Impl>(std::move(places), std::move(credentials))) {}

ConnectProxy::~ConnectProxy() = default;

std::string ConnectProxy::host() const {
    return "127.0.0.1:" + std::to_string(impl_->listener.port());
}

std::vector<std::string> ConnectProxy::heads() const {
    const std::scoped_lock lock(impl_->mutex);
    return impl_->heads;
}

}  // namespace wasmplug::test
