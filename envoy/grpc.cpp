#include "envoy/grpc.hpp"

#include <charconv>
#include <string_view>

namespace wasmplug::envoy {
namespace {

using plugintest::Message;

// gRPC over HTTP/2: a compression flag, the length in four bytes, the message.
constexpr std::size_t frame_head = 5;

std::uint32_t big_endian(std::string_view bytes) {
    std::uint32_t value = 0;
    for (const char c : bytes) {
        value = value << 8U | static_cast<unsigned char>(c);
    }
    return value;
}

std::string framed(const std::string& message) {
    std::string frame(1, '\0');
    for (unsigned shift = 32; shift > 0; shift -= 8) {
        frame += static_cast<char>(message.size() >> (shift - 8) & 0xFFU);
    }
    return frame + message;
}

// The header grpc-timeout: a number and one of H, M, S, m, u, n.
std::chrono::milliseconds timeout_of(const std::string& text) {
    long number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end == text.data() + text.size()) {
        return std::chrono::milliseconds(0);
    }
    switch (*end) {
        case 'H':
            return std::chrono::hours(number);
        case 'M':
            return std::chrono::minutes(number);
        case 'S':
            return std::chrono::seconds(number);
        case 'm':
            return std::chrono::milliseconds(number);
        case 'u':
            return std::chrono::duration_cast<std::chrono::milliseconds>(
                std::chrono::microseconds(number));
        default:
            return std::chrono::duration_cast<std::chrono::milliseconds>(
                std::chrono::nanoseconds(number));
    }
}

}  // namespace

bool is_grpc(const Message& request) {
    return plugintest::first_header(request.headers, "content-type")
        .starts_with("application/grpc");
}

Message without_frames(const Message& request) {
    Message plain{.headers = request.headers, .trailers = request.trailers};
    const std::string all = request.whole_body();
    std::string_view rest = all;
    while (rest.size() >= frame_head) {
        const std::size_t size = big_endian(rest.substr(1, 4));
        if (size > rest.size() - frame_head) {
            break;
        }
        plain.body.emplace_back(rest.substr(frame_head, size));
        rest.remove_prefix(frame_head + size);
    }
    return plain;
}

Message grpc_response(const plugintest::CallReply& reply) {
    Message response;
    response.headers = {{":status", "200"}, {"content-type", "application/grpc"}};
    for (const auto& header : reply.message.headers) {
        if (!header.first.starts_with(':')) {
            response.headers.push_back(header);
        }
    }
    if (reply.grpc_status == 0) {
        for (const auto& message : reply.message.body) {
            response.body.push_back(framed(message));
        }
        if (response.body.empty()) {
            response.body.push_back(framed(""));
        }
    }
    response.trailers = {{"grpc-status", std::to_string(reply.grpc_status)}};
    if (!reply.grpc_message.empty()) {
        response.trailers.emplace_back("grpc-message", reply.grpc_message);
    }
    response.trailers.insert(response.trailers.end(), reply.message.trailers.begin(),
                             reply.message.trailers.end());
    return response;
}

plugintest::Call grpc_call(const std::string& cluster, const Message& request) {
    plugintest::Call call{.cluster = cluster, .grpc = true, .request = without_frames(request)};
    const std::string path = plugintest::first_header(request.headers, ":path");
    const std::size_t slash = path.rfind('/');
    if (slash != std::string::npos && slash > 0) {
        call.service = path.substr(1, slash - 1);
        call.method = path.substr(slash + 1);
    }
    call.timeout = timeout_of(plugintest::first_header(request.headers, "grpc-timeout"));
    return call;
}

}  // namespace wasmplug::envoy
