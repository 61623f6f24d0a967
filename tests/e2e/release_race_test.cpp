// Two processes at one file: one wins, and the other writes nothing and ends with 5.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <set>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

std::string manifest() {
    return "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: auth}\n"
           "spec:\n  url: oci://r.example/auth:1.0.0 # kept\n";
}

std::vector<std::string> update_to(int patch, std::vector<std::string> more = {}) {
    std::vector<std::string> words{
        "update",   "d/m.yaml",           fmt::format("r.example/auth:1.1.{}", patch),
        "--sha256", std::string(64, 'a'), "--offline"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

class Race : public testing::Test {
  protected:
    void SetUp() override {
        sandbox_.write("d/m.yaml", manifest());
        fifo_ = (sandbox_.work() / "config").string();
        ASSERT_EQ(::mkfifo(fifo_.c_str(), 0600), 0);
        // It reads the manifest, then the configuration: who opens the other end knows the first.
        loser_ = std::async(std::launch::async, [this] {
            return sandbox_.run(update_to(1, {"--config", "config"}));
        });
        write_end_ = ::open(fifo_.c_str(), O_WRONLY);
        ASSERT_GE(write_end_, 0);
    }

    void let_the_loser_go_on() {
        const std::string text = "mode: strict\n";
        ASSERT_EQ(::write(write_end_, text.data(), text.size()),
                  static_cast<::ssize_t>(text.size()));
        ::close(write_end_);
    }

    void expect_that_it_lost(const std::string& winner) {
        const auto result = loser_.get();
        EXPECT_EQ(result.exit_code, 5) << result.err;
        EXPECT_NE(result.err.find("d/m.yaml"), std::string::npos) << result.err;
        EXPECT_EQ(result.out, "");
        EXPECT_EQ(sandbox_.read("d/m.yaml"), winner);
        EXPECT_EQ(sandbox_.files(), (std::vector<std::string>{"config", "d/m.yaml"}));
    }

    Sandbox sandbox_;
    Sandbox other_;  // runs are counted by the sandbox, so each process has its own
    std::string fifo_;
    int write_end_ = -1;
    std::future<ProcessResult> loser_;
};

TEST_F(Race, WhoReadBeforeTheOtherWroteLosesAndWritesNothing) {
    ASSERT_EQ(
        other_
            .run_program({"wasmplug", "update", (sandbox_.work() / "d/m.yaml").string(),
                          "r.example/auth:1.2.0", "--sha256", std::string(64, 'b'), "--offline"})
            .exit_code,
        0);
    const std::string winner = sandbox_.read("d/m.yaml");
    EXPECT_NE(winner.find("auth:1.2.0 # kept"), std::string::npos);
    let_the_loser_go_on();
    expect_that_it_lost(winner);
    const auto again = sandbox_.run(update_to(1));
    EXPECT_EQ(again.exit_code, 0) << "it may try again: " << again.err;
}

TEST_F(Race, WhoWaitsForTheLockOfTheOtherLosesWhenItComesFree) {
    WASMPLUG_NEEDS_PROGRAM("strace");
    auto winner = std::async(std::launch::async, [this] {
        return other_.run_program({"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=rename",
                                   "-e", "inject=rename:delay_enter=1000000", "wasmplug", "update",
                                   (sandbox_.work() / "d/m.yaml").string(), "r.example/auth:1.2.0",
                                   "--sha256", std::string(64, 'b'), "--offline"});
    });
    // Its new text stands beside the old one, so it holds the lock, and is about to rename.
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (sandbox_.files().size() < 3 &&
           winner.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready &&
           std::chrono::steady_clock::now() < give_up) {
    }
    let_the_loser_go_on();
    ASSERT_EQ(winner.get().exit_code, 0);
    expect_that_it_lost(sandbox_.read("d/m.yaml"));
    EXPECT_NE(sandbox_.read("d/m.yaml").find("auth:1.2.0"), std::string::npos);
}

TEST(RaceOfMany, EveryWinnerIsARevisionAndEveryLoserWroteNothing) {
    Sandbox sandbox;
    sandbox.write("d/m.yaml", manifest());
    constexpr int processes = 8;
    std::vector<std::unique_ptr<Sandbox>> sandboxes;
    std::vector<std::future<ProcessResult>> running;
    for (int i = 0; i < processes; ++i) {
        auto& own = *sandboxes.emplace_back(std::make_unique<Sandbox>());
        running.push_back(std::async(std::launch::async, [&own, &sandbox, i] {
            auto words = update_to(i);
            words[1] = (sandbox.work() / "d/m.yaml").string();
            return own.run(words);
        }));
    }
    std::set<std::string> won;
    for (int i = 0; i < processes; ++i) {
        const auto result = running[static_cast<std::size_t>(i)].get();
        EXPECT_TRUE(result.exit_code == 0 || result.exit_code == 5) << result.err;
        if (result.exit_code == 0) {
            won.insert(fmt::format("1.1.{}", i));
        }
    }
    EXPECT_FALSE(won.empty());
    std::set<std::string> recorded;
    const auto history = sandbox.json({"history", "d/m.yaml"});
    for (const auto& revision : history.at("revisions")) {
        if (revision.at("version") != "1.0.0") {
            EXPECT_TRUE(recorded.insert(revision.at("version").get<std::string>()).second);
        }
    }
    EXPECT_EQ(recorded, won);
    EXPECT_EQ(sandbox.files(), (std::vector<std::string>{"d/m.yaml"}));
}

}  // namespace
}  // namespace wasmplug::test
