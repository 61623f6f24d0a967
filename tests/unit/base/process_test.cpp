#include "base/process.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/terminal.hpp"

namespace wasmplug {
namespace {

using namespace std::chrono_literals;

ProcessSpec shell(const std::string& script) {
    return {.argv = {"sh", "-c", script}};
}

TEST(Process, KeepsBothStreamsApartAndTheExitCode) {
    const auto result = run_process(shell("echo out; echo err >&2; exit 7"), {});
    EXPECT_EQ(result.out, "out\n");
    EXPECT_EQ(result.err, "err\n");
    EXPECT_EQ(result.exit_code, 7);
}

TEST(Process, FeedsLargeInputWhileReadingLargeOutput) {
    ProcessSpec spec{.argv = {"cat"}};
    spec.input.assign(3'000'000, 'x');
    EXPECT_EQ(run_process(spec, {}).out, spec.input);
}

TEST(Process, TellsASignalFromAnExit) {
    EXPECT_EQ(run_process(shell("kill -9 $$"), {}).exit_code, 128 + SIGKILL);
}

TEST(Process, PassesArgumentsWithoutAShell) {
    EXPECT_EQ(run_process({.argv = {"printf", "%s", "$(id); *"}}, {}).out, "$(id); *");
}

TEST(Process, SetsAndUnsetsTheEnvironment) {
    ProcessSpec spec = shell("echo ${A-none} ${HOME-none}");
    spec.env = {{"A", "1"}, {"HOME", std::nullopt}};
    EXPECT_EQ(run_process(spec, {}).out, "1 none\n");
}

TEST(Process, SaysWhatToDoAboutAMissingProgram) {
    try {
        run_process({.argv = {"no-such-program"}}, {});
        FAIL();
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "cannot run no-such-program: not found on PATH");
        EXPECT_FALSE(error.hint().empty());
    }
}

TEST(Process, ReportsAFolderThatIsNotThere) {
    ProcessSpec spec = shell("true");
    spec.directory = "no/such/folder";
    EXPECT_THROW(run_process(spec, {}), Error);
}

TEST(Process, EndsAChildAtItsTimeoutEvenWhenItIgnoresTerm) {
    ProcessSpec spec = shell("trap '' TERM; sleep 600 & wait; sleep 600");
    spec.timeout = 50ms;
    const auto result = run_process(spec, {});
    EXPECT_TRUE(result.timed_out);
}

TEST(Process, IsInterrupted) {
    const CancelSource stop;
    std::jthread later([&] {
        std::this_thread::sleep_for(50ms);
        stop.request();
    });
    try {
        run_process(shell("sleep 600"), stop.token());
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::interrupted);
    }
}

TEST(Process, StreamsInsteadOfKeeping) {
    std::string seen;
    ProcessSpec spec = shell("echo a; echo b");
    spec.on_stdout = [&](std::string_view bytes) {
        seen += bytes;
    };
    EXPECT_EQ(run_process(spec, {}).out, "");
    EXPECT_EQ(seen, "a\nb\n");
}

TEST(Process, DoesNotWaitForADaemonThatKeepsThePipe) {
    const auto daemon = run_process(shell("sleep 600 & echo $!"), {}).out;
    EXPECT_EQ(::kill(std::stoi(daemon), SIGTERM), 0) << "it is still there, and ends with the test";
}

TEST(Process, RefusesEndlessOutput) {
    ProcessSpec spec{.argv = {"yes"}};
    spec.output_limit = 100'000;
    EXPECT_THROW(run_process(spec, {}), Error);
}

TEST(Process, LimitsProcessorTime) {
    ProcessSpec spec = shell("while :; do :; done");
    spec.processor_limit = std::chrono::seconds(1);
    EXPECT_GE(run_process(spec, {}).exit_code, 128);
}

TEST(Process, ForksIntoAFunctionInsteadOfAProgram) {
    ProcessSpec spec{.argv = {"no-such-program"}};
    spec.env = {};
    std::string ours = "ours";
    spec.in_fork = [&] {
        ours += " no longer";
        write_stdout(ours);
        return 7;
    };
    const auto result = run_process(spec, {});
    EXPECT_EQ(result.exit_code, 7);
    EXPECT_EQ(result.out, "ours no longer");
    EXPECT_EQ(ours, "ours");
    spec.in_fork = [&]() -> int {
        throw Error("something");
    };
    EXPECT_EQ(run_process(spec, {}).exit_code, 1);
}

TEST(Process, LimitsAForkAsItDoesAProgram) {
    ProcessSpec spec{.argv = {"no-such-program"}};
    spec.processor_limit = std::chrono::seconds(1);
    spec.in_fork = [] {
        for (std::atomic<int> turns = 0;; ++turns) {
        }
        return 0;
    };
    EXPECT_GE(run_process(spec, {}).exit_code, 128);
    spec.timeout = 50ms;
    spec.in_fork = [] {
        ::pause();
        return 0;
    };
    EXPECT_TRUE(run_process(spec, {}).timed_out);
}

TEST(Process, RunsTheProgramInsteadOfForkingBesideAnotherThread) {
    ProcessSpec spec = shell("echo the program");
    spec.in_fork = [] {
        return 7;
    };
    std::atomic<bool> stop = false;
    const std::jthread other([&] { stop.wait(false); });
    const auto result = run_process(spec, {});
    stop = true;
    stop.notify_all();
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.out, "the program\n");
}

TEST(Child, EndsWithItsObject) {
    int pid = 0;
    {
        const Child child = start_process({.argv = {"sleep", "600"}});
        pid = child.pid();
        EXPECT_EQ(::kill(pid, 0), 0);
    }
    EXPECT_NE(::kill(pid, 0), 0);
}

TEST(Child, TellsItsExitCode) {
    Child child = start_process(shell("exit 3"));
    while (!child.ended()) {
        std::this_thread::sleep_for(1ms);
    }
    EXPECT_EQ(child.ended(), 3);
}

TEST(Child, HasHandedOverAllOutputOnceItHasEnded) {
    for (int i = 0; i < 20; ++i) {
        std::string seen;
        ProcessSpec spec = shell("echo one; echo two >&2; exit 1");
        spec.on_stdout = spec.on_stderr = [&](std::string_view bytes) {
            seen += bytes;
        };
        Child child = start_process(spec);
        while (!child.ended()) {
            std::this_thread::sleep_for(1ms);
        }
        EXPECT_EQ(seen.size(), 8U) << seen;
    }
}

TEST(FindProgram, LooksOnlyOnThePathItIsGiven) {
    const auto empty = [](const std::string&) -> std::optional<std::string> {
        return "/nowhere";
    };
    EXPECT_FALSE(find_program("sh", empty));
    EXPECT_TRUE(find_program("sh", process_environment));
    EXPECT_TRUE(find_program("/bin/sh", empty));
}

}  // namespace
}  // namespace wasmplug
