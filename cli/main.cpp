#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <system_error>

#include "base/terminal.hpp"
#include "cli/app.hpp"

namespace {

// Workers are started from the same file, wherever it was found.
std::string own_path(const char* argv0) {
    std::error_code none;
    const auto path = std::filesystem::read_symlink("/proc/self/exe", none);
    return none ? argv0 : path.string();
}

// libcurl is set up at the first request: most commands make none. A client is for one thread, so
// each thread of a parallel push has its own.
wasmplug::HttpClient& client() {
    thread_local wasmplug::HttpClient own("wasmplug/" WASMPLUG_VERSION);
    return own;
}

}  // namespace

int main(int argc, char** argv) {
    std::ios::sync_with_stdio(false);
    const wasmplug::World world{
        .cancel = wasmplug::cancel_on_signals(),
        .send = [](const auto& request,
                   const auto& cancel) { return client().send(request, cancel); },
        .send_all =
            [](const auto& requests, std::size_t parallel, const auto& on_done,
               const auto& cancel) { client().send_all(requests, parallel, on_done, cancel); },
        .program = own_path(argv[0]),
        .stdin_is_terminal = wasmplug::is_terminal(STDIN_FILENO),
        .stdout_is_terminal = wasmplug::is_terminal(STDOUT_FILENO),
        .stderr_is_terminal = wasmplug::is_terminal(STDERR_FILENO),
    };
    return wasmplug::run_app({argv + 1, argv + argc}, std::cout, std::cerr, world);
}
