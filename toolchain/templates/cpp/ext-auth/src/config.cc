#include "config.h"

#include "settings.h"

namespace {

/// Envoy refuses a call with a space or a control character in one of these.
bool is_visible(proxy_wasm::View text) {
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f) return false;
  }
  return true;
}

}  // namespace

Config Config::parse(proxy_wasm::View text, proxy_wasm::String& error) {
  Settings settings(text);
  Config config;
  config.auth_cluster = settings.required_text("auth_cluster");
  if (!is_visible(config.auth_cluster)) settings.fail("auth_cluster holds a space");
  config.auth_path = settings.text("auth_path", "/auth");
  if (!proxy_wasm::View(config.auth_path).starts_with("/") || !is_visible(config.auth_path)) {
    settings.fail("auth_path must start with / and hold no space");
  }
  config.timeout_ms = settings.number("timeout_ms", 500, 1, 60000);
  config.failure_mode_allow = settings.flag("failure_mode_allow");
  config.log_level = settings.log_level();
  settings.finish();
  error = settings.error();
  return config;
}

proxy_wasm::View Config::authority() const {
  const proxy_wasm::View cluster = auth_cluster;
  size_t start = 0;
  for (size_t at; (at = cluster.find("|", start)) != proxy_wasm::View::npos;) start = at + 1;
  return start < cluster.size() ? cluster.part(start) : cluster;
}
