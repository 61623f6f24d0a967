#include "host/vm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <utility>

#include "base/terminal.hpp"
#include "host/imports.hpp"

namespace wasmplug::host {
namespace {

// A loop over host calls costs the host far more than the few instructions a round: what it may
// ask of one step is bounded beside Limits::instructions. No plugin that ends comes near.
constexpr std::uint64_t max_host_calls = 1'000'000;
constexpr std::uint64_t max_boundary_bytes = std::uint64_t{256} << 20;
constexpr std::uint64_t max_sent_calls = 10'000;

using plugintest::Outcome;

// Host and guest may call each other so deep: an allocator that allocates would take our stack.
constexpr int max_depth = 32;

// Puts back what a callback within a callback must not change for the outer one.
template <class T>
class Restore {
  public:
    explicit Restore(T& place) : place_(place), value_(place) {}

    Restore(const Restore&) = delete;
    Restore& operator=(const Restore&) = delete;

    ~Restore() { place_ = value_; }

  private:
    T& place_;
    T value_;
};

std::string join_arguments(const std::vector<std::uint64_t>& arguments) {
    std::string text;
    for (const auto argument : arguments) {
        text += (text.empty() ? "" : ", ") + std::to_string(static_cast<std::uint32_t>(argument));
    }
    return text;
}

// What a callback's result means; empty for one without a meaning.
std::string result_text(std::string_view name, std::uint64_t value) {
    static constexpr std::array headers{"Continue", "StopIteration", "ContinueAndEndStream",
                                        "StopAllIterationAndBuffer",
                                        "StopAllIterationAndWatermark"};
    static constexpr std::array data{"Continue", "StopIterationAndBuffer",
                                     "StopIterationAndWatermark", "StopIterationNoBuffer"};
    if (name.ends_with("_headers") && value < headers.size()) {
        return headers[value];
    }
    if (name.ends_with("_body") && value < data.size()) {
        return data[value];
    }
    if (name.ends_with("_trailers")) {
        return value == 0 ? "Continue" : "StopIteration";
    }
    if (name.ends_with("_headers") || name.ends_with("_body") || name == "proxy_on_vm_start" ||
        name == "proxy_on_configure") {
        return std::to_string(static_cast<std::uint32_t>(value));
    }
    return {};
}

// "unreachable", "memory access out of bounds": what V8 calls a trap of the interpreter.
std::string v8_trap_text(const std::string& message) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 9> texts{{
        {"unreachable executed", "RuntimeError: unreachable"},
        {"out of bounds memory access", "RuntimeError: memory access out of bounds"},
        {"integer divide by zero", "RuntimeError: divide by zero"},
        {"integer overflow", "RuntimeError: divide result unrepresentable"},
        {"invalid conversion to integer", "RuntimeError: float unrepresentable in integer range"},
        {"undefined table index", "RuntimeError: table index is out of bounds"},
        {"uninitialized table element",
         "RuntimeError: null function or function signature mismatch"},
        {"indirect call signature mismatch",
         "RuntimeError: null function or function signature mismatch"},
        {"call stack exhausted", "RangeError: Maximum call stack size exceeded"},
    }};
    for (const auto& [ours, theirs] : texts) {
        if (message.starts_with(ours)) {
            return std::string(theirs);
        }
    }
    return "RuntimeError: " + message;
}

}  // namespace

const char* to_string(Status status) {
    return plugintest::status_name(static_cast<std::uint32_t>(status));
}

Vm::Vm(World& world, Calls& calls, LoadedModule& module, const plugintest::Plugin& plugin)
    : metric_ids(world.metrics), world_(world), calls_(calls), module_(module), plugin_(plugin) {}

Vm::~Vm() {
    world_.queues.forget(this);
}

std::optional<LoadFailure> Vm::start() {
    starting_ = true;
    std::optional<Trap> trap;
    instance_ = module_.module().instantiate(
        [this](std::size_t import, const std::uint64_t* arguments) {
            return host_call(import, arguments);
        },
        world_.test.limits.instructions, trap);
    if (!instance_) {
        starting_ = false;
        if (trap && trap->kind == Trap::Kind::out_of_fuel) {
            fail("start", *trap);
            return start_failure("Failed to create new Wasm instance");
        }
        return LoadFailure{Outcome::load_failed,
                           fmt::format("Failed to create new Wasm instance ({})",
                                       trap ? v8_trap_text(trap->message) : "unknown")};
    }
    refuel();
    spend();
    std::optional<LoadFailure> failure;
    if (exports("_initialize")) {
        failure = run_start_function("_initialize", {});
        if (!failure && exports("main")) {
            failure = run_start_function("main", {0, 0});
        } else if (!failure && exports("__main_void")) {
            failure = run_start_function("__main_void", {});
        }
    } else if (exports("_start")) {
        failure = run_start_function("_start", {});
    }
    starting_ = false;
    return failure;
}

