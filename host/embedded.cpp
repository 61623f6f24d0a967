#include "host/embedded.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/terminal.hpp"
#include "host/arrival.hpp"
#include "host/calls.hpp"
#include "host/imports.hpp"
#include "host/stream.hpp"
#include "host/vm.hpp"

namespace wasmplug::host {
namespace {

using plugintest::Case;
using plugintest::FailurePolicy;
using plugintest::Message;
using plugintest::Observed;
using plugintest::Outcome;
using plugintest::Plugin;
using plugintest::Step;
using plugintest::StepObserved;
using std::chrono::nanoseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr nanoseconds reload_backoff = std::chrono::seconds(1);
constexpr int max_events = 200'000;  // of one wait: a plugin that calls itself for ever

// One VM and the plugins that share it: same module, vm_id and VM configuration.
struct Machine {
    LoadedModule* module = nullptr;
    std::vector<const Plugin*> plugins;
    std::unique_ptr<Vm> vm;
    nanoseconds loaded_at{0};
};

// One test: an Envoy process with its VMs, from start to end.
class Session {
  public:
    Session(const Case& test, const std::vector<LoadedModule*>& modules)
        : world_(test), calls_(world_) {
        for (std::size_t i = 0; i < test.plugins.size(); ++i) {
            place(test.plugins[i], modules[i]);
        }
    }

    Observed run() {
        const auto begun = SteadyClock::now();
        seed_shared_data();
        world_.logs = &observed_.start_logs;
        const auto failure = start();
        observed_.cost.load = SteadyClock::now() - begun;
        if (failure) {
            observed_.outcome = failure->outcome;
            observed_.message = failure->message;
        } else {
            run_steps();
        }
        world_.logs = nullptr;
        world_.calls = nullptr;
        observed_.cost.run = SteadyClock::now() - begun - observed_.cost.load;
        collect();
        observed_.skipped = world_.cannot_run;
        return std::move(observed_);
    }

  private:
    void place(const Plugin& plugin, LoadedModule* module) {
        for (auto& machine : machines_) {
            const auto& first = *machine.plugins.front();
            if (machine.module == module && first.vm_id == plugin.vm_id &&
                first.vm_config == plugin.vm_config && first.env == plugin.env) {
                machine.plugins.push_back(&plugin);
                return;
            }
        }
        Machine machine;
        machine.module = module;
        machine.plugins.push_back(&plugin);
        machines_.push_back(std::move(machine));
    }

    void seed_shared_data() {
        for (const auto& machine : machines_) {
            for (const auto& [key, value] : world_.test.shared_data) {
                world_.shared_data.set(machine.plugins.front()->vm_id, key, value, 0);
            }
        }
    }

    std::optional<LoadFailure> boot(Machine& machine) {
        machine.vm =
            std::make_unique<Vm>(world_, calls_, *machine.module, *machine.plugins.front());
        machine.loaded_at = world_.now;
        auto failure = machine.vm->start();
        for (const auto* plugin : machine.plugins) {
            if (!failure) {
                failure = machine.vm->configure(*plugin);
            }
        }
        return failure;
    }

    void retire(Machine& machine) {
        calls_.forget(machine.vm.get());
        machine.vm.reset();
    }

    // Envoy configures a plugin three times: in a canary that is thrown away, on the main
    // thread, and on the worker that serves requests. What is only read back is the same each
    // time, so the first two are run only for a plugin whose effects outlive its VM.
    std::optional<LoadFailure> start() {
        for (auto& machine : machines_) {
            if (auto failure = boot(machine)) {
                return failure;
            }
        }
        if (!world_.side_effects) {
            return std::nullopt;
        }
        std::vector<std::unique_ptr<Vm>> main_thread;
        for (int round = 0; round < 2; ++round) {
            observed_.start_logs.clear();
            world_.trace.clear();
            for (auto& machine : machines_) {
                if (round == 0) {
                    // What has run so far was the canary.
                    retire(machine);
                } else {
                    machine.vm->mute();
                    main_thread.push_back(std::move(machine.vm));
                }
                const auto failure = boot(machine);
                if (failure && round == 0) {
                    return failure;
                }
                if (failure) {
                    // Envoy is up by then, and requests pass without the plugin, whatever its
                    // failure policy.
                    observed_.message = failure->message;
                    machine.vm->shut_down();
                    retire(machine);
                }
            }
        }
        main_thread_ = std::move(main_thread);
        return std::nullopt;
    }

