#pragma once

#include "plugintest/case.hpp"

namespace wasmplug::envoy {

// gRPC as our HTTP/1.1 services hear it behind a bridge (Bootstrap, Cluster::bridge).

bool is_grpc(const plugintest::Message& request);

// The request with its messages out of their frames, one a chunk; what is no frame is left out.
plugintest::Message without_frames(const plugintest::Message& request);

// What a gRPC server would send for `reply`: every chunk a message, the status in the trailers.
plugintest::Message grpc_response(const plugintest::CallReply& reply);

// The call that a plugin made, by what arrived.
plugintest::Call grpc_call(const std::string& cluster, const plugintest::Message& request);

}  // namespace wasmplug::envoy
