#include "proxy_wasm.h"

#define HOST(name) extern "C" __attribute__((import_module("env"), import_name(#name)))
#define CALLBACK(name) extern "C" __attribute__((export_name(#name)))

using proxy_wasm::Status;

// Proxy-Wasm ABI 0.2.1, imports: the part that this plugin uses.
HOST(proxy_log) Status proxy_log(uint32_t, const char*, size_t);
HOST(proxy_get_buffer_bytes)
Status proxy_get_buffer_bytes(uint32_t, size_t, size_t, char**, size_t*);
HOST(proxy_set_buffer_bytes)
Status proxy_set_buffer_bytes(uint32_t, size_t, size_t, const char*, size_t);
HOST(proxy_get_header_map_value)
Status proxy_get_header_map_value(uint32_t, const char*, size_t, char**, size_t*);
HOST(proxy_add_header_map_value)
Status proxy_add_header_map_value(uint32_t, const char*, size_t, const char*, size_t);
HOST(proxy_replace_header_map_value)
Status proxy_replace_header_map_value(uint32_t, const char*, size_t, const char*, size_t);
HOST(proxy_remove_header_map_value)
Status proxy_remove_header_map_value(uint32_t, const char*, size_t);
HOST(proxy_get_shared_data)
Status proxy_get_shared_data(const char*, size_t, char**, size_t*, uint32_t*);
HOST(proxy_set_shared_data)
Status proxy_set_shared_data(const char*, size_t, const char*, size_t, uint32_t);
HOST(proxy_set_tick_period_milliseconds)
Status proxy_set_tick_period_milliseconds(uint32_t);
HOST(proxy_get_current_time_nanoseconds)
Status proxy_get_current_time_nanoseconds(uint64_t*);
HOST(proxy_define_metric) Status proxy_define_metric(uint32_t, const char*, size_t, uint32_t*);
HOST(proxy_increment_metric) Status proxy_increment_metric(uint32_t, int64_t);
HOST(proxy_http_call)
Status proxy_http_call(const char*, size_t, const char*, size_t, const char*, size_t, const char*,
                       size_t, uint32_t, uint32_t*);
HOST(proxy_continue_stream) Status proxy_continue_stream(uint32_t);
HOST(proxy_send_local_response)
Status proxy_send_local_response(uint32_t, const char*, size_t, const char*, size_t, const char*,
                                 size_t, uint32_t);
HOST(proxy_set_effective_context) Status proxy_set_effective_context(uint32_t);

namespace proxy_wasm {
namespace {

constexpr uint32_t plugin_configuration = 7;
constexpr uint32_t counter_type = 0;
constexpr uint32_t no_grpc_status = UINT32_MAX;

LogLevel lowest_level = LogLevel::info;

/// Memory that the host has taken from malloc() for one answer; we own it.
struct Answer {
  char* data = nullptr;
  size_t size = 0;

  Answer() = default;
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;
  ~Answer() { ::operator delete(static_cast<void*>(data)); }

  Maybe<String> text(Status status) const {
    if (status != Status::ok) return {};
    return String(View(data, size));
  }
};

/// The wire form of a header list: count, the sizes of each pair, then names and values, each
/// followed by a zero byte.
String encode(const List<Header>& headers) {
  String out;
  const auto put = [&out](size_t number) {
    out.append(View(reinterpret_cast<const char*>(&number), sizeof number));
  };
  static_assert(sizeof(size_t) == 4, "the wire form has 32-bit sizes");
  if (headers.empty()) return out;
  put(headers.size());
  for (const auto& [name, value] : headers) {
    put(name.size());
    put(value.size());
  }
  for (const auto& [name, value] : headers) {
    out.append(name).append('\0').append(value).append('\0');
  }
  return out;
}

/// Objects by the number that the host gave them.
template <class T>
class Numbered {
 public:
  T* find(uint32_t id) {
    for (auto& [key, value] : slot(id)) {
      if (key == id) return &value;
    }
    return nullptr;
  }
  void put(uint32_t id, T value) { slot(id).push({id, move(value)}); }
  void remove(uint32_t id) {
    auto& entries = slot(id);
    for (size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].id == id) return entries.remove_unordered(i);
    }
  }