    void run_steps() {
        settle();
        observed_.steps.reserve(world_.test.steps.size());  // its calls are known by their places
        for (const auto& step : world_.test.steps) {
            observed_.steps.emplace_back();
            StepObserved& seen = observed_.steps.back();
            if (hangs_) {  // and with the worker everything that it serves
                seen.outcome = Outcome::stuck;
                continue;
            }
            world_.logs = &seen.logs;
            world_.calls = &seen.calls;
            refuel();
            run_step(step, seen);
        }
        world_.logs = nullptr;
        world_.calls = nullptr;
    }

    void refuel() {
        for (auto& machine : machines_) {
            if (machine.vm) {
                machine.vm->refuel();
            }
        }
    }

    void run_step(const Step& step, StepObserved& seen) {
        if (step.push) {
            push(*step.push);
        }
        if (step.request) {
            exchange(step, seen);
        }
        if (step.advance.count() > 0) {
            advance(world_.now + step.advance);
        }
        for (int i = 0; i < step.ticks; ++i) {
            if (const auto next = next_tick()) {
                world_.now = std::max(world_.now, *next);
                tick();
            }
        }
        settle();
        blame(seen);
    }

    void push(const Step::Push& item) {
        const std::string vm_id =
            item.vm_id.empty() ? world_.test.plugins.front().vm_id : item.vm_id;
        const auto token = world_.queues.find(vm_id, item.queue);
        if (auto* queue = token ? world_.queues.get(*token) : nullptr) {
            queue->items.push_back(item.data);
            ++queue->announcements;
        }
    }

    void exchange(const Step& step, StepObserved& seen) {
        for (auto& machine : machines_) {
            reload_if_due(machine);
        }
        std::vector<Stream::Member> members;
        for (const auto& plugin : world_.test.plugins) {
            for (auto& machine : machines_) {
                for (std::size_t i = 0; i < machine.plugins.size(); ++i) {
                    if (machine.vm && machine.plugins[i] == &plugin) {
                        const auto& roots = machine.vm->roots();
                        members.push_back({machine.vm.get(), i < roots.size() ? roots[i].id : 0});
                    }
                }
            }
        }
        Stream stream(world_, members);
        Message request = *step.request;
        receive_request_headers(request.headers, world_.next_request_id());
        stream.send_request(request);
        const auto limit = world_.now + world_.test.envoy.stream_idle_timeout;
        const auto patience = step.client_leaves ? world_.now + *step.client_leaves : limit;
        wait(patience, [&] { return stream.over() || stream.request_complete(); });
        // A plugin hears of its queue in the next turn of the loop, and the upstream is further
        // away.
        for (int events = 0; events < max_events && announce_queue(); ++events) {
        }
        if (!stream.over() && !stream.response_started() && stream.request_complete()) {
            answer(step, stream);
        }
        wait(patience, [&] { return stream.over(); });
        if (!stream.over() && std::any_of(machines_.begin(), machines_.end(), hangs)) {
            stream.hang();
        }
        stream.describe(seen);
        if (!stream.over()) {
            ++world_.situations["stuck"];
            world_.now = std::max(world_.now, patience);
            stream.abandon(step.client_leaves ? "downstream_remote_disconnect"
                                              : "stream_idle_timeout");
            seen.response_details = stream.details();
            seen.outcome = step.client_leaves ? Outcome::reset : seen.outcome;
        }
        stream.finish();
        apply_content_length(seen);
    }

