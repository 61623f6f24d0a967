#pragma once

#include "proxy_wasm.h"

/// A name and a value, or a text and what takes its place.
struct Pair {
  proxy_wasm::String first;
  proxy_wasm::String second;
};

/// What the WasmPlugin passes in `pluginConfig`; described by config.schema.json.
struct Config {
  proxy_wasm::List<Pair> add_request_headers;
  proxy_wasm::List<proxy_wasm::String> remove_response_headers;
  bool log_request_body = false;
  proxy_wasm::List<Pair> replace_response_text;
  uint32_t max_body_bytes = 65536;
  proxy_wasm::LogLevel log_level = proxy_wasm::LogLevel::info;

  /// Fills `error` when the text is refused.
  static Config parse(proxy_wasm::View text, proxy_wasm::String& error);
};