std::optional<LoadFailure> Vm::run_start_function(const char* name,
                                                  const std::vector<std::uint64_t>& arguments) {
    enter(name, *instance_->function(name), arguments);
    spend();
    return failed() ? std::optional(start_failure("Failed to initialize Wasm code")) : std::nullopt;
}

LoadFailure Vm::start_failure(const char* last_line) const {
    const auto outcome =
        failed() && *failure_ == Outcome::out_of_fuel ? Outcome::out_of_fuel : Outcome::load_failed;
    return {outcome, failed() ? failure_message_ + "\n" + last_line : last_line};
}

std::optional<LoadFailure> Vm::configure(const plugintest::Plugin& plugin) {
    refuel();
    const std::uint32_t id = next_context_++;
    Root root;
    root.plugin = &plugin;
    root.id = id;
    roots_.push_back(std::move(root));
    contexts_[id] = {.root = id};
    callback("proxy_on_context_create", id, {0});
    if (failed()) {
        return start_failure("Failed to create root context");
    }
    configuration_ = &plugin.config;
    vm_configuration_ = &plugin.vm_config;
    const auto failure = run_configuration(id, plugin);
    configuration_ = nullptr;
    return failure;
}

std::optional<LoadFailure> Vm::run_configuration(std::uint32_t id,
                                                 const plugintest::Plugin& plugin) {
    if (exports("proxy_on_vm_start")) {
        const auto started = callback("proxy_on_vm_start", id, {plugin.vm_config.size()});
        if (!started || *started == 0) {
            auto failure = start_failure("Failed to start base Wasm");
            failure.outcome = failed() ? failure.outcome : Outcome::config_rejected;
            return failure;
        }
    }
    if (exports("proxy_on_configure")) {
        const auto accepted = callback("proxy_on_configure", id, {plugin.config.size()});
        if (!accepted || *accepted == 0) {
            auto failure = start_failure("Failed to configure base Wasm plugin");
            failure.outcome = failed() ? failure.outcome : Outcome::config_rejected;
            return failure;
        }
    }
    return std::nullopt;
}

void Vm::shut_down() {
    if (!instance_) {
        return;
    }
    refuel();
    for (auto root = roots_.rbegin(); root != roots_.rend(); ++root) {
        const auto done = callback("proxy_on_done", root->id, {});
        if (!done || *done != 0 || !exports("proxy_on_done")) {
            callback("proxy_on_delete", root->id, {});
        } else {
            pending_done_.insert(root->id);
        }
    }
}

bool Vm::done() {
    const std::uint32_t id = context();
    if (pending_done_.erase(id) == 0) {
        return false;
    }
    defer([this, id] { callback("proxy_on_delete", id, {}); });
    return true;
}

bool Vm::exports(const char* name) const {
    return instance_ && instance_->function(name).has_value() &&
           (!std::string_view(name).starts_with("proxy_on_") || allowed(name));
}

bool Vm::allowed(const std::string& name) const {
    const auto& names = world_.test.envoy.allowed_capabilities;
    return !names || std::find(names->begin(), names->end(), name) != names->end();
}

std::optional<std::uint64_t> Vm::callback(const char* name, std::uint32_t id,
                                          std::initializer_list<std::uint64_t> arguments) {
    if (failed()) {
        return std::nullopt;
    }
    if (!exports(name)) {
        return 0;
    }
    const auto function = instance_->function(name);
    std::vector<std::uint64_t> all{id};
    all.insert(all.end(), arguments.begin(), arguments.end());
    ++world_.callbacks[name];
    std::optional<std::uint64_t> value;
    {
        const Restore current(current_);
        const Restore effective(effective_);
        current_ = id;
        effective_ = 0;
        const auto result = enter(name, *function, all);
        if (!result.trap) {
            value = result.value;
        }
    }
    spend();
    if (depth_ == 0) {
        const bool stopped = std::exchange(stop_next_, false);
        run_deferred();
        last_stopped_ = stopped;
    }
    return value;
}

