#pragma once

#include <algorithm>
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
// in the order of the items, at most 16 items a thread being on the way. `next` and `consume` are
// each called by one thread at a time. An exception of `work` is rethrown once everything before
// its item was consumed; one of `next` or `consume`, and cancel.check()'s, at once.
template <class Next, class Work, class Consume>
void stream_in_order(const Next& next, const Work& work, const Consume& consume,
                     const Cancel& cancel, std::size_t threads = 0) {
    using Item = typename decltype(next())::value_type;

    // Items that one thread works on without asking for the lock in between.
    struct Batch {
        std::vector<decltype(work(std::declval<Item>()))> results;
        std::exception_ptr error;  // of the item after the results
        bool is_done = false;
    };

    constexpr std::size_t largest = 8;
    std::mutex mutex;
    std::condition_variable room;
    std::deque<Batch> under_way;  // the batch that is consumed next is in front
    std::size_t consumed = 0;     // batches
    std::size_t taken = 0;        // items
    bool consuming = false;
    bool ended = false;
    std::exception_ptr failure;
    if (threads == 0) {
        threads = processors();
    }
    const std::size_t most = threads * 16 / largest;

    // These are called with the lock held.
    const auto stop = [&](std::exception_ptr error) {
        ended = true;
        failure = failure ? failure : std::move(error);
        room.notify_all();
    };
    const auto take = [&](std::vector<Item>& items) {
        // Few items may be large ones: they are dealt out one by one.
        const std::size_t wanted = std::min(largest, 1 + taken / 64);
        try {
            cancel.check();
            while (!ended && items.size() < wanted) {
                if (auto item = next()) {
                    items.push_back(std::move(*item));
                } else {
                    ended = true;
                    room.notify_all();
                }
            }
        } catch (...) {
            stop(std::current_exception());
        }
        taken += items.size();
        return !items.empty() && !failure;
    };
    const auto consume_what_is_ready = [&](std::unique_lock<std::mutex>& lock) {
        while (!failure && !under_way.empty() && under_way.front().is_done) {
            Batch batch = std::move(under_way.front());
            lock.unlock();
            try {
                for (auto& result : batch.results) {
                    consume(std::move(result));
                }
                if (batch.error) {
                    std::rethrow_exception(batch.error);
                }
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
        std::vector<Item> items;
        std::unique_lock lock(mutex);
        for (;;) {
            room.wait(lock, [&] { return ended || under_way.size() < most; });
            items.clear();
            if (ended || !take(items)) {
                return;
            }
            const std::size_t number = consumed + under_way.size();
            under_way.emplace_back();
            lock.unlock();
            Batch batch{.is_done = true};
            batch.results.reserve(items.size());
            try {
                for (auto& item : items) {
                    batch.results.push_back(work(std::move(item)));
                }
            } catch (...) {
                batch.error = std::current_exception();
            }
            lock.lock();
            ended = ended || batch.error;  // what comes after it is not wanted any more
            under_way[number - consumed] = std::move(batch);
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
