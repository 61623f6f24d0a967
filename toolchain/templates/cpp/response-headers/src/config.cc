#include "config.h"

#include "settings.h"

Config Config::parse(proxy_wasm::View text, proxy_wasm::String& error) {
  Settings settings(text);
  Config config;
  config.header_name = settings.required_text("header_name");
  config.header_value = settings.required_text("header_value");
  settings.check_header("header_name", config.header_name, config.header_value);
  if (const auto* codes = settings.take("response_codes", json::Kind::array, "an array")) {
    for (const auto& code : codes->items) {
      config.response_codes.push(settings.number(code, "response_codes", 100, 599));
    }
  }
  config.log_level = settings.log_level();
  settings.finish();
  error = settings.error();
  return config;
}

bool Config::matches(uint32_t status) const {
  for (uint32_t code : response_codes) {
    if (code == status) return true;
  }
  return response_codes.empty();
}
