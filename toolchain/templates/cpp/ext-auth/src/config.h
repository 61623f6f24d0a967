#pragma once

#include "proxy_wasm.h"

/// What the WasmPlugin passes in `pluginConfig`; described by config.schema.json.
struct Config {
  proxy_wasm::String auth_cluster;
  proxy_wasm::String auth_path;
  uint32_t timeout_ms = 500;
  bool failure_mode_allow = false;
  proxy_wasm::LogLevel log_level = proxy_wasm::LogLevel::info;

  /// Fills `error` when the text is refused.
  static Config parse(proxy_wasm::View text, proxy_wasm::String& error);

  /// The call's :authority: HOST of Istio's outbound|PORT|SUBSET|HOST, else the cluster's name.
  proxy_wasm::View authority() const;
};
