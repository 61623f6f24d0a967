#include "commands/bench_load.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <optional>
#include <sstream>
#include <utility>

#include <CLI/CLI.hpp>

#include "base/error.hpp"
#include "envoy/case_bootstrap.hpp"
#include "envoy/server.hpp"
#include "host/bench.hpp"
#include "plugintest/live.hpp"

namespace wasmplug {
namespace {

using host::LoadComparison;
using host::LoadRounds;

constexpr const char* user_agent = "wasmplug-bench/" WASMPLUG_VERSION;

// `requests` in about equal blocks, one a round.
std::size_t in_round(std::size_t requests, std::size_t rounds, std::size_t round) {
    return requests / rounds + (round < requests % rounds ? 1 : 0);
}

std::vector<std::string> words_of(const std::string& command) {
    std::istringstream in(command);
    return {std::istream_iterator<std::string>(in), {}};
}

struct Side {
    std::string role;  // "url", "baseline-url"
    HttpRequest request;
};

class Turns {
  public:
    Turns(const LoadFlags& flags, std::vector<Side> sides, Services& services)
        : flags_(flags), sides_(std::move(sides)), services_(services) {
        for (const auto& side : sides_) {
            loads_.emplace_back(side.request, user_agent);
        }
        rounds_.resize(sides_.size());
        cpu_.resize(sides_.size());
        requests_.resize(sides_.size());
    }

    // `cpu` is asked before and after each block for the time a side has used.
    void run(const std::function<std::chrono::nanoseconds(std::size_t)>& cpu = {}) {
        const std::size_t rounds = std::clamp<std::size_t>(flags_.rounds, 1, flags_.requests);
        for (std::size_t side = 0; side < sides_.size(); ++side) {
            warm_up(side);
        }
        for (std::size_t round = 0; round < rounds; ++round) {
            services_.out.progress(fmt::format("round {} of {}", round + 1, rounds));
            for (std::size_t i = 0; i < sides_.size(); ++i) {
                // Who goes first changes, so that no side always follows the other.
                const std::size_t side = round % 2 == 0 ? i : sides_.size() - 1 - i;
                before(side);
                const auto used = cpu ? cpu(side) : std::chrono::nanoseconds(0);
                auto block = loads_[side].run({.requests = in_round(flags_.requests, rounds, round),
                                               .concurrency = flags_.concurrency,
                                               .rate = flags_.rate},
                                              services_.cancel);
                cpu_[side] += cpu ? cpu(side) - used : std::chrono::nanoseconds(0);
                requests_[side] += block.samples.size();
                rounds_[side].push_back(std::move(block));
                if (services_.cancel.requested()) {
                    stop();
                    return;
                }
            }
        }
        services_.out.progress("");
    }

    const LoadRounds& rounds(std::size_t side) const { return rounds_[side]; }

    double cpu_us(std::size_t side) const {
        return std::chrono::duration<double, std::micro>(cpu_[side]).count() /
               static_cast<double>(requests_[side]);
    }

  private:
    // What was measured is shown; a side without any has nothing to show.
    void stop() {
        services_.out.progress("");
        if (std::any_of(requests_.begin(), requests_.end(),
                        [](std::size_t requests) { return requests == 0; })) {
            services_.cancel.check();
        }
    }

    // Connections are made here, and an endpoint that nobody answers at is told at once.
    void warm_up(std::size_t side) {
        before(side);
        const auto run = loads_[side].run(
            {.requests = 2 * flags_.concurrency, .concurrency = flags_.concurrency},
            services_.cancel);
        services_.cancel.check();
        if (std::all_of(run.samples.begin(), run.samples.end(),
                        [](const auto& sample) { return sample.status == 0; })) {
            throw Error(run.error);
        }
    }

    void before(std::size_t side) {
        if (flags_.between.empty()) {
            return;
        }
        services_.out.progress(fmt::format("running {}", flags_.between));
        ProcessSpec spec;
        spec.argv = words_of(flags_.between);
        spec.env = {{"WASMPLUG_NEXT", sides_[side].role},
                    {"WASMPLUG_URL", sides_[side].request.url}};
        const auto ended = services_.spawn(spec, services_.cancel);
        if (ended.exit_code != 0) {
            throw Error(
                fmt::format("--between: '{}' ended with {}", flags_.between, ended.exit_code),
                ended.err.substr(0, ended.err.find_last_not_of(" \n") + 1));
        }
    }

