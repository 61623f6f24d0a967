#include "envoy/engine.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <map>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "envoy/bootstrap.hpp"
#include "envoy/case_bootstrap.hpp"
#include "envoy/grpc.hpp"
#include "envoy/loopback.hpp"
#include "envoy/server.hpp"

namespace wasmplug::envoy {
namespace {

using namespace plugintest;
using namespace std::chrono_literals;

// A stream that nothing moves for this long, beyond all delays of the case, is stuck. A machine
// that is busy with something else may keep Envoy waiting for a second.
constexpr auto idle = 2s;
constexpr std::string_view idle_flag = "SI";               // %RESPONSE_FLAGS% of the idle timeout
constexpr std::string_view metric_prefix = "wasmcustom.";  // of a plugin's own, among Envoy's
// After a response: the plugin's on_log and on_done, calls that outlive their stream.
constexpr auto linger = 60ms;

std::chrono::milliseconds longest_delay(const Case& test) {
    std::chrono::nanoseconds longest{0};
    for (const auto& call : test.calls) {
        longest = std::max(longest, call.reply.delay);
    }
    return std::chrono::ceil<std::chrono::milliseconds>(longest);
}

bool is_refusal(const CallTarget& target) {
    return target.reply.kind == CallReply::Kind::refused;
}

// What the targets of one cluster answer: the first that fits and is not used up.
class Targets {
  public:
    void add(const CallTarget& target) { targets_.push_back({&target, target.times}); }

    CallReply answer(const Message& heard) {
        const bool grpc = is_grpc(heard);
        const Message request = grpc ? without_frames(heard) : heard;
        for (auto& [target, left] : targets_) {
            if (left == 0 || target->grpc != grpc ||
                (target->matches && !target->matches(request))) {
                continue;
            }
            if (left) {
                --*left;
            }
            CallReply reply = target->reply;
            if (grpc && reply.kind == CallReply::Kind::response) {
                reply.message = grpc_response(reply);
            }
            return reply;
        }
        // As the embedded host has it: nobody is there.
        CallReply none;
        none.kind = CallReply::Kind::reset;
        return none;
    }

    bool grpc() const {
        return std::any_of(targets_.begin(), targets_.end(),
                           [](const auto& each) { return each.first->grpc; });
    }

    bool refuses() const {
        return std::all_of(targets_.begin(), targets_.end(),
                           [](const auto& each) { return is_refusal(*each.first); });
    }

  private:
    std::vector<std::pair<const CallTarget*, std::optional<int>>> targets_;
};

class Run {
  public:
    Run(const Case& test, const std::filesystem::path& envoy, Services& services)
        : test_(test), envoy_(envoy), services_(services) {}

    Observed run() {
        Observed seen;
        const Bootstrap bootstrap = prepare();
        try {
            server_.emplace(bootstrap, Server::Options{.envoy = envoy_, .log_level = "trace"},
                            services_);
        } catch (const RefusedByEnvoy& refused) {
            return refusal(refused);
        }
        loopback_.serve(linger, services_.cancel);
        seen.start_logs = take_logs();
        for (const auto& step : test_.steps) {
            seen.steps.push_back(hangs_ ? hanging() : run_step(step));
            seen.outcome = plugintest::graver(seen.outcome, seen.steps.back().outcome);
        }
        if (endless_) {
            seen.skipped =
                "real Envoy: the plugin keeps its side of a gRPC stream open, and our services "
                "answer when it is closed";
        }
        seen.message = trap_;
        seen.metrics = metrics();
        seen.unseen = unseen();
        for (const auto& entry : server_->log()) {
            if (entry.component == "wasm" && entry.by_worker &&
                (entry.level == "trace" || entry.level == "error" || plugin_words(entry))) {
                seen.trace.push_back(entry.text);
            }
        }
        return seen;
    }

