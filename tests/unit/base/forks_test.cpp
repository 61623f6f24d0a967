#include "base/forks.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/process.hpp"

namespace wasmplug {
namespace {

TEST(InForks, GivesResultsInOrderWhateverTheirSize) {
    constexpr std::size_t n = 200;
    const auto results = in_forks(
        n, [](std::size_t i) { return std::string(i * 1000, static_cast<char>('a' + i % 26)); },
        Cancel(), 3);
    ASSERT_TRUE(results);
    ASSERT_EQ(results->size(), n);
    for (std::size_t i = 0; i < n; ++i) {
        EXPECT_EQ((*results)[i], std::string(i * 1000, static_cast<char>('a' + i % 26)));
    }
}

// Two that wait for each other can only end when both run.
TEST(InForks, WorksInSeveralProcessesThatMayForkThemselves) {
    const TemporaryDirectory folder;
    const auto results = in_forks(
        2,
        [&](std::size_t i) {
            write_file(folder.path() / std::to_string(i), "");
            while (!std::filesystem::exists(folder.path() / std::to_string(1 - i))) {
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            }
            ProcessSpec spec;
            spec.argv = {"no such program"};
            spec.in_fork = [] {
                write_stdout(std::to_string(::getppid()));
                return 7;
            };
            const auto own = run_process(spec, Cancel());
            return fmt::format("{} {} {}", ::getpid(), own.out, own.exit_code);
        },
        Cancel(), 2);
    ASSERT_TRUE(results);
    EXPECT_NE(results->at(0), results->at(1));
    for (const auto& text : *results) {
        const auto pid = text.substr(0, text.find(' '));
        EXPECT_EQ(text, fmt::format("{0} {0} 7", pid)) << "its worker is a fork of it";
        EXPECT_NE(pid, std::to_string(::getpid()));
    }
}

TEST(InForks, ThrowsTheFirstErrorWithItsHint) {
    try {
        in_forks(
            5,
            [](std::size_t i) -> std::string {
                if (i >= 2) {
                    throw Error(fmt::format("number {} fails", i), "mend it");
                }
                return "good";
            },
            Cancel(), 2);
        FAIL() << "nothing was thrown";
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "number 2 fails");
        EXPECT_EQ(error.hint(), "mend it");
    }
}

TEST(InForks, NoticesAForkThatDied) {
    EXPECT_THROW(in_forks(
                     3,
                     [](std::size_t i) -> std::string {
                         if (i == 1) {
                             ::kill(::getpid(), SIGKILL);
                         }
                         return "";
                     },
                     Cancel(), 2),
                 Error);
}

TEST(InForks, EndsItsForksWhenItIsCancelled) {
    const TemporaryDirectory folder;
    CancelSource source;
    const auto limited = source.token().within(std::chrono::milliseconds(200), "the limit");
    EXPECT_THROW(in_forks(
                     2,
                     [&](std::size_t i) -> std::string {
                         write_file(folder.path() / std::to_string(i), std::to_string(::getpid()));
                         for (;;) {
                             ::pause();
                         }
                     },
                     limited, 2),
                 Error);
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
        const auto pid = std::stoi(read_file(entry.path()));
        EXPECT_EQ(::kill(pid, 0), -1) << "it has ended, and was waited for";
    }
}

TEST(InForks, LeavesItToOthersWhenThereAreThreads) {
    const auto work = [](std::size_t) -> std::string {
        return "";
    };
    EXPECT_FALSE(in_forks(1, work, Cancel()));
    std::optional<bool> forked;
    std::thread([&] { forked = in_forks(2, work, Cancel()).has_value(); }).join();
    EXPECT_EQ(forked, false);
}

}  // namespace
}  // namespace wasmplug
