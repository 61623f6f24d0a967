#include "release/gate.hpp"

#include <gtest/gtest.h>

#include <sstream>

#include "base/error.hpp"
#include "release/rollout.hpp"

namespace wasmplug::release {
namespace {

using Outcome = Measurement::Outcome;
using Answer = Verdict::Answer;

const Measurement pass{Outcome::pass, "0.1", {}};
const Measurement fail{Outcome::fail, "4.1", "4.1 > 1"};
const Measurement broken{Outcome::error, {}, "connection refused"};
const Measurement silent{Outcome::no_data, {}, "the query answered no series"};

std::optional<Verdict> feed(const Gate& gate, std::initializer_list<Measurement> measurements) {
    GateTally tally(gate);
    std::optional<Verdict> verdict;
    for (const auto& one : measurements) {
        EXPECT_FALSE(verdict) << "the gate had decided already";
        verdict = tally.add(one);
    }
    return verdict;
}

Measurement ask(const char* result, std::optional<double> max = 1,
                std::optional<double> min = std::nullopt) {
    return judge_prometheus({"http://p", "q", min, max, {}}, 200,
                            std::string(R"({"status":"success","data":)") + result + "}");
}

TEST(Gate, PassesAfterAsManyMeasurementsAsItCounts) {
    Gate gate;
    gate.count = 3;
    EXPECT_FALSE(feed(gate, {pass, pass}));
    EXPECT_EQ(feed(gate, {pass, pass, pass})->answer, Answer::passed);
}

TEST(Gate, FailsAtTheFirstFailureOverItsLimitAndSaysWhichNumbers) {
    Gate gate;
    gate.count = 5;
    gate.failure_limit = 1;
    EXPECT_FALSE(feed(gate, {fail, pass, pass, pass}));
    const auto verdict = feed(gate, {pass, fail, pass, fail});
    EXPECT_EQ(verdict->answer, Answer::failed);
    EXPECT_EQ(verdict->reason, "failed (2) > failureLimit (1): 4.1 > 1");
}

TEST(Gate, ErrorsAreTriedAgainAndNeverAddUpToASuccess) {
    Gate gate;
    gate.count = 2;
    gate.error_limit = 2;
    EXPECT_FALSE(feed(gate, {broken, broken, pass, broken, broken}));
    EXPECT_EQ(feed(gate, {broken, broken, broken})->answer, Answer::inconclusive);
    EXPECT_EQ(feed(gate, {broken, pass, broken, pass})->answer, Answer::passed);
}

TEST(Gate, NoDataIsItsOwnStateAndThePlanSaysWhatItMeans) {
    Gate gate;
    EXPECT_EQ(feed(gate, {silent})->answer, Answer::inconclusive);
    gate.no_data = NoData::fail;
    EXPECT_EQ(feed(gate, {silent})->answer, Answer::failed);
    gate.no_data = NoData::pass;
    EXPECT_EQ(feed(gate, {silent})->answer, Answer::passed);
    gate.no_data = NoData::fail;
    gate.no_data_limit = 2;
    EXPECT_EQ(feed(gate, {silent, silent, pass})->answer, Answer::passed);
}

TEST(Gate, EverySampleOfAVectorKeepsTheBounds) {
    EXPECT_EQ(ask(R"({"resultType":"vector","result":[{"metric":{},"value":[1,"0.5"]}]})").outcome,
              Outcome::pass);
    const auto worst = ask(R"({"resultType":"vector","result":[
        {"metric":{},"value":[1,"0.5"]},{"metric":{},"value":[1,"4.1"]}]})");
    EXPECT_EQ(worst.outcome, Outcome::fail);
    EXPECT_EQ(worst.why, "4.1 > 1");
    EXPECT_EQ(ask(R"({"resultType":"scalar","result":[1,"0.2"]})", std::nullopt, 0.5).why,
              "0.2 < 0.5");
    EXPECT_EQ(ask(R"({"resultType":"vector","result":[{"value":[1,"+Inf"]}]})").outcome,
              Outcome::fail);
}

TEST(Gate, NaNAndAnEmptyAnswerAreNoData) {
    EXPECT_EQ(ask(R"({"resultType":"vector","result":[]})").outcome, Outcome::no_data);
    EXPECT_EQ(ask(R"({"resultType":"vector","result":[{"value":[1,"NaN"]}]})").outcome,
              Outcome::no_data);
    EXPECT_EQ(
        ask(R"({"resultType":"vector","result":[{"value":[1,"NaN"]},{"value":[1,"3"]}]})").outcome,
        Outcome::fail);
}

TEST(Gate, WhatPrometheusCannotAnswerIsAnError) {
    EXPECT_EQ(ask(R"({"resultType":"matrix","result":[]})").outcome, Outcome::error);
    EXPECT_EQ(ask(R"({"resultType":"vector","result":[{"value":[1]}]})").outcome, Outcome::error);
    const PrometheusCheck check{"http://p", "q", {}, 1, {}};
    EXPECT_EQ(judge_prometheus(check, 400, R"({"status":"error","error":"bad query"})").why,
              "Prometheus answered 400: bad query");
    EXPECT_EQ(judge_prometheus(check, 502, "<html>").why, "Prometheus answered 502");
    EXPECT_EQ(judge_prometheus(check, 200, "[]").outcome, Outcome::error);
}

