#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/abi.hpp"
#include "host/vm.hpp"
#include "plugintest/case.hpp"

namespace wasmplug::host {

class Stream;

enum class Way : std::size_t { request = 0, response = 1 };

// One plugin on one stream: what its host functions see of the messages, and where it stopped
// each of them. The rules are those of Envoy's Wasm Context and of its filter manager.
class Filter {
  public:
    Filter(Stream& stream, Vm& vm, std::uint32_t root);

    // Null when the map cannot be had now. Trailers that do not exist are made when the last
    // body callback asks to write them.
    Headers* map(MapType type, bool for_writing);

    // Null as map().
    std::string* buffer(BufferType type);

    // on_log and later: maps are there to be read only.
    bool logging() const { return logging_; }

    bool may_write(MapType type) const;

    void continue_stream(StreamType type);
    void close_stream(StreamType type);
    void send_local_reply(plugintest::LocalReply reply);

    Stream& stream() { return stream_; }

  private:
    friend class Stream;

    enum class Halt { none, one, all };

    struct Half {
        Halt halt = Halt::none;
        bool limited = false;  // what a halt of all holds may not outgrow the buffer limit
        bool headers_passed = false;
        bool end_seen = false;  // the message ended at this filter
        bool trailers_held = false;
        bool buffering = false;           // the last body callback asked to accumulate
        std::optional<std::string> held;  // body that stopped here
        // What host functions may touch; null again once the callback let the message go on.
        Headers* headers = nullptr;
        Headers* trailers = nullptr;
        std::string* body = nullptr;
        std::string taken;  // `body` once its callback has ended
        bool in_last_body = false;
    };

    HeadersStatus on_headers(Way way, Headers& headers, bool end);
    DataStatus on_data(Way way, std::string& chunk, bool end);
    bool on_trailers(Way way, Headers& trailers);  // true: go on
    void on_log();
    void on_end();  // proxy_on_done and proxy_on_delete

    Half& half(Way way) { return halves_[static_cast<std::size_t>(way)]; }

    Stream& stream_;
    Vm& vm_;
    std::uint32_t root_;
    std::uint32_t id_ = 0;  // 0: its context was not made yet
    bool logging_ = false;
    bool reply_sent_ = false;  // of what this plugin asked for, the first counts
    Half halves_[2];
};

// One request and its response through all plugins, as Envoy's HTTP connection manager and
// router would take them.
class Stream {
  public:
    struct Member {
        Vm* vm = nullptr;
        std::uint32_t root = 0;
    };

    Stream(World& world, const std::vector<Member>& plugins);
    ~Stream();

    // The request up to the point where it stands at a filter or at the upstream.
    void send_request(const plugintest::Message& request);

    // The upstream's answer, once request_complete().
    void send_response(const plugintest::Message& response);

    // Envoy answers by itself, through the plugins while no response has begun.
    void reply(plugintest::LocalReply reply);

    bool request_complete() const { return ways_[0].arrived_end && !over(); }

    // Nothing more will happen by itself.
    bool over() const { return over_ || (started_response_ && ways_[1].arrived_end); }

    bool response_started() const { return started_response_; }

    // A stream that was created while its plugin's VM is dead, and a trap in a callback of it.
    void fail(const Vm& vm);

    // A callback that never ends has the worker: nobody hears of this stream again.
    void hang();

    // proxy_on_log, proxy_on_done, proxy_on_delete.
    void finish();

    // The client or the idle timer ended it.
    void abandon(const char* details);

    // What happened, for the test. The outcome is left to the caller when the stream stands.
    void describe(plugintest::StepObserved& seen) const;

    World& world() { return world_; }

    // For host functions and properties ----------------------------------------------------

    const plugintest::Message& message(Way way) const { return ways_[index(way)].message; }

    const std::string& details() const { return details_; }

    std::optional<int> response_code() const;

    std::chrono::nanoseconds started_at() const { return started_at_; }

    std::map<std::string, std::string> filter_state;  // proxy_set_property

    std::uint64_t id() const { return id_; }

  private:
    friend class Filter;

    struct Direction {
        plugintest::Message message;  // as it stands now
        bool ends_with_headers = false;
        bool arrived_headers = false;  // all filters passed it
        bool arrived_end = false;
        std::vector<std::string> arrived_chunks;
        bool trailers_announced = false;  // there are trailers to pass on
        bool arrived_trailers = false;
        std::size_t read = 0;    // parts of the body that were taken from the connection
        bool read_end = false;   // and its end
        bool reading = false;    // feed() is at it
        bool backed_up = false;  // a filter holds more than the limit: nothing more is read
    };

    static std::size_t index(Way way) { return static_cast<std::size_t>(way); }

    // Filters in the order in which a message of that way meets them.
    Filter& at(Way way, std::size_t position);
    std::size_t position_of(Way way, const Filter& filter) const;

    std::size_t count() const { return filters_.size(); }

    void begin(Way way, const plugintest::Message& message);
    // Hands the filters what is left of the message, until one of them holds too much.
    void feed(Way way);
    void pass_headers(Way way, std::size_t position, bool end);
    void pass_data(Way way, std::size_t position, std::string chunk, bool end);
    void pass_trailers(Way way, std::size_t position);
    void arrive_headers(Way way, bool end);
    void arrive_data(Way way, const std::string& chunk, bool end);
    void arrive_trailers(Way way);
    void resume(Way way, Filter& filter);
    void hold(Way way, Filter& filter, const std::string& chunk, bool end, bool limited);
    bool halted(Way way) const;
    bool asks_head() const;  // the request as it stands now
    void too_large(Way way);

    void lose_details() { details_.clear(); }

    void local_reply(plugintest::LocalReply reply, bool from_plugin);
    void check_request();
    void check_response();
    void reset(std::string details);

    World& world_;
    std::vector<std::unique_ptr<Filter>> filters_;
    Direction ways_[2];
    bool started_response_ = false;
    bool replied_ = false;  // the request goes no further
    bool over_ = false;
    bool reset_ = false;
    bool direct_ = false;  // a reply that goes past the filters
    bool failed_ = false;
    bool hangs_ = false;
    bool client_asked_head_ = false;  // whatever the filters make of its method
    bool finished_ = false;
    std::optional<plugintest::LocalReply> plugin_reply_;
    std::string details_;
    std::chrono::nanoseconds started_at_;
    std::uint64_t id_ = 0;
};

// The status that Envoy gives a gRPC client for an HTTP status (Grpc::Utility::httpToGrpcStatus).
int grpc_status_of_http(int status);

bool is_grpc(const Headers& headers);

}  // namespace wasmplug::host
