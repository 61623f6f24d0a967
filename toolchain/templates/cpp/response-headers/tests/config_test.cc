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

TEST(every_status_matches_when_none_is_listed) {
  String error;
  const Config config = Config::parse(R"({"header_name": "x-a", "header_value": "b"})", error);
  CHECK(error.empty());
  CHECK(View(config.header_value) == "b");
  CHECK(config.matches(200) && config.matches(503));
}

TEST(only_listed_statuses_match) {
  String error;
  const Config config = Config::parse(
      R"({"header_name": "x-a", "header_value": "b", "response_codes": [200, 201]})", error);
  CHECK(error.empty());
  CHECK(config.matches(201) && !config.matches(404));
}

TEST(mistakes_are_named) {
  CHECK(View(error_of("")) == "header_name is required and must not be empty");
  CHECK(View(error_of("[]")) == "not a JSON object");
  CHECK(View(error_of(R"({"header_name": "x a", "header_value": "b"})")) ==
        "header_name: 'x a' is no header name");
  CHECK(View(error_of(R"({"header_name": "a", "header_value": "b", "response_codes": [99]})")) ==
        "response_codes must be a whole number from 100 to 599");
  CHECK(View(error_of(R"({"header_name": "a", "header_value": "b", "log_level": "x"})")) ==
        "log_level must be one of trace, debug, info, warn, error, critical");
  CHECK(View(error_of(R"({"header_name": "a", "header_value": "b", "colour": 1})")) ==
        "unknown key 'colour'");
}
