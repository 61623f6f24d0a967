// Adds request headers, removes response headers, logs request bodies and replaces texts in
// response bodies.
#include "config.h"
#include "proxy_wasm.h"
#include "text.h"

using namespace proxy_wasm;

namespace {

/// One configuration of the plugin in one worker; outlives its streams.
class MyPlugin : public Plugin {
 public:
  bool on_configure(View configuration) override;
  Owner<Stream> new_stream() override;

  Config config;
  Counter requests;
  Counter errors;
  Counter bodies_replaced;
  Counter bodies_too_large;
};

class MyStream : public Stream {
 public:
  explicit MyStream(const MyPlugin& plugin) : plugin_(plugin), config_(plugin.config) {}

  Action on_request_headers(bool) override {
    plugin_.requests.add();
    for (const auto& [name, value] : config_.add_request_headers) {
      check(request_headers.set(name, value), "set", name);
    }
    return Action::proceed;
  }

  // The body goes on chunk by chunk; only what is logged is kept.
  Action on_request_body(size_t size, bool end) override {
    if (!config_.log_request_body) return Action::proceed;
    body_size_ += size;
    const size_t room = config_.max_body_bytes - body_start_.size();
    if (const size_t wanted = size < room ? size : room; wanted > 0) {
      if (const auto chunk = request_body.read(0, wanted)) body_start_.append(*chunk);
    }
    if (end && body_size_ > 0) log_body();
    return Action::proceed;
  }

  Action on_response_headers(bool end) override {
    for (const auto& name : config_.remove_response_headers) {
      check(response_headers.remove(name), "remove", name);
    }
    rewrites_ = !end && may_rewrite();
    // The length will be another one; without it the body is sent in chunks.
    if (rewrites_) check(response_headers.remove("content-length"), "remove", "content-length");
    return Action::proceed;
  }

  Action on_response_body(size_t size, bool end) override {
    if (!rewrites_) return Action::proceed;
    if (size > config_.max_body_bytes) {
      rewrites_ = false;
      too_large("a response body");
      return Action::proceed;
    }
    if (!end) return Action::pause;
    rewrite(size);
    return Action::proceed;
  }

 private:
  void check(Status status, View doing, View name) const {
    if (status == Status::ok) return;
    plugin_.errors.add();
    log_error("cannot ", doing, " ", name, ": status ", static_cast<uint32_t>(status));
  }

  void too_large(View what) const {
    plugin_.bodies_too_large.add();
    log_warn(what, " is above max_body_bytes (", config_.max_body_bytes, ")");
  }

  void log_body() const {
    if (body_start_.size() == body_size_) {
      log_info("request body (", body_size_, " bytes): ", printable(body_start_));
    } else {
      log_info("request body (first ", uint32_t(body_start_.size()), " of ", body_size_,
               " bytes): ", printable(body_start_));
      too_large("a request body");
    }
  }

  /// Whether the response is a complete, uncompressed text within the limit.
  bool may_rewrite() const {
    if (config_.replace_response_text.empty()) return false;
    const auto type = response_headers.get("content-type");
    if (!type || !is_text(*type)) return false;
    if (response_headers.get("content-encoding") || response_headers.get("content-range")) {
      return false;
    }
    const auto length = response_headers.get("content-length");
    const auto bytes = length ? to_number(*length) : Maybe<uint64_t>();
    if (bytes && *bytes > config_.max_body_bytes) {
      too_large("a response body");
      return false;
    }
    return true;
  }

  void rewrite(size_t size) const {
    if (size == 0) return;
    const auto body = response_body.read(0, size);
    if (!body) return check(Status::not_found, "read", "the response body");
    const auto replaced = replace_all(*body, config_.replace_response_text);
    if (!replaced) return;
    check(response_body.replace(size, *replaced), "replace", "the response body");
    plugin_.bodies_replaced.add();
  }

  const MyPlugin& plugin_;
  const Config& config_;
  String body_start_;  ///< Of the request, as far as it is logged.
  uint64_t body_size_ = 0;
  bool rewrites_ = false;
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
  bodies_replaced = Counter::define("wasmplug_my_plugin_bodies_replaced_total");
  bodies_too_large = Counter::define("wasmplug_my_plugin_bodies_too_large_total");
  log_info("configured: ", uint32_t(config.add_request_headers.size()), " headers to add, ",
           uint32_t(config.remove_response_headers.size()), " to remove, ",
           uint32_t(config.replace_response_text.size()), " texts to replace");
  return true;
}

Owner<Stream> MyPlugin::new_stream() { return make<MyStream>(*this); }

}  // namespace

PROXY_WASM_PLUGIN(MyPlugin)
