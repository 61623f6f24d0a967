#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace wasmplug::test {

// Asks until it is so, for a minute at most; whether it became so.
inline bool becomes(const std::function<bool()>& so) {
    for (int tries = 0; tries < 6000; ++tries) {
        if (so()) {
            return true;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

}  // namespace wasmplug::test