// Calls into the guest, one level deeper; a trap kills the VM.
CallResult Vm::enter(const std::string& name, std::size_t function,
                     const std::vector<std::uint64_t>& arguments) {
    const Restore unheard(world_.unheard);
    world_.unheard += muted_ ? 1 : 0;
    // What the guest allocates for our answers would only hide what it does.
    const bool traced = world_.tracing() && name != "malloc" && name != "proxy_on_memory_allocate";
    if (traced) {
        world_.note(fmt::format("{}({})", name, join_arguments(arguments)));
    }
    if (depth_ == max_depth) {
        CallResult refused;
        refused.trap = Trap{Trap::Kind::trap, "call stack exhausted", {}};
        fail(name, *refused.trap);
        return refused;
    }
    ++world_.depth;
    ++depth_;
    auto result = instance_->call(function, arguments.data(), arguments.size());
    --depth_;
    if (traced && !result.trap && !result_text(name, result.value).empty()) {
        world_.note("→ " + result_text(name, result.value));
    }
    --world_.depth;
    if (result.trap) {
        fail(name, *result.trap);
    }
    return result;
}

void Vm::fail(const std::string& function, const Trap& trap) {
    if (failed()) {
        return;
    }
    const bool endless = trap.kind == Trap::Kind::out_of_fuel || !used_up_.empty();
    failure_ = endless ? Outcome::out_of_fuel : Outcome::crash;
    ++world_.situations["trap"];
    failure_message_ =
        !used_up_.empty() ? fmt::format("Function: {} did not end within {}", function, used_up_)
        : endless         ? fmt::format("Function: {} did not end within {} instructions", function,
                                        world_.test.limits.instructions)
        : trap.kind == Trap::Kind::stopped_by_host
            ? fmt::format("Function: {} failed: Uncaught Error: {}", function, trap.message)
            : fmt::format("Function: {} failed: Uncaught {}", function, v8_trap_text(trap.message));
    if (!trap.frames.empty()) {
        failure_message_ += "\nProxy-Wasm plugin in-VM backtrace:";
    }
    for (std::size_t i = 0; i < trap.frames.size(); ++i) {
        const auto index = trap.frames[i].function;
        const std::string name = module_.function_name(index);
        failure_message_ +=
            fmt::format("\n{:3}:  func[{}] - {}", i, index, name.empty() ? "?" : name);
    }
    world_.note(failure_message_);
}

void Vm::refuel() {
    instance_->set_fuel(world_.test.limits.instructions);
    calls_end_ = world_.cost.host_calls + max_host_calls;
    bytes_end_ = world_.cost.boundary_bytes + max_boundary_bytes;
    sent_calls_ = 0;
}

void Vm::spend() {
    const std::uint64_t now = instance_->instructions();
    world_.cost.instructions += now - counted_;
    counted_ = now;
    world_.cost.memory_peak =
        std::max<std::uint64_t>(world_.cost.memory_peak, instance_->memory_size());
}

void Vm::measure_memory() {
    if (!instance_) {
        return;
    }
    spend();
    const std::span<const std::uint8_t> memory(instance_->memory(), instance_->memory_size());
    const auto last =
        std::find_if(memory.rbegin(), memory.rend(), [](std::uint8_t byte) { return byte != 0; });
    world_.cost.memory_used += static_cast<std::uint64_t>(memory.rend() - last);
}

void Vm::run_deferred() {
    while (!deferred_.empty()) {
        const auto action = std::move(deferred_.front());
        deferred_.pop_front();
        action();
    }
}

HostResult Vm::host_call(std::size_t index, const std::uint64_t* arguments) {
    const HostImport& import = module_.linked(index);
    const std::string name(import.name);
    ++world_.host_calls[name];
    ++world_.cost.host_calls;
    if (name == "proxy_http_call" || name.starts_with("proxy_grpc_")) {
        ++sent_calls_;
    }
    used_up_ = world_.cost.host_calls > calls_end_ ? fmt::format("{} host calls", max_host_calls)
               : world_.cost.boundary_bytes > bytes_end_
                   ? fmt::format("{} MiB to and from the host", max_boundary_bytes >> 20)
               : sent_calls_ > max_sent_calls ? fmt::format("{} calls to services", max_sent_calls)
                                              : "";
    if (!used_up_.empty()) {
        return {0, "no host call is left"};
    }
    if (starting_ && !import.at_start) {
        return {0, "restricted_callback"};
    }
    const bool proxy = import.name.starts_with("proxy_");
    if ((proxy || import.module == "wasi") && !allowed(name)) {
        world_.note(fmt::format("{}: not among the allowed capabilities", name));
        constexpr std::uint64_t wasi_not_capable = 76;
        return {proxy ? code(Status::internal_failure) : wasi_not_capable, std::nullopt};
    }
    const auto refused = world_.test.refuse.find(name);
    const bool refuses = refused != world_.test.refuse.end();
    if (!world_.tracing()) {
        return {refuses ? refused->second : import.call(*this, arguments), std::nullopt};
    }
    const std::string described = describe_call(*this, import, arguments);
    if (refuses) {
        world_.note(fmt::format("{} = {}, as the test asks", described,
                                plugintest::status_name(refused->second)));
        return {refused->second, std::nullopt};
    }
    last_given.clear();
    ++world_.depth;
    const std::uint64_t value = import.call(*this, arguments);
    --world_.depth;
    world_.note(fmt::format("{}{}{}", described,
                            !import.returns ? ""
                            : import.name.starts_with("proxy_")
                                ? fmt::format(" = {}", to_string(static_cast<Status>(value)))
                                : fmt::format(" = {}", value),
                            last_given.empty() ? "" : ": " + last_given));
    last_given.clear();
    return {value, std::nullopt};
}