    void answer(const Step& step, Stream& stream) {
        if (step.upstream_resets) {
            plugintest::LocalReply reply;
            reply.status = 503;
            reply.body =
                "upstream connect error or disconnect/reset before headers. reset reason: "
                "connection termination";
            reply.details = "upstream_reset_before_response_started{connection_termination}";
            stream.reply(std::move(reply));
            return;
        }
        stream.send_response(step.upstream);
    }

    // Envoy leaves a content-length that a plugin forgot as it is; the other side then reads
    // as much as it was promised, or waits for it.
    static void apply_content_length(StepObserved& seen) {
        const auto cut = [](Message& message) {
            const std::string text = plugintest::first_header(message.headers, "content-length");
            if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos ||
                text.size() > 12 || message.body.empty()) {
                return true;
            }
            const std::size_t promised = std::stoull(text);
            std::string body = message.whole_body();
            if (body.size() > promised) {
                message.body = {body.substr(0, promised)};
            }
            return body.size() >= promised;
        };
        if (seen.upstream_request && !cut(*seen.upstream_request) && seen.outcome == Outcome::ok) {
            seen.outcome = Outcome::stuck;
            seen.response.reset();
        }
        if (seen.response && !cut(*seen.response) && seen.outcome == Outcome::ok) {
            seen.outcome = Outcome::stuck;
        }
    }

    void reload_if_due(Machine& machine) {
        if (world_.test.envoy.failure_policy == FailurePolicy::reload && machine.vm &&
            machine.vm->failed() && world_.now - machine.loaded_at >= reload_backoff) {
            ++world_.situations["reload"];
            dead_.push_back(std::move(machine.vm));
            boot(machine);
        }
    }

    // Lets things happen on the virtual clock until `done`, or nothing will before `limit`.
    template <class Done>
    void wait(nanoseconds limit, const Done& done) {
        for (int events = 0; events < max_events && !done(); ++events) {
            if (announce_queue()) {
                continue;
            }
            const auto call = calls_.next();
            const auto due = next_tick();
            if (call && (!due || *call <= *due)) {
                if (*call > limit) {
                    return;
                }
                calls_.deliver_next();
            } else if (due) {
                if (*due > limit) {
                    world_.now = std::max(world_.now, limit);
                    return;
                }
                world_.now = std::max(world_.now, *due);
                tick();
            } else {
                return;
            }
        }
    }

    // Answers that are on their way, and queues, with the clock standing still but for them.
    void settle() {
        for (int events = 0; events < max_events; ++events) {
            if (announce_queue()) {
                continue;
            }
            if (!calls_.pending()) {
                return;
            }
            calls_.deliver_next();
        }
    }

    void advance(nanoseconds until) {
        wait(until, [] { return false; });
        world_.now = std::max(world_.now, until);
    }

    bool announce_queue() {
        for (auto& [token, queue] : world_.queues.all()) {
            if (queue.announcements > 0 && queue.owner != nullptr && !queue.owner->failed()) {
                --queue.announcements;
                queue.owner->callback("proxy_on_queue_ready", queue.root, {token});
                return true;
            }
        }
        return false;
    }

    std::optional<nanoseconds> next_tick() const {
        std::optional<nanoseconds> next;
        for (const auto& machine : machines_) {
            if (!machine.vm || machine.vm->failed()) {
                continue;
            }
            for (const auto& root : machine.vm->roots()) {
                if (root.tick_period.count() > 0 && (!next || root.next_tick < *next)) {
                    next = root.next_tick;
                }
            }
        }
        return next;
    }

    // Every root whose time has come.
    void tick() {
        for (auto& machine : machines_) {
            if (!machine.vm) {
                continue;
            }
            for (std::size_t i = 0; i < machine.vm->roots().size(); ++i) {
                auto& root = machine.vm->roots()[i];
                if (root.tick_period.count() > 0 && root.next_tick <= world_.now) {
                    root.next_tick = world_.now + root.tick_period;
                    machine.vm->callback("proxy_on_tick", root.id, {});
                }
            }
        }
    }