    const LoadFlags& flags_;
    std::vector<Side> sides_;
    Services& services_;
    std::vector<HttpLoad> loads_;
    std::vector<LoadRounds> rounds_;
    std::vector<std::chrono::nanoseconds> cpu_;
    std::vector<std::size_t> requests_;
};

HttpRequest request_to(const std::string& url, const EndpointFlags& flags) {
    HttpRequest request;
    request.url = url;
    request.headers = parse_header_flags(flags.headers);
    request.resolve = flags.resolve;
    request.tls.ca_file = flags.ca_file;
    return request;
}

}  // namespace

CLI::Option* not_empty(CLI::Option* option) {
    return option->check([](const std::string& text) {
        return text.empty() ? std::string("its value is empty") : std::string();
    });
}

void add_load_flags(CLI::App& command, LoadFlags& flags) {
    not_empty(command.add_option("--url", flags.url, "Measure this running endpoint instead"))
        ->type_name("URL")
        ->allow_extra_args(false);
    not_empty(command.add_option("--baseline-url", flags.baseline_url,
                                 "Measure this one too, in turns, and compare"))
        ->type_name("URL")
        ->allow_extra_args(false);
    command.add_option("--requests", flags.requests, "So many to each endpoint or Envoy")
        ->type_name("N")
        ->check(CLI::Range(1, 10'000'000).description(""))
        ->capture_default_str();
    command.add_option("--concurrency", flags.concurrency, "Connections to each")
        ->type_name("N")
        ->check(CLI::Range(1, 1'000).description(""))
        ->capture_default_str();
    command
        .add_option("--rate", flags.rate,
                    "Requests a second, sent on time whatever the answers do; else as fast as "
                    "they come")
        ->type_name("N")
        ->check(CLI::Range(0.01, 1e6).description(""));
    command.add_option("--rounds", flags.rounds, "How often to change between the two")
        ->type_name("N")
        ->check(CLI::Range(2, 10'000).description(""))
        ->capture_default_str();
    command
        .add_option("--between", flags.between,
                    "Run this before each change; WASMPLUG_NEXT says 'url' or 'baseline-url'")
        ->type_name("CMD")
        ->allow_extra_args(false);
    add_endpoint_flags(command, flags.endpoint);
}

void check_load_flags(const LoadFlags& flags, bool loads) {
    const LoadFlags usual;
    if (!loads && (flags.requests != usual.requests || flags.concurrency != usual.concurrency ||
                   flags.rate != usual.rate || flags.rounds != usual.rounds)) {
        throw usage_error(
            "--requests, --concurrency, --rate and --rounds are for --url and --engine envoy",
            "a test file says itself how many: its bench entry's 'requests'");
    }
    if (!flags.between.empty() && words_of(flags.between).empty()) {
        throw usage_error("--between names no program");
    }
    if (!std::isfinite(flags.rate)) {
        throw usage_error("--rate is no number of requests");
    }
    if (flags.url.empty() && !flags.baseline_url.empty()) {
        throw usage_error("--baseline-url needs something to compare with it", "add --url URL");
    }
    if (flags.url.empty() && (flags.endpoint.given() || !flags.between.empty())) {
        throw usage_error("--header, --resolve, --ca-file and --between are for --url");
    }
    for (const auto& url : {flags.url, flags.baseline_url}) {
        if (!url.empty()) {
            plugintest::LiveTarget target;
            target.url = url;
            plugintest::check_target(target);
        }
    }
}

LoadComparison load_urls(const LoadFlags& flags, Services& services) {
    std::vector<Side> sides{{"url", request_to(flags.url, flags.endpoint)}};
    if (!flags.baseline_url.empty()) {
        sides.push_back({"baseline-url", request_to(flags.baseline_url, flags.endpoint)});
    }
    Turns turns(flags, sides, services);
    turns.run();
    LoadComparison comparison;
    if (sides.size() == 2) {
        comparison = host::compare(turns.rounds(0), turns.rounds(1));
        comparison.baseline_name = display_url(flags.baseline_url);
    } else {
        comparison.subject = host::figures_of(turns.rounds(0));
    }
    comparison.subject_name = display_url(flags.url);
    return comparison;
}

void load_in_envoy(const LoadFlags& flags, const std::string& envoy, const std::string& file,
                   const std::string& module, Services& services,
                   std::vector<LoadComparison>& comparisons) {
    plugintest::ReadOptions options;
    if (!module.empty()) {
        options.module = module;
    }
    const auto tests = plugintest::read_test_file(file, options);
    const auto program = envoy::find_envoy(envoy, services.environment);
    for (const auto& bench : host::bench_cases(tests)) {
        std::string why;
        const auto exchange = host::bench_exchange(tests, bench, 1, why);
        if (!exchange) {
            throw Error(fmt::format("{}: {}", file, why));
        }
        services.out.progress(fmt::format("{}: {}", file, bench.name));
        const std::string socket =
            fmt::format("@wasmplug-bench-{}-{}", ::getpid(), comparisons.size());
        auto bootstrap = envoy::canned_bootstrap(*exchange, socket + "-with");
        const envoy::Server with(bootstrap, {.envoy = program, .log_level = "error"}, services);
        bootstrap = envoy::canned_bootstrap(*exchange, socket + "-without");
        bootstrap.filters.clear();
        const envoy::Server without(bootstrap, {.envoy = program, .log_level = "error"}, services);
        const auto side = [&](const char* role, const envoy::Server& server) {
            plugintest::LiveTarget target;
            target.url = "http://" + server.address();
            return Side{role, plugintest::live_request(target, *exchange->steps.front().request)};
        };
        Turns turns(flags, {side("url", with), side("baseline-url", without)}, services);
        turns.run([&](std::size_t i) { return (i == 0 ? with : without).processor_time(); });
        auto comparison = host::compare(turns.rounds(0), turns.rounds(1));
        comparison.file = file;
        comparison.name = bench.name;
        comparison.subject_name = "with plugin";
        comparison.baseline_name = "without";
        comparison.subject_cpu_us = turns.cpu_us(0);
        comparison.baseline_cpu_us = turns.cpu_us(1);
        comparisons.push_back(std::move(comparison));
        if (services.cancel.requested()) {
            break;
        }
    }
}

}  // namespace wasmplug
