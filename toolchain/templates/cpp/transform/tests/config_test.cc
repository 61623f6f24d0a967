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

TEST(nothing_is_configured_by_default) {
  for (const char* text : {"", "{}"}) {
    String error;
    const Config config = Config::parse(text, error);
    CHECK(error.empty());
    CHECK(config.add_request_headers.empty() && config.remove_response_headers.empty());
    CHECK(!config.log_request_body && config.max_body_bytes == 65536);
  }
}

TEST(every_key_is_read) {
  String error;
  const Config config = Config::parse(R"({"add_request_headers": {"x-a": "1", "x-b": ""},
      "remove_response_headers": ["server"], "log_request_body": true,
      "replace_response_text": {"a": "b"}, "max_body_bytes": 1048575, "log_level": "warn"})",
                                      error);
  CHECK(error.empty());
  CHECK(config.add_request_headers.size() == 2);
  CHECK(View(config.add_request_headers[0].second) == "1");
  CHECK(View(config.remove_response_headers[0]) == "server");
  CHECK(config.log_request_body && config.max_body_bytes == 1048575);
  CHECK(config.log_level == proxy_wasm::LogLevel::warn);
}

TEST(mistakes_are_named) {
  CHECK(View(error_of("{")) == "not valid JSON");
  CHECK(View(error_of(R"({"add_request_headers": {":path": "/"}})")) ==
        "add_request_headers: ':path' is no header name");
  CHECK(View(error_of(R"({"add_request_headers": {"x-a": "b\nc"}})")) ==
        "add_request_headers: the value of 'x-a' holds a control character");
  CHECK(View(error_of(R"({"add_request_headers": {"x-a": 1}})")) ==
        "add_request_headers: 'x-a' must be a string");
  CHECK(View(error_of(R"({"remove_response_headers": [1]})")) ==
        "remove_response_headers must hold strings");
  CHECK(View(error_of(R"({"replace_response_text": {"": "x"}})")) ==
        "replace_response_text: a text to replace is empty");
  CHECK(View(error_of(R"({"max_body_bytes": 1048576})")) ==
        "max_body_bytes must be a whole number from 1 to 1048575");
}