  private:
    Bootstrap prepare() {
        Bootstrap bootstrap;
        bootstrap.filters = filters_of(test_);
        bootstrap.upstream = Cluster{
            .name = "upstream",
            .endpoint = loopback_.add_service("", [this](const Message&) { return upstream(); })};
        for (const auto& target : test_.calls) {
            targets_[target.cluster].add(target);
        }
        for (const auto& name : test_.envoy.clusters) {
            targets_[name];
        }
        for (auto& [name, targets] : targets_) {
            Loopback::Answer answer;
            if (!targets.refuses() || test_.calls.empty()) {
                answer = [&targets = targets](const Message& m) {
                    return targets.answer(m);
                };
            }
            Cluster cluster{.name = name, .http2 = targets.grpc()};
            if (cluster.http2 && answer) {
                static std::atomic<unsigned> bridges = 0;  // of this process, in any thread
                cluster.bridge = fmt::format("@wasmplug-{}-bridge-{}", ::getpid(), ++bridges);
            }
            cluster.endpoint = loopback_.add_service(name, std::move(answer));
            bootstrap.clusters.push_back(std::move(cluster));
        }
        for (const auto& name : test_.envoy.clusters_without_hosts) {
            bootstrap.clusters.push_back({.name = name});
        }
        // A test whose services are slower than its own limit waits for just that.
        const auto longest = longest_delay(test_);
        bootstrap.stream_idle_timeout = test_.envoy.stream_idle_timeout < longest
                                            ? test_.envoy.stream_idle_timeout
                                            : idle + longest;
        bootstrap.buffer_limit = static_cast<std::uint32_t>(test_.envoy.buffer_limit);
        bootstrap.trailers = true;
        bootstrap.access_log = true;
        return bootstrap;
    }

    CallReply upstream() const {
        CallReply reply;
        if (step_->upstream_resets) {
            reply.kind = CallReply::Kind::reset;
        } else {
            reply.message = step_->upstream;
        }
        return reply;
    }

    Observed refusal(const RefusedByEnvoy& refused) const {
        Observed seen;
        seen.message = reason_of(refused.log());
        seen.outcome = Outcome::load_failed;
        std::vector<LogEntry> log = refused.log();
        for (const auto& entry : log) {
            // A callback that trapped said neither yes nor no.
            const bool said_no =
                entry.text.find("Failed to configure base Wasm plugin") != std::string::npos ||
                entry.text.find("Failed to start base Wasm") != std::string::npos;
            if (said_no && !seen.message.starts_with("Function: ")) {
                seen.outcome = Outcome::config_rejected;
            }
        }
        seen.start_logs = words_of(log);
        return seen;
    }

    static std::vector<Log> words_of(const std::vector<LogEntry>& entries) {
        std::vector<Log> logs;
        for (const auto& entry : entries) {
            if (auto text = plugin_words(entry)) {
                logs.push_back(
                    {.level = level_number(entry.level).value_or(2), .text = std::move(*text)});
            }
        }
        return logs;
    }

    // With one worker an Envoy configures a plugin three times: in a canary, on the main thread,
    // on the worker; before them, a VM that others are cloned from only runs _initialize. A test
    // speaks of what one VM says, the worker's.
    std::vector<Log> take_logs() {
        const auto all = server_->log();
        std::vector<LogEntry> fresh;
        for (; log_read_ < all.size(); ++log_read_) {
            if (all[log_read_].component == "wasm" && all[log_read_].by_worker) {
                fresh.push_back(all[log_read_]);
            }
        }
        plugin_replied_ = false;
        trapped_ = false;
        without_response_.clear();
        for (const auto& entry : fresh) {
            plugin_replied_ =
                plugin_replied_ ||
                entry.text.find("env.proxy_send_local_response(") != std::string::npos;
            follow(entry);
            const bool of_response =
                !inside_.empty() && inside_.front().starts_with("proxy_on_response_");
            auto words = words_of({entry});
            if (!of_response && !words.empty()) {
                without_response_.push_back(std::move(words.front()));
            }
        }
        return words_of(fresh);
    }

    // Which callback the worker is in, and the trap that ended one.
    void follow(const LogEntry& entry) {
        constexpr std::string_view enters = "[host->vm] ";
        if (entry.text.starts_with(enters)) {
            inside_.push_back(
                entry.text.substr(enters.size(), entry.text.find('(') - enters.size()));
        } else if (entry.text.starts_with("[host<-vm] ") && !inside_.empty()) {
            inside_.pop_back();
        } else if (entry.level == "error" && entry.text.starts_with("Function: ")) {
            inside_.clear();
            trapped_ = true;
            trap_ = trap_.empty() ? entry.text : trap_;
        }
    }

    // A plugin that never comes back takes its worker with it: nobody is answered any more.
    static StepObserved hanging() {
        StepObserved seen;
        seen.outcome = Outcome::stuck;
        return seen;
    }