    static bool hangs(const Machine& machine) {
        return machine.vm && machine.vm->failed() &&
               machine.vm->failure_kind() == Outcome::out_of_fuel;
    }

    // A VM that died in this step gives it its outcome and the test its message.
    void blame(StepObserved& seen) {
        for (const auto& machine : machines_) {
            if (!machine.vm || !machine.vm->failed() || machine.vm.get() == blamed_) {
                continue;
            }
            blamed_ = machine.vm.get();
            seen.outcome = machine.vm->failure_kind();
            observed_.message = machine.vm->failure_message();
            hangs_ = hangs_ || hangs(machine);
        }
        observed_.outcome = plugintest::graver(observed_.outcome, seen.outcome);
    }

    void collect() {
        const auto& test = world_.test;
        for (auto& machine : machines_) {
            if (machine.vm && !machine.vm->failed() && !hangs_) {
                machine.vm->shut_down();
            }
        }
        for (const auto& machine : machines_) {
            if (machine.vm && test.exact) {
                machine.vm->measure_memory();
            }
        }
        observed_.shared_data = world_.shared_data.all(test.plugins.front().vm_id);
        observed_.metrics = world_.metrics;
        for (const auto& [token, queue] : world_.queues.all()) {
            observed_.queues[queue.name] = {queue.items.begin(), queue.items.end()};
        }
        observed_.callbacks = std::move(world_.callbacks);
        observed_.host_calls = std::move(world_.host_calls);
        observed_.situations = std::move(world_.situations);
        observed_.trace = std::move(world_.trace);
        const auto load = observed_.cost.load;
        const auto run = observed_.cost.run;
        observed_.cost = world_.cost;
        observed_.cost.load = load;
        observed_.cost.run = run;
        for (const auto& machine : machines_) {
            for (const auto& item : machine.module->module().exports()) {
                if (item.name.starts_with("proxy_on_")) {
                    observed_.exports.push_back(item.name);
                }
            }
        }
    }

    World world_;
    Calls calls_;
    std::vector<Machine> machines_;
    std::vector<std::unique_ptr<Vm>> main_thread_;
    std::vector<std::unique_ptr<Vm>> dead_;  // replaced, but calls may still name them
    const Vm* blamed_ = nullptr;
    bool hangs_ = false;  // a callback that never ended has the only worker
    Observed observed_;
};

// A misspelt name would refuse nothing, and the test would pass for it.
void check_refusals(const Case& test) {
    std::vector<std::string> names;
    for (const auto* import : all_imports()) {
        names.emplace_back(import->name);
    }
    for (const auto& refusal : test.refuse) {
        if (std::find(names.begin(), names.end(), refusal.first) == names.end()) {
            const std::string guess = closest(refusal.first, names);
            throw Error(fmt::format("refuse: '{}' is no host function", printable(refusal.first)),
                        guess.empty() ? "" : fmt::format("did you mean '{}'?", guess));
        }
    }
}

}  // namespace

Embedded::Embedded() = default;
Embedded::~Embedded() = default;

Observed Embedded::run(const Case& test) {
    check_refusals(test);
    std::vector<LoadedModule*> modules;
    const auto begun = SteadyClock::now();
    for (const auto& plugin : test.plugins) {
        auto& module = modules_[plugin.module.string() + (test.exact ? "#exact" : "")];
        if (!module) {
            std::optional<LoadFailure> failure;
            module = LoadedModule::load(read_file(plugin.module, std::size_t{256} << 20),
                                        test.exact, failure);
            if (!module) {
                Observed observed;
                if (failure->beyond_us) {
                    observed.skipped = failure->message;
                }
                observed.outcome = failure->outcome;
                observed.message = failure->message;
                return observed;
            }
        }
        modules.push_back(module.get());
    }
    const auto read = SteadyClock::now() - begun;
    auto observed = Session(test, modules).run();
    observed.cost.load += read;
    return observed;
}

}  // namespace wasmplug::host
