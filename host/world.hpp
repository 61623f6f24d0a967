#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/abi.hpp"
#include "plugintest/case.hpp"

namespace wasmplug::host {

class Vm;

using plugintest::MetricValue;

// Shared data of all VMs, kept by vm_id. It outlives a VM that is reloaded.
class SharedData {
  public:
    struct Entry {
        std::string value;
        std::uint32_t cas = 0;
    };

    const Entry* get(const std::string& vm_id, const std::string& key) const;

    // cas 0 always writes; any other must be the entry's own, but for an entry that does not
    // exist. Each write takes the next number of one global counter.
    Status set(const std::string& vm_id, const std::string& key, std::string_view value,
               std::uint32_t cas);

    std::map<std::string, std::string> all(const std::string& vm_id) const;

  private:
    std::map<std::string, std::map<std::string, Entry>> by_vm_;
    std::uint32_t next_cas_ = 1;
};

class Queues {
  public:
    struct Queue {
        std::string vm_id;
        std::string name;
        std::deque<std::string> items;
        Vm* owner = nullptr;  // who is told; null after its VM went
        std::uint32_t root = 0;
        int announcements = 0;  // of proxy_on_queue_ready that are on their way, one an item
    };

    // Registering again keeps the data and moves the owner.
    std::uint32_t add(const std::string& vm_id, const std::string& name, Vm* owner,
                      std::uint32_t root);
    std::optional<std::uint32_t> find(const std::string& vm_id, const std::string& name) const;
    Queue* get(std::uint32_t token);
    void forget(const Vm* owner);

    std::map<std::uint32_t, Queue>& all() { return queues_; }

  private:
    std::map<std::uint32_t, Queue> queues_;
    std::uint32_t next_token_ = 1;
};

// Statistics of the process, by name.
using Metrics = std::map<std::string, MetricValue>;

// The numbers by which one VM knows them: a name defined twice gets two ids on one value.
class MetricIds {
  public:
    explicit MetricIds(Metrics& values) : values_(values) {}

    std::optional<std::uint32_t> define(std::uint32_t type, const std::string& name);
    Status increment(std::uint32_t id, std::int64_t offset);
    Status record(std::uint32_t id, std::int64_t value);
    Status get(std::uint32_t id, std::uint64_t& value) const;

  private:
    Metrics& values_;
    std::map<std::uint32_t, std::string> names_;
    std::uint32_t next_[3] = {1, 1, 1};  // an id is this number and the type in two bits
};

// What every VM of one test shares: the Envoy process around them, its clock, and the notes
// that the test reads afterwards.
class World {
  public:
    explicit World(const plugintest::Case& test);

    const plugintest::Case& test;
    SharedData shared_data;
    Queues queues;
    Metrics metrics;
    std::chrono::nanoseconds now;  // since 1970
    std::map<std::string, std::uint64_t> callbacks;
    std::map<std::string, std::uint64_t> host_calls;
    std::map<std::string, std::uint64_t> situations;
    plugintest::Cost cost;
    std::vector<plugintest::Log>* logs = nullptr;  // where lines go now; null: nowhere
    std::vector<plugintest::Call>* calls = nullptr;
    std::vector<std::string> trace;
    std::vector<int> target_uses;  // how often each of test.calls answered
    // Envoy does something here that this host does not: the case is no verdict on the plugin.
    std::optional<std::string> cannot_run;
    bool side_effects = false;  // shared data, queue, metric or call was touched

    void log(int level, std::string_view text);

    // Trace lines are indented by how deep host and guest call each other.
    void note(const std::string& line);

    // No longer once the trace is full: what would be written costs time as well.
    bool tracing() const { return test.trace && !trace_is_full_; }

    int depth = 0;
    int unheard = 0;  // over 0: what runs is no VM that a test speaks of, and is not noted
    std::uint64_t streams = 0;

    std::uint32_t random();
    std::string next_request_id();

  private:
    std::size_t trace_bytes_ = 0;
    bool trace_is_full_ = false;
    std::uint64_t seed_ = 0x9E3779B97F4A7C15U;
    std::uint32_t next_request_ = 1;
};

}  // namespace wasmplug::host
