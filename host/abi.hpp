#pragma once

#include <cstdint>

#include "wasm/abi.hpp"

namespace wasmplug::host {

// Numbers of the Proxy-Wasm ABI (proxy-wasm/spec, the same in 0.1.0, 0.2.0 and 0.2.1).

enum class Status : std::uint32_t {
    ok = 0,
    not_found = 1,
    bad_argument = 2,
    serialization_failure = 3,
    parse_failure = 4,
    bad_expression = 5,
    invalid_memory_access = 6,
    empty = 7,
    cas_mismatch = 8,
    result_mismatch = 9,
    internal_failure = 10,
    broken_connection = 11,
    unimplemented = 12,
};

const char* to_string(Status status);

enum class MapType : std::uint32_t {
    request_headers = 0,
    request_trailers = 1,
    response_headers = 2,
    response_trailers = 3,
    grpc_initial_metadata = 4,
    grpc_trailing_metadata = 5,
    call_headers = 6,
    call_trailers = 7,
    last = call_trailers,
};

enum class BufferType : std::uint32_t {
    request_body = 0,
    response_body = 1,
    downstream_data = 2,
    upstream_data = 3,
    call_body = 4,
    grpc_message = 5,
    vm_configuration = 6,
    plugin_configuration = 7,
    call_data = 8,
    last = call_data,
};

enum class StreamType : std::uint32_t { request = 0, response = 1, downstream = 2, upstream = 3 };

enum class HeadersStatus : std::uint32_t {
    go_on = 0,
    stop = 1,
    continue_and_end = 2,
    stop_all_and_buffer = 3,
    stop_all_and_watermark = 4,
};

enum class DataStatus : std::uint32_t {
    go_on = 0,
    stop_and_buffer = 1,
    stop_and_watermark = 2,
    stop_no_buffer = 3,
};

using wasm::AbiVersion;

// Limits of the serialized form of header maps that a plugin hands over (proxy-wasm-cpp-host).
inline constexpr std::uint32_t max_pairs = 1024;
inline constexpr std::uint32_t max_pairs_bytes = 1U << 20;

}  // namespace wasmplug::host