 private:
  struct Entry {
    uint32_t id;
    T value;
  };
  static constexpr size_t slots = 256;

  List<Entry>& slot(uint32_t id) { return slots_[id % slots]; }

  List<Entry> slots_[slots];
};

}  // namespace

/// Everything that is alive in this VM.
struct Runtime {
  Numbered<Owner<Plugin>> plugins;
  Numbered<Owner<Stream>> streams;
  Numbered<uint32_t> calls;  ///< From a call's token to the stream that made it.

  static Runtime& get() {
    static Runtime* runtime = nullptr;
    if (!runtime) runtime = new Runtime;
    return *runtime;
  }
  Plugin* plugin(uint32_t id) {
    auto* owner = plugins.find(id);
    return owner ? owner->get() : nullptr;
  }
  Stream* stream(uint32_t id) {
    auto* owner = streams.find(id);
    return owner ? owner->get() : nullptr;
  }
  void open(uint32_t id, uint32_t root) {
    Plugin* owner = plugin(root);
    Owner<Stream> stream = owner ? owner->new_stream() : Owner<Stream>();
    if (!stream) return;
    stream->id_ = id;
    streams.put(id, move(stream));
  }
};

void set_log_level(LogLevel level) { lowest_level = level; }
bool logs(LogLevel level) { return level >= lowest_level; }
void log(LogLevel level, View message) {
  proxy_log(static_cast<uint32_t>(level), message.data(), message.size());
}

Maybe<String> Headers::get(View name) const {
  Answer answer;
  return answer.text(proxy_get_header_map_value(map_, name.data(), name.size(), &answer.data,
                                                &answer.size));
}
Status Headers::add(View name, View value) const {
  return proxy_add_header_map_value(map_, name.data(), name.size(), value.data(), value.size());
}
Status Headers::set(View name, View value) const {
  return proxy_replace_header_map_value(map_, name.data(), name.size(), value.data(),
                                        value.size());
}
Status Headers::remove(View name) const {
  return proxy_remove_header_map_value(map_, name.data(), name.size());
}

Maybe<String> Body::read(size_t start, size_t size) const {
  Answer answer;
  return answer.text(proxy_get_buffer_bytes(buffer_, start, size, &answer.data, &answer.size));
}
Status Body::replace(size_t size, View data) const {
  return proxy_set_buffer_bytes(buffer_, 0, size, data.data(), data.size());
}

Counter Counter::define(View name) {
  Counter counter;
  const Status status = proxy_define_metric(counter_type, name.data(), name.size(), &counter.id_);
  counter.defined_ = status == Status::ok;
  if (!counter.defined_) log_warn("metric ", name, " cannot be defined");
  return counter;
}
void Counter::add(uint32_t amount) const {
  if (defined_) proxy_increment_metric(id_, amount);
}

Maybe<SharedValue> shared_data(View key) {
  Answer answer;
  uint32_t cas = 0;
  auto value = answer.text(
      proxy_get_shared_data(key.data(), key.size(), &answer.data, &answer.size, &cas));
  if (!value) return {};
  return SharedValue{move(*value), cas};
}
Status set_shared_data(View key, View value, uint32_t cas) {
  return proxy_set_shared_data(key.data(), key.size(), value.data(), value.size(), cas);
}

Status set_tick_period(uint32_t milliseconds) {
  return proxy_set_tick_period_milliseconds(milliseconds);
}
uint64_t now_ms() {
  uint64_t nanoseconds = 0;
  proxy_get_current_time_nanoseconds(&nanoseconds);
  return nanoseconds / 1'000'000;
}

