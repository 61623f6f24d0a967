#include "config.h"

#include "check.h"

using proxy_wasm::String;
using proxy_wasm::View;

namespace {

Config parse(View text, String& error) { return Config::parse(text, error); }

String error_of(View text) {
  String error;
  parse(text, error);
  return error;
}

}  // namespace

TEST(only_the_cluster_is_required) {
  String error;
  const Config config = parse(R"({"auth_cluster": "auth"})", error);
  CHECK(error.empty());
  CHECK(View(config.auth_path) == "/auth");
  CHECK(config.timeout_ms == 500 && !config.failure_mode_allow);
}

TEST(the_authority_is_the_host_of_the_cluster) {
  String error;
  CHECK(parse(R"({"auth_cluster": "outbound|80||auth.example"})", error).authority() ==
        "auth.example");
  CHECK(parse(R"({"auth_cluster": "auth"})", error).authority() == "auth");
  CHECK(parse(R"({"auth_cluster": "auth|"})", error).authority() == "auth|");
}

TEST(mistakes_are_named) {
  CHECK(View(error_of("")) == "auth_cluster is required and must not be empty");
  CHECK(View(error_of(R"({"auth_cluster": "a b"})")) == "auth_cluster holds a space");
  CHECK(View(error_of(R"({"auth_cluster": "a", "auth_path": "check"})")) ==
        "auth_path must start with / and hold no space");
  CHECK(View(error_of(R"({"auth_cluster": "a", "timeout_ms": 0})")) ==
        "timeout_ms must be a whole number from 1 to 60000");
  CHECK(View(error_of(R"({"auth_cluster": "a", "failure_mode_allow": "yes"})")) ==
        "failure_mode_allow must be true or false");
}
