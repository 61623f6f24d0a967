#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/services.hpp"
#include "envoy/bootstrap.hpp"
#include "envoy/log.hpp"
#include "envoy/refusal.hpp"

namespace wasmplug::envoy {

// The Envoy to run: `given` (--envoy), else WASMPLUG_ENVOY, else `envoy` on PATH. Throws Error
// whose hint says how to get one.
std::filesystem::path find_envoy(const std::string& given, const Environment& environment);

// Envoy would not start: a plugin that it refuses, an unknown field. See refusal.hpp.
class RefusedByEnvoy : public Error {
  public:
    RefusedByEnvoy(const Refusal& refusal, std::vector<LogEntry> log)
        : Error(refusal.what, refusal.hint, ExitCode::rejected), log_(std::move(log)) {}

    const std::vector<LogEntry>& log() const { return log_; }

  private:
    std::vector<LogEntry> log_;
};

// A running Envoy on loopback, for as long as the object lives.
class Server {
  public:
    // `more`: the entry is a further line (of a backtrace) of the one before it.
    using OnLog = std::function<void(const LogEntry&, bool more)>;

    struct Options {
        std::filesystem::path envoy;
        std::string log_level = "info";  // of the component "wasm"; the rest is at warning
        OnLog on_log;                    // called from a reader thread, entry by entry
        std::chrono::milliseconds start_limit{60'000};
    };

    // Returns when it answers; throws RefusedByEnvoy when it ended instead, and a plain Error when
    // the port is taken or the program is no Envoy.
    Server(const Bootstrap& bootstrap, Options options, Services& services);
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server();

    // "127.0.0.1:PORT" of the listener in front of the plugins.
    const std::string& address() const { return address_; }

    // GET (or POST) of the admin interface: "/stats?filter=wasm".
    std::string admin(const std::string& path, const std::string& method = "GET") const;

    // All of its log so far.
    std::vector<LogEntry> log() const;

    // A line for each request that has ended, when the bootstrap asked for it.
    std::vector<AccessLine> access_log() const;

    // Processor time it has used so far.
    std::chrono::nanoseconds processor_time() const;

    // Its exit code, once it has ended by itself.
    std::optional<int> ended();

  private:
    void read_log(std::string_view bytes);
    void wait_until_ready(const Options& options);
    [[noreturn]] void explain_end(const std::filesystem::path& program);

    Services& services_;
    OnLog on_log_;
    TemporaryDirectory folder_;
    mutable std::mutex mutex_;
    std::vector<LogEntry> log_;
    std::vector<AccessLine> access_;
    std::string partial_;
    std::string foreign_;  // the first line that is none of Envoy's log
    std::string admin_;
    std::string address_;
    std::optional<Child> child_;
};

}  // namespace wasmplug::envoy
