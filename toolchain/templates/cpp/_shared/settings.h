// Takes the members out of a configuration object one by one; the first mistake wins, and what
// nobody asked for is a mistake too.
#pragma once

#include "json.h"
#include "proxy_wasm.h"

class Settings {
 public:
  /// An empty text counts as {}: that is what Istio sends for a plugin without pluginConfig.
  explicit Settings(proxy_wasm::View text) {
    if (text.empty()) text = "{}";
    auto root = json::parse(text);
    if (!root) {
      fail("not valid JSON");
    } else if (root->kind != json::Kind::object) {
      fail("not a JSON object");
    } else {
      root_ = proxy_wasm::move(*root);
    }
  }

  /// Why the configuration is refused; empty while it is good.
  proxy_wasm::View error() const { return error_; }

  void fail(proxy_wasm::View why) {
    if (error_.empty()) error_ = why;
  }

  /// The member, or null when it is missing or of another kind (which is a mistake).
  const json::Value* take(const char* name, json::Kind kind, const char* described) {
    known_.push(name);
    const json::Value* value = root_.find(name);
    if (value && value->kind != kind) {
      fail(proxy_wasm::join(name, " must be ", described));
      return nullptr;
    }
    return value;
  }

  proxy_wasm::String text(const char* name, proxy_wasm::View fallback = {}) {
    const json::Value* value = take(name, json::Kind::string, "a string");
    return value ? value->text.copy() : proxy_wasm::String(fallback);
  }

  proxy_wasm::String required_text(const char* name) {
    proxy_wasm::String value = text(name);
    if (value.empty()) fail(proxy_wasm::join(name, " is required and must not be empty"));
    return value;
  }

  bool flag(const char* name) {
    const json::Value* value = take(name, json::Kind::boolean, "true or false");
    return value && value->boolean;
  }

  uint32_t number(const char* name, uint32_t fallback, uint32_t least, uint32_t most) {
    const json::Value* value = take(name, json::Kind::number, "a number");
    return value ? number(*value, name, least, most) : fallback;
  }

  uint32_t number(const json::Value& value, const char* name, uint32_t least, uint32_t most) {
    const auto number = proxy_wasm::to_number(value.text, most);
    if (value.kind != json::Kind::number || !number || *number < least) {
      fail(proxy_wasm::join(name, " must be a whole number from ", least, " to ", most));
      return least;
    }
    return static_cast<uint32_t>(*number);
  }

  proxy_wasm::LogLevel log_level() {
    const proxy_wasm::String name = text("log_level", "info");
    const char* names[] = {"trace", "debug", "info", "warn", "error", "critical"};
    for (uint32_t i = 0; i < 6; ++i) {
      if (proxy_wasm::View(name) == names[i]) return static_cast<proxy_wasm::LogLevel>(i);
    }
    fail("log_level must be one of trace, debug, info, warn, error, critical");
    return proxy_wasm::LogLevel::info;
  }

  /// Envoy answers 503 to a request that carries an invalid header, so none may get in here.
  void check_header(const char* where, proxy_wasm::View name, proxy_wasm::View value) {
    if (!valid_name(name)) fail(proxy_wasm::join(where, ": '", name, "' is no header name"));
    for (char c : value) {
      const auto byte = static_cast<unsigned char>(c);
      if ((byte < 0x20 && c != '\t') || byte == 0x7f) {
        fail(proxy_wasm::join(where, ": the value of '", name, "' holds a control character"));
      }
    }
  }

  /// Call last: a member that nobody took is a misspelt one.
  void finish() {
    for (const auto& name : root_.names) {
      bool known = false;
      for (const char* candidate : known_) known = known || proxy_wasm::View(name) == candidate;
      if (!known) fail(proxy_wasm::join("unknown key '", name, "'"));
    }
  }

 private:
  static bool valid_name(proxy_wasm::View name) {
    const proxy_wasm::View symbols = "!#$%&'*+-.^_`|~";
    for (const char& c : name) {
      const char l = proxy_wasm::lower(c);
      const bool letter_or_digit = (l >= 'a' && l <= 'z') || (l >= '0' && l <= '9');
      if (!letter_or_digit && !symbols.contains({&c, 1})) return false;
    }
    return !name.empty();
  }

  json::Value root_;
  proxy_wasm::List<const char*> known_;
  proxy_wasm::String error_;
};
