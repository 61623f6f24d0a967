#pragma once

#include "proxy_wasm.h"

/// What the WasmPlugin passes in `pluginConfig`; described by config.schema.json.
struct Config {
  proxy_wasm::String header_name;
  proxy_wasm::String header_value;
  proxy_wasm::List<uint32_t> response_codes;  ///< All of them when empty.
  proxy_wasm::LogLevel log_level = proxy_wasm::LogLevel::info;

  /// Fills `error` when the text is refused.
  static Config parse(proxy_wasm::View text, proxy_wasm::String& error);

  bool matches(uint32_t status) const;
};