struct World {
    std::ostringstream out, err;
    Output output{out, err};
    Services services{.out = output};
    std::vector<std::chrono::nanoseconds> slept;

    World() {
        services.program = "/bin/wasmplug";
        services.sleep = [this](std::chrono::nanoseconds time, const Cancel&) {
            slept.push_back(time);
        };
    }
};

TEST(Gate, MeasuresAtItsIntervalAndSendsTheQueryAndTheTokenApart) {
    World world;
    std::string body;
    world.services.environment = [](const std::string& name) {
        return name == "PROM_TOKEN" ? std::optional<std::string>("t0ken") : std::nullopt;
    };
    int calls = 0;
    world.services.send = [&](const HttpRequest& request, const Cancel&) {
        EXPECT_EQ(request.url, "http://prom:9090/prefix/api/v1/query");
        EXPECT_EQ(request.authorization.reveal(), "Bearer t0ken");
        body.resize(request.body->size);
        request.body->read(0, body);
        if (++calls == 1) {
            throw HttpError(HttpError::Kind::connect, "cannot connect to prom:9090");
        }
        return HttpResponse{200,
                            {},
                            R"({"status":"success","data":{"resultType":"vector",
            "result":[{"metric":{},"value":[1,"0.5"]}]}})",
                            {}};
    };
    Gate gate{
        .name = "errors",
        .check =
            PrometheusCheck{
                "http://prom:9090/prefix/", "rate(x{a=\"é\"}[2m]) + 1", {}, 1.0, "PROM_TOKEN"},
        .count = 2};
    const GateReport report = run_gate(gate, world.services);
    EXPECT_EQ(report.verdict.answer, Answer::passed);
    EXPECT_EQ(report.measurements.size(), 3u);
    EXPECT_EQ(world.slept.size(), 2u);
    EXPECT_EQ(body, "query=rate%28x%7Ba%3D%22%C3%A9%22%7D%5B2m%5D%29%20%2B%201");
    EXPECT_EQ(report.asked, "PromQL rate(x{a=\"é\"}[2m]) + 1 <= 1");
}

TEST(Gate, ACommandSaysNoInconclusiveOrNothing) {
    World world;
    ProcessResult result;
    world.services.spawn = [&](const ProcessSpec& spec, const Cancel&) {
        EXPECT_EQ(spec.argv[0], "./smoke.sh");
        return result;
    };
    const Gate gate{.name = "smoke", .check = CommandCheck{{"./smoke.sh", "eu"}}};
    EXPECT_EQ(measure(gate, world.services).outcome, Outcome::pass);
    result.exit_code = 1;
    EXPECT_EQ(measure(gate, world.services).outcome, Outcome::fail);
    result.exit_code = 75;
    EXPECT_EQ(measure(gate, world.services).outcome, Outcome::inconclusive);
    result.timed_out = true;
    EXPECT_EQ(measure(gate, world.services).outcome, Outcome::error);
}

TEST(Gate, ATestGateRunsOurOwnTestsAgainstTheEndpoint) {
    World world;
    std::vector<std::string> argv;
    int code = 0;
    world.services.spawn = [&](const ProcessSpec& spec, const Cancel&) {
        argv = spec.argv;
        ProcessResult result;
        result.exit_code = code;
        return result;
    };
    const Gate gate{.name = "t", .check = TestCheck{{"a.test.yaml"}, "http://eu"}};
    EXPECT_EQ(measure(gate, world.services).outcome, Outcome::pass);
    EXPECT_EQ(argv, (std::vector<std::string>{"/bin/wasmplug", "test", "a.test.yaml", "--url",
                                              "http://eu"}));
    code = 3;
    EXPECT_EQ(measure(gate, world.services).outcome, Outcome::fail);
    code = 1;
    EXPECT_EQ(measure(gate, world.services).outcome, Outcome::error);
}

TEST(Gate, AnHttpCheckLooksAtStatusAndBody) {
    World world;
    world.services.send = [](const HttpRequest&, const Cancel&) {
        return HttpResponse{200, {}, "all well", {}};
    };
    EXPECT_EQ(measure({.name = "h", .check = HttpCheck{"http://x/", 200, "well"}}, world.services)
                  .outcome,
              Outcome::pass);
    EXPECT_EQ(measure({.name = "h", .check = HttpCheck{"http://x/", 204, ""}}, world.services).why,
              "200 is not 204");
    EXPECT_EQ(
        measure({.name = "h", .check = HttpCheck{"http://x/", 200, "ill"}}, world.services).outcome,
        Outcome::fail);
}

