#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/abi.hpp"
#include "host/engine.hpp"
#include "host/world.hpp"

namespace wasmplug::host {

class Calls;
class Filter;
class Vm;

struct HostImport;

// Why a plugin does not run: what Envoy logs.
struct LoadFailure {
    plugintest::Outcome outcome = plugintest::Outcome::load_failed;
    std::string message;
    bool beyond_us = false;  // Envoy would load it, and this host cannot run it
};

// A module that was read and that Envoy would load; run as often as wanted.
class LoadedModule {
  public:
    // `failure` is set, and null returned, for a module that Envoy 1.40 would not load or that
    // is over the interpreter's limits.
    static std::unique_ptr<LoadedModule> load(std::string bytes, bool exact,
                                              std::optional<LoadFailure>& failure);

    Module& module() { return *module_; }

    AbiVersion abi() const { return abi_; }

    // What is behind import number `index`.
    const HostImport& linked(std::size_t index) const { return *linked_[index]; }

    // From the name section, or "".
    std::string function_name(std::uint32_t index) const;

  private:
    std::string bytes_;
    std::unique_ptr<Module> module_;
    AbiVersion abi_ = AbiVersion::v0_2_1;
    std::vector<const HostImport*> linked_;
};

// One plugin configured in a VM.
struct Root {
    const plugintest::Plugin* plugin = nullptr;
    std::uint32_t id = 0;
    std::chrono::nanoseconds tick_period{0};
    std::chrono::nanoseconds next_tick{0};
    std::uint32_t status_code = 0;  // of the last failed call; stays after later successes
    std::string status_message;
};

// What a callback about a call may read while it runs.
struct Delivery {
    const Headers* headers = nullptr;   // map 6, or gRPC initial metadata (4)
    const Headers* trailers = nullptr;  // map 7, or gRPC trailing metadata (5)
    const std::string* body = nullptr;  // buffer 4, or a gRPC message (5)
};

// One instance of a module with its contexts, as Envoy's WasmBase. Once a callback trapped the
// VM is dead: every later callback gives nothing.
class Vm {
  public:
    Vm(World& world, Calls& calls, LoadedModule& module, const plugintest::Plugin& plugin);
    ~Vm();
    Vm(const Vm&) = delete;
    Vm& operator=(const Vm&) = delete;

    // Instantiates and runs _initialize (and main) or _start.
    std::optional<LoadFailure> start();

    // Makes the root context of `plugin`, runs proxy_on_vm_start and proxy_on_configure.
    std::optional<LoadFailure> configure(const plugintest::Plugin& plugin);

    // From now on it is a VM of the main thread: it does its work, and nobody notes what it says.
    void mute() { muted_ = true; }

    // proxy_on_done of every root, the last configured first, and proxy_on_delete: of one that is
    // not done, when it says so before the VM goes with its last plugin.
    void shut_down();

    // Adds what this VM holds to the world's cost.
    void measure_memory();

    // proxy_done; false unless this context is a root that said in proxy_on_done that it is not
    // done.
    bool done();

    // The result of an exported callback for context `id` (0 without a result); nothing when
    // the VM is dead or died in it. Deferred actions have run when the outermost one returns.
    std::optional<std::uint64_t> callback(const char* name, std::uint32_t id,
                                          std::initializer_list<std::uint64_t> arguments);

    // Whether the module has it and may be called by it.
    bool exports(const char* name) const;

    bool failed() const { return failure_.has_value(); }

    plugintest::Outcome failure_kind() const { return *failure_; }

    // As Envoy logs it, with the backtrace.
    const std::string& failure_message() const { return failure_message_; }

    std::uint32_t add_stream(Filter& filter, std::uint32_t root);
    void remove_stream(std::uint32_t id);

    // For host functions -------------------------------------------------------------------

    World& world() { return world_; }

    Calls& calls() { return calls_; }

    AbiVersion abi() const { return module_.abi(); }

    const plugintest::Plugin& plugin() const { return plugin_; }

    std::vector<Root>& roots() { return roots_; }

    // The context that host functions act for: the one whose callback runs, or the one that
    // proxy_set_effective_context named.
    std::uint32_t context() const { return effective_ != 0 ? effective_ : current_; }

