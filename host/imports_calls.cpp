// Calls to other services.

#include <string>

#include "host/calls.hpp"
#include "host/imports.hpp"
#include "host/pairs.hpp"

namespace wasmplug::host {
namespace {

std::uint64_t answer(Vm& vm, Status status, std::uint64_t token_out, std::uint32_t token) {
    if (status == Status::ok && !vm.write_u32(token_out, token)) {
        return code(Status::invalid_memory_access);
    }
    return code(status);
}

std::uint64_t http_call(Vm& vm, Arguments a) {
    const auto cluster = vm.read(a[0], a[1]);
    const auto headers = vm.read(a[2], a[3]);
    const auto body = vm.read(a[4], a[5]);
    const auto trailers = vm.read(a[6], a[7]);
    const Root* root = vm.root();
    if (!cluster || !headers || !body || !trailers || root == nullptr || !vm.write_u32(a[9], 0)) {
        return code(Status::invalid_memory_access);
    }
    Calls::HttpCall call;
    call.cluster = std::string(*cluster);
    call.request.headers = parse_pairs(*headers);
    if (!body->empty()) {
        call.request.body = {std::string(*body)};
    }
    call.request.trailers = parse_pairs(*trailers);
    call.timeout_ms = static_cast<std::int32_t>(a[8]);
    std::uint32_t token = 0;
    const Status status = vm.calls().http(vm, root->id, std::move(call), token);
    return answer(vm, status, a[9], token);
}

std::uint64_t grpc(Vm& vm, Arguments a, bool stream) {
    const auto service = vm.read(a[0], a[1]);
    const auto name = vm.read(a[2], a[3]);
    const auto method = vm.read(a[4], a[5]);
    const auto metadata = vm.read(a[6], a[7]);
    const auto message = stream ? std::optional<std::string_view>("") : vm.read(a[8], a[9]);
    const Root* root = vm.root();
    if (!service || !name || !method || !metadata || !message || root == nullptr) {
        return code(Status::invalid_memory_access);
    }
    Calls::GrpcCall call;
    call.service = std::string(*service);
    call.name = std::string(*name);
    call.method = std::string(*method);
    call.metadata = parse_pairs(*metadata);
    call.message = std::string(*message);
    call.stream = stream;
    call.timeout_ms = stream ? 0 : static_cast<std::int32_t>(a[10]);
    std::uint32_t token = 0;
    const Status status = vm.calls().grpc(vm, root->id, std::move(call), token);
    return answer(vm, status, a[stream ? 8 : 11], token);
}

std::uint64_t grpc_call(Vm& vm, Arguments a) {
    return grpc(vm, a, false);
}

std::uint64_t grpc_stream(Vm& vm, Arguments a) {
    return grpc(vm, a, true);
}

std::uint64_t grpc_send(Vm& vm, Arguments a) {
    const auto message = vm.read(a[1], a[2]);
    if (!message) {
        return code(Status::invalid_memory_access);
    }
    return code(vm.calls().grpc_send(vm, static_cast<std::uint32_t>(a[0]), *message));
}

std::uint64_t grpc_close(Vm& vm, Arguments a) {
    return code(vm.calls().grpc_close(vm, static_cast<std::uint32_t>(a[0])));
}

std::uint64_t grpc_cancel(Vm& vm, Arguments a) {
    return code(vm.calls().grpc_cancel(vm, static_cast<std::uint32_t>(a[0])));
}

}  // namespace

const std::vector<HostImport>& call_imports() {
    const auto in = [](std::string_view name, std::string_view arguments,
                       std::uint64_t (*call)(Vm&, Arguments)) {
        return HostImport{.module = "env", .name = name, .arguments = arguments, .call = call};
    };
    static const std::vector<HostImport> table{
        in("proxy_http_call", "spspio", http_call),    in("proxy_grpc_call", "ssspsio", grpc_call),
        in("proxy_grpc_stream", "ssspo", grpc_stream), in("proxy_grpc_send", "isi", grpc_send),
        in("proxy_grpc_close", "i", grpc_close),       in("proxy_grpc_cancel", "i", grpc_cancel),
    };
    return table;
}

}  // namespace wasmplug::host
