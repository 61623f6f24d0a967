#include "host/load.hpp"

#include <gtest/gtest.h>

#include <sstream>

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

TEST(LoadVerdict, IsNoPassAgainstABaselineThatOnlyFailed) {
    LoadRounds failing = ramp(1000);
    for (auto& round : failing) {
        for (auto& sample : round.samples) {
            sample.status = 500;
        }
    }
    const auto reasons = worse(compare(ramp(900), failing), 50);
    ASSERT_EQ(reasons.size(), 1U);
    EXPECT_EQ(reasons[0], "every request of the baseline failed: there is nothing to compare with");
    EXPECT_TRUE(worse(compare(failing, failing), 50).empty());  // an upstream that answers so
}

TEST(LoadText, FitsATerminalWhateverTheUrls) {
    auto comparison = compare(ramp(1200), ramp(1000));
    comparison.subject_name = "http://a/";
    comparison.baseline_name = "http://b/";
    EXPECT_EQ(to_text(comparison).find("baseline-url"), std::string::npos);
    comparison.subject_name = "https://" + std::string(100, 'a');
    const std::string text = to_text(comparison);
    EXPECT_TRUE(text.starts_with("url           " + comparison.subject_name + "\n")) << text;
    std::istringstream lines(text.substr(text.find("\n\n")));
    for (std::string line; std::getline(lines, line);) {
        EXPECT_LE(line.size(), 80U) << line;
    }
}

TEST(LoadPage, ShowsBothEndpointsAndLoadsNothing) {
    auto comparison = compare(ramp(1200), ramp(1000));
    comparison.subject_name = "http://a/?<b>";
    comparison.baseline_name = "http://b/";
    const std::string page = load_page({comparison}, {"p50 is <too> slow"});
    EXPECT_NE(page.find("http://a/?&lt;b&gt;"), std::string::npos);
    EXPECT_NE(page.find("p50 is &lt;too&gt; slow"), std::string::npos);
    for (const char* outside : {"src=", "href=", "url(", "<script"}) {
        EXPECT_EQ(page.find(outside), std::string::npos) << outside;
    }
    std::size_t lines = 0;
    for (std::size_t at = page.find("<polyline"); at != std::string::npos;
         at = page.find("<polyline", at + 1)) {
        ++lines;
    }
    EXPECT_EQ(lines, 4U) << "two charts, two endpoints";
}

TEST(LoadPage, HasNoChartForAnEndpointThatNeverAnswered) {
    LoadRun silent = round_of({1000}, 0);
    silent.error = "cannot connect";
    LoadComparison comparison;
    comparison.subject = figures_of({silent});
    const std::string page = load_page({comparison}, {});
    EXPECT_EQ(page.find("<svg"), std::string::npos);
    EXPECT_NE(page.find("cannot connect"), std::string::npos);
}

TEST(LoadFigures, HaveAPointOfTheirCurveForEachPart) {
    const auto figures = figures_of(ramp(1000));
    ASSERT_EQ(figures.curve_ms.size(), curve_parts().size());
    EXPECT_DOUBLE_EQ(figures.curve_ms.front(), 1.0);
    EXPECT_DOUBLE_EQ(figures.curve_ms.back(), 1.099);
    EXPECT_EQ(figures.round_p50_ms.size(), 20U);
}

}  // namespace
}  // namespace wasmplug::host
