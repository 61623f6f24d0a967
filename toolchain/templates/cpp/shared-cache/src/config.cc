#include "config.h"

#include "settings.h"

Config Config::parse(proxy_wasm::View text, proxy_wasm::String& error) {
  Settings settings(text);
  Config config;
  config.cache_ttl_seconds = settings.number("cache_ttl_seconds", 60, 1, 86400);
  config.max_entries = settings.number("max_entries", 128, 1, 65536);
  config.max_body_bytes = settings.number("max_body_bytes", 65536, 1, 1024 * 1024);
  config.log_level = settings.log_level();
  settings.finish();
  error = settings.error();
  return config;
}
