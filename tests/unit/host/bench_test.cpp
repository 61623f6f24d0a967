#include "host/bench.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/host/scripted.hpp"

namespace wasmplug::host {
namespace {

using Bench = Scripted;

plugintest::TestFile file_with(plugintest::Case test) {
    plugintest::TestFile file;
    file.path = "t.test.yaml";
    test.name = "t";
    plugintest::TestCase one;
    one.test = std::move(test);
    file.tests.push_back(std::move(one));
    return file;
}

plugintest::BenchCase bench_of(int requests) {
    plugintest::BenchCase bench;
    bench.name = bench.use = "t";
    bench.requests = requests;
    bench.warmup = 2;
    return bench;
}

BenchFigures figures_of(const std::string& name, double instructions) {
    BenchFigures figures;
    figures.file = "t.test.yaml";
    figures.name = name;
    figures.instructions = instructions;
    return figures;
}

TEST_F(Bench, CountsTheSameInEveryRunAndForAnyNumberOfRequests) {
    given.plugins.front().config = "request_headers get 0 :path\n";
    const auto file = file_with(given);
    const auto run = [&](const plugintest::Case& test) {
        return engine.run(test);
    };
    const auto ten = measure(file, bench_of(10), run);
    const auto twenty = measure(file, bench_of(20), run);
    EXPECT_GT(ten.instructions, 100);
    EXPECT_DOUBLE_EQ(ten.instructions, twenty.instructions);
    EXPECT_DOUBLE_EQ(ten.host_calls, 2);  // the header, and the line that shows it
    EXPECT_TRUE(ten.failure.empty());
}

TEST_F(Bench, SeesMemoryThatIsNeverGivenBack) {
    given.plugins.front().config = "request_headers grow 1\n";
    const auto file = file_with(given);
    const auto figures =
        measure(file, bench_of(10), [&](const plugintest::Case& test) { return engine.run(test); });
    EXPECT_EQ(figures.failure, "stuck") << "memory.grow's result pauses the stream";
    given.plugins.front().config = "request_headers grow 1\nrequest_headers ret 0\n";
    const auto growing = measure(file_with(given), bench_of(10),
                                 [&](const plugintest::Case& test) { return engine.run(test); });
    EXPECT_DOUBLE_EQ(growing.memory_growth_per_1k, 65536.0 * 1000);
}

TEST_F(Bench, FindsALeakByTheByte) {
    const auto leaking = test::assembled(R"((module
        (memory (export "memory") 2) (global $heap (mut i32) (i32.const 1024))
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (i32.const 512))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (i32.store8 offset=99 (global.get $heap) (i32.const 1))
            (global.set $heap (i32.add (global.get $heap) (i32.const 100)))
            (if (i32.gt_u (i32.add (global.get $heap) (i32.const 100))
                          (i32.shl (memory.size) (i32.const 16)))
                (then (drop (memory.grow (i32.const 1)))))
            (i32.const 0))))");
    WASMPLUG_NEEDS(leaking.has_value(), "wat2wasm");
    given.plugins.front().module = *leaking;
    const auto file = file_with(given);
    const auto run = [&](const plugintest::Case& test) {
        return engine.run(test);
    };
    for (const int requests : {10, 500, 3000}) {
        const auto figures = measure(file, bench_of(requests), run);
        EXPECT_DOUBLE_EQ(figures.memory_growth_per_1k, 100'000) << figures.failure;
        // The 2 of the warm-up too, from 1024 on, in pages.
        const int pages = (1024 + (requests + 2) * 100) / 65'536 + 1;
        EXPECT_EQ(figures.memory_peak,
                  std::uint64_t{65'536} * static_cast<std::uint64_t>(std::max(2, pages)));
    }
}

TEST_F(Bench, SaysWhatCannotBeMeasured) {
    given.plugins.front().config = "request_headers trap\n";
    const auto file = file_with(given);
    const auto run = [&](const plugintest::Case& test) {
        return engine.run(test);
    };
    EXPECT_TRUE(measure(file, bench_of(3), run).failure.starts_with("crash: "));
    auto other = bench_of(3);
    other.use = "none";
    EXPECT_EQ(measure(file, other, run).failure, "no test is called 'none'");
}

TEST(BenchBudgets, FailWhenTheirMatcherHolds) {
    plugintest::Matcher::Condition over;
    over.kind = plugintest::Matcher::Kind::gte;
    over.number = 200;
    auto bench = bench_of(1);
    bench.budgets = {{"instructions", {plugintest::Matcher({over}), {}}}};
    EXPECT_TRUE(over_budget(bench, figures_of("t", 199)).empty());
    ASSERT_EQ(over_budget(bench, figures_of("t", 200)).size(), 1U);
    EXPECT_EQ(over_budget(bench, figures_of("t", 200))[0].text,
              "instructions is 200, and fails if at least 200");
}

TEST(BenchBaseline, NamesWhatGrewByMoreThanAllowed) {
    const std::vector<BenchFigures> before{figures_of("t", 1000)};
    EXPECT_TRUE(regressions(before, {figures_of("t", 1050)}, 5).empty());
    const auto worse = regressions(before, {figures_of("t", 1060)}, 5);
    ASSERT_EQ(worse.size(), 1U);
    EXPECT_EQ(worse[0].text, "instructions went from 1000 to 1060 (+6.0 %)");
    EXPECT_TRUE(regressions(before, {figures_of("other", 9999)}, 5).empty());
}

TEST(BenchPage, HoldsEverythingItShowsAndEscapesNames) {
    const auto page = bench_page({figures_of("<b>", 10)}, {figures_of("<b>", 5)}, {});
    EXPECT_NE(page.find("&lt;b&gt;"), std::string::npos);
    EXPECT_EQ(page.find("<b>&"), std::string::npos);
    EXPECT_EQ(page.find("http"), std::string::npos);
    EXPECT_NE(page.find("width:50.00%"), std::string::npos);
}

TEST(BenchFiguresJson, ComesBack) {
    auto figures = figures_of("t", 10.5);
    figures.memory_peak = 65536;
    EXPECT_EQ(to_json(bench_figures_from_json(to_json(figures))), to_json(figures));
}

}  // namespace
}  // namespace wasmplug::host
