// Header maps, buffers, local replies and the flow of a stream.

#include <algorithm>
#include <string>

#include "base/text.hpp"
#include "host/imports.hpp"
#include "host/pairs.hpp"
#include "host/stream.hpp"

namespace wasmplug::host {
namespace {

std::optional<MapType> map_type(std::uint64_t value) {
    return value <= static_cast<std::uint64_t>(MapType::last)
               ? std::optional(static_cast<MapType>(value))
               : std::nullopt;
}

// Null when the map cannot be had now.
const Headers* readable_map(Vm& vm, MapType type) {
    switch (type) {
        case MapType::call_headers:
        case MapType::grpc_initial_metadata:
            return vm.delivery().headers;
        case MapType::call_trailers:
        case MapType::grpc_trailing_metadata:
            return vm.delivery().trailers;
        default: {
            // Once a stream is over, what it never had reads as empty.
            static const Headers none;
            Filter* filter = vm.filter();
            const Headers* map = filter == nullptr ? nullptr : filter->map(type, false);
            const bool empty = map == nullptr && filter != nullptr && filter->logging() &&
                               type <= MapType::response_trailers;
            return empty ? &none : map;
        }
    }
}

Headers* writable_map(Vm& vm, MapType type) {
    Filter* filter = vm.filter();
    return filter == nullptr || !filter->may_write(type) ? nullptr : filter->map(type, true);
}

std::uint64_t get_header(Vm& vm, Arguments a) {
    const auto type = map_type(a[0]);
    const auto key = vm.read(a[1], a[2]);
    if (!type) {
        return code(Status::bad_argument);
    }
    if (!key) {
        return code(Status::invalid_memory_access);
    }
    const Headers* map = readable_map(vm, *type);
    if (map == nullptr) {
        return code(Status::bad_argument);
    }
    const std::string name = lower_case(*key);
    for (const auto& [each, value] : *map) {
        if (each == name) {
            return code(vm.give(value, a[3], a[4]));
        }
    }
    // 0.1.0 could not tell a missing header from an empty one.
    return code(vm.abi() == AbiVersion::v0_1_0 ? vm.give("", a[3], a[4]) : Status::not_found);
}

// Runs `change` on the map that argument 0 names, with the lower-case name of argument 1.
template <class Change>
std::uint64_t change_header(Vm& vm, Arguments a, const Change& change) {
    const auto type = map_type(a[0]);
    const auto key = vm.read(a[1], a[2]);
    if (!type) {
        return code(Status::bad_argument);
    }
    if (!key) {
        return code(Status::invalid_memory_access);
    }
    Headers* map = writable_map(vm, *type);
    if (map == nullptr) {
        return code(Status::bad_argument);
    }
    return change(*map, lower_case(*key));
}

std::uint64_t add_header(Vm& vm, Arguments a) {
    return change_header(vm, a, [&](Headers& map, const std::string& name) {
        const auto value = vm.read(a[3], a[4]);
        if (!value) {
            return code(Status::invalid_memory_access);
        }
        map.emplace_back(name, *value);
        return code(Status::ok);
    });
}

std::uint64_t replace_header(Vm& vm, Arguments a) {
    return change_header(vm, a, [&](Headers& map, const std::string& name) {
        const auto value = vm.read(a[3], a[4]);
        if (!value) {
            return code(Status::invalid_memory_access);
        }
        const auto first = std::find_if(map.begin(), map.end(),
                                        [&](const auto& header) { return header.first == name; });
        if (first == map.end()) {
            map.emplace_back(name, *value);
            return code(Status::ok);
        }
        first->second = std::string(*value);
        map.erase(std::remove_if(first + 1, map.end(),
                                 [&](const auto& header) { return header.first == name; }),
                  map.end());
        return code(Status::ok);
    });
}

std::uint64_t remove_header(Vm& vm, Arguments a) {
    return change_header(vm, a, [&](Headers& map, const std::string& name) {
        std::erase_if(map, [&](const auto& header) { return header.first == name; });
        return code(Status::ok);
    });
}

std::uint64_t get_pairs(Vm& vm, Arguments a) {
    const auto type = map_type(a[0]);
    if (!type) {
        return code(Status::bad_argument);
    }
    const Headers* map = readable_map(vm, *type);
    return code(vm.give(map == nullptr ? "" : serialize_pairs(*map), a[1], a[2]));
}

std::uint64_t set_pairs(Vm& vm, Arguments a) {
    const auto type = map_type(a[0]);
    const auto bytes = vm.read(a[1], a[2]);
    if (!type) {
        return code(Status::bad_argument);
    }
    if (!bytes) {
        return code(Status::invalid_memory_access);
    }
    Headers* map = writable_map(vm, *type);
    if (map == nullptr) {
        return code(Status::bad_argument);
    }
    *map = parse_pairs(*bytes);
    return code(Status::ok);
}

// Bytes, as Envoy has it, not the number of pairs that the specification speaks of; and not for
// the maps of a call (envoy-observed §4).
std::uint64_t get_map_size(Vm& vm, Arguments a) {
    const auto type = map_type(a[0]);
    if (!type || *type > MapType::response_trailers) {
        return code(Status::bad_argument);
    }
    const Headers* map = readable_map(vm, *type);
    if (map == nullptr) {
        return code(Status::bad_argument);
    }
    std::size_t bytes = 0;
    for (const auto& [name, value] : *map) {
        bytes += name.size() + value.size();
    }
    return code(vm.write_u32(a[1], static_cast<std::uint32_t>(bytes))
                    ? Status::ok
                    : Status::invalid_memory_access);
}

bool is_body(BufferType type) {
    return type == BufferType::request_body || type == BufferType::response_body;
}

const std::string* readable_buffer(Vm& vm, BufferType type) {
    switch (type) {
        case BufferType::call_body:
        case BufferType::grpc_message:
        case BufferType::call_data:
            return vm.delivery().body;
        case BufferType::vm_configuration:
            return vm.vm_configuration();
        case BufferType::plugin_configuration:
            return vm.configuration();
        default: {
            // A body that is not there now is empty.
            static const std::string none;
            Filter* filter = vm.filter();
            const std::string* body = filter == nullptr ? nullptr : filter->buffer(type);
            const bool empty = body == nullptr && filter != nullptr && is_body(type);
            return empty ? &none : body;
        }
    }
}

std::uint64_t get_buffer(Vm& vm, Arguments a) {
    if (a[0] > static_cast<std::uint64_t>(BufferType::last)) {
        return code(Status::bad_argument);
    }
    const std::string* buffer = readable_buffer(vm, static_cast<BufferType>(a[0]));
    if (buffer == nullptr) {
        return code(Status::not_found);
    }
    const std::uint64_t start = a[1];
    const std::string_view all = *buffer;
    const auto part = start >= all.size() ? std::string_view() : all.substr(start, a[2]);
    return code(vm.give(part, a[3], a[4]));
}

std::uint64_t get_buffer_status(Vm& vm, Arguments a) {
    if (a[0] > static_cast<std::uint64_t>(BufferType::last)) {
        return code(Status::bad_argument);
    }
    const std::string* buffer = readable_buffer(vm, static_cast<BufferType>(a[0]));
    if (buffer == nullptr) {
        return code(Status::not_found);
    }
    return code(vm.write_u32(a[1], static_cast<std::uint32_t>(buffer->size())) &&
                        vm.write_u32(a[2], 0)
                    ? Status::ok
                    : Status::invalid_memory_access);
}

// Envoy can only replace at the front or append: anything else is refused.
std::uint64_t set_buffer(Vm& vm, Arguments a) {
    if (a[0] > static_cast<std::uint64_t>(BufferType::last)) {
        return code(Status::bad_argument);
    }
    const auto data = vm.read(a[3], a[4]);
    if (!data) {
        return code(Status::invalid_memory_access);
    }
    const auto type = static_cast<BufferType>(a[0]);
    Filter* filter = vm.filter();
    std::string* buffer = filter == nullptr ? nullptr : filter->buffer(type);
    if (buffer == nullptr) {
        // Read-only ones refuse, absent ones too (observed: the response's in the request phase).
        return code(readable_buffer(vm, type) == nullptr && type > BufferType::response_body
                        ? Status::not_found
                        : Status::bad_argument);
    }
    if (a[1] == 0) {
        buffer->replace(0, std::min<std::size_t>(a[2], buffer->size()), *data);
    } else if (a[1] >= buffer->size()) {
        buffer->append(*data);
    } else {
        return code(Status::bad_argument);
    }
    return code(Status::ok);
}

std::uint64_t send_local_response(Vm& vm, Arguments a) {
    const auto details = vm.read(a[1], a[2]);
    const auto body = vm.read(a[3], a[4]);
    const auto headers = vm.read(a[5], a[6]);
    if (!details || !body || !headers) {
        return code(Status::invalid_memory_access);
    }
    Filter* filter = vm.filter();
    if (filter == nullptr) {
        return code(Status::ok);
    }
    plugintest::LocalReply reply;
    reply.status = static_cast<std::int32_t>(a[0]);
    reply.body = std::string(*body);
    reply.details = std::string(*details);
    std::replace_if(
        reply.details.begin(), reply.details.end(),
        [](char c) {
            return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
        },
        '_');
    reply.headers = parse_pairs(*headers);
    const auto grpc = static_cast<std::int32_t>(a[7]);
    if (grpc >= 0 && grpc <= 16) {
        reply.grpc_status = grpc;
    }
    filter->send_local_reply(std::move(reply));
    return code(Status::ok);
}

std::uint64_t continue_stream(Vm& vm, Arguments a) {
    if (a[0] > 3) {
        return code(Status::bad_argument);
    }
    if (Filter* filter = vm.filter()) {
        filter->continue_stream(static_cast<StreamType>(a[0]));
    }
    return code(Status::ok);
}

std::uint64_t continue_request(Vm& vm, Arguments) {
    const std::uint64_t type[] = {0};
    return continue_stream(vm, type);
}

std::uint64_t continue_response(Vm& vm, Arguments) {
    const std::uint64_t type[] = {1};
    return continue_stream(vm, type);
}

std::uint64_t close_stream(Vm& vm, Arguments a) {
    if (a[0] > 3) {
        return code(Status::bad_argument);
    }
    if (Filter* filter = vm.filter()) {
        filter->close_stream(static_cast<StreamType>(a[0]));
    }
    return code(Status::ok);
}

std::uint64_t clear_route_cache(Vm&, Arguments) {
    return code(Status::ok);
}

}  // namespace

const std::vector<HostImport>& http_imports() {
    static const std::vector<HostImport> table = [] {
        const auto in = [](std::string_view name, std::string_view arguments,
                           std::uint64_t (*call)(Vm&, Arguments)) {
            return HostImport{.module = "env", .name = name, .arguments = arguments, .call = call};
        };
        const auto only_0_1_0 = [](HostImport import) {
            import.in_0_2_0 = import.in_0_2_1 = false;
            return import;
        };
        const auto since_0_2_0 = [](HostImport import) {
            import.in_0_1_0 = false;
            return import;
        };
        return std::vector<HostImport>{
            in("proxy_get_header_map_value", "msoo", get_header),
            in("proxy_add_header_map_value", "mss", add_header),
            in("proxy_replace_header_map_value", "mss", replace_header),
            in("proxy_remove_header_map_value", "ms", remove_header),
            in("proxy_get_header_map_pairs", "moo", get_pairs),
            in("proxy_set_header_map_pairs", "mp", set_pairs),
            in("proxy_get_header_map_size", "mo", get_map_size),
            in("proxy_get_buffer_bytes", "biioo", get_buffer),
            in("proxy_get_buffer_status", "boo", get_buffer_status),
            in("proxy_set_buffer_bytes", "biis", set_buffer),
            in("proxy_send_local_response", "isspi", send_local_response),
            only_0_1_0(in("proxy_continue_request", "", continue_request)),
            only_0_1_0(in("proxy_continue_response", "", continue_response)),
            only_0_1_0(in("proxy_clear_route_cache", "", clear_route_cache)),
            since_0_2_0(in("proxy_continue_stream", "t", continue_stream)),
            since_0_2_0(in("proxy_close_stream", "t", close_stream)),
        };
    }();
    return table;
}

}  // namespace wasmplug::host