TEST(Gate, InterruptionIsNoMeasurement) {
    World world;
    world.services.send = [](const HttpRequest&, const Cancel&) -> HttpResponse {
        throw Error("interrupted", {}, ExitCode::interrupted);
    };
    EXPECT_THROW(measure({.name = "h", .check = HttpCheck{"http://x/", 200, ""}}, world.services),
                 Error);
}

TEST(Gate, OnlyAPersonOpensAManualGate) {
    World world;
    EXPECT_EQ(run_gate({.name = "pause", .check = ManualCheck{}}, world.services).verdict.answer,
              Answer::waiting);
}

TEST(Gate, OfCountZeroGoesOnUntilAPersonPromotes) {
    World world;
    unsigned asked = 0;
    world.services.send = [&](const HttpRequest&, const Cancel&) {
        ++asked;
        return HttpResponse{200, {}, "", {}};
    };
    const Gate gate{.name = "h", .check = HttpCheck{"http://x/", 200, ""}, .count = 0};
    EXPECT_EQ(run_gate(gate, world.services).verdict.answer, Answer::waiting);
    EXPECT_EQ(asked, 1U);
    const auto report = run_gate(gate, world.services, [&] { return asked == 5; });
    EXPECT_EQ(report.verdict.answer, Answer::passed);
    EXPECT_EQ(report.measurements.size(), 4U);
}

TEST(Gate, IsInconclusiveWhenThePlansTimeoutIsOver) {
    World world;
    world.services.send = [](const HttpRequest&, const Cancel&) {
        return HttpResponse{200, {}, "", {}};
    };
    const auto begin = std::chrono::system_clock::time_point{};
    auto now = begin;
    world.services.now = [&] {
        return now;
    };
    world.services.sleep = [&](std::chrono::nanoseconds time, const Cancel&) {
        now += std::chrono::duration_cast<std::chrono::system_clock::duration>(time);
    };
    const Gate gate{.name = "h", .check = HttpCheck{"http://x/", 200, ""}, .count = 5};
    const auto late = run_gate(gate, world.services, {}, begin + std::chrono::seconds(100));
    EXPECT_EQ(late.verdict.answer, Answer::inconclusive);
    EXPECT_EQ(late.measurements.size(), 4U) << "every 30 s";
    EXPECT_EQ(late.verdict.reason, "the plan's timeout is over");
    now = begin;
    EXPECT_EQ(run_gate(gate, world.services, {}, begin + std::chrono::seconds(120)).verdict.answer,
              Answer::passed);
}

TEST(Gate, TheTimeoutOfAWaveBoundsItsWaitsAndFirstMeasurementsToo) {
    World world;
    auto now = std::chrono::system_clock::time_point{};
    world.services.now = [&] {
        return now;
    };
    world.services.sleep = [&](std::chrono::nanoseconds time, const Cancel&) {
        now += std::chrono::duration_cast<std::chrono::system_clock::duration>(time);
    };
    unsigned asked = 0;
    world.services.send = [&](const HttpRequest&, const Cancel&) {
        ++asked;
        now += std::chrono::seconds(5);
        return HttpResponse{200, {}, "", {}};
    };
    const std::vector<Gate> gates{
        {.name = "rest", .check = WaitCheck{std::chrono::seconds(4)}},
        {.name = "h", .check = HttpCheck{"http://x/", 200, ""}},
        {.name = "again", .check = HttpCheck{"http://x/", 200, ""}},
    };
    const auto judge = [&](int seconds) {
        asked = 0;
        return judge_gates(
            gates, [] { return false; }, true, std::chrono::seconds(seconds), world.services);
    };
    EXPECT_EQ(judge(0).verdict.answer, Answer::passed) << "0 is no limit";
    EXPECT_EQ(judge(14).verdict.answer, Answer::passed);
    const auto second = judge(8);
    EXPECT_EQ(second.verdict.answer, Answer::inconclusive);
    EXPECT_EQ(second.verdict.reason, "gate again: the plan's timeout is over");
    EXPECT_EQ(asked, 1U);
    const auto before = now;
    const auto first = judge(3);
    EXPECT_EQ(first.verdict.answer, Answer::inconclusive);
    EXPECT_EQ(first.verdict.reason, "gate rest: the plan's timeout is over before that");
    EXPECT_EQ(now, before) << "nobody waits for nothing";
    EXPECT_EQ(asked, 0U);
}

TEST(Gate, OfCountZeroFailsWhileItWaits) {
    World world;
    unsigned asked = 0;
    world.services.send = [&](const HttpRequest&, const Cancel&) {
        return HttpResponse{++asked < 3 ? 200 : 500, {}, "", {}};
    };
    const Gate gate{.name = "h", .check = HttpCheck{"http://x/", 200, ""}, .count = 0};
    EXPECT_EQ(run_gate(gate, world.services, [] { return false; }).verdict.answer, Answer::failed);
    EXPECT_EQ(asked, 3U);
}

}  // namespace
}  // namespace wasmplug::release
