#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
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

// A stream of any length in little memory: takes items from `next` until it gives none, calls
// `work` for them on up to `threads` threads (0: processors()), and hands the results to `consume`
// in the order of the items, at most a few dozen items being on the way. `next` and `consume` are
// each called by one thread at a time. An exception of `work` is rethrown once everything before
// its item was consumed; one of `next` or `consume`, and cancel.check()'s, at once.
template <class Next, class Work, class Consume>
void stream_in_order(const Next& next, const Work& work, const Consume& consume,
                     const Cancel& cancel, std::size_t threads = 0) {
    struct Slot {
        std::optional<decltype(work(*next()))> result;
        std::exception_ptr error;
    };

    std::mutex mutex;
    std::condition_variable room;
    std::deque<Slot> under_way;  // the item that is consumed next is in front
    std::size_t consumed = 0;
    bool consuming = false;
    bool ended = false;
    std::exception_ptr failure;
    if (threads == 0) {
        threads = processors();
    }
    const std::size_t most = threads * 16;

    // Both are called with the lock held.
    const auto stop = [&](std::exception_ptr error) {
        ended = true;
        failure = failure ? failure : std::move(error);
        room.notify_all();
    };
    const auto consume_what_is_ready = [&](std::unique_lock<std::mutex>& lock) {
        const auto is_ready = [&] {
            return !failure && !under_way.empty() &&
                   (under_way.front().result || under_way.front().error);
        };
        while (is_ready()) {
            Slot slot = std::move(under_way.front());
            lock.unlock();
            try {
                if (slot.error) {
                    std::rethrow_exception(slot.error);
                }
                consume(std::move(*slot.result));
                lock.lock();
            } catch (...) {
                lock.lock();
                stop(std::current_exception());
            }
            under_way.pop_front();
            ++consumed;
            room.notify_all();
        }
    };
    const auto run = [&](std::size_t) {
        std::unique_lock lock(mutex);
        for (;;) {
            room.wait(lock, [&] { return ended || under_way.size() < most; });
            if (ended) {
                return;
            }
            std::optional<decltype(next())> item;
            try {
                cancel.check();
                item.emplace(next());
            } catch (...) {
                stop(std::current_exception());
                return;
            }
            if (!*item) {
                ended = true;
                room.notify_all();
                return;
            }
            const std::size_t number = consumed + under_way.size();
            under_way.emplace_back();
            lock.unlock();
            Slot done;
            try {
                done.result.emplace(work(std::move(**item)));
            } catch (...) {
                done.error = std::current_exception();
            }
            lock.lock();
            ended = ended || done.error;  // what comes after it is not wanted any more
            under_way[number - consumed] = std::move(done);
            if (!consuming) {
                consuming = true;
                consume_what_is_ready(lock);
                consuming = false;
            }
        }
    };
    parallel_for(threads, run, Cancel(), threads);
    if (failure) {
        std::rethrow_exception(failure);
    }
}

}  // namespace wasmplug
