// WASI as Envoy 1.39 and later offer it: most of it refuses, in ways that C libraries and the
// runtimes of Go, Rust and AssemblyScript know to live with.

#include <cstring>
#include <string>

#include "host/imports.hpp"

namespace wasmplug::host {
namespace {

// errno of wasi_snapshot_preview1
constexpr std::uint64_t success = 0;
constexpr std::uint64_t bad_descriptor = 8;
constexpr std::uint64_t fault = 21;
constexpr std::uint64_t invalid = 28;
constexpr std::uint64_t no_entry = 44;
constexpr std::uint64_t no_system_call = 52;
constexpr std::uint64_t not_supported = 58;

constexpr std::uint64_t standard_output = 1;
constexpr std::uint64_t standard_error = 2;
constexpr std::uint64_t random_limit = 64 * 1024;
constexpr std::size_t line_limit = std::size_t{1} << 20;

std::uint64_t done_if(bool written) {
    return written ? success : fault;
}

std::uint64_t fd_write(Vm& vm, Arguments a) {
    if (a[0] != standard_output && a[0] != standard_error) {
        return bad_descriptor;
    }
    std::string text;
    std::uint64_t written = 0;
    for (std::uint64_t i = 0; i < a[2]; ++i) {
        const auto vector = vm.read(a[1] + 8 * i, 8);
        if (!vector) {
            return fault;
        }
        std::uint32_t address = 0;
        std::uint32_t size = 0;
        std::memcpy(&address, vector->data(), sizeof address);
        std::memcpy(&size, vector->data() + 4, sizeof size);
        const auto part = vm.read(address, size);
        if (!part) {
            return fault;
        }
        written += size;
        // Many vectors may name the same memory: what is kept has a limit of its own.
        if (text.size() < line_limit) {
            text += part->substr(0, line_limit - text.size());
        }
    }
    if (!text.empty()) {
        if (text.back() == '\n') {
            text.pop_back();
        }
        constexpr int info = 2;
        constexpr int error = 4;
        vm.world().log(a[0] == standard_output ? info : error, text);
    }
    return done_if(vm.write_u32(a[3], static_cast<std::uint32_t>(written)));
}

std::uint64_t fd_fdstat_get(Vm& vm, Arguments a) {
    if (a[0] != standard_output && a[0] != standard_error) {
        return bad_descriptor;
    }
    constexpr std::uint64_t right_to_write = 64;
    return done_if(vm.write_u64(a[1], 0) && vm.write_u64(a[1] + 8, right_to_write) &&
                   vm.write_u64(a[1] + 16, 0));
}

std::uint64_t environ_sizes_get(Vm& vm, Arguments a) {
    std::size_t bytes = 0;
    for (const auto& [name, value] : vm.plugin().env) {
        bytes += name.size() + value.size() + 2;  // '=' and NUL
    }
    return done_if(vm.write_u32(a[0], static_cast<std::uint32_t>(vm.plugin().env.size())) &&
                   vm.write_u32(a[1], static_cast<std::uint32_t>(bytes)));
}

std::uint64_t environ_get(Vm& vm, Arguments a) {
    std::uint64_t pointer = a[0];
    std::uint64_t text = a[1];
    for (const auto& [name, value] : vm.plugin().env) {
        const std::string line = name + '=' + value + '\0';
        if (!vm.write_u32(pointer, static_cast<std::uint32_t>(text)) || !vm.write(text, line)) {
            return fault;
        }
        pointer += 4;
        text += line.size();
    }
    return success;
}

std::uint64_t args_sizes_get(Vm& vm, Arguments a) {
    return done_if(vm.write_u32(a[0], 0) && vm.write_u32(a[1], 0));
}

std::uint64_t clock_time_get(Vm& vm, Arguments a) {
    if (a[0] > 1) {
        return not_supported;
    }
    return done_if(vm.write_u64(a[2], static_cast<std::uint64_t>(vm.world().now.count())));
}

std::uint64_t clock_res_get(Vm& vm, Arguments a) {
    return a[0] > 1 ? not_supported : done_if(vm.write_u64(a[1], 1));
}

std::uint64_t random_get(Vm& vm, Arguments a) {
    if (a[1] > random_limit) {
        return invalid;
    }
    std::string bytes(a[1], '\0');
    for (char& byte : bytes) {
        byte = static_cast<char>(vm.world().random() & 0xFF);
    }
    return done_if(vm.write(a[0], bytes));
}

std::uint64_t poll_oneoff(Vm& vm, Arguments a) {
    return done_if(vm.write_u32(a[3], 0));
}

std::uint64_t ok(Vm&, Arguments) {
    return success;
}

template <std::uint64_t Errno>
std::uint64_t refuse(Vm&, Arguments) {
    return Errno;
}

std::uint64_t logged(Vm& vm, const char* name) {
    vm.world().note(std::string(name) + " does nothing in this host");
    return success;
}

std::uint64_t fd_seek(Vm& vm, Arguments) {
    return logged(vm, "fd_seek");
}

std::uint64_t fd_close(Vm& vm, Arguments) {
    return logged(vm, "fd_close");
}

std::uint64_t proc_exit(Vm& vm, Arguments) {
    return logged(vm, "proc_exit");  // the guest goes on
}

HostImport wasi(std::string_view name, std::string_view arguments,
                std::uint64_t (*call)(Vm&, Arguments), bool at_start = true) {
    return {
        .module = "wasi", .name = name, .arguments = arguments, .at_start = at_start, .call = call};
}

}  // namespace

const std::vector<HostImport>& wasi_imports() {
    static const std::vector<HostImport> table = [] {
        std::vector<HostImport> all{
            wasi("fd_write", "iiio", fd_write),
            wasi("fd_fdstat_get", "io", fd_fdstat_get),
            wasi("environ_get", "oo", environ_get),
            wasi("environ_sizes_get", "oo", environ_sizes_get),
            wasi("args_get", "oo", ok),
            wasi("args_sizes_get", "oo", args_sizes_get),
            wasi("clock_time_get", "iqo", clock_time_get),
            wasi("clock_res_get", "io", clock_res_get),
            wasi("random_get", "ii", random_get),
            wasi("poll_oneoff", "iiio", poll_oneoff),
            wasi("sched_yield", "", ok, false),
            wasi("fd_read", "iiio", refuse<no_system_call>, false),
            wasi("fd_seek", "iqio", fd_seek, false),
            wasi("fd_close", "i", fd_close, false),
            wasi("path_open", "iiiiiqqio", refuse<no_entry>, false),
            wasi("fd_prestat_get", "io", refuse<bad_descriptor>),
            wasi("fd_prestat_dir_name", "iii", refuse<no_system_call>),
            wasi("fd_fdstat_set_flags", "ii", refuse<no_system_call>),
            wasi("fd_fdstat_set_rights", "iqq", refuse<not_supported>),
            wasi("fd_filestat_get", "io", refuse<bad_descriptor>),
            wasi("path_filestat_get", "iiiio", refuse<not_supported>),
            wasi("fd_advise", "iqqi", ok),
            wasi("fd_allocate", "iqq", refuse<not_supported>),
            wasi("fd_datasync", "i", ok),
            wasi("fd_sync", "i", ok),
            wasi("fd_filestat_set_size", "iq", refuse<not_supported>),
            wasi("fd_filestat_set_times", "iqqi", refuse<not_supported>),
            wasi("fd_pread", "iiiqo", refuse<no_system_call>),
            wasi("fd_pwrite", "iiiqo", refuse<no_system_call>),
            wasi("fd_readdir", "iiiqo", refuse<not_supported>),
            wasi("fd_renumber", "ii", refuse<not_supported>),
            wasi("fd_tell", "io", refuse<not_supported>),
            wasi("path_create_directory", "iii", refuse<not_supported>),
            wasi("path_filestat_set_times", "iiiiqqi", refuse<not_supported>),
            // Both are offered with one argument too few: a module that really imports them
            // fails to load, in Envoy too.
            wasi("path_link", "iiiiii", refuse<not_supported>),
            wasi("path_symlink", "iiii", refuse<not_supported>),
            wasi("path_readlink", "iiiiii", refuse<not_supported>),
            wasi("path_remove_directory", "iii", refuse<not_supported>),
            wasi("path_rename", "iiiiii", refuse<not_supported>),
            wasi("path_unlink_file", "iii", refuse<not_supported>),
            wasi("sock_accept", "iii", refuse<not_supported>),
            wasi("sock_recv", "iiiiii", refuse<not_supported>),
            wasi("sock_send", "iiiii", refuse<not_supported>),
            wasi("sock_shutdown", "ii", refuse<not_supported>),
        };
        HostImport exit = wasi("proc_exit", "i", proc_exit, false);
        exit.returns = false;
        all.push_back(exit);
        return all;
    }();
    return table;
}

}  // namespace wasmplug::host
