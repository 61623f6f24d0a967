// A small C++20 interface to the Proxy-Wasm ABI 0.2.1.
// Derive from Plugin and Stream, then name the plugin class once: PROXY_WASM_PLUGIN(MyClass)
#pragma once

#include "support.h"

namespace proxy_wasm {

enum class LogLevel : uint32_t { trace, debug, info, warn, error, critical };

/// What the host answers to every call (proxy-wasm spec, "Status").
enum class Status : uint32_t {
  ok,
  not_found,
  bad_argument,
  serialization_failure,
  parse_failure,
  bad_expression,
  invalid_memory_access,
  empty,
  cas_mismatch,
  result_mismatch,
  internal_failure,
  broken_connection,
  unimplemented,
};

/// What becomes of the message after a callback: it goes on, or waits for resume_*() (headers)
/// or for the rest of it (bodies).
enum class Action : uint32_t { proceed, pause };

/// Lines below this level are dropped before they reach the host.
void set_log_level(LogLevel level);
bool logs(LogLevel level);
void log(LogLevel level, View message);

/// Joins texts and numbers: log_info("status ", 200u).
template <class... Parts>
void log_debug(const Parts&... parts) {
  if (logs(LogLevel::debug)) log(LogLevel::debug, join(parts...));
}
template <class... Parts>
void log_info(const Parts&... parts) {
  if (logs(LogLevel::info)) log(LogLevel::info, join(parts...));
}
template <class... Parts>
void log_warn(const Parts&... parts) {
  if (logs(LogLevel::warn)) log(LogLevel::warn, join(parts...));
}
template <class... Parts>
void log_error(const Parts&... parts) {
  if (logs(LogLevel::error)) log(LogLevel::error, join(parts...));
}

struct Header {
  View name;
  View value;
};

/// A header map of the current stream or HTTP call. Envoy has it only while the callback of the
/// same phase runs; at any other time get() finds nothing and the others do not answer ok.
class Headers {
 public:
  explicit constexpr Headers(uint32_t map) : map_(map) {}

  Maybe<String> get(View name) const;
  Status add(View name, View value) const;
  Status set(View name, View value) const;
  Status remove(View name) const;

 private:
  uint32_t map_;
};
inline constexpr Headers request_headers{0};
inline constexpr Headers response_headers{2};
inline constexpr Headers call_response_headers{6};

/// A body of the current stream or HTTP call: the chunk at hand, or all that is buffered when
/// the callback before this one paused.
class Body {
 public:
  explicit constexpr Body(uint32_t buffer) : buffer_(buffer) {}

  Maybe<String> read(size_t start, size_t size) const;
  /// Puts `data` in place of the first `size` bytes.
  Status replace(size_t size, View data) const;

 private:
  uint32_t buffer_;
};
inline constexpr Body request_body{0};
inline constexpr Body response_body{1};
inline constexpr Body call_response_body{4};

/// A counter that Envoy exports under `name`. One that the host refuses to define counts nothing.
class Counter {
 public:
  Counter() = default;
  static Counter define(View name);
  void add(uint32_t amount = 1) const;

 private:
  uint32_t id_ = 0;
  bool defined_ = false;
};

/// A value that all workers share, and the mark that says whether it has changed since.
struct SharedValue {
  String value;
  uint32_t cas = 0;
};
Maybe<SharedValue> shared_data(View key);
/// Answers cas_mismatch when somebody wrote the key since `cas` was read. `not_yet` writes only a
/// key that nobody has written; 0 would overwrite whatever is there.
inline constexpr uint32_t not_yet = UINT32_MAX;
Status set_shared_data(View key, View value, uint32_t cas);

/// How often Plugin::on_tick runs.
Status set_tick_period(uint32_t milliseconds);
/// Milliseconds since 1970.
uint64_t now_ms();

/// One HTTP request and its response.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual Action on_request_headers(bool /*end*/) { return Action::proceed; }
  virtual Action on_request_body(size_t /*size*/, bool /*end*/) { return Action::proceed; }
  virtual Action on_response_headers(bool /*end*/) { return Action::proceed; }
  virtual Action on_response_body(size_t /*size*/, bool /*end*/) { return Action::proceed; }
  /// The answer to http_call(). `answered` is false when there was none: the connection broke or
  /// the time was up after the headers.
  virtual void on_http_call_done(bool /*answered*/, size_t /*body_size*/) {}

 protected:
  /// Anything but ok means that no call was made and on_http_call_done will not run.
  Status http_call(View cluster, const List<Header>& headers, uint32_t timeout_ms) const;
  Status resume_request() const;
  /// Answers the client instead of the upstream. `details` shows up in the access log.
  Status respond(uint32_t status, View details, View body, const List<Header>& headers) const;

 private:
  friend struct Runtime;
  uint32_t id_ = 0;
};

/// One configuration of the plugin in one worker.
class Plugin {
 public:
  virtual ~Plugin() = default;
  /// False refuses the configuration: Envoy keeps the one before, or does not start.
  virtual bool on_configure(View configuration) = 0;
  virtual Owner<Stream> new_stream() = 0;
  virtual void on_tick() {}
};

Owner<Plugin> new_plugin();

}  // namespace proxy_wasm

#define PROXY_WASM_PLUGIN(Class) \
  proxy_wasm::Owner<proxy_wasm::Plugin> proxy_wasm::new_plugin() { return make<Class>(); }