    bool set_effective_context(std::uint32_t id);

    // The stream of context(), or null when that is a root (or gone).
    Filter* filter();

    // The root of context(); null before any exists.
    Root* root();
    Root* root_by_id(std::uint32_t id);

    const Delivery& delivery() const { return delivery_; }

    // The bytes that plugin_configuration names; null outside of starting and configuring.
    const std::string* configuration() const { return configuration_; }

    const std::string* vm_configuration() const { return vm_configuration_; }

    std::optional<std::string_view> read(std::uint64_t address, std::uint64_t size);
    bool write(std::uint64_t address, std::string_view bytes);
    bool write_u32(std::uint64_t address, std::uint32_t value);
    bool write_u64(std::uint64_t address, std::uint64_t value);

    // Hands a copy to the guest in memory that it allocates, and tells where. An empty value
    // is address 0 and size 0, and nothing is allocated.
    Status give(std::string_view value, std::uint64_t address_out, std::uint64_t size_out);

    // Runs once the outermost callback has returned.
    void defer(std::function<void()> action) { deferred_.push_back(std::move(action)); }

    // Whatever the running callback returns, its filter stops (proxy_send_local_response).
    void stop_next_iteration() { stop_next_ = true; }

    // Whether the callback that returned last had asked for that.
    bool iteration_stopped() const { return last_stopped_; }

    // A fresh allowance of instructions, host calls and bytes, for the next step.
    void refuel();

    // Delivers one event of a call to the root that made it.
    void deliver(const char* name, std::uint32_t root, std::initializer_list<std::uint64_t> rest,
                 const Delivery& delivery);

    // For a call (low bits 0), gRPC call (1) or gRPC stream (2), each kind counted by itself.
    std::uint32_t next_token(std::uint32_t kind) { return (++last_token_[kind] << 2) | kind; }

    // What a host function gave back through give(), for the trace.
    std::string last_given;

    MetricIds metric_ids;

  private:
    HostResult host_call(std::size_t import, const std::uint64_t* arguments);
    CallResult enter(const std::string& name, std::size_t function,
                     const std::vector<std::uint64_t>& arguments);
    void fail(const std::string& function, const Trap& trap);
    std::optional<LoadFailure> run_start_function(const char* name,
                                                  const std::vector<std::uint64_t>& arguments);
    std::optional<LoadFailure> run_configuration(std::uint32_t id,
                                                 const plugintest::Plugin& plugin);
    LoadFailure start_failure(const char* last_line) const;
    bool allowed(const std::string& name) const;  // capability_restriction_config
    void run_deferred();
    void spend();

    struct Context {
        std::uint32_t root = 0;
        Filter* filter = nullptr;
    };

    World& world_;
    Calls& calls_;
    LoadedModule& module_;
    const plugintest::Plugin& plugin_;
    std::unique_ptr<Instance> instance_;
    std::vector<Root> roots_;
    std::map<std::uint32_t, Context> contexts_;
    std::uint32_t next_context_ = 1;
    std::uint32_t current_ = 0;
    std::set<std::uint32_t> pending_done_;
    std::uint32_t effective_ = 0;
    int depth_ = 0;
    bool muted_ = false;
    std::uint32_t last_token_[3] = {0, 0, 0};
    bool starting_ = false;  // only logging and parts of WASI may be called
    bool stop_next_ = false;
    bool last_stopped_ = false;
    std::deque<std::function<void()>> deferred_;
    Delivery delivery_;
    const std::string* configuration_ = nullptr;
    const std::string* vm_configuration_ = nullptr;
    std::optional<plugintest::Outcome> failure_;
    std::string failure_message_;
    std::uint64_t counted_ = 0;  // instructions already in the world's cost
    std::uint64_t calls_end_ = ~std::uint64_t{0};
    std::uint64_t bytes_end_ = ~std::uint64_t{0};
    std::uint64_t sent_calls_ = 0;  // of this step
    std::string used_up_;  // which allowance of the host's was too small: "1000 host calls"
};

}  // namespace wasmplug::host
