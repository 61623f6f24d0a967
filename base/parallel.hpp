#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/cancel.hpp"

namespace wasmplug {

// How many threads `parallel` uses at most: the processors this process may run on.
std::size_t processors();

// Calls work(0) … work(n-1) on up to `threads` threads (0: processors()) and returns when all
// have ended. The first exception, by index, is rethrown; after one, or once `cancel` is
// requested, no further work starts, and then cancel.check() is what throws.
// The only place where wasmplug starts threads.
void parallel_for(std::size_t n, const std::function<void(std::size_t)>& work, const Cancel& cancel,
                  std::size_t threads = 0);

// The results of work(0) … work(n-1), in that order.
template <class Work>
auto parallel(std::size_t n, const Work& work, const Cancel& cancel, std::size_t threads = 0) {
    using Result = decltype(work(std::size_t{0}));
    std::vector<std::optional<Result>> slots(n);
    parallel_for(
        n, [&](std::size_t i) { slots[i].emplace(work(i)); }, cancel, threads);
    std::vector<Result> results;
    results.reserve(n);
    for (auto& slot : slots) {
        results.push_back(std::move(*slot));
    }
    return results;
}

}  // namespace wasmplug
