#include "entry.h"

using proxy_wasm::Maybe;
using proxy_wasm::String;
using proxy_wasm::View;

namespace {

/// Takes the first line off `rest`.
Maybe<View> take_line(View& rest) {
  const size_t end = rest.find("\n");
  if (end == View::npos) return {};
  const View line = rest.part(0, end);
  rest = rest.part(end + 1);
  return line;
}

}  // namespace

String Entry::encode() const {
  return proxy_wasm::join(stored_ms, "\n", key, "\n", content_type, "\n", body);
}

Maybe<Entry> Entry::decode(View text) {
  const auto stored = take_line(text);
  const auto key = take_line(text);
  const auto type = take_line(text);
  const auto ms = stored ? proxy_wasm::to_number(*stored) : Maybe<uint64_t>();
  if (!ms || !key || !type) return {};
  return Entry{*ms, *key, *type, text};
}

bool Entry::expired(uint64_t now_ms, uint32_t ttl_seconds) const {
  return now_ms >= stored_ms + uint64_t{ttl_seconds} * 1000;
}

uint64_t Entry::age(uint64_t now_ms) const {
  return now_ms > stored_ms ? (now_ms - stored_ms) / 1000 : 0;
}

uint32_t slot_of(View key, uint32_t slots) {
  uint32_t hash = 2166136261;
  for (char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619;
  return hash % slots;
}

bool forbids_storing(View cache_control) {
  const String lowered = proxy_wasm::lower(cache_control);
  const View directives = lowered;
  return directives.contains("no-store") || directives.contains("no-cache") ||
         directives.contains("private");
}
