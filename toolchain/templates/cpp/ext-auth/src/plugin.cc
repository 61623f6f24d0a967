// Asks another service whether a request may pass.
#include "config.h"
#include "proxy_wasm.h"
#include "verdict.h"

using namespace proxy_wasm;

namespace {

/// The header in which the service names the user; nobody else may.
constexpr View user_header = "x-auth-user";

/// One configuration of the plugin in one worker; outlives its streams.
class MyPlugin : public Plugin {
 public:
  bool on_configure(View configuration) override;
  Owner<Stream> new_stream() override;

  Config config;
  Counter requests;
  Counter errors;
  Counter allowed;
  Counter denied;
};

class MyStream : public Stream {
 public:
  explicit MyStream(const MyPlugin& plugin) : plugin_(plugin), config_(plugin.config) {}

  Action on_request_headers(bool) override {
    plugin_.requests.add();
    if (request_headers.remove(user_header) != Status::ok) {
      return refuse("the client's x-auth-user cannot be removed");
    }
    const Status status = ask();
    if (status == Status::ok) return Action::pause;
    return without_answer(join("cluster ", config_.auth_cluster, " cannot be called: status ",
                               static_cast<uint32_t>(status)));
  }

  void on_http_call_done(bool answered, size_t) override {
    const auto status = answered ? call_response_headers.get(":status") : Maybe<String>();
    const auto code = status ? to_number(*status, 999) : Maybe<uint64_t>();
    const Decision decision = judge(code ? static_cast<uint32_t>(*code) : 0);
    Action action = Action::pause;
    switch (decision.verdict) {
      case Verdict::allow: action = allow(); break;
      case Verdict::deny: action = deny(decision.status); break;
      case Verdict::unknown:
        action = without_answer(code ? join("the service answered ", *code)
                                     : String("the service did not answer"));
    }
    if (action == Action::proceed && resume_request() != Status::ok) {
      refuse("the request cannot be resumed");
    }
  }

 private:
  Status ask() const {
    const auto method = request_headers.get(":method");
    const auto host = request_headers.get(":authority");
    const auto path = request_headers.get(":path");
    List<Header> headers;
    headers.push({":method", "GET"});
    headers.push({":path", config_.auth_path});
    headers.push({":authority", config_.authority()});
    if (method) headers.push({"x-forwarded-method", *method});
    if (host) headers.push({"x-forwarded-host", *host});
    if (path) headers.push({"x-forwarded-uri", *path});
    const char* copied[] = {"authorization", "cookie", "x-request-id"};
    Maybe<String> values[3];
    for (size_t i = 0; i < 3; ++i) {
      values[i] = request_headers.get(copied[i]);
      if (values[i]) headers.push({copied[i], *values[i]});
    }
    return http_call(config_.auth_cluster, headers, config_.timeout_ms);
  }

  Action allow() const {
    if (const auto user = call_response_headers.get(user_header)) {
      if (request_headers.set(user_header, *user) != Status::ok) {
        return without_answer("the user cannot be passed on");
      }
    }
    plugin_.allowed.add();
    return Action::proceed;
  }

  Action deny(uint32_t status) const {
    plugin_.denied.add();
    log_info("denied with ", status);
    List<Header> headers;
    const auto challenge = call_response_headers.get("www-authenticate");
    if (challenge) headers.push({"www-authenticate", *challenge});
    answer(status, "auth_denied", status == 401 ? "unauthorized\n" : "forbidden\n", headers);
    return Action::pause;
  }

  Action without_answer(View why) const {
    if (!config_.failure_mode_allow) return refuse(why);
    plugin_.errors.add();
    log_error(why, "; passed");
    return Action::proceed;
  }

  Action refuse(View why) const {
    plugin_.errors.add();
    log_error(why, "; refused");
    answer(503, "auth_unavailable", "authorization is unavailable\n", {});
    return Action::pause;
  }

  void answer(uint32_t status, View details, View body, const List<Header>& headers) const {
    if (respond(status, details, body, headers) != Status::ok) log_error("cannot answer");
  }

  const MyPlugin& plugin_;
  const Config& config_;
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
  allowed = Counter::define("wasmplug_my_plugin_allowed_total");
  denied = Counter::define("wasmplug_my_plugin_denied_total");
  log_info("configured: auth_cluster=", config.auth_cluster, ", auth_path=", config.auth_path);
  return true;
}

Owner<Stream> MyPlugin::new_stream() { return make<MyStream>(*this); }

}  // namespace

PROXY_WASM_PLUGIN(MyPlugin)
