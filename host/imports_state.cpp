// Logs, configuration, time, shared data, queues, metrics.

#include <string>

#include "host/imports.hpp"

namespace wasmplug::host {
namespace {

std::uint64_t memory_status(bool written) {
    return code(written ? Status::ok : Status::invalid_memory_access);
}

std::uint64_t log(Vm& vm, Arguments a) {
    constexpr std::uint64_t critical = 5;
    if (a[0] > critical) {
        return code(Status::bad_argument);
    }
    const auto text = vm.read(a[1], a[2]);
    if (!text) {
        return code(Status::invalid_memory_access);
    }
    vm.world().log(static_cast<int>(a[0]), *text);
    return code(Status::ok);
}

std::uint64_t get_log_level(Vm& vm, Arguments a) {
    return memory_status(vm.write_u32(a[0], 0));  // trace: nothing is filtered before a test
}

std::uint64_t get_status(Vm& vm, Arguments a) {
    const Root* root = vm.root();
    if (!vm.write_u32(a[0], root == nullptr ? 0 : root->status_code)) {
        return code(Status::invalid_memory_access);
    }
    return code(vm.give(root == nullptr ? "" : root->status_message, a[1], a[2]));
}

// 0.1.0 has no buffers for the configurations.
std::uint64_t get_configuration(Vm& vm, Arguments a) {
    const std::string* text = vm.configuration();
    return code(vm.give(text == nullptr ? "" : *text, a[0], a[1]));
}

std::uint64_t get_shared_data(Vm& vm, Arguments a) {
    const auto key = vm.read(a[0], a[1]);
    if (!key) {
        return code(Status::invalid_memory_access);
    }
    const auto* entry = vm.world().shared_data.get(vm.plugin().vm_id, std::string(*key));
    if (entry == nullptr) {
        return code(Status::not_found);
    }
    const std::uint32_t cas = entry->cas;
    const Status given = vm.give(entry->value, a[2], a[3]);
    return given == Status::ok ? memory_status(vm.write_u32(a[4], cas)) : code(given);
}

std::uint64_t set_shared_data(Vm& vm, Arguments a) {
    const auto key = vm.read(a[0], a[1]);
    const auto value = vm.read(a[2], a[3]);
    if (!key || !value) {
        return code(Status::invalid_memory_access);
    }
    vm.world().side_effects = true;
    return code(vm.world().shared_data.set(vm.plugin().vm_id, std::string(*key), *value,
                                           static_cast<std::uint32_t>(a[4])));
}

std::uint64_t register_queue(Vm& vm, Arguments a) {
    const auto name = vm.read(a[0], a[1]);
    const Root* root = vm.root();
    if (!name || root == nullptr) {
        return code(Status::invalid_memory_access);
    }
    vm.world().side_effects = true;
    const auto token = vm.world().queues.add(vm.plugin().vm_id, std::string(*name), &vm, root->id);
    return memory_status(vm.write_u32(a[2], token));
}

std::uint64_t resolve_queue(Vm& vm, Arguments a) {
    const auto vm_id = vm.read(a[0], a[1]);
    const auto name = vm.read(a[2], a[3]);
    if (!vm_id || !name) {
        return code(Status::invalid_memory_access);
    }
    const auto token = vm.world().queues.find(std::string(*vm_id), std::string(*name));
    return token ? memory_status(vm.write_u32(a[4], *token)) : code(Status::not_found);
}

std::uint64_t enqueue(Vm& vm, Arguments a) {
    const auto data = vm.read(a[1], a[2]);
    if (!data) {
        return code(Status::invalid_memory_access);
    }
    auto* queue = vm.world().queues.get(static_cast<std::uint32_t>(a[0]));
    if (queue == nullptr) {
        return code(Status::not_found);
    }
    vm.world().side_effects = true;
    queue->items.emplace_back(*data);
    ++queue->announcements;
    return code(Status::ok);
}

std::uint64_t dequeue(Vm& vm, Arguments a) {
    auto* queue = vm.world().queues.get(static_cast<std::uint32_t>(a[0]));
    if (queue == nullptr) {
        return code(Status::not_found);
    }
    if (queue->items.empty()) {
        return code(Status::empty);
    }
    const std::string item = std::move(queue->items.front());
    queue->items.pop_front();
    return code(vm.give(item, a[1], a[2]));
}

std::uint64_t define_metric(Vm& vm, Arguments a) {
    const auto name = vm.read(a[1], a[2]);
    if (!name) {
        return code(Status::invalid_memory_access);
    }
    const auto id = vm.metric_ids.define(static_cast<std::uint32_t>(a[0]), std::string(*name));
    return id ? memory_status(vm.write_u32(a[3], *id)) : code(Status::bad_argument);
}

std::uint64_t increment_metric(Vm& vm, Arguments a) {
    vm.world().side_effects = true;
    return code(
        vm.metric_ids.increment(static_cast<std::uint32_t>(a[0]), static_cast<std::int64_t>(a[1])));
}

std::uint64_t record_metric(Vm& vm, Arguments a) {
    vm.world().side_effects = true;
    return code(
        vm.metric_ids.record(static_cast<std::uint32_t>(a[0]), static_cast<std::int64_t>(a[1])));
}

std::uint64_t get_metric(Vm& vm, Arguments a) {
    std::uint64_t value = 0;
    const Status status = vm.metric_ids.get(static_cast<std::uint32_t>(a[0]), value);
    return status == Status::ok ? memory_status(vm.write_u64(a[1], value)) : code(status);
}

std::uint64_t set_tick_period(Vm& vm, Arguments a) {
    if (Root* root = vm.root()) {
        root->tick_period = std::chrono::milliseconds(static_cast<std::uint32_t>(a[0]));
        root->next_tick = vm.world().now + root->tick_period;
    }
    return code(Status::ok);
}

std::uint64_t get_time(Vm& vm, Arguments a) {
    return memory_status(vm.write_u64(a[0], static_cast<std::uint64_t>(vm.world().now.count())));
}

std::uint64_t set_effective_context(Vm& vm, Arguments a) {
    return code(vm.set_effective_context(static_cast<std::uint32_t>(a[0])) ? Status::ok
                                                                           : Status::bad_argument);
}

// Streams end with proxy_on_delete whatever proxy_on_done said; only a root is waited for.
std::uint64_t done(Vm& vm, Arguments) {
    return code(vm.done() ? Status::ok : Status::not_found);
}

std::uint64_t pthread_equal(Vm&, Arguments a) {
    return static_cast<std::uint32_t>(a[0]) == static_cast<std::uint32_t>(a[1]) ? 1 : 0;
}

std::uint64_t nothing(Vm&, Arguments) {
    return 0;
}

std::uint64_t resolve_dns(Vm&, Arguments) {
    return code(Status::unimplemented);
}

}  // namespace

const std::vector<HostImport>& state_imports() {
    static const std::vector<HostImport> table = [] {
        const auto in = [](std::string_view name, std::string_view arguments,
                           std::uint64_t (*call)(Vm&, Arguments)) {
            return HostImport{.module = "env", .name = name, .arguments = arguments, .call = call};
        };
        std::vector<HostImport> all{
            in("proxy_get_status", "ooo", get_status),
            in("proxy_get_property", "koo", get_property),
            in("proxy_set_property", "ks", set_property),
            in("proxy_get_shared_data", "sooo", get_shared_data),
            in("proxy_set_shared_data", "ssi", set_shared_data),
            in("proxy_register_shared_queue", "so", register_queue),
            in("proxy_resolve_shared_queue", "sso", resolve_queue),
            in("proxy_enqueue_shared_queue", "is", enqueue),
            in("proxy_dequeue_shared_queue", "ioo", dequeue),
            in("proxy_define_metric", "iso", define_metric),
            in("proxy_increment_metric", "iq", increment_metric),
            in("proxy_record_metric", "iq", record_metric),
            in("proxy_get_metric", "io", get_metric),
            in("proxy_set_tick_period_milliseconds", "i", set_tick_period),
            in("proxy_get_current_time_nanoseconds", "o", get_time),
            in("proxy_set_effective_context", "i", set_effective_context),
            in("proxy_done", "", done),
            in("proxy_call_foreign_function", "ssoo", call_foreign_function),
            in("pthread_equal", "ii", pthread_equal),
            in("envoy_resolve_dns", "so", resolve_dns),
        };
        HostImport logging = in("proxy_log", "ls", log);
        logging.at_start = true;
        HostImport level = in("proxy_get_log_level", "o", get_log_level);
        level.in_0_1_0 = level.in_0_2_0 = false;
        HostImport configuration = in("proxy_get_configuration", "oo", get_configuration);
        configuration.in_0_2_0 = configuration.in_0_2_1 = false;
        HostImport growth = in("emscripten_notify_memory_growth", "i", nothing);
        growth.at_start = true;
        growth.returns = false;
        all.insert(all.end(), {logging, level, configuration, growth});
        return all;
    }();
    return table;
}

}  // namespace wasmplug::host
