#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/certificates.hpp"

namespace wasmplug::test {

// Speaks TLS on a port of loopback and hands on what it hears to another port there, so that any
// plain server is one with a certificate. A plain request is answered as Go's server answers it.
class TlsFront {
  public:
    struct Options {
        Certificate certificate;
        int backend = 0;             // port
        std::string client_ca = {};  // PEM: ask for a client certificate of this authority
        bool require_client = false;
    };

    explicit TlsFront(Options options);
    ~TlsFront();
    TlsFront(const TlsFront&) = delete;
    TlsFront& operator=(const TlsFront&) = delete;

    int port() const;

    std::string host() const { return "127.0.0.1:" + std::to_string(port()); }

    // Common name of each client certificate that came; "" for a connection without one.
    std::vector<std::string> clients() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// An HTTP proxy that does CONNECT only. Every host and port leads to the port that `places` names
// for it.
class ConnectProxy {
  public:
    // `credentials` ("user:password") are demanded with 407 when set.
    explicit ConnectProxy(std::map<std::string, int> places, std::string credentials = {});
    ~ConnectProxy();
    ConnectProxy(const ConnectProxy&) = delete;
    ConnectProxy& operator=(const ConnectProxy&) = delete;

    std::string host() const;

    // The head of each request, as it came.
    std::vector<std::string> heads() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace wasmplug::test
