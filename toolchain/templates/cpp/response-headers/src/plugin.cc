// Sets a configured header on the responses with the configured status codes.
#include "config.h"
#include "proxy_wasm.h"

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
  Counter headers_set;
};

class MyStream : public Stream {
 public:
  explicit MyStream(const MyPlugin& plugin) : plugin_(plugin) {}

  Action on_request_headers(bool) override {
    plugin_.requests.add();
    return Action::proceed;
  }

  Action on_response_headers(bool) override {
    const auto status = response_headers.get(":status");
    const auto code = to_number(status ? View(*status) : View(), 999);
    if (!code || !plugin_.config.matches(static_cast<uint32_t>(*code))) return Action::proceed;
    const auto& [name, value, codes, level] = plugin_.config;
    if (response_headers.set(name, value) == Status::ok) {
      plugin_.headers_set.add();
      log_debug("set ", name, " on a response with status ", *code);
    } else {
      plugin_.errors.add();
      log_error("cannot set ", name);
    }
    return Action::proceed;
  }

 private:
  const MyPlugin& plugin_;
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
  headers_set = Counter::define("wasmplug_my_plugin_headers_set_total");
  log_info("configured: header_name=", config.header_name);
  return true;
}

Owner<Stream> MyPlugin::new_stream() { return make<MyStream>(*this); }

}  // namespace

PROXY_WASM_PLUGIN(MyPlugin)