    StepObserved run_step(const Step& step) {
        StepObserved seen;
        step_ = &step;
        if (!step.request) {
            return seen;
        }
        const std::size_t finished = server_->access_log().size();
        const auto exchange =
            loopback_.exchange(server_->address(), *step.request, step.client_leaves, patience(),
                               linger, services_.cancel);
        for (const auto& one : exchange.seen) {
            if (one.service.empty()) {
                seen.upstream_request = one.request;
            } else {
                seen.calls.push_back(is_grpc(one.request) ? grpc_call(one.service, one.request)
                                                          : call_of(one));
            }
        }
        endless_ = endless_ || exchange.unended;
        seen.response = exchange.response;
        const AccessLine ended = access_line(finished, exchange);
        seen.logs = take_logs();
        if (ended.flags == idle_flag && !seen.upstream_request) {
            seen.logs = std::move(without_response_);
        }
        seen.response_details = ended.details == "-" ? "" : ended.details;
        seen.outcome = outcome_of(exchange, ended);
        if (!exchange.response && !exchange.cut && !inside_.empty()) {
            hangs_ = true;
            seen.outcome = Outcome::out_of_fuel;
            trap_ = fmt::format("Function: {} did not end within {} s", inside_.back(),
                                std::chrono::ceil<std::chrono::seconds>(patience()).count());
        }
        if (seen.outcome == Outcome::stuck || ended.flags == idle_flag) {
            // The 504 is the idle timeout's, which only we made so short, or the 503 of a dead VM
            // that it came by.
            if (!exchange.cut) {  // after headers of the upstream's, there is no such reply
                seen.response.reset();
            }
            seen.response_details = "stream_idle_timeout";
        }
        if (seen.outcome == Outcome::local_reply && seen.response) {
            seen.local_reply = local_reply_of(*seen.response, seen.response_details);
        }
        return seen;
    }

    // Of the exchange that has just ended; Envoy writes it when the stream is gone, which on a busy
    // machine is some time after the response.
    AccessLine access_line(std::size_t finished, const Loopback::Exchange& exchange) {
        constexpr auto longest = 2s;
        const bool over = exchange.response || exchange.cut;
        for (auto waited = 0ms; over && waited < longest; waited += linger) {
            if (server_->access_log().size() > finished) {
                break;
            }
            loopback_.serve(linger, services_.cancel);
        }
        const auto access = server_->access_log();
        return access.size() > finished ? access.back() : AccessLine{};
    }

    static Call call_of(const Loopback::Seen& one) {
        Call call{.cluster = one.service, .request = one.request};
        const std::string limit =
            first_header(one.request.headers, "x-envoy-expected-rq-timeout-ms");
        long value = 0;
        std::from_chars(limit.data(), limit.data() + limit.size(), value);
        call.timeout = std::chrono::milliseconds(value);
        return call;
    }

    std::chrono::milliseconds patience() const { return idle * 4 + longest_delay(test_); }

    Outcome outcome_of(const Loopback::Exchange& exchange, const AccessLine& ended) const {
        if (ended.details == "wasm_fail_stream" || trapped_) {
            return Outcome::crash;
        }
        if (ended.flags == idle_flag) {
            return Outcome::stuck;
        }
        if (exchange.cut || !exchange.response || exchange.left) {
            return exchange.cut || exchange.left ? Outcome::reset : Outcome::stuck;
        }
        // Envoy answers by itself, too: what it cannot route, what lost its status.
        return plugin_replied_ && ended.details != "via_upstream" ? Outcome::local_reply
                                                                  : Outcome::ok;
    }

    static LocalReply local_reply_of(const Message& response, const std::string& details) {
        LocalReply reply{.body = response.whole_body(), .details = details};
        const std::string status = first_header(response.headers, ":status");
        std::from_chars(status.data(), status.data() + status.size(), reply.status);
        for (const auto& header : response.headers) {
            if (!header.first.starts_with(':')) {
                reply.headers.push_back(header);
            }
        }
        if (const std::string grpc = first_header(response.headers, "grpc-status"); !grpc.empty()) {
            reply.grpc_status = std::atoi(grpc.c_str());
        }
        return reply;
    }

    // What a test may expect and no Envoy shows.
    std::vector<std::string> unseen() const {
        std::vector<std::string> names{"shared_data", "queues", "limits",
                                       // HTTP/1.1 does not carry it
                                       "upstream_request.scheme", "calls.scheme"};
        // Nobody is there to see what is asked of who refuses every connection.
        if (std::any_of(test_.calls.begin(), test_.calls.end(), is_refusal)) {
            names.emplace_back("calls");
        }
        // Of those Envoy tells quantiles, not how many samples there are.
        for (const auto& name : histograms()) {
            names.push_back("metrics." + name);
        }
        return names;
    }

