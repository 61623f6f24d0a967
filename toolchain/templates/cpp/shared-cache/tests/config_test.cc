#include "config.h"

#include "check.h"

using proxy_wasm::String;
using proxy_wasm::View;

namespace {

String error_of(View text) {
  String error;
  Config::parse(text, error);
  return error;
}

}  // namespace

TEST(everything_has_a_default) {
  String error;
  const Config config = Config::parse("", error);
  CHECK(error.empty());
  CHECK(config.cache_ttl_seconds == 60 && config.max_entries == 128);
  CHECK(config.max_body_bytes == 65536);
}

TEST(mistakes_are_named) {
  CHECK(View(error_of(R"({"cache_ttl_seconds": 0})")) ==
        "cache_ttl_seconds must be a whole number from 1 to 86400");
  CHECK(View(error_of(R"({"cache_ttl_seconds": -1})")) ==
        "cache_ttl_seconds must be a whole number from 1 to 86400");
  CHECK(View(error_of(R"({"max_entries": 1.5})")) ==
        "max_entries must be a whole number from 1 to 65536");
  CHECK(View(error_of(R"({"max_body_bytes": "1k"})")) == "max_body_bytes must be a number");
  CHECK(View(error_of(R"({"ttl": 5})")) == "unknown key 'ttl'");
}