std::uint32_t Vm::add_stream(Filter& filter, std::uint32_t root) {
    const std::uint32_t id = next_context_++;
    contexts_[id] = {.root = root, .filter = &filter};
    callback("proxy_on_context_create", id, {root});
    return id;
}

void Vm::remove_stream(std::uint32_t id) {
    contexts_.erase(id);
}

bool Vm::set_effective_context(std::uint32_t id) {
    if (!contexts_.contains(id)) {
        return false;
    }
    effective_ = id;
    return true;
}

Filter* Vm::filter() {
    const auto found = contexts_.find(context());
    return found == contexts_.end() ? nullptr : found->second.filter;
}

Root* Vm::root() {
    const auto found = contexts_.find(context());
    return found == contexts_.end() ? (roots_.empty() ? nullptr : &roots_.front())
                                    : root_by_id(found->second.root);
}

Root* Vm::root_by_id(std::uint32_t id) {
    for (auto& root : roots_) {
        if (root.id == id) {
            return &root;
        }
    }
    return nullptr;
}

std::optional<std::string_view> Vm::read(std::uint64_t address, std::uint64_t size) {
    const std::uint64_t memory = instance_ ? instance_->memory_size() : 0;
    if (address > memory || size > memory - address) {
        return std::nullopt;
    }
    world_.cost.boundary_bytes += size;
    return std::string_view(reinterpret_cast<const char*>(instance_->memory()) + address, size);
}

bool Vm::write(std::uint64_t address, std::string_view bytes) {
    const std::uint64_t memory = instance_ ? instance_->memory_size() : 0;
    if (address > memory || bytes.size() > memory - address) {
        return false;
    }
    world_.cost.boundary_bytes += bytes.size();
    std::memcpy(instance_->memory() + address, bytes.data(), bytes.size());
    return true;
}

bool Vm::write_u32(std::uint64_t address, std::uint32_t value) {
    return write(address, {reinterpret_cast<const char*>(&value), sizeof value});
}

bool Vm::write_u64(std::uint64_t address, std::uint64_t value) {
    return write(address, {reinterpret_cast<const char*>(&value), sizeof value});
}

Status Vm::give(std::string_view value, std::uint64_t address_out, std::uint64_t size_out) {
    std::uint64_t address = 0;
    if (!value.empty()) {
        // `value` may lie in what the guest's allocation changes.
        const std::string copy(value);
        const auto allocate = instance_->function("malloc");
        const std::string name = allocate ? "malloc" : "proxy_on_memory_allocate";
        const auto function = allocate ? allocate : instance_->function(name);
        if (!function) {
            return Status::internal_failure;
        }
        const Restore current(current_);
        const Restore effective(effective_);
        current_ = 0;
        effective_ = 0;
        const auto result = enter(name, *function, {copy.size()});
        if (result.trap || result.value == 0 || !write(result.value, copy)) {
            return Status::invalid_memory_access;
        }
        address = result.value;
        if (world_.tracing()) {
            last_given = in_quotes(copy);
        }
    }
    const bool written = write_u32(address_out, static_cast<std::uint32_t>(address)) &&
                         write_u32(size_out, static_cast<std::uint32_t>(value.size()));
    return written ? Status::ok : Status::invalid_memory_access;
}

void Vm::deliver(const char* name, std::uint32_t root, std::initializer_list<std::uint64_t> rest,
                 const Delivery& delivery) {
    const Restore before(delivery_);
    delivery_ = delivery;
    callback(name, root, rest);
}

}  // namespace wasmplug::host