    std::vector<std::string> histograms() const {
        std::vector<std::string> names;
        const auto stats =
            parse_json(server_->admin("/stats?format=json&type=Histograms"), "Envoy's statistics");
        for (const auto& one : stats.value("stats", nlohmann::ordered_json::array())) {
            if (!one.contains("histograms")) {
                continue;
            }
            for (const auto& each :
                 one["histograms"].value("computed_quantiles", nlohmann::ordered_json::array())) {
                const std::string name = each.value("name", "");
                if (name.starts_with(metric_prefix)) {
                    names.push_back(name.substr(metric_prefix.size()));
                }
            }
        }
        return names;
    }

    // Plugin metrics are "wasmcustom.NAME" among the stats. What configuring counted three times
    // stays so: that is what a real Envoy shows.
    std::map<std::string, MetricValue> metrics() const {
        std::map<std::string, MetricValue> values;
        const auto stats = parse_json(server_->admin("/stats?format=json&filter=^wasmcustom\\."),
                                      "Envoy's statistics");
        for (const auto& one : stats.value("stats", nlohmann::ordered_json::array())) {
            const std::string name = one.value("name", "");
            if (name.starts_with(metric_prefix) && one.contains("value") &&
                one["value"].is_number()) {
                values[name.substr(metric_prefix.size())] = {
                    .kind = MetricValue::Kind::counter, .value = one["value"].get<std::int64_t>()};
            }
        }
        return values;
    }

    const Case& test_;
    const std::filesystem::path& envoy_;
    Services& services_;
    Loopback loopback_;
    std::map<std::string, Targets> targets_;
    std::optional<Server> server_;
    const Step* step_ = nullptr;
    std::size_t log_read_ = 0;
    std::string trap_;
    bool endless_ = false;
    bool plugin_replied_ = false;      // in the exchange whose log was read last
    bool trapped_ = false;             // likewise
    std::vector<std::string> inside_;  // callbacks that have not returned, the innermost last
    bool hangs_ = false;
    // What was logged outside of response callbacks in the exchange whose log was read last: those
    // that the idle timeout's own reply went through are nobody's business.
    std::vector<Log> without_response_;
};

// Envoy takes the scheme from x-forwarded-proto, else from the connection, which has no TLS.
bool can_arrive(const Message& request) {
    const std::string scheme = first_header(request.headers, ":scheme");
    return scheme.empty() || scheme == "http" ||
           scheme == first_header(request.headers, "x-forwarded-proto");
}

}  // namespace

std::optional<std::string> cannot_run(const Case& test) {
    if (!test.properties.empty()) {
        return "properties are Envoy's own";
    }
    if (test.clock_given) {
        return "the clock is real";
    }
    if (!test.shared_data.empty()) {
        return "shared data starts empty";
    }
    if (!test.foreign_functions.empty()) {
        return "foreign functions are Envoy's own";
    }
    if (!test.refuse.empty()) {
        return "host functions do not refuse on request";
    }
    for (const auto& step : test.steps) {
        if (step.advance.count() > 0 || step.ticks > 0) {
            return "time cannot be advanced";
        }
        if (step.request && !can_arrive(*step.request)) {
            return "our client speaks HTTP/1.1 without TLS, so the scheme is http";
        }
        if (step.push) {
            return "nothing can be pushed into a queue from outside";
        }
    }
    std::map<std::string, std::set<bool>> refusing;
    for (const auto& call : test.calls) {
        if (call.matches_scheme) {
            return "a call's scheme cannot be seen";
        }
        if (call.reply.kind == CallReply::Kind::overflow) {
            return "a circuit breaker cannot be opened on request";
        }
        refusing[call.cluster].insert(is_refusal(call));
        if (refusing[call.cluster].size() > 1) {
            return "a cluster refuses every connection or none";
        }
    }
    return std::nullopt;
}

Engine engine(std::filesystem::path envoy, Services& services) {
    return [envoy = std::move(envoy), &services](const Case& test) {
        if (const auto reason = cannot_run(test)) {
            Observed seen;
            seen.skipped = "real Envoy: " + *reason;
            return seen;
        }
        return Run(test, envoy, services).run();
    };
}

}  // namespace wasmplug::envoy
