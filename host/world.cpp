#include "host/world.hpp"

#include <fmt/format.h>

#include "base/terminal.hpp"
#include "base/text.hpp"

namespace wasmplug::host {

namespace {
constexpr std::uint32_t metric_type_mask = 3;  // the two low bits of an id are its type
constexpr std::size_t max_trace_lines = 20'000;
constexpr std::size_t max_trace_line = 2'000;  // bytes
constexpr std::size_t max_trace_bytes = std::size_t{4} << 20;
constexpr std::size_t max_log_bytes = std::size_t{8} << 20;
}  // namespace

const SharedData::Entry* SharedData::get(const std::string& vm_id, const std::string& key) const {
    const auto vm = by_vm_.find(vm_id);
    if (vm == by_vm_.end()) {
        return nullptr;
    }
    const auto entry = vm->second.find(key);
    return entry == vm->second.end() ? nullptr : &entry->second;
}

Status SharedData::set(const std::string& vm_id, const std::string& key, std::string_view value,
                       std::uint32_t cas) {
    auto& entries = by_vm_[vm_id];
    const auto found = entries.find(key);
    if (found != entries.end() && cas != 0 && cas != found->second.cas) {
        return Status::cas_mismatch;
    }
    entries[key] = {std::string(value), next_cas_++};
    return Status::ok;
}

std::map<std::string, std::string> SharedData::all(const std::string& vm_id) const {
    std::map<std::string, std::string> values;
    if (const auto vm = by_vm_.find(vm_id); vm != by_vm_.end()) {
        for (const auto& [key, entry] : vm->second) {
            values[key] = entry.value;
        }
    }
    return values;
}

std::uint32_t Queues::add(const std::string& vm_id, const std::string& name, Vm* owner,
                          std::uint32_t root) {
    const auto known = find(vm_id, name);
    const std::uint32_t token = known ? *known : next_token_++;
    auto& queue = queues_[token];
    queue.vm_id = vm_id;
    queue.name = name;
    queue.owner = owner;
    queue.root = root;
    return token;
}

std::optional<std::uint32_t> Queues::find(const std::string& vm_id, const std::string& name) const {
    for (const auto& [token, queue] : queues_) {
        if (queue.vm_id == vm_id && queue.name == name) {
            return token;
        }
    }
    return std::nullopt;
}

Queues::Queue* Queues::get(std::uint32_t token) {
    const auto found = queues_.find(token);
    return found == queues_.end() ? nullptr : &found->second;
}

void Queues::forget(const Vm* owner) {
    for (auto& [token, queue] : queues_) {
        if (queue.owner == owner) {
            queue.owner = nullptr;
        }
    }
}

std::optional<std::uint32_t> MetricIds::define(std::uint32_t type, const std::string& name) {
    if (type > 2) {
        return std::nullopt;
    }
    const std::uint32_t id = (next_[type]++ << 2) | type;
    names_[id] = name;
    values_.try_emplace(name, MetricValue{static_cast<MetricValue::Kind>(type), 0});
    return id;
}

Status MetricIds::increment(std::uint32_t id, std::int64_t offset) {
    const std::uint32_t type = id & metric_type_mask;
    if (type > 1) {
        return Status::bad_argument;
    }
    const auto name = names_.find(id);
    if (name == names_.end()) {
        return Status::not_found;
    }
    if (type == 0 && offset <= 0) {
        return Status::bad_argument;
    }
    auto& value = values_[name->second].value;
    value = static_cast<std::int64_t>(static_cast<std::uint64_t>(value) +
                                      static_cast<std::uint64_t>(offset));
    return Status::ok;
}

Status MetricIds::record(std::uint32_t id, std::int64_t value) {
    if ((id & metric_type_mask) > 2) {
        return Status::bad_argument;
    }
    const auto name = names_.find(id);
    if (name == names_.end()) {
        return Status::not_found;
    }
    auto& metric = values_[name->second].value;
    switch (id & metric_type_mask) {
        case 0:  // Envoy adds: a counter has no other way
            metric = static_cast<std::int64_t>(static_cast<std::uint64_t>(metric) +
                                               static_cast<std::uint64_t>(value));
            break;
        case 1:
            metric = value;
            break;
        default:
            ++metric;
    }
    return Status::ok;
}

Status MetricIds::get(std::uint32_t id, std::uint64_t& value) const {
    if ((id & metric_type_mask) > 1) {
        return Status::bad_argument;
    }
    const auto name = names_.find(id);
    if (name == names_.end()) {
        return Status::not_found;
    }
    value = static_cast<std::uint64_t>(values_.at(name->second).value);
    return Status::ok;
}

World::World(const plugintest::Case& the_test)
    : test(the_test),
      now(std::chrono::duration_cast<std::chrono::nanoseconds>(the_test.clock.time_since_epoch())),
      target_uses(the_test.calls.size(), 0) {}

void World::log(int level, std::string_view text) {
    if (unheard > 0) {
        return;
    }
    if (tracing()) {
        // More than what note() keeps would be made readable for nothing.
        note(fmt::format("log {}: {}", plugintest::log_level_name(level),
                         printable(text.substr(0, max_trace_line + 1))));
    }
    if (logs == nullptr) {
        return;
    }
    cost.boundary_bytes += text.size();
    std::size_t kept = text.size();
    if (logs->size() > 10'000 || kept > max_log_bytes) {
        kept = std::min<std::size_t>(kept, 80);
        if (logs->size() > 100'000) {
            return;
        }
    }
    logs->push_back({level, std::string(text.substr(0, kept))});
}

void World::note(const std::string& line) {
    if (!tracing() || unheard > 0) {
        return;
    }
    if (trace.size() == max_trace_lines || trace_bytes_ > max_trace_bytes) {
        trace.push_back("… (the trace is cut here)");
        trace_is_full_ = true;
        return;
    }
    std::string text(static_cast<std::size_t>(depth) * 2, ' ');
    text += whole_characters(line, max_trace_line);
    text += line.size() > max_trace_line ? "…" : "";
    trace_bytes_ += text.size();
    trace.push_back(std::move(text));
}

std::uint32_t World::random() {
    // xorshift64*: the same numbers in every run, so that a failure can be repeated.
    seed_ ^= seed_ >> 12;
    seed_ ^= seed_ << 25;
    seed_ ^= seed_ >> 27;
    return static_cast<std::uint32_t>((seed_ * 0x2545F4914F6CDD1DU) >> 32);
}

std::string World::next_request_id() {
    return fmt::format("00000000-0000-4000-8000-{:012x}", next_request_++);
}

}  // namespace wasmplug::host
