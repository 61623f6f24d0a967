#include "config.h"

#include "settings.h"

namespace {

proxy_wasm::List<Pair> take_pairs(Settings& settings, const char* name) {
  proxy_wasm::List<Pair> pairs;
  const auto* object = settings.take(name, json::Kind::object, "an object");
  if (!object) return pairs;
  for (size_t i = 0; i < object->items.size(); ++i) {
    if (object->items[i].kind != json::Kind::string) {
      settings.fail(proxy_wasm::join(name, ": '", object->names[i], "' must be a string"));
    }
    pairs.push({object->names[i].copy(), object->items[i].text.copy()});
  }
  return pairs;
}

}  // namespace

Config Config::parse(proxy_wasm::View text, proxy_wasm::String& error) {
  // Envoy itself answers 413 or 500 once 1 MiB is buffered.
  constexpr uint32_t most_body_bytes = 1024 * 1024 - 1;
  Settings settings(text);
  Config config;
  config.add_request_headers = take_pairs(settings, "add_request_headers");
  for (const auto& [name, value] : config.add_request_headers) {
    settings.check_header("add_request_headers", name, value);
  }
  if (const auto* names =
          settings.take("remove_response_headers", json::Kind::array, "an array")) {
    for (const auto& name : names->items) {
      if (name.kind != json::Kind::string) {
        settings.fail("remove_response_headers must hold strings");
      }
      settings.check_header("remove_response_headers", name.text, "");
      config.remove_response_headers.push(name.text.copy());
    }
  }
  config.log_request_body = settings.flag("log_request_body");
  config.replace_response_text = take_pairs(settings, "replace_response_text");
  for (const auto& pair : config.replace_response_text) {
    if (pair.first.empty()) settings.fail("replace_response_text: a text to replace is empty");
  }
  config.max_body_bytes = settings.number("max_body_bytes", 65536, 1, most_body_bytes);
  config.log_level = settings.log_level();
  settings.finish();
  error = settings.error();
  return config;
}
