#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.hpp"

namespace wasmplug {

// Whether this process has more than one thread just now: a fork would be without the others, and
// with the locks that they hold.
bool has_threads();

// The results of work(0) … work(n-1), in that order, like parallel(), but made in up to `forks`
// forks of this process (0: as many as processors): for work that itself forks, which a process
// with threads must not. Each fork takes the next number once it is done with one; what it
// changes in memory is gone with it. Nothing when this process has threads, or n is less than 2.
// The first Error by number is thrown, and what Cancel::check throws once `cancel` is requested;
// the forks have ended by then. `work` looks at no Cancel: its fork is killed.
std::optional<std::vector<std::string>> in_forks(
    std::size_t n, const std::function<std::string(std::size_t)>& work, const Cancel& cancel,
    std::size_t forks = 0);

}  // namespace wasmplug
