#include "base/parallel.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>

namespace wasmplug {

std::size_t processors() {
    cpu_set_t set;
    if (::sched_getaffinity(0, sizeof set, &set) == 0) {
        return static_cast<std::size_t>(CPU_COUNT(&set));
    }
    return std::max(1U, std::thread::hardware_concurrency());
}

void parallel_for(std::size_t n, const std::function<void(std::size_t)>& work, const Cancel& cancel,
                  std::size_t threads) {
    const std::size_t wanted = std::min(n, threads == 0 ? processors() : threads);
    std::atomic<std::size_t> next = 0;
    std::atomic<bool> stop = false;
    std::vector<std::exception_ptr> errors(n);
    const auto run = [&] {
        while (!stop && !cancel.requested()) {
            const std::size_t i = next++;
            if (i >= n) {
                return;
            }
            try {
                work(i);
            } catch (...) {
                errors[i] = std::current_exception();
                stop = true;
            }
        }
    };
    {
        std::vector<std::jthread> helpers;
        for (std::size_t i = 1; i < wanted; ++i) {
            helpers.emplace_back(run);
        }
        run();
    }
    for (const auto& error : errors) {
        if (error) {
            std::rethrow_exception(error);
        }
    }
    if (next < n) {
        cancel.check();
    }
}

}  // namespace wasmplug