Status Stream::http_call(View cluster, const List<Header>& headers, uint32_t timeout_ms) const {
  const String encoded = encode(headers);
  uint32_t token = 0;
  const Status status =
      proxy_http_call(cluster.data(), cluster.size(), encoded.data(), encoded.size(), nullptr, 0,
                      nullptr, 0, timeout_ms, &token);
  if (status == Status::ok) Runtime::get().calls.put(token, id_);
  return status;
}
Status Stream::resume_request() const { return proxy_continue_stream(0); }
Status Stream::respond(uint32_t status, View details, View body,
                       const List<Header>& headers) const {
  const String encoded = encode(headers);
  return proxy_send_local_response(status, details.data(), details.size(), body.data(),
                                   body.size(), encoded.data(), encoded.size(), no_grpc_status);
}

}  // namespace proxy_wasm

using namespace proxy_wasm;

CALLBACK(proxy_abi_version_0_2_1) void proxy_abi_version_0_2_1() {}

CALLBACK(proxy_on_vm_start) uint32_t proxy_on_vm_start(uint32_t, uint32_t) { return 1; }

CALLBACK(proxy_on_context_create) void proxy_on_context_create(uint32_t id, uint32_t root) {
  if (root == 0) {
    Runtime::get().plugins.put(id, new_plugin());
  } else {
    Runtime::get().open(id, root);
  }
}

CALLBACK(proxy_on_configure) uint32_t proxy_on_configure(uint32_t id, size_t size) {
  Answer text;
  if (size > 0 && proxy_get_buffer_bytes(plugin_configuration, 0, size, &text.data, &text.size) !=
                      Status::ok) {
    log_error("the host does not hand out the configuration");
    return 0;
  }
  Plugin* plugin = Runtime::get().plugin(id);
  return plugin && plugin->on_configure({text.data, text.size}) ? 1 : 0;
}

CALLBACK(proxy_on_tick) void proxy_on_tick(uint32_t id) {
  if (Plugin* plugin = Runtime::get().plugin(id)) plugin->on_tick();
}

CALLBACK(proxy_on_request_headers)
Action proxy_on_request_headers(uint32_t id, uint32_t, uint32_t end) {
  Stream* stream = Runtime::get().stream(id);
  return stream ? stream->on_request_headers(end != 0) : Action::proceed;
}

CALLBACK(proxy_on_request_body)
Action proxy_on_request_body(uint32_t id, size_t size, uint32_t end) {
  Stream* stream = Runtime::get().stream(id);
  return stream ? stream->on_request_body(size, end != 0) : Action::proceed;
}

CALLBACK(proxy_on_response_headers)
Action proxy_on_response_headers(uint32_t id, uint32_t, uint32_t end) {
  Stream* stream = Runtime::get().stream(id);
  return stream ? stream->on_response_headers(end != 0) : Action::proceed;
}

CALLBACK(proxy_on_response_body)
Action proxy_on_response_body(uint32_t id, size_t size, uint32_t end) {
  Stream* stream = Runtime::get().stream(id);
  return stream ? stream->on_response_body(size, end != 0) : Action::proceed;
}

CALLBACK(proxy_on_http_call_response)
void proxy_on_http_call_response(uint32_t, uint32_t token, uint32_t headers, size_t body,
                                 uint32_t) {
  const uint32_t* found = Runtime::get().calls.find(token);
  if (!found) return;
  const uint32_t id = *found;
  Runtime::get().calls.remove(token);
  Stream* stream = Runtime::get().stream(id);
  // The client may have left in the meantime: then there is nobody to tell.
  if (!stream || proxy_set_effective_context(id) != Status::ok) return;
  stream->on_http_call_done(headers > 0, body);
}

CALLBACK(proxy_on_done) uint32_t proxy_on_done(uint32_t) { return 1; }

CALLBACK(proxy_on_delete) void proxy_on_delete(uint32_t id) {
  Runtime::get().streams.remove(id);
  Runtime::get().plugins.remove(id);
}
