#include "host/calls.hpp"

#include <algorithm>
#include <utility>

#include "host/pairs.hpp"

namespace wasmplug::host {
namespace {

using plugintest::CallReply;
using plugintest::Message;

// Tokens of Envoy's callouts carry their kind in the two low bits (observed: 4, 8, 12 for HTTP).
constexpr std::uint32_t http_kind = 0;
constexpr std::uint32_t grpc_call_kind = 1;
constexpr std::uint32_t grpc_stream_kind = 2;
constexpr std::uint32_t kind_mask = 3;

constexpr std::uint32_t connection_broken = 11;
constexpr int grpc_unavailable = 14;
constexpr int grpc_internal = 13;

const std::string before_headers =
    "upstream connect error or disconnect/reset before headers. reset reason: ";

Message status_message(int status, const std::string& body) {
    Message message;
    message.headers = {{":status", std::to_string(status)},
                       {"content-length", std::to_string(body.size())},
                       {"content-type", "text/plain"}};
    message.body = {body};
    return message;
}

// Failures before the response's headers reach the plugin as a response that Envoy made
// (envoy-observed §5); nothing for what comes after them.
std::optional<Message> response_of(const CallReply& reply) {
    switch (reply.kind) {
        case CallReply::Kind::response:
            return reply.message;
        case CallReply::Kind::refused:
            return status_message(503, before_headers + "remote connection failure");
        case CallReply::Kind::reset:
            return status_message(503, before_headers + "connection termination");
        case CallReply::Kind::garbage:
            return status_message(502, before_headers + "protocol error");
        case CallReply::Kind::timeout:
            return status_message(504, "upstream request timeout");
        default:
            return std::nullopt;
    }
}

bool times_out(const CallReply& reply) {
    return reply.kind == CallReply::Kind::timeout ||
           reply.kind == CallReply::Kind::timeout_after_headers;
}

// A base-128 varint; nothing when the text ends in it.
std::optional<std::uint64_t> varint(std::string_view& text) {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64 && !text.empty(); shift += 7) {
        const auto byte = static_cast<unsigned char>(text.front());
        text.remove_prefix(1);
        value |= std::uint64_t{byte & 0x7FU} << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    return std::nullopt;
}

struct ProtoField {
    std::uint64_t number = 0;
    std::string_view bytes;  // of a length-delimited one
};

// The fields of one protobuf message, or nothing when the text is none.
std::optional<std::vector<ProtoField>> proto_fields(std::string_view text) {
    std::vector<ProtoField> fields;
    while (!text.empty()) {
        const auto tag = varint(text);
        if (!tag || (*tag >> 3) == 0) {
            return std::nullopt;
        }
        ProtoField field{*tag >> 3, {}};
        std::uint64_t skip = 0;
        switch (*tag & 7) {
            case 0:
                if (!varint(text)) {
                    return std::nullopt;
                }
                break;
            case 1:
                skip = 8;
                break;
            case 2: {
                const auto size = varint(text);
                if (!size) {
                    return std::nullopt;
                }
                skip = *size;
                break;
            }
            case 5:
                skip = 4;
                break;
            default:
                return std::nullopt;
        }
        if (skip > text.size()) {
            return std::nullopt;
        }
        field.bytes = text.substr(0, skip);
        text.remove_prefix(skip);
        fields.push_back(field);
    }
    return fields;
}

// The gRPC status that Envoy makes of an answer, and the text that proxy_get_status gives: the
// server's own with Envoy's response code details behind it (observed: envoy_engine_test).
struct GrpcEnd {
    int status = 0;
    std::string message;
    bool headers = false;  // came before the end
};

GrpcEnd grpc_end(const CallReply& reply) {
    const auto broken = [](const std::string& reason, const std::string& details) {
        return GrpcEnd{
            grpc_unavailable,
            before_headers + reason + "{upstream_reset_before_response_started{" + details + "}}"};
    };
    switch (reply.kind) {
        case CallReply::Kind::response:
            return {
                reply.grpc_status,
                reply.grpc_message.empty() ? "via_upstream" : reply.grpc_message + "{via_upstream}",
                true};
        case CallReply::Kind::refused:
            return broken("remote connection failure",
                          "remote_connection_failure|delayed_connect_error:_Connection_refused");
        case CallReply::Kind::reset:
            return broken("connection termination", "connection_termination");
        case CallReply::Kind::garbage:
            return broken("protocol error", "protocol_error");
        case CallReply::Kind::overflow:
            return broken("overflow", "overflow");
        case CallReply::Kind::timeout:
            return {grpc_unavailable, "upstream request timeout{response_timeout}"};
        case CallReply::Kind::reset_after_headers:
            return {grpc_internal, "upstream_reset_after_response_started{remote_reset}", true};
        case CallReply::Kind::timeout_after_headers:
            return {grpc_internal, "response_timeout", true};
    }
    return {};
}

Headers grpc_trailers(const CallReply& reply, const GrpcEnd& end) {
    Headers trailers;
    if (!end.headers) {  // Envoy's own answer is nothing but trailers
        trailers = {{":status", "200"}, {"content-type", "application/grpc"}};
    } else if (reply.kind != CallReply::Kind::response) {
        return trailers;
    }
    trailers.emplace_back("grpc-status", std::to_string(end.status));
    if (!end.headers || !reply.grpc_message.empty()) {
        trailers.emplace_back("grpc-message", end.headers
                                                  ? reply.grpc_message
                                                  : end.message.substr(0, end.message.find('{')));
    }
    trailers.insert(trailers.end(), reply.message.trailers.begin(), reply.message.trailers.end());
    return trailers;
}

// The cluster that a gRPC service names: an envoy_grpc cluster of a serialized
// envoy.config.core.v3.GrpcService, else the text itself.
std::string cluster_of_grpc_service(std::string_view service) {
    const auto fields = proto_fields(service);
    if (!fields) {
        return std::string(service);
    }
    for (const auto& field : *fields) {
        if (field.number != 1) {  // envoy_grpc
            continue;
        }
        const auto inner = proto_fields(field.bytes);
        for (const auto& each : inner.value_or(std::vector<ProtoField>{})) {
            if (each.number == 1) {  // cluster_name
                return std::string(each.bytes);
            }
        }
    }
    return std::string(service);
}

}  // namespace

bool Calls::known(const std::string& cluster, bool grpc) const {
    const auto& test = world_.test;
    const auto in = [&](const std::vector<std::string>& names) {
        return std::find(names.begin(), names.end(), cluster) != names.end();
    };
    return in(test.envoy.clusters) || in(test.envoy.clusters_without_hosts) ||
           std::any_of(test.calls.begin(), test.calls.end(), [&](const auto& target) {
               return target.cluster == cluster && (target.grpc == grpc || !grpc);
           });
}

bool Calls::has_hosts(const std::string& cluster) const {
    const auto& empty = world_.test.envoy.clusters_without_hosts;
    return std::find(empty.begin(), empty.end(), cluster) == empty.end();
}

CallReply Calls::reply_to(const std::string& cluster, const Message& request, bool grpc) {
    const auto& targets = world_.test.calls;
    for (std::size_t i = 0; i < targets.size(); ++i) {
        const auto& target = targets[i];
        if (target.cluster == cluster && target.grpc == grpc &&
            (!target.times || world_.target_uses[i] < *target.times) &&
            (!target.matches || target.matches(request))) {
            ++world_.target_uses[i];
            return target.reply;
        }
    }
    CallReply nobody;
    nobody.kind = CallReply::Kind::refused;
    return nobody;
}

void Calls::schedule(Vm& vm, std::uint32_t root, std::uint32_t token, Kind kind, CallReply reply,
                     std::int32_t timeout_ms) {
    const auto timeout = std::chrono::milliseconds(timeout_ms);
    if (timeout_ms > 0 && reply.delay > timeout) {
        reply.kind = CallReply::Kind::timeout;
    }
    Event event;
    event.due = world_.now + (times_out(reply) ? std::chrono::nanoseconds(timeout) : reply.delay);
    event.order = next_order_++;
    event.vm = &vm;
    event.root = root;
    event.token = token;
    event.kind = kind;
    event.reply = std::move(reply);
    if (times_out(event.reply) && timeout_ms == 0) {
        return;  // no timeout: the answer never comes
    }
    const auto when = std::pair(event.due, event.order);
    events_.emplace(when, std::move(event));
}

Status Calls::http(Vm& vm, std::uint32_t root, HttpCall call, std::uint32_t& token) {
    auto& headers = call.request.headers;
    const auto has = [&](std::string_view name) {
        return std::any_of(headers.begin(), headers.end(),
                           [&](const auto& header) { return header.first == name; });
    };
    world_.side_effects = true;
    if (call.timeout_ms < 0 || !has(":method") || !has(":path") ||
        !(has(":authority") || has("host")) || !known(call.cluster, false)) {
        ++world_.situations["http_call.rejected"];
        return Status::bad_argument;
    }
    if (!call.request.body.empty()) {
        headers.emplace_back("content-length", std::to_string(call.request.body.front().size()));
    }
    plugintest::Call seen;
    seen.cluster = call.cluster;
    seen.request = call.request;
    seen.timeout = std::chrono::milliseconds(call.timeout_ms);
    if (world_.calls != nullptr) {
        world_.calls->push_back(seen);
    }
    auto reply =
        has_hosts(call.cluster) ? reply_to(call.cluster, call.request, false) : CallReply{};
    const std::uint32_t number = vm.next_token(http_kind);  // of a call that fails at once, too
    if (!has_hosts(call.cluster) || reply.kind == CallReply::Kind::overflow) {
        ++world_.situations["http_call.rejected"];
        return Status::internal_failure;
    }
    token = number;
    schedule(vm, root, token, Kind::http, std::move(reply), call.timeout_ms);
    return Status::ok;
}

Status Calls::grpc(Vm& vm, std::uint32_t root, GrpcCall call, std::uint32_t& token) {
    const std::string cluster = cluster_of_grpc_service(call.service);
    world_.side_effects = true;
    if (!known(cluster, true)) {
        return Status::parse_failure;
    }
    plugintest::Call seen;
    seen.cluster = cluster;
    seen.grpc = true;
    seen.service = call.name;
    seen.method = call.method;
    seen.timeout = std::chrono::milliseconds(call.timeout_ms);
    seen.request.headers = call.metadata;
    if (!call.stream) {
        seen.request.body = {call.message};
    }
    if (world_.calls != nullptr) {
        world_.calls->push_back(seen);
    }
    auto reply = reply_to(cluster, seen.request, true);
    token = vm.next_token(call.stream ? grpc_stream_kind : grpc_call_kind);
    streams_.push_back({.vm = &vm,
                        .token = token,
                        .calls = world_.calls,
                        .number = world_.calls == nullptr ? 0 : world_.calls->size() - 1});
    schedule(vm, root, token, call.stream ? Kind::grpc_stream : Kind::grpc_call, std::move(reply),
             call.timeout_ms);
    return Status::ok;
}

const Calls::Stream* Calls::find(const Vm& vm, std::uint32_t token) const {
    const auto found = std::find_if(streams_.begin(), streams_.end(), [&](const auto& stream) {
        return stream.vm == &vm && stream.token == token;
    });
    return found == streams_.end() ? nullptr : &*found;
}

void Calls::close(const Vm& vm, std::uint32_t token) {
    std::erase_if(streams_,
                  [&](const auto& stream) { return stream.vm == &vm && stream.token == token; });
    std::erase_if(events_, [&](const auto& each) {
        const auto& event = each.second;
        return event.vm == &vm && event.token == token && event.kind != Kind::http;
    });
}

Status Calls::grpc_send(const Vm& vm, std::uint32_t token, std::string_view message) {
    if ((token & kind_mask) != grpc_stream_kind) {
        return Status::bad_argument;
    }
    const Stream* stream = find(vm, token);
    if (stream == nullptr) {
        return Status::not_found;
    }
    if (stream->calls != nullptr && stream->calls == world_.calls) {
        stream->calls->at(stream->number).request.body.emplace_back(message);
    }
    return Status::ok;
}

Status Calls::grpc_close(const Vm& vm, std::uint32_t token) {
    const auto kind = token & kind_mask;
    if (kind != grpc_stream_kind && kind != grpc_call_kind) {
        return Status::bad_argument;
    }
    if (!open(vm, token)) {
        return Status::not_found;
    }
    if (kind == grpc_call_kind) {
        close(vm, token);  // a stream's answer still comes: only our side is closed
    }
    return Status::ok;
}

Status Calls::grpc_cancel(const Vm& vm, std::uint32_t token) {
    const auto kind = token & kind_mask;
    if (kind != grpc_stream_kind && kind != grpc_call_kind) {
        return Status::bad_argument;
    }
    if (!open(vm, token)) {
        return Status::not_found;
    }
    close(vm, token);
    return Status::ok;
}

void Calls::forget(const Vm* vm) {
    std::erase_if(events_, [&](const auto& event) { return event.second.vm == vm; });
    std::erase_if(streams_, [&](const auto& stream) { return stream.vm == vm; });
}

std::optional<std::chrono::nanoseconds> Calls::next() const {
    return events_.empty() ? std::nullopt : std::optional(events_.begin()->first.first);
}

void Calls::deliver_next() {
    if (events_.empty()) {
        return;
    }
    const Event event = std::move(events_.extract(events_.begin()).mapped());
    world_.now = std::max(world_.now, event.due);
    if (event.vm->failed()) {
        return;  // a dead VM is never told
    }
    if (event.kind == Kind::http) {
        deliver_http(event);
    } else {
        deliver_grpc(event);
    }
}

void Calls::deliver_http(const Event& event) {
    const auto response = response_of(event.reply);
    Root* root = event.vm->root_by_id(event.root);
    if (root == nullptr) {
        return;
    }
    if (!response) {
        ++world_.situations["http_call.failed"];
        root->status_code = connection_broken;
        root->status_message = "reset";
        event.vm->deliver("proxy_on_http_call_response", event.root, {event.token, 0, 0, 0}, {});
        // The code stays for every later call of this root; only the text is forgotten.
        root->status_message.clear();
        return;
    }
    ++world_.situations[event.reply.kind == CallReply::Kind::response ? "http_call.answered"
                                                                      : "http_call.failed"];
    Headers headers = response->headers;
    const std::string body = response->whole_body();
    Delivery delivery;
    delivery.headers = &headers;
    delivery.trailers = response->trailers.empty() ? nullptr : &response->trailers;
    delivery.body = &body;
    event.vm->deliver("proxy_on_http_call_response", event.root,
                      {event.token, headers.size(), body.size(), response->trailers.size()},
                      delivery);
}

void Calls::deliver_grpc(const Event& event) {
    Root* root = event.vm->root_by_id(event.root);
    if (root == nullptr || !open(*event.vm, event.token)) {
        return;
    }
    const auto& reply = event.reply;
    const GrpcEnd end = grpc_end(reply);
    const auto finish = [&] {
        close(*event.vm, event.token);
        root->status_code = static_cast<std::uint32_t>(end.status);
        root->status_message = end.message;
        event.vm->deliver("proxy_on_grpc_close", event.root,
                          {event.token, static_cast<std::uint64_t>(end.status)}, {});
    };
    const auto receive = [&](const std::string& message) {
        Delivery delivery;
        delivery.body = &message;
        event.vm->deliver("proxy_on_grpc_receive", event.root, {event.token, message.size()},
                          delivery);
    };
    const bool answered = end.headers && end.status == 0;
    ++world_.situations[answered ? "grpc.answered" : "grpc.failed"];
    const auto& messages = reply.message.body;
    if (event.kind == Kind::grpc_call) {
        if (answered) {
            close(*event.vm, event.token);
            receive(messages.empty() ? "" : messages.back());  // of several, Envoy keeps the last
        } else {
            finish();
        }
        return;
    }
    deliver_grpc_stream(event, end.headers, grpc_trailers(reply, end), answered, receive);
    if (open(*event.vm, event.token)) {
        finish();
    }
}

// Each callback may close the stream, and then nothing more comes.
void Calls::deliver_grpc_stream(const Event& event, bool headers, Headers trailers, bool answered,
                                const std::function<void(const std::string&)>& receive) {
    Headers first;
    if (headers) {
        first = event.reply.message.headers;
        first.emplace_back("content-type", "application/grpc");
    }
    Delivery initial;
    initial.headers = &first;
    event.vm->deliver("proxy_on_grpc_receive_initial_metadata", event.root,
                      {event.token, first.size()}, initial);
    if (answered) {
        for (const auto& message : event.reply.message.body) {
            if (open(*event.vm, event.token)) {
                receive(message);
            }
        }
    }
    if (open(*event.vm, event.token)) {
        Delivery trailing;
        trailing.trailers = &trailers;
        event.vm->deliver("proxy_on_grpc_receive_trailing_metadata", event.root,
                          {event.token, trailers.size()}, trailing);
    }
}

}  // namespace wasmplug::host
