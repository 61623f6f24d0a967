#include "wasm/abi.hpp"

#include <algorithm>
#include <array>

namespace wasmplug::wasm {

namespace {

constexpr Abis all{1, 1, 1};
constexpr Abis abi_0_1_0{1, 0, 0};
constexpr Abis abi_0_2{0, 1, 1};
constexpr Abis abi_0_2_1{0, 0, 1};

// proxy-wasm-cpp-host 52a0291 (2026-07-01), include/proxy-wasm/exports.h and wasm.cc
// registerCallbacks; envoy_resolve_dns: Envoy source/extensions/common/wasm/wasm.cc.
constexpr std::array host_function_table = std::to_array<HostFunction>({
    {"proxy_log", "i32 i32 i32 -> i32", all},
    {"proxy_get_status", "i32 i32 i32 -> i32", all},
    {"proxy_set_property", "i32 i32 i32 i32 -> i32", all},
    {"proxy_get_property", "i32 i32 i32 i32 -> i32", all},
    {"proxy_send_local_response", "i32 i32 i32 i32 i32 i32 i32 i32 -> i32", all},
    {"proxy_get_shared_data", "i32 i32 i32 i32 i32 -> i32", all},
    {"proxy_set_shared_data", "i32 i32 i32 i32 i32 -> i32", all},
    {"proxy_register_shared_queue", "i32 i32 i32 -> i32", all},
    {"proxy_resolve_shared_queue", "i32 i32 i32 i32 i32 -> i32", all},
    {"proxy_dequeue_shared_queue", "i32 i32 i32 -> i32", all},
    {"proxy_enqueue_shared_queue", "i32 i32 i32 -> i32", all},
    {"proxy_get_header_map_value", "i32 i32 i32 i32 i32 -> i32", all},
    {"proxy_add_header_map_value", "i32 i32 i32 i32 i32 -> i32", all},
    {"proxy_replace_header_map_value", "i32 i32 i32 i32 i32 -> i32", all},
    {"proxy_remove_header_map_value", "i32 i32 i32 -> i32", all},
    {"proxy_get_header_map_pairs", "i32 i32 i32 -> i32", all},
    {"proxy_set_header_map_pairs", "i32 i32 i32 -> i32", all},
    {"proxy_get_header_map_size", "i32 i32 -> i32", all},
    {"proxy_get_buffer_status", "i32 i32 i32 -> i32", all},
    {"proxy_get_buffer_bytes", "i32 i32 i32 i32 i32 -> i32", all},
    {"proxy_set_buffer_bytes", "i32 i32 i32 i32 i32 -> i32", all},
    {"proxy_http_call", "i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 -> i32", all},
    {"proxy_grpc_call", "i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 -> i32", all},
    {"proxy_grpc_stream", "i32 i32 i32 i32 i32 i32 i32 i32 i32 -> i32", all},
    {"proxy_grpc_close", "i32 -> i32", all},
    {"proxy_grpc_cancel", "i32 -> i32", all},
    {"proxy_grpc_send", "i32 i32 i32 i32 -> i32", all},
    {"proxy_set_tick_period_milliseconds", "i32 -> i32", all},
    {"proxy_get_current_time_nanoseconds", "i32 -> i32", all},
    {"proxy_define_metric", "i32 i32 i32 i32 -> i32", all},
    {"proxy_increment_metric", "i32 i64 -> i32", all},
    {"proxy_record_metric", "i32 i64 -> i32", all},
    {"proxy_get_metric", "i32 i32 -> i32", all},
    {"proxy_set_effective_context", "i32 -> i32", all},
    {"proxy_done", "void -> i32", all},
    {"proxy_call_foreign_function", "i32 i32 i32 i32 i32 i32 -> i32", all},
    {"proxy_get_configuration", "i32 i32 -> i32", abi_0_1_0},
    {"proxy_continue_request", "void -> i32", abi_0_1_0},
    {"proxy_continue_response", "void -> i32", abi_0_1_0},
    {"proxy_clear_route_cache", "void -> i32", abi_0_1_0},
    {"proxy_continue_stream", "i32 -> i32", abi_0_2},
    {"proxy_close_stream", "i32 -> i32", abi_0_2},
    {"proxy_get_log_level", "i32 -> i32", abi_0_2_1},
    {"pthread_equal", "i32 i32 -> i32", all},
    {"emscripten_notify_memory_growth", "i32 -> void", all},
    {"envoy_resolve_dns", "i32 i32 i32 -> i32", all},
});

// The same, FOR_ALL_WASI_FUNCTIONS. The host gives path_link and path_symlink one parameter less
// than preview1 has. allowed_at_start: startVm's list of what may be called before the VM runs.
constexpr std::array wasi_function_table = std::to_array<WasiFunction>({
    {"fd_write", "i32 i32 i32 i32 -> i32", WasiEpoch::a, true},
    {"fd_read", "i32 i32 i32 i32 -> i32", WasiEpoch::a, false},
    {"fd_seek", "i32 i64 i32 i32 -> i32", WasiEpoch::a, false},
    {"fd_close", "i32 -> i32", WasiEpoch::a, false},
    {"fd_fdstat_get", "i32 i32 -> i32", WasiEpoch::a, true},
    {"fd_fdstat_set_flags", "i32 i32 -> i32", WasiEpoch::b, true},
    {"fd_fdstat_set_rights", "i32 i64 i64 -> i32", WasiEpoch::c, true},
    {"environ_get", "i32 i32 -> i32", WasiEpoch::a, true},
    {"environ_sizes_get", "i32 i32 -> i32", WasiEpoch::a, true},
    {"args_get", "i32 i32 -> i32", WasiEpoch::a, true},
    {"args_sizes_get", "i32 i32 -> i32", WasiEpoch::a, true},
    {"clock_time_get", "i32 i64 i32 -> i32", WasiEpoch::a, true},
    {"clock_res_get", "i32 i32 -> i32", WasiEpoch::c, true},
    {"fd_advise", "i32 i64 i64 i32 -> i32", WasiEpoch::c, true},
    {"fd_allocate", "i32 i64 i64 -> i32", WasiEpoch::c, true},
    {"fd_datasync", "i32 -> i32", WasiEpoch::c, true},
    {"fd_filestat_set_size", "i32 i64 -> i32", WasiEpoch::c, true},
    {"fd_filestat_set_times", "i32 i64 i64 i32 -> i32", WasiEpoch::c, true},
    {"fd_pread", "i32 i32 i32 i64 i32 -> i32", WasiEpoch::c, true},
    {"fd_pwrite", "i32 i32 i32 i64 i32 -> i32", WasiEpoch::c, true},
    {"fd_readdir", "i32 i32 i32 i64 i32 -> i32", WasiEpoch::c, true},
    {"fd_renumber", "i32 i32 -> i32", WasiEpoch::c, true},
    {"fd_sync", "i32 -> i32", WasiEpoch::c, true},
    {"fd_tell", "i32 i32 -> i32", WasiEpoch::c, true},
    {"path_create_directory", "i32 i32 i32 -> i32", WasiEpoch::c, true},
    {"path_filestat_set_times", "i32 i32 i32 i32 i64 i64 i32 -> i32", WasiEpoch::c, true},
    {"path_link", "i32 i32 i32 i32 i32 i32 -> i32", WasiEpoch::c, true},
    {"path_readlink", "i32 i32 i32 i32 i32 i32 -> i32", WasiEpoch::c, true},
    {"path_remove_directory", "i32 i32 i32 -> i32", WasiEpoch::c, true},
    {"path_rename", "i32 i32 i32 i32 i32 i32 -> i32", WasiEpoch::c, true},
    {"path_symlink", "i32 i32 i32 i32 -> i32", WasiEpoch::c, true},
    {"path_unlink_file", "i32 i32 i32 -> i32", WasiEpoch::c, true},
    {"sock_accept", "i32 i32 i32 -> i32", WasiEpoch::c, true},
    {"sock_recv", "i32 i32 i32 i32 i32 i32 -> i32", WasiEpoch::c, true},
    {"sock_send", "i32 i32 i32 i32 i32 -> i32", WasiEpoch::c, true},
    {"sock_shutdown", "i32 i32 -> i32", WasiEpoch::c, true},
    {"random_get", "i32 i32 -> i32", WasiEpoch::a, true},
    {"sched_yield", "void -> i32", WasiEpoch::b, false},
    {"poll_oneoff", "i32 i32 i32 i32 -> i32", WasiEpoch::b, true},
    {"proc_exit", "i32 -> void", WasiEpoch::a, false},
    {"path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32 -> i32", WasiEpoch::a, false},
    {"fd_prestat_get", "i32 i32 -> i32", WasiEpoch::a, true},
    {"fd_prestat_dir_name", "i32 i32 i32 -> i32", WasiEpoch::a, true},
    {"path_filestat_get", "i32 i32 i32 i32 i32 -> i32", WasiEpoch::c, true},
    {"fd_filestat_get", "i32 i32 -> i32", WasiEpoch::c, true},
});

// The same, wasm.h FOR_ALL_MODULE_FUNCTIONS and getFunctions, in the order in which the host
// looks them up, so that the first wrong one here is the first that it complains of.
constexpr std::array callback_table = std::to_array<Callback>({
    {"proxy_validate_configuration", "i32 i32 -> i32", all},
    {"proxy_on_vm_start", "i32 i32 -> i32", all},
    {"proxy_on_configure", "i32 i32 -> i32", all},
    {"proxy_on_tick", "i32 -> void", all},
    {"proxy_on_context_create", "i32 i32 -> void", all},
    {"proxy_on_new_connection", "i32 -> i32", all},
    {"proxy_on_downstream_data", "i32 i32 i32 -> i32", all},
    {"proxy_on_upstream_data", "i32 i32 i32 -> i32", all},
    {"proxy_on_downstream_connection_close", "i32 i32 -> void", all},
    {"proxy_on_upstream_connection_close", "i32 i32 -> void", all},
    {"proxy_on_request_body", "i32 i32 i32 -> i32", all},
    {"proxy_on_request_trailers", "i32 i32 -> i32", all},
    {"proxy_on_request_metadata", "i32 i32 -> i32", all},
    {"proxy_on_response_body", "i32 i32 i32 -> i32", all},
    {"proxy_on_response_trailers", "i32 i32 -> i32", all},
    {"proxy_on_response_metadata", "i32 i32 -> i32", all},
    {"proxy_on_http_call_response", "i32 i32 i32 i32 i32 -> void", all},
    {"proxy_on_grpc_receive", "i32 i32 i32 -> void", all},
    {"proxy_on_grpc_close", "i32 i32 i32 -> void", all},
    {"proxy_on_grpc_receive_initial_metadata", "i32 i32 i32 -> void", all},
    {"proxy_on_grpc_receive_trailing_metadata", "i32 i32 i32 -> void", all},
    {"proxy_on_queue_ready", "i32 i32 -> void", all},
    {"proxy_on_done", "i32 -> i32", all},
    {"proxy_on_log", "i32 -> void", all},
    {"proxy_on_delete", "i32 -> void", all},
    {"proxy_on_request_headers", "i32 i32 -> i32", abi_0_1_0},
    {"proxy_on_request_headers", "i32 i32 i32 -> i32", abi_0_2},
    {"proxy_on_response_headers", "i32 i32 -> i32", abi_0_1_0},
    {"proxy_on_response_headers", "i32 i32 i32 -> i32", abi_0_2},
    {"proxy_on_foreign_function", "i32 i32 i32 -> void", abi_0_2},
    {"envoy_on_resolve_dns", "i32 i32 i32 -> void", all},
    {"envoy_on_stats_update", "i32 i32 -> void", all},
});

}  // namespace

std::span<const HostFunction> host_functions() {
    return host_function_table;
}

std::span<const WasiFunction> wasi_functions() {
    return wasi_function_table;
}

std::span<const Callback> callbacks() {
    return callback_table;
}

std::string_view to_text(AbiVersion version) {
    switch (version) {
        case AbiVersion::v0_1_0:
            return "0.1.0";
        case AbiVersion::v0_2_0:
            return "0.2.0";
        case AbiVersion::v0_2_1:
            return "0.2.1";
    }
    return "";
}

std::optional<AbiVersion> abi_of_marker(std::string_view name) {
    if (name == "proxy_abi_version_0_1_0") {
        return AbiVersion::v0_1_0;
    }
    if (name == "proxy_abi_version_0_2_0") {
        return AbiVersion::v0_2_0;
    }
    if (name == "proxy_abi_version_0_2_1") {
        return AbiVersion::v0_2_1;
    }
    return std::nullopt;
}

std::optional<AbiVersion> abi_of(const Module& module) {
    for (const auto& exported : module.exports) {
        if (exported.kind == ExternalKind::function) {
            if (const auto version = abi_of_marker(exported.name)) {
                return version;
            }
        }
    }
    return std::nullopt;
}

const Export* allocator_of(const Module& module) {
    const Export* found = module.find_function("malloc");
    return found != nullptr ? found : module.find_function("proxy_on_memory_allocate");
}

std::string_view entry_of(const Module& module) {
    for (const std::string_view name : {"_initialize", "_start"}) {
        if (module.find_function(name) != nullptr) {
            return name;
        }
    }
    return {};
}

const HostFunction* find_host_function(std::string_view name) {
    const auto found = std::find_if(host_function_table.begin(), host_function_table.end(),
                                    [&](const HostFunction& each) { return each.name == name; });
    return found == host_function_table.end() ? nullptr : &*found;
}

const WasiFunction* find_wasi_function(std::string_view name) {
    const auto found = std::find_if(wasi_function_table.begin(), wasi_function_table.end(),
                                    [&](const WasiFunction& each) { return each.name == name; });
    return found == wasi_function_table.end() ? nullptr : &*found;
}

bool is_wasi_module(std::string_view name) {
    return name == "wasi_snapshot_preview1" || name == "wasi_unstable";
}

bool allowed_at_start(std::string_view module, std::string_view name) {
    if (is_wasi_module(module)) {
        const WasiFunction* function = find_wasi_function(name);
        return function != nullptr && function->allowed_at_start;
    }
    return name == "proxy_log" || name == "emscripten_notify_memory_growth";
}

}  // namespace wasmplug::wasm
