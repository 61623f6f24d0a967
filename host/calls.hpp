#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/vm.hpp"
#include "plugintest/case.hpp"

namespace wasmplug::host {

// What the plugin asked of other services and what is still to come back, on the virtual clock.
// Together with ticks and queues it is all that can happen by itself.
class Calls {
  public:
    explicit Calls(World& world) : world_(world) {}

    struct HttpCall {
        std::string cluster;
        plugintest::Message request;
        std::int32_t timeout_ms = 0;
    };

    // proxy_http_call. `token` is set when it is ok.
    Status http(Vm& vm, std::uint32_t root, HttpCall call, std::uint32_t& token);

    struct GrpcCall {
        std::string service;  // serialized GrpcService, or the name of a cluster
        std::string name;     // of the gRPC service
        std::string method;
        Headers metadata;
        std::string message;
        std::int32_t timeout_ms = 0;
        bool stream = false;
    };

    Status grpc(Vm& vm, std::uint32_t root, GrpcCall call, std::uint32_t& token);
    Status grpc_send(const Vm& vm, std::uint32_t token, std::string_view message);
    Status grpc_close(const Vm& vm, std::uint32_t token);
    Status grpc_cancel(const Vm& vm, std::uint32_t token);

    // Drops what a VM waits for: it is going away.
    void forget(const Vm* vm);

    bool pending() const { return !events_.empty(); }

    // When the next answer is due; nothing when none is.
    std::optional<std::chrono::nanoseconds> next() const;

    // Delivers it, with the clock at its time.
    void deliver_next();

  private:
    enum class Kind { http, grpc_call, grpc_stream };

    struct Event {
        std::chrono::nanoseconds due{0};
        std::uint64_t order = 0;
        Vm* vm = nullptr;
        std::uint32_t root = 0;
        std::uint32_t token = 0;
        Kind kind = Kind::http;
        plugintest::CallReply reply;
    };

    struct Stream {
        Vm* vm = nullptr;
        std::uint32_t token = 0;
        // Where the test sees its messages: of the step that opened it.
        std::vector<plugintest::Call>* calls = nullptr;
        std::size_t number = 0;
    };

    bool known(const std::string& cluster, bool grpc) const;
    bool has_hosts(const std::string& cluster) const;
    plugintest::CallReply reply_to(const std::string& cluster, const plugintest::Message& request,
                                   bool grpc);
    void schedule(Vm& vm, std::uint32_t root, std::uint32_t token, Kind kind,
                  plugintest::CallReply reply, std::int32_t timeout_ms);
    void deliver_http(const Event& event);
    void deliver_grpc(const Event& event);
    void deliver_grpc_stream(const Event& event, bool headers, Headers trailers, bool answered,
                             const std::function<void(const std::string&)>& receive);
    const Stream* find(const Vm& vm, std::uint32_t token) const;  // nullptr: closed, or never

    bool open(const Vm& vm, std::uint32_t token) const { return find(vm, token) != nullptr; }

    void close(const Vm& vm, std::uint32_t token);

    World& world_;
    std::map<std::pair<std::chrono::nanoseconds, std::uint64_t>, Event> events_;  // due, order
    std::vector<Stream> streams_;
    std::uint64_t next_order_ = 0;
};

}  // namespace wasmplug::host
