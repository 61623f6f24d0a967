#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/file.hpp"
#include "base/process.hpp"
#include "tests/support/fault_server.hpp"

namespace wasmplug::test {

// A real registry (Debian's docker-registry) on a port of loopback that the kernel chose, with
// empty storage, for as long as the object lives.
class Registry {
  public:
    enum class Auth { open, htpasswd, token };

    // The one account of a registry that asks for one. With `token`, pulling needs no account,
    // only a token.
    static constexpr auto user = "tester";
    static constexpr auto password = "sesame";

    explicit Registry(Auth auth = Auth::open);
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;
    ~Registry();

    static bool installed();

    std::string host() const { return host_; }  // 127.0.0.1:PORT

    std::string url(const std::string& path = "/v2/") const { return "http://" + host_ + path; }

    // What the token server was asked, in order; empty for the other kinds.
    std::vector<SeenRequest> token_requests() const;

    // A docker config.json that logs in to this registry.
    std::string docker_config() const;

  private:
    class Tokens;

    TemporaryDirectory folder_;
    std::unique_ptr<Tokens> tokens_;
    std::mutex mutex_;
    std::string log_;
    std::string host_;
    std::optional<Child> child_;
};

}  // namespace wasmplug::test
