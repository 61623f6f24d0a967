#include "host/load.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace wasmplug::host {
namespace {

using std::chrono::microseconds;

LoadRun round_of(std::initializer_list<int> latencies_us, int status = 200) {
    LoadRun run;
    run.elapsed = std::chrono::seconds(1);
    for (const int latency : latencies_us) {
        run.samples.push_back({.latency = microseconds(latency), .status = status});
    }
    return run;
}

// `rounds` rounds of 100 requests whose latencies are base + 0 … 99 µs.
LoadRounds ramp(int base_us, int rounds = 20) {
    LoadRounds all;
    for (int round = 0; round < rounds; ++round) {
        LoadRun& run = all.emplace_back();
        run.elapsed = std::chrono::seconds(1);
        for (int i = 0; i < 100; ++i) {
            run.samples.push_back(
                {.latency = microseconds(base_us + (i * 37 + round) % 100), .status = 200});
        }
    }
    return all;
}

TEST(LoadFigures, TakePercentilesByNearestRankOverAllRounds) {
    const auto figures = figures_of(
        {round_of({1000, 2000, 3000, 4000, 5000}), round_of({6000, 7000, 8000, 9000, 10000})});
    EXPECT_DOUBLE_EQ(figures.p50_ms, 5);
    EXPECT_DOUBLE_EQ(figures.p90_ms, 9);
    EXPECT_DOUBLE_EQ(figures.p99_ms, 10);
    EXPECT_DOUBLE_EQ(figures.rate, 5);
}

TEST(LoadFigures, CountFailuresAndLeaveThemOutOfTheLatencies) {
    LoadRun cut = round_of({9'000'000}, 0);
    cut.error = "the connection broke";
    const auto figures = figures_of({round_of({1000}), round_of({1000}, 503), cut});
    EXPECT_EQ(figures.requests, 3U);
    EXPECT_EQ(figures.failed, 2U);
    EXPECT_EQ(figures.statuses.at(0), 1U);
    EXPECT_EQ(figures.statuses.at(503), 1U);
    EXPECT_DOUBLE_EQ(figures.p99_ms, 1);
    EXPECT_EQ(figures.error, "the connection broke");
}

TEST(LoadDifference, FindsAShiftWithItsInterval) {
    const auto found = differences(ramp(1200), ramp(1000));
    ASSERT_EQ(found.size(), 3U);
    for (const auto& each : found) {
        EXPECT_NEAR(each.ms, 0.2, 1e-9) << each.figure;
        EXPECT_LE(each.low_ms, each.ms);
        EXPECT_GE(each.high_ms, each.ms);
        EXPECT_GT(each.low_ms, 0.15);
        EXPECT_LT(each.high_ms, 0.25);
    }
}

TEST(LoadDifference, HasAnIntervalAroundZeroForTheSameEndpoint) {
    LoadRounds noisy = ramp(1000);
    LoadRounds other = ramp(1000);
    for (std::size_t i = 0; i < noisy.size(); ++i) {
        // What disturbs a round disturbs one side or the other, as it happens.
        auto& hit = i % 2 == 0 ? noisy[i] : other[i];
        for (auto& sample : hit.samples) {
            sample.latency += microseconds(300);
        }
    }
    const auto comparison = compare(noisy, other);
    EXPECT_LT(comparison.differences[0].low_ms, 0);
    EXPECT_GT(comparison.differences[0].high_ms, 0);
    EXPECT_TRUE(worse(comparison, 5).empty());
}

TEST(LoadDifference, IsTheSameEachTime) {
    const auto once = to_json(compare(ramp(1100), ramp(1000))).dump();
    EXPECT_EQ(once, to_json(compare(ramp(1100), ramp(1000))).dump());
}

TEST(LoadDifference, IsNothingWhenAnEndpointNeverAnswers) {
    const LoadRounds silent{round_of({1, 2}, 0)};
    EXPECT_TRUE(differences(silent, ramp(1000, 1)).empty());
    EXPECT_TRUE(differences({}, {}).empty());
}

TEST(LoadVerdict, IsWorseOnlyWhenTheWholeIntervalLiesAbove) {
    const auto comparison = compare(ramp(1200), ramp(1000));  // about 19 % at the median
    EXPECT_FALSE(worse(comparison, 10).empty());
    EXPECT_TRUE(worse(comparison, 25).empty());
    EXPECT_TRUE(worse(compare(ramp(1000), ramp(1200)), 0).empty());
}

TEST(LoadVerdict, IsWorseWhenMoreRequestsFail) {
    LoadRounds failing = ramp(1000);
    failing[3].samples[7].status = 502;
    const auto reasons = worse(compare(failing, ramp(1000)), 50);
    ASSERT_EQ(reasons.size(), 1U);
    EXPECT_EQ(reasons[0], "1 requests failed, and 0 of the baseline's");
}

}  // namespace
}  // namespace wasmplug::host
