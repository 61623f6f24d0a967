#include <algorithm>
#include <string>
#include <utility>

#include "host/stream.hpp"

namespace wasmplug::host {
namespace {

struct CallbackNames {
    const char* headers;
    const char* body;
    const char* trailers;
};

constexpr CallbackNames names_of[2] = {
    {"proxy_on_request_headers", "proxy_on_request_body", "proxy_on_request_trailers"},
    {"proxy_on_response_headers", "proxy_on_response_body", "proxy_on_response_trailers"},
};

const CallbackNames& names(Way way) {
    return names_of[static_cast<std::size_t>(way)];
}

}  // namespace

Filter::Filter(Stream& stream, Vm& vm, std::uint32_t root)
    : stream_(stream), vm_(vm), root_(root) {}

Headers* Filter::map(MapType type, bool for_writing) {
    auto& request = half(Way::request);
    auto& response = half(Way::response);
    const auto trailers = [&](Way way) -> Headers* {
        auto& own = half(way);
        if (own.trailers == nullptr && own.in_last_body && for_writing) {
            auto& direction = stream_.ways_[static_cast<std::size_t>(way)];
            direction.trailers_announced = true;
            own.trailers = &direction.message.trailers;
        }
        return own.trailers;
    };
    switch (type) {
        case MapType::request_headers:
            return request.headers;
        case MapType::request_trailers:
            return trailers(Way::request);
        case MapType::response_headers:
            return response.headers;
        case MapType::response_trailers:
            return trailers(Way::response);
        default:
            return nullptr;
    }
}

std::string* Filter::buffer(BufferType type) {
    if (type != BufferType::request_body && type != BufferType::response_body) {
        return nullptr;
    }
    auto& own = half(type == BufferType::request_body ? Way::request : Way::response);
    return own.buffering && own.held ? &*own.held : own.body;
}

bool Filter::may_write(MapType type) const {
    return !logging_ && type <= MapType::response_trailers;
}

HeadersStatus Filter::on_headers(Way way, Headers& headers, bool end) {
    auto& own = half(way);
    own.headers = &headers;
    if (!vm_.exports(names(way).headers)) {
        own.headers = nullptr;
        return HeadersStatus::go_on;
    }
    const auto status =
        vm_.abi() == AbiVersion::v0_1_0
            ? vm_.callback(names(way).headers, id_, {headers.size()})
            : vm_.callback(names(way).headers, id_, {headers.size(), end ? 1U : 0U});
    const bool stopped = vm_.iteration_stopped();
    if (vm_.failed()) {
        stream_.fail(vm_);
        return HeadersStatus::stop_all_and_watermark;
    }
    auto result = static_cast<HeadersStatus>(std::min<std::uint64_t>(status.value_or(0), 5));
    if (stopped || result > HeadersStatus::stop_all_and_watermark) {
        result = HeadersStatus::stop_all_and_watermark;
    } else if (result == HeadersStatus::stop &&
               !stream_.world_.test.envoy.allow_on_headers_stop_iteration) {
        // What plugins mean by it is not what Envoy does since 1.24, unless it is told to.
        result = HeadersStatus::stop_all_and_watermark;
    }
    if (result == HeadersStatus::go_on) {
        own.headers = nullptr;
    }
    return result;
}

DataStatus Filter::on_data(Way way, std::string& chunk, bool end) {
    auto& own = half(way);
    if (own.buffering) {
        // Accumulate first: the plugin is shown all that it asked to keep.
        own.held = own.held.value_or("") + chunk;
        chunk.clear();
        if (own.held->size() > stream_.world_.test.envoy.buffer_limit) {
            own.held.reset();
            stream_.too_large(way);
            return DataStatus::stop_no_buffer;
        }
    }
    own.body = &chunk;
    own.in_last_body = end;
    const std::size_t size = own.buffering ? own.held->size() : chunk.size();
    if (!vm_.exports(names(way).body)) {
        own.body = nullptr;
        return DataStatus::go_on;
    }
    const auto status = vm_.callback(names(way).body, id_, {size, end ? 1U : 0U});
    const bool stopped = vm_.iteration_stopped();
    own.in_last_body = false;
    if (vm_.failed()) {
        own.body = nullptr;
        stream_.fail(vm_);
        return DataStatus::stop_no_buffer;
    }
    auto result = static_cast<DataStatus>(std::min<std::uint64_t>(status.value_or(0), 4));
    if (stopped || result > DataStatus::stop_no_buffer) {
        result = DataStatus::stop_no_buffer;
    }
    own.buffering = result == DataStatus::stop_and_buffer;
    // A plugin that stopped may ask for its body in later callbacks too. Envoy has moved or dropped
    // what this one was shown: there is a body, and it is empty.
    own.taken.clear();
    own.body = result == DataStatus::go_on ? nullptr : &own.taken;
    return result;
}

bool Filter::on_trailers(Way way, Headers& trailers) {
    auto& own = half(way);
    own.trailers = &trailers;
    if (!vm_.exports(names(way).trailers)) {
        own.trailers = nullptr;
        return true;
    }
    const auto status = vm_.callback(names(way).trailers, id_, {trailers.size()});
    const bool stopped = vm_.iteration_stopped();
    if (vm_.failed()) {
        stream_.fail(vm_);
        return false;
    }
    const bool go_on = !stopped && status.value_or(0) == 0;
    if (go_on) {
        own.trailers = nullptr;
    }
    return go_on;
}

void Filter::on_log() {
    if (id_ == 0 || vm_.failed()) {
        return;
    }
    logging_ = true;
    auto& request = stream_.ways_[0];
    auto& response = stream_.ways_[1];
    halves_[0].headers = &request.message.headers;
    halves_[0].trailers = request.trailers_announced ? &request.message.trailers : nullptr;
    halves_[1].headers = stream_.started_response_ ? &response.message.headers : nullptr;
    halves_[1].trailers = response.trailers_announced ? &response.message.trailers : nullptr;
    halves_[0].body = nullptr;
    halves_[1].body = nullptr;
    vm_.callback("proxy_on_log", id_, {});
    for (auto& own : halves_) {
        own.headers = nullptr;
        own.trailers = nullptr;
    }
}

void Filter::on_end() {
    if (id_ != 0) {
        vm_.callback("proxy_on_done", id_, {});
        vm_.callback("proxy_on_delete", id_, {});
    }
}

void Filter::continue_stream(StreamType type) {
    if (type == StreamType::request || type == StreamType::response) {
        const Way way = type == StreamType::request ? Way::request : Way::response;
        vm_.defer([this, way] { stream_.resume(way, *this); });
        ++vm_.world().situations["resume"];
    }
    // Envoy forgets the request's maps here whichever way goes on.
    auto& request = half(Way::request);
    request.headers = nullptr;
    request.body = nullptr;
    request.trailers = nullptr;
}

void Filter::close_stream(StreamType type) {
    // Downstream and upstream are for network filters: no effect on HTTP.
    if (type == StreamType::request || type == StreamType::response) {
        vm_.defer([this] { stream_.reset("wasm_close_stream"); });
    }
}

void Filter::send_local_reply(plugintest::LocalReply reply) {
    vm_.stop_next_iteration();
    vm_.defer([this, reply = std::move(reply)] {
        if (reply_sent_ && !logging_) {
            stream_.lose_details();  // the first reply stands, without its details (observed)
        }
        if (reply_sent_ || logging_) {
            return;
        }
        reply_sent_ = true;
        stream_.local_reply(reply, true);
    });
}

}  // namespace wasmplug::host
