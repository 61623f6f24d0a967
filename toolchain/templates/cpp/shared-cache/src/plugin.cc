// Answers GET requests from a cache that all workers share.
#include "config.h"
#include "entry.h"
#include "proxy_wasm.h"

using namespace proxy_wasm;

namespace {

constexpr uint32_t tick_ms = 1000;
/// How many slots one tick looks at: the host copies each into this VM.
constexpr uint32_t slots_per_tick = 16;
/// Longer ones are not worth a slot.
constexpr size_t longest_key = 1024;
/// A request with one of these gets an answer of its own.
constexpr const char* personal_headers[] = {"authorization", "cookie", "range", "cache-control",
                                            "upgrade"};
/// A response with one of these is not for everybody, or not for every time.
constexpr const char* unfit_headers[] = {"set-cookie", "vary", "content-encoding"};

/// One configuration of the plugin in one worker; outlives its streams.
class MyPlugin : public Plugin {
 public:
  bool on_configure(View configuration) override;
  Owner<Stream> new_stream() override;
  void on_tick() override;

  String slot_key(uint32_t slot) const { return join("my-plugin/slot/", slot); }
  String slot_key(View key) const { return slot_key(slot_of(key, config.max_entries)); }

  Config config;
  Counter requests;
  Counter errors;
  Counter hits;
  Counter misses;
  Counter stored;
  Counter expired;
  Counter bodies_too_large;

 private:
  uint32_t next_slot_ = 0;
};

class MyStream : public Stream {
 public:
  explicit MyStream(const MyPlugin& plugin) : plugin_(plugin), config_(plugin.config) {}

  Action on_request_headers(bool end) override {
    plugin_.requests.add();
    key_ = end ? cache_key() : String();
    if (key_.empty()) return Action::proceed;
    const uint64_t now = now_ms();
    const auto slot = shared_data(plugin_.slot_key(View(key_)));
    const auto entry = slot ? Entry::decode(slot->value) : Maybe<Entry>();
    if (entry && View(entry->key) == key_ && !entry->expired(now, config_.cache_ttl_seconds) &&
        answer(*entry, now)) {
      key_.clear();  // the answer comes through on_response_headers too
      plugin_.hits.add();
      return Action::pause;
    }
    plugin_.misses.add();
    return Action::proceed;
  }

  Action on_response_headers(bool end) override {
    if (key_.empty()) return Action::proceed;
    check(response_headers.set("x-cache", "miss"), "set x-cache");
    keeps_ = may_keep();
    if (keeps_ && end) store();
    return Action::proceed;
  }

  // The body goes on chunk by chunk, and is kept at its end.
  Action on_response_body(size_t size, bool end) override {
    if (!keeps_) return Action::proceed;
    if (size > config_.max_body_bytes - entry_.body.size()) {
      too_large();
      return Action::proceed;
    }
    if (size > 0) {
      const auto chunk = response_body.read(0, size);
      keeps_ = chunk && chunk->size() == size;
      if (!keeps_) {
        check(Status::not_found, "read the response body");
        return Action::proceed;
      }
      entry_.body.append(*chunk);
    }
    if (end) store();
    return Action::proceed;
  }

 private:
  void check(Status status, View doing) const {
    if (status == Status::ok) return;
    plugin_.errors.add();
    log_error("cannot ", doing, ": status ", static_cast<uint32_t>(status));
  }

  void too_large() {
    keeps_ = false;
    entry_.body = String();
    plugin_.bodies_too_large.add();
    log_debug("not kept: the body is above max_body_bytes (", config_.max_body_bytes, ")");
  }

  /// Empty when the cache is not to be asked: the answer could be another one for this client.
  String cache_key() const {
    const auto method = request_headers.get(":method");
    const auto host = request_headers.get(":authority");
    const auto path = request_headers.get(":path");
    if (!method || View(*method) != "GET" || !host || !path) return {};
    for (const char* name : personal_headers) {
      if (request_headers.get(name)) return {};
    }
    String key = join(*host, *path);
    return key.size() <= longest_key ? move(key) : String();
  }

  bool answer(const Entry& entry, uint64_t now) const {
    const String age = join(entry.age(now));
    List<Header> headers;
    headers.push({"x-cache", "hit"});
    headers.push({"age", age});
    if (!entry.content_type.empty()) headers.push({"content-type", entry.content_type});
    const Status status = respond(200, "cache_hit", entry.body, headers);
    check(status, "answer from the cache");
    return status == Status::ok;
  }

  bool may_keep() {
    const auto status = response_headers.get(":status");
    if (!status || View(*status) != "200") return false;
    for (const char* name : unfit_headers) {
      if (response_headers.get(name)) return false;
    }
    const auto control = response_headers.get("cache-control");
    if (control && forbids_storing(*control)) return false;
    const auto length = response_headers.get("content-length");
    const auto bytes = length ? to_number(*length) : Maybe<uint64_t>();
    if (bytes && *bytes > config_.max_body_bytes) {
      too_large();
      return false;
    }
    if (auto type = response_headers.get("content-type")) entry_.content_type = move(*type);
    return true;
  }

  void store() {
    keeps_ = false;
    entry_.key = key_.copy();
    entry_.stored_ms = now_ms();
    const String slot = plugin_.slot_key(View(key_));
    const auto before = shared_data(slot);
    const Status status =
        set_shared_data(slot, entry_.encode(), before ? before->cas : not_yet);
    if (status == Status::cas_mismatch) {
      log_debug("another worker has just written ", slot);
      return;
    }
    check(status, "keep an answer");
    if (status == Status::ok) plugin_.stored.add();
  }

  const MyPlugin& plugin_;
  const Config& config_;
  String key_;  ///< Empty when this request has nothing to do with the cache.
  Entry entry_;
  bool keeps_ = false;
};

bool MyPlugin::on_configure(View configuration) {
  String error;
  Config parsed = Config::parse(configuration, error);
  if (!error.empty()) {
    log_error("configuration refused: ", error);
    return false;
  }
  config = move(parsed);
  set_log_level(config.log_level);
  requests = Counter::define("wasmplug_my_plugin_requests_total");
  errors = Counter::define("wasmplug_my_plugin_errors_total");
  hits = Counter::define("wasmplug_my_plugin_hits_total");
  misses = Counter::define("wasmplug_my_plugin_misses_total");
  stored = Counter::define("wasmplug_my_plugin_stored_total");
  expired = Counter::define("wasmplug_my_plugin_expired_total");
  bodies_too_large = Counter::define("wasmplug_my_plugin_bodies_too_large_total");
  if (set_tick_period(tick_ms) != Status::ok) log_warn("no ticks: expired answers stay in memory");
  log_info("configured: cache_ttl_seconds=", config.cache_ttl_seconds,
           ", max_entries=", config.max_entries);
  return true;
}

// Shared data cannot be deleted: an expired slot is emptied, unless another worker has written
// it in the meantime.
void MyPlugin::on_tick() {
  const uint64_t now = now_ms();
  for (uint32_t i = 0; i < slots_per_tick && i < config.max_entries; ++i) {
    const String slot = slot_key(next_slot_);
    next_slot_ = (next_slot_ + 1) % config.max_entries;
    const auto value = shared_data(slot);
    const auto entry = value ? Entry::decode(value->value) : Maybe<Entry>();
    if (entry && entry->expired(now, config.cache_ttl_seconds) &&
        set_shared_data(slot, "", value->cas) == Status::ok) {
      expired.add();
    }
  }
}

Owner<Stream> MyPlugin::new_stream() { return make<MyStream>(*this); }

}  // namespace

PROXY_WASM_PLUGIN(MyPlugin)
