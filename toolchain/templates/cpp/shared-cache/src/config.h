#pragma once

#include "proxy_wasm.h"

/// What the WasmPlugin passes in `pluginConfig`; described by config.schema.json.
struct Config {
  uint32_t cache_ttl_seconds = 60;
  uint32_t max_entries = 128;
  uint32_t max_body_bytes = 65536;
  proxy_wasm::LogLevel log_level = proxy_wasm::LogLevel::info;

  /// Fills `error` when the text is refused.
  static Config parse(proxy_wasm::View text, proxy_wasm::String& error);
};
