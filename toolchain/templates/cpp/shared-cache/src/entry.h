#pragma once

#include "proxy_wasm.h"

/// One answer, as it stands in a slot of the shared data.
struct Entry {
  uint64_t stored_ms = 0;
  proxy_wasm::String key;
  proxy_wasm::String content_type;
  proxy_wasm::String body;

  /// Four parts, one a line; the body is the rest.
  proxy_wasm::String encode() const;
  /// Nothing for an empty slot, or one that something else has written.
  static proxy_wasm::Maybe<Entry> decode(proxy_wasm::View text);

  bool expired(uint64_t now_ms, uint32_t ttl_seconds) const;
  /// In seconds; 0 when the clock went back.
  uint64_t age(uint64_t now_ms) const;
};

/// Which of `slots` slots an answer to `key` goes to (FNV-1a).
uint32_t slot_of(proxy_wasm::View key, uint32_t slots);

/// Whether a cache-control header of a response forbids to keep it.
bool forbids_storing(proxy_wasm::View cache_control);
