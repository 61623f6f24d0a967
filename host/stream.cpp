#include "host/stream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "host/pairs.hpp"

namespace wasmplug::host {

using plugintest::LocalReply;
using plugintest::Message;
using plugintest::Outcome;

Stream::Stream(World& world, const std::vector<Member>& plugins)
    : world_(world), started_at_(world.now) {
    id_ = ++world.streams;
    for (const auto& plugin : plugins) {
        filters_.push_back(std::make_unique<Filter>(*this, *plugin.vm, plugin.root));
    }
}

Stream::~Stream() {
    for (const auto& filter : filters_) {
        filter->vm_.remove_stream(filter->id_);
    }
}

// Responses meet the plugins in the reverse order.
Filter& Stream::at(Way way, std::size_t position) {
    return *filters_[way == Way::request ? position : filters_.size() - 1 - position];
}

std::size_t Stream::position_of(Way way, const Filter& filter) const {
    const auto found = std::find_if(filters_.begin(), filters_.end(),
                                    [&](const auto& each) { return each.get() == &filter; });
    const auto place = static_cast<std::size_t>(found - filters_.begin());
    return way == Way::request ? place : filters_.size() - 1 - place;
}

bool Stream::halted(Way way) const {
    return over_ || (way == Way::request ? replied_ : direct_);
}

void Stream::begin(Way way, const Message& message) {
    auto& direction = ways_[index(way)];
    direction.message = message;
    direction.ends_with_headers = message.body.empty() && message.trailers.empty();
    direction.trailers_announced = !message.trailers.empty();
}

void Stream::send_request(const Message& request) {
    begin(Way::request, request);
    client_asked_head_ = asks_head();
    pass_headers(Way::request, 0, ways_[0].ends_with_headers);
    if (ways_[0].ends_with_headers) {
        return;
    }
    feed(Way::request);
}

void Stream::send_response(const Message& response) {
    started_response_ = true;
    details_ = "via_upstream";
    Message answer = response;
    const std::string status = plugintest::first_header(answer.headers, ":status");
    if (asks_head() || status == "204" || status == "304") {
        answer.body.clear();
        answer.trailers.clear();
    }
    begin(Way::response, answer);
    pass_headers(Way::response, 0, ways_[1].ends_with_headers);
    if (ways_[1].ends_with_headers) {
        return;
    }
    feed(Way::response);
}

// HTTP/1 tells the end of a body by an empty last part; what came before it is not the end.
void Stream::feed(Way way) {
    auto& direction = ways_[index(way)];
    if (std::exchange(direction.reading, true)) {
        return;
    }
    const auto goes_on = [&] {
        return !halted(way) && !direction.backed_up;
    };
    while (goes_on() && direction.read < direction.message.body.size()) {
        pass_data(way, 0, direction.message.body[direction.read++], false);
    }
    if (goes_on() && !std::exchange(direction.read_end, true)) {
        if (direction.message.trailers.empty()) {
            pass_data(way, 0, "", true);
        } else {
            pass_trailers(way, 0);
        }
    }
    direction.reading = false;
}

void Stream::pass_headers(Way way, std::size_t position, bool end) {
    auto& direction = ways_[index(way)];
    for (; position < count(); ++position) {
        Filter& filter = at(way, position);
        auto& own = filter.half(way);
        if (way == Way::request && filter.id_ == 0) {
            if (filter.vm_.failed()) {
                if (world_.test.envoy.failure_policy == plugintest::FailurePolicy::open) {
                    continue;
                }
                fail(filter.vm_);
                return;
            }
            filter.id_ = filter.vm_.add_stream(filter, filter.root_);
        }
        if (filter.id_ == 0 || filter.vm_.failed()) {
            own.headers_passed = true;  // never saw the request, or died of it
            continue;
        }
        own.end_seen = end;
        const auto status = filter.on_headers(way, direction.message.headers, end);
        if (halted(way)) {
            return;
        }
        switch (status) {
            case HeadersStatus::go_on:
                own.headers_passed = true;
                break;
            case HeadersStatus::continue_and_end:  // Envoy ends nothing: the body comes, too
                own.headers_passed = true;
                break;
            case HeadersStatus::stop:
                own.halt = Filter::Halt::one;
                return;
            default:
                own.halt = Filter::Halt::all;
                own.limited = status == HeadersStatus::stop_all_and_buffer;
                return;
        }
    }
    arrive_headers(way, end);
}

void Stream::hold(Way way, Filter& filter, const std::string& chunk, bool end, bool limited) {
    auto& own = filter.half(way);
    own.held = std::move(own.held).value_or("") + chunk;
    own.end_seen = own.end_seen || end;
    if (own.held->size() <= world_.test.envoy.buffer_limit) {
        return;
    }
    if (limited) {
        own.held.reset();
        too_large(way);
    } else {
        ++world_.situations["buffer_limit"];
        ways_[index(way)].backed_up = true;
    }
}

void Stream::pass_data(Way way, std::size_t position, std::string chunk, bool end) {
    auto& direction = ways_[index(way)];
    for (; position < count(); ++position) {
        Filter& filter = at(way, position);
        auto& own = filter.half(way);
        if (filter.id_ == 0 || filter.vm_.failed()) {
            continue;
        }
        if (own.halt == Filter::Halt::all) {
            hold(way, filter, chunk, end, own.limited);
            return;
        }
        own.end_seen = own.end_seen || end;
        const auto status = filter.on_data(way, chunk, end);
        if (halted(way)) {
            return;
        }
        if (end && direction.trailers_announced && direction.message.trailers.empty()) {
            direction.trailers_announced = false;
        }
        switch (status) {
            case DataStatus::go_on:
                if (own.halt == Filter::Halt::one || own.held) {
                    own.halt = Filter::Halt::one;
                    own.held = std::move(own.held).value_or("") + chunk;
                    resume(way, filter);
                    return;
                }
                break;
            case DataStatus::stop_no_buffer:
                own.halt = Filter::Halt::one;
                return;
            default:
                own.halt = Filter::Halt::one;
                hold(way, filter, chunk, end, status == DataStatus::stop_and_buffer);
                return;
        }
    }
    arrive_data(way, chunk, end);
}

void Stream::pass_trailers(Way way, std::size_t position) {
    auto& direction = ways_[index(way)];
    for (; position < count(); ++position) {
        Filter& filter = at(way, position);
        auto& own = filter.half(way);
        if (filter.id_ == 0 || filter.vm_.failed()) {
            continue;
        }
        if (own.halt == Filter::Halt::all) {
            own.trailers_held = true;
            own.end_seen = true;
            return;
        }
        own.end_seen = true;
        const bool go_on = filter.on_trailers(way, direction.message.trailers);
        if (halted(way)) {
            return;
        }
        if (!go_on) {
            own.halt = Filter::Halt::one;
            own.trailers_held = true;
            return;
        }
        if (own.halt == Filter::Halt::one) {
            own.trailers_held = true;
            resume(way, filter);
            return;
        }
    }
    arrive_trailers(way);
}

// ActiveStreamFilterBase::commonContinue: what stopped at this filter goes on, to the filter
// itself when it was never shown it (stop all), else to the next.
void Stream::resume(Way way, Filter& filter) {
    auto& own = filter.half(way);
    if (halted(way) || (way == Way::response && !started_response_)) {
        return;
    }
    const std::size_t next = position_of(way, filter) + 1;
    const bool from_here = own.halt == Filter::Halt::all;
    own.halt = Filter::Halt::none;
    const bool trailers = own.trailers_held;
    own.trailers_held = false;
    auto held = std::exchange(own.held, std::nullopt);
    const bool waited = std::exchange(ways_[index(way)].backed_up, false);
    own.buffering = false;
    if (!own.headers_passed) {
        own.headers_passed = true;
        pass_headers(way, next, own.end_seen && !held && !trailers);
    }
    if (held && !halted(way)) {
        pass_data(way, from_here ? next - 1 : next, std::move(*held), own.end_seen && !trailers);
    }
    if (trailers && !halted(way)) {
        pass_trailers(way, from_here ? next - 1 : next);
    }
    if (waited) {
        feed(way);
    }
}

void Stream::arrive_headers(Way way, bool end) {
    auto& direction = ways_[index(way)];
    if (way == Way::request) {
        check_request();
    } else {
        check_response();
    }
    if (halted(way)) {
        return;
    }
    direction.arrived_headers = true;
    direction.arrived_end = end;
}

void Stream::arrive_data(Way way, const std::string& chunk, bool end) {
    auto& direction = ways_[index(way)];
    if (!chunk.empty()) {
        direction.arrived_chunks.push_back(chunk);
    }
    direction.arrived_end = direction.arrived_end || end;
    direction.arrived_trailers = end && direction.trailers_announced;
}

void Stream::arrive_trailers(Way way) {
    ways_[index(way)].arrived_trailers = true;
    ways_[index(way)].arrived_end = true;
}

void Stream::too_large(Way way) {
    ++world_.situations["buffer_limit"];
    LocalReply reply;
    reply.status = way == Way::request ? 413 : 500;
    reply.body = way == Way::request ? "Payload Too Large" : "Internal Server Error";
    reply.details =
        way == Way::request ? "request_payload_too_large" : "response_payload_too_large";
    local_reply(std::move(reply), false);
}

void Stream::reply(LocalReply reply) {
    local_reply(std::move(reply), false);
}

// Through the plugins' own response callbacks while no response has begun; past them while the
// response's headers are on their way; and once those are sent, there is only a reset.
void Stream::local_reply(LocalReply reply, bool from_plugin) {
    if (over_) {
        return;
    }
    const std::string details = reply.details;
    if (ways_[1].arrived_headers) {
        reset(details);
        return;
    }
    if (from_plugin) {
        plugin_reply_ = reply;
    }
    const bool grpc = is_grpc(ways_[0].message.headers);
    Message message;
    if (grpc) {
        const int status = reply.grpc_status.value_or(grpc_status_of_http(reply.status));
        message.headers = {{":status", "200"},
                           {"content-type", "application/grpc"},
                           {"grpc-status", std::to_string(status)}};
        if (!reply.body.empty()) {
            message.headers.emplace_back("grpc-message", reply.body);
        }
    } else {
        message.headers = {{":status", std::to_string(reply.status)}};
    }
    message.headers.insert(message.headers.end(), reply.headers.begin(), reply.headers.end());
    std::erase_if(message.headers,
                  [](const auto& header) { return header.first == "content-length"; });
    if (!grpc && !reply.body.empty()) {
        message.headers.emplace_back("content-length", std::to_string(reply.body.size()));
        if (plugintest::first_header(reply.headers, "content-type").empty()) {
            message.headers.emplace_back("content-type", "text/plain");
        }
        if (!client_asked_head_) {
            message.body = {reply.body};
        }
    }
    replied_ = true;
    if (started_response_) {
        direct_ = true;
        ways_[1] = {};
        begin(Way::response, message);
        details_ = details;
        ways_[1].arrived_headers = true;
        arrive_data(Way::response, message.whole_body(), true);
        return;
    }
    started_response_ = true;
    begin(Way::response, message);
    details_ = details;
    const bool end = message.body.empty();
    pass_headers(Way::response, 0, end);
    if (!end && !halted(Way::response)) {
        pass_data(Way::response, 0, message.whole_body(), true);
    }
}

void Stream::fail(const Vm& vm) {
    if (failed_) {
        return;
    }
    if (vm.failure_kind() == Outcome::out_of_fuel) {
        hang();
        return;
    }
    failed_ = true;
    local_reply({.status = 503,
                 .body = {},
                 .details = "wasm_fail_stream",
                 .headers = {},
                 .grpc_status = 14},
                false);
}

void Stream::hang() {
    over_ = true;
    hangs_ = true;
    finished_ = true;
    details_.clear();
}

void Stream::reset(std::string details) {
    over_ = true;
    reset_ = true;
    details_ = std::move(details);
}

void Stream::abandon(const char* details) {
    reset(details);
}

void Stream::finish() {
    if (std::exchange(finished_, true)) {
        return;
    }
    for (const auto& filter : filters_) {
        filter->on_log();
    }
    for (const auto& filter : filters_) {
        filter->on_end();
    }
}

bool Stream::asks_head() const {
    return plugintest::first_header(ways_[0].message.headers, ":method") == "HEAD";
}

std::optional<int> Stream::response_code() const {
    if (!started_response_) {
        return std::nullopt;
    }
    const std::string text = plugintest::first_header(ways_[1].message.headers, ":status");
    int status = 0;
    for (const char c : text) {
        if (c < '0' || c > '9' || status > 9999) {
            return std::nullopt;
        }
        status = status * 10 + (c - '0');
    }
    return text.empty() ? std::nullopt : std::optional(status);
}

void Stream::describe(plugintest::StepObserved& seen) const {
    const auto& request = ways_[0];
    const auto& response = ways_[1];
    // What never ended was no request to the upstream: Envoy resets it.
    if (request.arrived_end) {
        seen.upstream_request =
            Message{request.message.headers, request.arrived_chunks,
                    request.arrived_trailers ? request.message.trailers : Headers{}};
    }
    if (response.arrived_headers && !hangs_) {
        seen.response = Message{response.message.headers, response.arrived_chunks,
                                response.arrived_trailers ? response.message.trailers : Headers{}};
        if (client_asked_head_) {  // the codec sends it none, whatever the filters passed on
            seen.response->body.clear();
            seen.response->trailers.clear();
        }
    }
    seen.response_details = details_;
    seen.local_reply = plugin_reply_;
    if (hangs_) {
        seen.outcome = Outcome::out_of_fuel;
    } else if (failed_) {
        seen.outcome = Outcome::crash;
    } else if (reset_) {
        seen.outcome = Outcome::reset;
    } else if (plugin_reply_) {
        seen.outcome = Outcome::local_reply;
    } else {
        seen.outcome = over() ? Outcome::ok : Outcome::stuck;
    }
}

}  // namespace wasmplug::host
